"""Makes the pages of docs/reference/ from the code: `make docs`. tests/unit/test_docs.py holds the two together."""  # noqa: INP001 - a script

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click

from log_aggregator import errors, limits
from log_aggregator.cli import commands
from log_aggregator.core import costs
from log_aggregator.core.layouts import LAYOUTS, Dated, parse_key
from log_aggregator.core.planning import PackLimits
from log_aggregator.errors import LogAggregatorError
from log_aggregator.limits import GIB, MIB
from log_aggregator.model import Group, LogObject, PackFormat, PackPlan, Target, WrittenPack
from log_aggregator.reports.plan import describe_plan
from log_aggregator.reports.run import Measured, describe_run
from log_aggregator.settings import SETTINGS, Settings
from log_aggregator.steps.group import Failure, GroupPlan, GroupResult
from log_aggregator.steps.run import RunPlan, RunResult

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "reference"
TEXTS: dict[str, dict[str, dict[str, str]]] = tomllib.loads((ROOT / "docs" / "make_reference.toml").read_text(encoding="utf-8"))
EXAMPLES = ROOT / "tests" / "unit" / "core" / "layouts.toml"
NOTE = "<!-- Made by `make docs` from the code. Do not edit: change docs/make_reference.py or the code. -->"


def main() -> None:
    """Writes all pages."""
    REFERENCE.mkdir(exist_ok=True)
    for name, text in make_pages().items():
        (REFERENCE / name).write_text(text, encoding="utf-8")


def make_pages() -> dict[str, str]:
    """Every page's name and text."""
    makers = {
        "settings.md": _settings,
        "command-line.md": _command_line,
        "layouts.md": _layouts,
        "errors.md": _errors,
        "json.md": _json,
        "limits.md": _limits,
        "prices.md": _prices,
    }
    return {name: "\n".join([NOTE, "", *make()]).rstrip() + "\n" for name, make in makers.items()}


