"""Limits: the numbers of `log_aggregator.limits`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from log_aggregator import limits
from reference_pages.table import TEXTS, show_size, table


def make_limits() -> Iterator[str]:
    yield "# Limits"
    yield ""
    yield "The fixed limits of S3 and of this program, and what follows from them."
    yield ""
    yield "## S3's own"
    yield ""
    yield (
        "Source: [Amazon S3 quick "
        "facts](https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html)."
    )
    yield ""
    yield from table(("limit", "value", "meaning"), _limit_rows(TEXTS["limits"]["s3"]))
    yield ""
    yield "## Ours"
    yield ""
    yield from table(("limit", "value", "meaning"), _limit_rows(TEXTS["limits"]["ours"]))
    yield ""
    yield "[Settings](settings.md) has the limits that you can change, and their bounds."
    yield ""
    yield "## What follows from them"
    yield ""
    yield (
        f"- A pack has at most {limits.PART_COUNT_MAX:,} parts; where `part_size` is too small "
        "for a pack, it is raised for that pack."
    )
    yield "- A log object larger than 5 GiB is copied in several ranges."
    yield (
        "- Ranges of dates are done in windows of seven days, one after another, so memory does "
        "not grow with the range."
    )
    yield "- `objects_max` is checked for each window before anything in that window is touched."


def _limit_rows(meanings: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for name, meaning in meanings.items():
        value = getattr(limits, name)
        yield (
            f"`{name}`",
            show_size(value) if "BYTES" in name and value >= limits.MIB else f"{value:,}",
            meaning,
        )
