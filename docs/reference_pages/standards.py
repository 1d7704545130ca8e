"""Standards: what they ask of an archive of logs, and which part of a report answers it."""

from __future__ import annotations

from collections.abc import Iterator

from log_aggregator.core.evidence.standards import Section, list_requirements
from log_aggregator.reports.evidence.page import TITLES
from reference_pages.table import table


def make_standards() -> Iterator[str]:
    yield "# Standards"
    yield ""
    yield (
        "What standards ask of an archive of logs, with sources, and what the page for auditors "
        "shows about it."
    )
    yield "`log-aggregator report` writes that page."
    yield ""
    yield "Text in quotes is the standard's own wording, as published."
    yield "Everything else is a paraphrase: read the source before you rely on it."
    yield "This page does not say that anyone complies; it says what can be shown, and what cannot."
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
