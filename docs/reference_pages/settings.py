"""Settings: the rows of `log_aggregator.settings`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from log_aggregator.settings import SETTINGS, Settings
from reference_pages.table import show_size, table


def make_settings() -> Iterator[str]:
    defaults = Settings()
    yield "# Settings"
    yield ""
    yield (
        "They stand in one TOML file, `aggregator.toml` in the current folder unless `--config` "
        "names another one."
    )
    yield (
        "Every one but `holds` is also an option of the commands, which wins over the file: "
        "`pack_size_max` is `--pack-size-max`."
    )
    yield "On the command line a list is written with commas: `--other-buckets flow-logs,elb-logs`."
    yield (
        "A name that is not in this table is an error, so a misspelt setting never goes unnoticed."
    )
    yield "[aggregator.toml.example](../../aggregator.toml.example) is a file to begin with."
    yield ""
    yield (
        "At least one bucket must be named in `control_tower_bucket` or `other_buckets`; "
        "everything else has a default."
    )
    yield 'A size is a number with or without a unit: `1073741824`, `"1 GiB"`, `"500 MB"`.'
    yield ""
    yield from table(
        ("setting", "default", "allowed", "meaning"),
        (
            (
                f"`{row.name}`",
                _show_default(getattr(defaults, row.name), row.allowed),
                row.allowed,
                row.meaning,
            )
            for row in SETTINGS
        ),
    )
    yield from HOLDS
    yield from SETTING_RULES


def _show_default(value: Any, allowed: str) -> str:
    if isinstance(value, str):
        return f'`"{value}"`'
    if isinstance(value, int):
        return f'`"{show_size(value)}"`' if allowed.startswith("a size") else f"`{value}`"
    return "none"


HOLDS = """
## holds

A table of the file, with four lists; none of them has to be there.
What one of them names is neither packed nor deleted, and it is counted as held in the run's report.

| list | holds |
|---|---|
| `buckets` | all log objects of these source buckets |
| `accounts` | all log objects whose key names one of these accounts (twelve digits, in quotes) |
| `prefixes` | all log objects whose key, or `<bucket>/<key>`, begins so |
| `dates` | all log objects of these log dates: `"2026-03-01"`, or a range with both ends, `"2026-03-01..2026-03-14"` |
""".splitlines()

SETTING_RULES = """
## Rules between settings

- `other_regions = "delete"` needs `aggregation_regions`.
- `pack_size_max` is at least `part_size`.
- `keep_originals_days` is counted from the day on which a pack was written; with 0 its originals are deleted in the same run.
- Without a date on the command line, a run takes yesterday and the `look_back_days` + `keep_originals_days` days before it.
""".splitlines()