def flatten(value: Any, path: str = "") -> Iterator[str]:
    """The paths of all fields of a JSON value: `objects.packed`, `packs[].key`."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from flatten(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for inner in value:
            yield from flatten(inner, f"{path}[]")
    else:
        yield path


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    names = list(head)
    yield "| " + " | ".join(names) + " |"
    yield "|" + "---|" * len(names)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"


def _size(count: int) -> str:
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (limits.KIB, "KiB")):
        if count >= unit and count % unit == 0:
            return f"{count // unit} {name}"
    return f"{count:,}"


# Settings


def _settings() -> Iterator[str]:
    defaults = Settings()
    yield "# Settings"
    yield ""
    yield "They stand in one TOML file, `aggregator.toml` in the current folder unless `--config` names another one."
    yield "Every one but `holds` is also an option of the commands, which wins over the file: `pack_size_max` is `--pack-size-max`."
    yield "On the command line a list is written with commas: `--other-buckets flow-logs,elb-logs`."
    yield "A name that is not in this table is an error, so a misspelt setting never goes unnoticed."
    yield "[aggregator.toml.example](../../aggregator.toml.example) is a file to begin with."
    yield ""
    yield "At least one bucket must be named in `control_tower_bucket` or `other_buckets`; everything else has a default."
    yield 'A size is a number with or without a unit: `1073741824`, `"1 GiB"`, `"500 MB"`.'
    yield ""
    yield from _table(
        ("setting", "default", "allowed", "meaning"),
        ((f"`{row.name}`", _show_default(getattr(defaults, row.name), row.allowed), row.allowed, row.meaning) for row in SETTINGS),
    )
    yield from HOLDS
    yield from SETTING_RULES


def _show_default(value: Any, allowed: str) -> str:
    if isinstance(value, str):
        return f'`"{value}"`'
    if isinstance(value, int):
        return f'`"{_size(value)}"`' if allowed.startswith("a size") else f"`{value}`"
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


# Command line


def _command_line() -> Iterator[str]:
    settings = {row.name for row in SETTINGS}
    yield "# Command line"
    yield ""
    yield "Results go to standard output, everything else to standard error."
    yield "Credentials, region and endpoint are those of the standard AWS configuration (environment, profile, SSO, instance role)."
    yield ""
    yield "## Exit codes"
    yield ""
    yield from _table(("code", "meaning"), _exit_codes())
    for name, command in sorted(commands.commands.items()):
        yield ""
        yield f"## log-aggregator {name}"
        yield ""
        yield from (" ".join(part.split()) + "\n" for part in (command.help or "").split("\n\n"))
        usage = " ".join(command.collect_usage_pieces(click.Context(command)))
        yield f"Usage: `log-aggregator {name} {usage}`"
        yield ""
        own = [option for option in command.params if isinstance(option, click.Option) and option.name not in settings]
        yield from _table(("option", "meaning"), ((_option_names(option), _option_help(option)) for option in own))
        if any(option.name in settings for option in command.params):
            yield ""
            yield "Every [setting](settings.md) but `holds` is an option too."
    yield ""
    yield "## Settings as options"
    yield ""
    rows = [row for row in SETTINGS if row.on_command_line]
    yield from _table(("option", "setting"), ((f"`--{row.name.replace('_', '-')} VALUE`", row.meaning) for row in rows))


def _exit_codes() -> Iterator[tuple[str, str]]:
    for line in (commands.epilog or "").splitlines():
        code, _, meaning = line.strip().partition(" ")
        if code.isdigit():
            yield code, meaning.strip()


def _option_names(option: click.Option) -> str:
    value = "" if option.is_flag else f" {option.metavar or option.type.name.upper()}"
    if isinstance(option.type, click.Choice):
        value = " " + " or ".join(option.type.choices)
    return ", ".join(f"`{name}{value}`" for name in option.opts)


def _option_help(option: click.Option) -> str:
    text = option.help or ""
    if isinstance(option.type, click.IntRange) and option.type.min is not None and option.type.max is not None:
        text += f" From {option.type.min:,} to {option.type.max:,}."
    return f"{text} Default: {option.default}." if option.show_default else text


# Layouts


def _layouts() -> Iterator[str]:
    examples = tomllib.loads(EXAMPLES.read_text(encoding="utf-8"))
    yield "# Layouts"
    yield ""
    yield "A layout is the key grammar of one log type."
    yield "It tells the log type, the account, the region and the log date; the log date is the day in the key."
    yield "Anything may stand in front of `AWSLogs/`; the example keys are those of the tests."
    yield "How a key is read, and why the leftmost date decides, is told in [listing](../internals/listing.md)."
    yield ""
    yield from _table(
        ("layout", "log type", "date", "example key"),
        (_layout_row(name, grammar, examples["dated"]) for name, grammar in _layout_names()),
    )
    yield ""
    yield "The rows called `Other` take any key with a date in it that no other row knows."
    yield "From a Control Tower bucket only CloudTrail (all its kinds) and Config are taken."
    yield "Whatever else is in it is reported and left alone."
    yield ""
    yield "## What the bytes are taken for"
    yield ""
    yield from KINDS
    yield "## Never packed: markers"
    yield ""
    yield "Zero-byte objects, and keys such as these:"
    yield ""
    yield from (f"- `{example['key']}`" for example in examples["marker"])
    yield ""
    yield "## Never packed: no certain date"
    yield ""
    yield "Such keys are reported as unknown and left where they are."
    yield ""
    yield from _table(("key", "why"), ((f"`{example['key']}`", example["why"]) for example in examples["unknown"]))


def _layout_names() -> list[tuple[str, str]]:
    return [(row.name, row.grammar.name if row.grammar else "the first one behind the service") for row in LAYOUTS]


def _layout_row(name: str, grammar: str, examples: list[dict[str, Any]]) -> tuple[str, str, str, str]:
    key = next(str(example["key"]) for example in examples if example["layout"] == name)
    parsed = parse_key(key)
    if not isinstance(parsed, Dated):
        raise TypeError(f"the example of {name} is not dated")
    return name, parsed.facts.log_type, grammar, f"`{key}`"


KINDS = """\
By the last suffix of the key:

| suffix | taken for | goes into |
|---|---|---|
| `.gz` | gzip | a gzip pack, its bytes as they are |
| none, `.log`, `.txt`, `.json`, `.jsonl`, `.ndjson`, `.csv`, `.tsv` | text | a gzip pack, compressed together with others |
| anything else (`.parquet`, `.zip`, `.snappy` ...) | binary | a tar pack |

