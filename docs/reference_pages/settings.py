"""Settings: the rows of `log_aggregator.settings`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from log_aggregator.core.layouts.declarations import LAYOUTS_MAX
from log_aggregator.settings import SETTINGS, Settings
from reference_pages.table import show_size, table


def make_settings() -> Iterator[str]:
    defaults = Settings()
    yield "# Settings"
    yield ""
    yield (
        "All settings, their defaults and what they mean: they are in one TOML file, "
        "`aggregator.toml` in the current folder unless `--config` names another one."
    )
    yield (
        "Each except `holds` and `layouts` is also an option of the commands, which overrides the "
        "file: `pack_size_max` is `--pack-size-max`."
    )
    yield "On the command line a list is written with commas: `--other-buckets flow-logs,elb-logs`."
    yield "A name that is not in this table is an error, so a misspelt setting cannot go unnoticed."
    yield "Start from [aggregator.toml.example](../../aggregator.toml.example)."
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
    yield from BUCKET_ACCOUNTS
    yield from HOLDS
    yield from LAYOUTS
    yield ""
    yield f"There may be up to {LAYOUTS_MAX} declarations, each with a name of its own."
    yield from SETTING_RULES


def _show_default(value: Any, allowed: str) -> str:
    if isinstance(value, str):
        return f'`"{value}"`'
    if isinstance(value, int):
        return f'`"{show_size(value)}"`' if allowed.startswith("a size") else f"`{value}`"
    return "none"


BUCKET_ACCOUNTS = """
## bucket_accounts

A table of the file; on the command line `--bucket-accounts example-elb-*=444455556666,inventories=111122223333`.
Every request names the account that the bucket must belong to, and S3 refuses it otherwise ([why](../how-to/iam-permissions.md#whose-buckets-they-are)).

| bucket | account |
|---|---|
| `destination_bucket` | `destination_account` |
| one that is named here | the named account; a whole name overrides a prefix, and a long prefix a short one |
| any other | that of the credentials; STS is asked once (GetCallerIdentity, which needs no permission) |

`bucket_accounts = {"*" = "111122223333"}` names the account of all other buckets, and STS is not asked: use it in a network that can reach S3 but not STS.
With an S3 server other than AWS's, and for AWS with a host name of your own, no account is expected unless one of the two settings names it.
There may be no STS, and some servers do not know the header.
""".splitlines()

HOLDS = """
## holds

A table of the file, with four optional lists.
Everything they name is neither packed nor deleted, and is counted as held in the run's report.

| list | holds |
|---|---|
| `buckets` | all log objects of these source buckets |
| `accounts` | all log objects whose key names one of these accounts (twelve digits, in quotes) |
| `prefixes` | all log objects whose key, or `<bucket>/<key>`, begins with one of these |
| `dates` | all log objects of these log dates: `"2026-03-01"`, or a range with both ends, `"2026-03-01..2026-03-14"` |
""".splitlines()

LAYOUTS = """
## layouts

Tables of the file, each beginning with `[[layouts]]`, one for each kind of key that AWS does not write.
Keys in `other_buckets` that match neither a [built-in layout](layouts.md) nor a declaration are left where they are; in `control_tower_bucket` declarations do not apply.
The first declaration that matches a key applies.

| field | allowed | meaning |
|---|---|---|
| `name` | up to 64 letters, digits, dots, dashes and underscores; not a built-in layout's | the log type of these keys |
| `pattern` | text with [fields](../how-to/declare-your-logs.md) such as `{YYYY-MM-DD}` | what whole keys look like |
| `buckets` | names of buckets, with `*` for anything; if missing, all `other_buckets` | where it applies |
| `kind` | `"gzip"`, `"text"`, `"binary"`; if missing, the suffix or the first bytes decide | what the bytes are |
| `date` | `"last-modified"`; if missing, the date is in the pattern | the log date is the day on which the object was written |

In the [stack](../how-to/deploy.md#6-declare-your-logs) they are a separate file in S3.
A run lists the ones it used in its report and in its [custody record](../internals/custody.md).
""".splitlines()

SETTING_RULES = """
## Rules between settings

- `other_regions = "delete"` needs `aggregation_regions`.
- `destination_account` needs `destination_bucket`, and must agree with `bucket_accounts` if that has its whole name.
- `pack_size_max` is at least `part_size`.
- `keep_originals_days` counts from the day on which a pack was written; with 0 its originals are deleted in the same run.
- Without a date on the command line, a run takes yesterday and the `look_back_days` days before it, and with `delete_originals` the `keep_originals_days` days before those.
""".splitlines()
