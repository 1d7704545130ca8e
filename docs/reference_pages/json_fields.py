"""JSON: the fields of what commands write with `--json`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

from log_aggregator.core.custody import WrittenRecord
from log_aggregator.core.layouts.declarations import read_declarations
from log_aggregator.core.layouts.parse import NOT_DECLARED
from log_aggregator.core.signatures import WrittenSignature
from log_aggregator.errors import Failure
from log_aggregator.model import Group, LogObject, PackFormat, PackPlan, Target, WrittenPack
from log_aggregator.reports.plan import describe_plan
from log_aggregator.reports.run import Measured, describe_run
from log_aggregator.reports.ways import Comparison
from log_aggregator.steps.packing.plan import RunPlan
from log_aggregator.steps.packing.results import GroupPlan, GroupResult, RunResult
from log_aggregator.steps.packing.selection import Left, LeftWhy, Selection
from log_aggregator.steps.rules import CombineOptions
from reference_pages.table import TEXTS, table

NOT_COMMANDS = ("common", "error", "run", "plan", "result")


def make_json() -> Iterator[str]:
    yield "# JSON"
    yield ""
    yield (
        "Every field of the JSON that commands write. With `--json` a command writes exactly one "
        "JSON document to standard output; `find` writes one on each line."
    )
    yield (
        "Invisible characters and those that control a terminal are written as `\\u001b` and the "
        "like, so the values are unchanged. `[]` stands for every entry of a list. Sizes are in "
        "bytes, times in seconds, dates as `YYYY-MM-DD`."
    )
    yield ""
    yield (
        "A command that ends with an error and has no result writes one document instead, on one "
        "line:"
    )
    yield ""
    yield from table(
        ("field", "meaning"),
        ((f"`{name}`", meaning) for name, meaning in TEXTS["json"]["error"].items()),
    )
    yield ""
    yield "If there is a result, the failures are in it, and no such document follows."
    examples = {"run": flatten(_example_run()), "plan": flatten(_example_plan())}
    for command, fields in (
        examples | {name: json_fields(name) for name in _listed_commands()}
    ).items():
        yield ""
        yield f"## {command} --json"
        yield ""
        if command == "plan":
            yield "`run --dry-run --json` writes the same."
            yield ""
        if command == "find":
            yield (
                "One document on each line: for each log object; with `--packs`, for each pack; "
                "with `--count`, a single one."
            )
            yield ""
        yield from table(
            ("field", "meaning"), ((f"`{name}`", json_fields(command)[name]) for name in fields)
        )
    yield ""
    yield "## result.json"
    yield ""
    yield (
        "A run of the stack leaves this in its work bucket, as `runs/<day of its beginning>/<name "
        "of its execution>/result.json`."
    )
    yield "It has the fields of `run --json`, and these:"
    yield ""
    yield from table(
        ("field", "meaning"),
        ((f"`{name}`", meaning) for name, meaning in TEXTS["json"]["result"].items()),
    )


def json_fields(command: str) -> dict[str, str]:
    """The meaning of every field of a command's JSON."""
    texts: dict[str, dict[str, str]] = TEXTS["json"]
    return texts[command] if command in _listed_commands() else texts["common"] | texts[command]


def _listed_commands() -> list[str]:
    """Commands whose fields are all of them in make_reference.toml."""
    return [name for name in TEXTS["json"] if name not in NOT_COMMANDS]


def _example_run() -> dict[str, Any]:
    day = date(2026, 3, 14)
    group = Group("logs", "CloudTrail", "111122223333", day)
    done = GroupResult(group, packs=[WrittenPack(Target("target"), "packs/a.json.gz", 1, 1, 1)])
    record = WrittenRecord("target", "custody/0000000/0000000000.jsonl.gz", 0, "0" * 64)
    signature = WrittenSignature(
        "target", "signatures/0000000/0000000000.json", 0, "sha256:0", is_stamped=True
    )
    result = RunResult(
        day,
        day,
        groups=[done],
        inventories=["s3://bucket/manifest.json"],
        layouts=read_declarations([_DECLARATION]),
        custody=[record],
        signatures=[signature],
        seconds={"list": 1.0},
        failures=[Failure("where", "StoreError", "what", "do")],
        warnings=[Failure("where", "AccessDenied", "what", "do")],
        refused_regions=["sa-east-1"],
    )
    _leave_one(result.selection)
    return describe_run(result, Measured({"GetObject": 1}, 1.0, 1))


def _example_plan() -> dict[str, Any]:
    day = date(2026, 3, 14)
    group = Group("logs", "CloudTrail", "111122223333", day)
    source = LogObject("logs", "key", None, "0" * 32, 1, datetime(2026, 3, 15, tzinfo=UTC))
    pack = PackPlan(group, Target("target"), "packs/a.json.gz", PackFormat.GZIP, (source,))
    plan = RunPlan(day, day, inventories=["s3://bucket/manifest.json"])
    plan.add(GroupPlan(group, (pack,), {"packs/b.json.gz": 1}), CombineOptions())
    plan.layouts = read_declarations([_DECLARATION])
    _leave_one(plan.selection)
    described = describe_plan(plan, {}, Comparison())
    return described | {"requests": {"GetObject": 1}}


def _leave_one(selection: Selection) -> None:
    selection.leave(LeftWhy("bucket", Left.UNKNOWN, NOT_DECLARED), "key-2026-03-14")
    selection.samples = {"s3://bucket/key": NOT_DECLARED}


_DECLARATION = {
    "name": "sessions",
    "pattern": "sessions/{*}",
    "buckets": ["example-*"],
    "kind": "text",
    "date": "last-modified",
}
"""With everything that a declaration may say."""


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