The bytes are looked at again when they are read: what is called `.gz` and is none is packed all the same, and flagged in the index.
""".splitlines()


# Errors


def _errors() -> Iterator[str]:
    yield "# Errors"
    yield ""
    yield "Each error says what was met and what to do."
    yield "Errors of a group never end the run: the other groups go on, and the run ends with exit code 1 and a list of what failed."
    yield "The name in the first column stands in the report and in `failures[].error` of the JSON."
    yield "No error's text ever holds contents of a log."
    yield ""
    rows = ((f"`{kind.__name__}`", _first_line(kind), kind.advice or "-", str(kind.exit_code)) for kind in error_classes())
    yield from _table(("error", "what happened", "what to do", "exit code"), rows)
    yield ""
    yield "[When something fails](../how-to/when-something-fails.md) goes through them one by one."


def error_classes() -> list[type[LogAggregatorError]]:
    """All errors of `errors.py`, parents first."""
    found: list[type[LogAggregatorError]] = []
    waiting: list[type[LogAggregatorError]] = [LogAggregatorError]
    while waiting:
        kind = waiting.pop(0)
        if kind.__module__ == errors.__name__ and kind not in found:
            found.append(kind)
            waiting += sorted(kind.__subclasses__(), key=lambda child: child.__name__)
    return found[1:]


def _first_line(kind: type) -> str:
    return " ".join((kind.__doc__ or "").split())


# JSON


def _json() -> Iterator[str]:
    yield "# JSON"
    yield ""
    yield "With `--json` a command writes one JSON document to standard output and nothing else there."
    yield "`[]` stands for every entry of a list. Sizes are in bytes, times in seconds, dates as `YYYY-MM-DD`."
    for command, fields in (("run", flatten(_example_run())), ("plan", flatten(_example_plan())), ("verify", json_fields("verify"))):
        yield ""
        yield f"## {command} --json"
        yield ""
        if command == "plan":
            yield "`run --dry-run --json` gives the same."
            yield ""
        yield from _table(("field", "meaning"), ((f"`{name}`", json_fields(command)[name]) for name in fields))


def json_fields(command: str) -> dict[str, str]:
    """The meaning of every field of a command's JSON."""
    return TEXTS["json"][command] if command == "verify" else TEXTS["json"]["common"] | TEXTS["json"][command]


def _example_run() -> dict[str, Any]:
    day = date(2026, 3, 14)
    group = Group("logs", "CloudTrail", "111122223333", day)
    done = GroupResult(group, packs=[WrittenPack(Target("target"), "packs/a.json.gz", 1, 1, 1)])
    result = RunResult(day, day, groups=[done], seconds={"list": 1.0}, failures=[Failure("where", "StoreError", "what", "do")])
    result.selection.samples["s3://bucket/key"] = "no date in the key"
    return describe_run(result, Measured({"GetObject": 1}, 1.0, 1))


def _example_plan() -> dict[str, Any]:
    day = date(2026, 3, 14)
    group = Group("logs", "CloudTrail", "111122223333", day)
    source = LogObject("logs", "key", None, "0" * 32, 1, datetime(2026, 3, 15, tzinfo=UTC))
    pack = PackPlan(group, Target("target"), "packs/a.json.gz", PackFormat.GZIP, (source,))
    plan = RunPlan(day, day, [GroupPlan(group, (pack,), {"packs/b.json.gz": 1})])
    plan.selection.samples["s3://bucket/key"] = "no date in the key"
    described = describe_plan(plan, PackLimits(), {})
    return described | {"requests": {"GetObject": 1}}


# Limits


def _limits() -> Iterator[str]:
    yield "# Limits"
    yield ""
    yield "## S3's own"
    yield ""
    yield "Source: [Amazon S3 quick facts](https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html)."
    yield ""
    yield from _table(("limit", "value", "meaning"), _limit_rows(TEXTS["limits"]["s3"]))
    yield ""
    yield "## Ours"
    yield ""
    yield from _table(("limit", "value", "meaning"), _limit_rows(TEXTS["limits"]["ours"]))
    yield ""
    yield "What may be set, and within which bounds, is in [settings](settings.md)."
    yield ""
    yield "## What follows from them"
    yield ""
    yield f"- A pack has at most {limits.PART_COUNT_MAX:,} parts; where `part_size` is too small for a pack, it is raised for that pack."
    yield "- A log object of more than 5 GiB is copied in several ranges."
    yield "- Ranges of dates are done in windows of seven days, one after the other, so that memory does not grow with the range."
    yield "- `objects_max` is checked for each window before anything in that window is touched."


