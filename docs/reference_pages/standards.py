"""Standards: what they ask of an archive of logs, and which part of a report answers it."""

from __future__ import annotations

from collections.abc import Iterator

from log_aggregator.core.evidence.standards import Section, list_requirements
from log_aggregator.reports.evidence.page import TITLES
from reference_pages.table import table


def make_standards() -> Iterator[str]:
    yield "# Standards"
    yield ""
    yield "`log-aggregator report` writes a page for auditors; each of its parts says what standards ask of it."
    yield "Here is the same as a table, with the sources."
    yield ""
    yield "What stands in quotes is the standard's own sentence, as it is published."
    yield "All else is a paraphrase: read the source before you rely on it."
    yield "Nothing here says that somebody complies; it says what there is to show, and where that ends."
    for section in Section:
        rows = list(list_requirements(section))
        if not rows:
            continue
        yield ""
        yield f"## {TITLES[section]}"
        yield ""
        yield from table(
            ("standard", "asks", "what the report shows of it"),
            (
                (
                    f"[{row.standard}]({row.url}), {row.paragraph}",
                    f"“{row.text}”" if row.is_quoted else f"{row.text} (paraphrase)",
                    row.answer,
                )
                for row in rows
            ),
        )