def _limit_rows(meanings: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for name, meaning in meanings.items():
        value = getattr(limits, name)
        yield f"`{name}`", _size(value) if "BYTES" in name and value >= limits.MIB else f"{value:,}", meaning


# Prices


MILLION = 1_000_000
SEVEN_YEARS_MONTHS = 84
INDEX_BYTES_PER_MEMBER = 130
"""Of the demo: `log-aggregator demo` writes 639 KB of indexes for 4,916 members."""
STANDARD_GIB_MONTH, DEEP_GIB_MONTH = 0.023, 0.00099
DEEP_TRANSITION = 0.05 / 1000


def _prices() -> Iterator[str]:
    yield "# Prices"
    yield ""
    yield "What a plan and a run report as dollars is the count of requests times this table, and nothing else:"
    yield "no storage, no compute, no KMS, no data transfer."
    yield "List prices of us-east-1, November 2026, from [Amazon S3 pricing](https://aws.amazon.com/s3/pricing/)."
    yield "They are a table in `log_aggregator.core.costs` and are never fetched at run time."
    yield ""
    yield from _table(
        ("operation", "dollars per 1,000"), ((f"`{name}`", f"{price * 1000:.4g}") for name, price in costs.REQUEST_DOLLARS.items())
    )
    yield ""
    yield "## A million log objects"
    yield ""
    yield "Requests for a million log objects that are listed, packed, verified and deleted."
    yield "Assumed: packs of the default size, parts of 16 MiB, one group, so that packs are full, a versioned source bucket,"
    yield "and every log object below `copy_size_min`."
    yield "Every further group adds two listings and two to four requests of the PUT class, $0.00002 to $0.00003."
    yield "So a thousand groups cost two or three cents."
    yield ""
    yield from _table(("average size", "GetObject", "listings", "parts", "everything else", "dollars"), map(_million_row, (1, 4, 12, 43)))
    yield ""
    yield "The usual way, one multipart upload for each log object over a growing file, is billed for each log object:"
    yield ""
    yield from (f"- {count} {operation}" for operation, count in costs.CHAIN_REQUESTS_PER_OBJECT.items())
    yield ""
    yield f"That is **${costs.estimate_chain_dollars(MILLION):.2f}** per million, whatever their size."
    yield ""
    yield "## Seven years"
    yield ""
    yield "Storage and requests for a million log objects over 84 months, without compute and without any price change."
    yield "Storage prices, which the program does not use: Standard $0.023, Deep Archive $0.00099 for a GiB and month."
    yield "A transition to Deep Archive is $0.05 per 1,000; each object there also takes 8 KiB in Standard and 32 KiB in Deep Archive."
    yield "Packs are written straight to Deep Archive (`storage_class`), with one warm and one archived copy of the index"
    yield f"({INDEX_BYTES_PER_MEMBER} bytes for a member, as in the demo)."
    yield "Neither text that shrinks in a pack nor the 180 days that Deep Archive bills at least are counted."
    yield ""
    yield from _table(
        ("average size", "left in Standard", "each to Deep Archive", "packed, in Deep Archive"), map(_years_row, (1, 4, 16, 43, 128))
    )
    yield ""
    yield "Where an average log object has one KiB, leaving it alone is nearly as cheap: the index costs as much as the rest."


def _million_requests(size_kib: int) -> dict[str, int]:
    size = size_kib * limits.KIB * MILLION
    packs = max(-(-size // GIB), -(-MILLION // PackLimits().members_max))
    return {
        "GetObject": MILLION + packs,
        "ListObjectVersions": MILLION // limits.LIST_PAGE_COUNT_MAX,
        "ListObjectsV2": 2,
        "UploadPart": -(-size // limits.PART_SIZE_BYTES),
        "CreateMultipartUpload": packs,
        "CompleteMultipartUpload": packs,
        "PutObject": packs,
        "HeadObject": 2 * packs,
        "DeleteObjects": MILLION // limits.DELETE_COUNT_MAX,
    }


def _million_row(size_kib: int) -> tuple[str, ...]:
    requests = _million_requests(size_kib)
    named = {name: requests.pop(name) for name in ("GetObject", "ListObjectVersions", "UploadPart")}
    dollars = costs.estimate_dollars(named | requests)
    return f"{size_kib} KiB", *(f"{count:,}" for count in named.values()), f"{sum(requests.values()):,}", f"**{dollars:.3f}**"


def _years_row(size_kib: int) -> tuple[str, ...]:
    gib = size_kib * limits.KIB * MILLION / GIB
    kib_gib = limits.KIB * MILLION / GIB
    index_gib = INDEX_BYTES_PER_MEMBER * MILLION / GIB
    alone = gib * STANDARD_GIB_MONTH * SEVEN_YEARS_MONTHS
    overhead = (8 * kib_gib * STANDARD_GIB_MONTH + (gib + 32 * kib_gib) * DEEP_GIB_MONTH) * SEVEN_YEARS_MONTHS
    packed = ((gib + index_gib) * DEEP_GIB_MONTH + index_gib * STANDARD_GIB_MONTH) * SEVEN_YEARS_MONTHS
    requests = costs.estimate_dollars(_million_requests(size_kib))
    return f"{size_kib} KiB", f"${alone:,.2f}", f"${MILLION * DEEP_TRANSITION + overhead:,.2f}", f"**${packed + requests:,.2f}**"


if __name__ == "__main__":
    main()
