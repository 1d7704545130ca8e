"""The report of a run: every count under its own name, as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from tests.support.custody import run_recorded
from tests.support.world import (
    World,
    access_key,
    document,
    flow_key,
    make_world,
    trail_key,
)

from log_aggregator.adapters.forwarding import Call
from log_aggregator.core.planning import PackLimits
from log_aggregator.errors import AccessDenied, Failure, StoreError
from log_aggregator.ports.store import WriteOptions
from log_aggregator.reports.run import Measured, describe_run, render_run
from log_aggregator.steps.packing.results import RunResult
from log_aggregator_lab.stores.faults import Fault, FaultyStore

MEASURED = Measured({"GetObject": 5}, 1.5, 2_000_000)
DAY = date(2025, 4, 3)


def describe(result: RunResult, measured: Measured = MEASURED) -> dict[str, Any]:
    """The result as a program reads it."""
    described: dict[str, Any] = json.loads(json.dumps(describe_run(result, measured)))
    return described


def rows_of(lines: Iterable[str]) -> dict[str, str]:
    """The text after each label, joined with the unlabelled lines below it."""
    rows: dict[str, str] = {}
    label = ""
    for line in lines:
        if line.startswith("  ") and not line.startswith("    ") and line[12:13] == " ":
            label = line[2:13].strip()
        if line.startswith("  "):
            rows[label] = f"{rows[label]}\n{line.strip()}" if label in rows else line[13:]
    return rows


def read(result: RunResult) -> tuple[dict[str, Any], dict[str, str]]:
    described = describe(result)
    return described, rows_of(render_run(described))


def test_each_count_has_its_own_line() -> None:
    """Packed, copied, deleted and retained each have their own number, and nothing is counted
    twice.
    """
    world = make_world(limits=PackLimits(copy_alone_bytes_min=500))
    for number in range(9):
        world.put("logs", access_key(number), b"line\n" * 3)
    world.put("logs", flow_key("large.log"), b"line\n" * 200)
    for number in range(3):
        world.store.retain("logs", access_key(number))
    described, rows = read(world.run())
    objects = described["objects"]
    expected = {"listed": 10, "packed": 9, "copied": 1, "retained": 3, "deleted": 7}
    assert {name: objects[name] for name in expected} == expected
    assert rows["packed"].startswith("10 log objects, 1.1 KB, into 2 packs")
    assert "including 1 large" in rows["packed"]
    assert rows["deleted"].startswith("7 originals")
    assert rows["retained"].startswith("3 originals")
    assert {"kept", "changed", "discarded", "left alone", "cleaned"} & rows.keys() == set()
    assert described["bytes_in"] == 9 * 15 + 1000
    assert described["bytes_out"] == sum(pack["bytes"] for pack in described["packs"]) > 0
    assert described["groups"] == {"total": 2, "failed": 1}


def test_changed_objects_are_neither_packed_nor_deleted() -> None:
    """An object replaced after it was listed is left to the next run, and is not a failure."""
    world = make_world(versioning=None)
    for number in range(3):
        world.put("logs", access_key(number), b"line\n")
    changed: list[str] = []

    def change_two(_number: int, call: Call) -> Fault | None:
        if call.operation == "GetObject" and call.bucket == "logs" and not changed:
            changed.extend(access_key(number) for number in (0, 1))
            for key in changed:
                world.store.put("logs", key, b"another\n")
        return None

    result, _ = world.run_faulty(change_two)
    described, rows = read(result)
    assert [described["objects"][name] for name in ("packed", "deleted", "changed")] == [1, 1, 2]
    assert rows["changed"] == "2 log objects after the listing; the next run takes them"
    assert rows["packed"].startswith("1 log object,")
    assert described["failures"] == []


def test_kept_originals_are_not_counted_as_deleted() -> None:
    """Kept originals are reported with their date, and nothing was deleted."""
    world = make_world(keep_originals_days=30)
    for number in range(2):
        world.put("logs", trail_key(number), document(number))
    described, rows = read(world.run())
    assert (described["objects"]["kept"], described["objects"]["deleted"]) == (2, 0)
    assert rows["kept"] == "2 originals until keep_originals_days have passed"
    assert rows["deleted"].startswith("0 originals")
    again, rows = read(world.run())
    assert (again["objects"]["packed"], again["objects"]["kept"], again["packs"]) == (0, 2, [])
    assert rows["packed"] == "0 log objects, 0 bytes, into 0 packs, 0 bytes"


def test_discarded_logs_are_not_counted_as_packed() -> None:
    """Log objects deleted without a pack have their own line, apart from the deleted ones, which
    all have a pack.
    """
    world = make_world(
        control_tower_bucket="logs",
        other_buckets=[],
        aggregation_regions="eu-west-1",
        other_regions="delete",
    )
    world.put("logs", trail_key(1), document(1))
    for number in range(3):
        world.store.put("logs", trail_key(number, region="us-east-1"), document(number))
    described, rows = read(world.run())
    assert [described["objects"][name] for name in ("packed", "deleted", "discarded")] == [1, 1, 3]
    assert rows["deleted"] == "1 original, each after its pack was verified"
    assert rows["discarded"].startswith("3 log objects")
    assert "without a pack" in rows["discarded"]


def left_alone() -> World:
    """One unknown key, two markers, three held, four frozen, five of another region and six
    deleted.
    """
    world = make_world(
        aggregation_regions="eu-west-1",
        holds={"accounts": ["222222222222"], "buckets": [], "prefixes": [], "dates": []},
    )
    world.store.put("logs", "what/is/this", b"?")
    for number in range(2):
        world.store.put("logs", trail_key(number), b"")
    for number in range(3):
        world.store.put("logs", trail_key(number, account="222222222222"), document(number))
    for number in range(4):
        key = trail_key(number, account="333333333333")
        world.store.put("logs", key, document(number), storage_class="GLACIER")
    for number in range(5):
        world.store.put("logs", trail_key(number, region="us-east-1"), document(number))
    for number in range(6):
        key = trail_key(number, account="444444444444")
        world.store.put("logs", key, document(number))
        world.store.delete("logs", key)
    return world


def test_unpacked_objects_are_counted_by_reason() -> None:
    """Each reason has its own count and words, with a sample of the unknown keys."""
    described, rows = read(left_alone().run())
    reasons = ("unknown", "no_log", "held", "frozen", "other_regions", "deleted_keys")
    assert [described["objects"][name] for name in reasons] == [1, 2, 3, 4, 5, 6]
    first, sample = rows["left alone"].split("\n")
    assert set(first.split(", ")) == {
        "1 of unknown layout or date",
        "2 not logs or empty",
        "3 held by the settings",
        "4 in an archive class",
        "5 of other regions",
        "6 deleted by someone else",
    }
    ((key, reason),) = described["unknown_samples"].items()
    assert sample == f"{key}: {reason}"


def test_a_main_bucket_without_logs_is_named() -> None:
    """It may be the wrong bucket, and no other line would say so."""
    world = make_world(control_tower_bucket="logs", other_buckets=[])
    _, rows = read(world.run())
    assert rows["nothing"].startswith("found in logs: there is no AWSLogs/")
    world.put("logs", trail_key(1), document(1))
    _, rows = read(world.run())
    assert "nothing" not in rows


def test_declared_layouts_are_named() -> None:
    """All layouts in force are named in their order, used or not; without a declaration there is no
    line.
    """
    rows = [
        {"name": "nginx", "pattern": "nginx/{host}/{YYYYMMDD}", "buckets": ["lo*"], "kind": "text"},
        {"name": "app", "pattern": "app/{*}", "date": "last-modified"},
    ]
    world = make_world(layouts=rows)
    world.put("logs", "nginx/web-1/20250403", b"GET /\n")
    described, lines = read(world.run())
    assert (described["layouts"], described["objects"]["packed"]) == (rows, 1)
    assert lines["layouts"] == "2 declared: nginx, app"
    described, lines = read(make_world().run())
    assert (described["layouts"], "layouts" in lines) == ([], False)


def test_the_list_of_layouts_is_limited() -> None:
    """The page names ten of them."""
    rows = [{"name": f"app{n}", "pattern": f"app{n}/{{YYYYMMDD}}"} for n in range(12)]
    described, lines = read(make_world(layouts=rows).run())
    assert len(described["layouts"]) == 12
    assert lines["layouts"].startswith("12 declared: app0, app1, ")
    assert lines["layouts"].endswith(", app9, and 2 more")


def test_samples_of_unknown_keys_are_limited() -> None:
    """The page shows a few of them; JSON has more."""
    world = make_world()
    for number in range(9):
        world.store.put("logs", f"what/is/{number}", b"?")
    described, rows = read(world.run())
    assert len(described["unknown_samples"]) == 9
    assert rows["left alone"].startswith("9 of unknown")
    assert rows["left alone"].count("what/is/") == 5


def test_an_empty_run_has_no_extra_lines() -> None:
    """A run without logs has no lines for what did not happen."""
    described = describe(make_world().run(), Measured({}, 0.0, 1))
    lines = list(render_run(described))
    assert rows_of(lines).keys() == {"packed", "deleted", "requests", "cost", "time"}
    assert lines[0] == "Logs of 2025-04-02 to 2025-04-04: 0 log objects in 0 groups"
    assert lines[-1] == "Nothing failed."
    assert rows_of(lines)["cost"] == "$0 of requests"


def test_counts_of_one_are_singular() -> None:
    """One day, group, log object or unfinished upload is singular."""
    world = make_world()
    world.put("logs", trail_key(1), document(1))
    world.store.create_multipart_upload("dest", "packs/a", options=WriteOptions())
    world.clock.advance(days=3)
    described = describe(world.run())
    described["last_date"] = described["first_date"]
    lines = list(render_run(described))
    rows = rows_of(lines)
    assert lines[0] == "Logs of 2025-04-02: 1 log object in 1 group"
    assert "1 log object," in rows["packed"]
    assert " into 1 pack," in rows["packed"]
    assert rows["cleaned"] == "1 upload that an earlier run left unfinished"
    assert described["stale_uploads_aborted"] == 1


def test_the_place_of_the_custody_record_is_shown() -> None:
    """Its place and its hash, to be kept elsewhere, are shown, and the inventory used."""
    world = make_world()
    world.put("logs", trail_key(1), document(1))
    result = run_recorded(world, "first")
    result.inventories = ["s3://inventories/one", "s3://inventories/two"]
    described = describe(result)
    lines = list(render_run(described))
    (record,) = described["custody"]
    assert record["key"] in rows_of(lines)["custody"].split("\n")[0]
    assert record["sha256"] in rows_of(lines)["custody"].split("\n")[1]
    assert rows_of(lines)["listed by"] == "s3://inventories/one\ns3://inventories/two".replace(
        "\n", "\nlisted by  "
    )


@pytest.mark.parametrize(
    ("requests", "text"),
    [
        ({}, "0: "),
        ({"GetObject": 1200, "PutObject": 2}, "1,202: GetObject 1,200, PutObject 2"),
        (
            {"GetObject": 1, "PutObject": 2, "HeadObject": 3, "ListObjectsV2": 4, "UploadPart": 5},
            "15: UploadPart 5, ListObjectsV2 4, HeadObject 3, others 3",
        ),
    ],
)
def test_requests_are_summed_up(requests: dict[str, int], text: str) -> None:
    """The most frequent ones are named; with the rest they add up to the total."""
    result = RunResult(DAY, DAY)
    described = describe(result, replace(MEASURED, requests=requests))
    assert described["requests"] == requests
    assert rows_of(render_run(described))["requests"] == text


@pytest.mark.parametrize(
    ("ours", "theirs", "text"),
    [
        (0.0, 1.0, "$0 of requests"),
        (1.0, 2.0, "$1.00 of requests"),
        (
            2.0,
            50.0,
            ("$2.00 of requests; one upload per object would have cost $50.00, 25 times as much"),
        ),
    ],
)
def test_a_comparison_is_shown_only_if_useful(ours: float, theirs: float, text: str) -> None:
    """Another way's cost is shown where it is much higher."""
    described = describe(RunResult(DAY, DAY))
    described["dollars"] = {"estimated": ours, "one_upload_per_object": theirs}
    assert rows_of(render_run(described))["cost"] == text


def test_time_is_shown_for_each_step() -> None:
    """Steps are in their order, in seconds, without those that took no time."""
    result = RunResult(DAY, DAY, seconds={"delete": 2.0, "combine": 1.0006, "list": 0.25})
    described = describe(result, Measured({}, 61.26, 123_400_000))
    assert described["seconds_by_step"] == {"combine": 1.001, "delete": 2.0, "list": 0.25}
    assert rows_of(render_run(described))["time"] == (
        "61.3 s (summed over parallel groups: list 0.2, combine 1.0, delete 2.0); peak memory "
        "123.4 MB"
    )


def test_a_failure_is_shown_in_text_and_json() -> None:
    """It says what failed, where and why, that nothing unverified was deleted, and the advice once
    for all groups.
    """
    world = make_world()
    for account in ("111111111111", "222222222222"):
        world.put("logs", trail_key(1, account=account), document(1))
    store = FaultyStore(
        world.store,
        lambda _, call: (
            Fault(before=AccessDenied("no PutObject", code="AccessDenied"))
            if call.operation == "PutObject"
            else None
        ),
    )
    described = describe(world.run(store))
    lines = list(render_run(described))
    at = lines.index("2 failures; nothing was deleted that is not in a verified pack:")
    for failure in described["failures"]:
        (line,) = [line for line in lines[at:] if failure["where"] in line]
        assert "AccessDenied: no PutObject" in line
    assert lines[at + 3 :] == [f"    {AccessDenied.advice}"]
    assert described["groups"] == {"total": 2, "failed": 2}
    assert described["objects"]["deleted"] == 0
    assert "Nothing failed." not in lines


def test_a_thousand_failures_are_cut() -> None:
    """A run over a thousand accounts without a permission does not fill the terminal; JSON
    has all.
    """
    result = RunResult(DAY, DAY)
    result.failures = [
        Failure.of(f"logs CloudTrail {number}", StoreError("no")) for number in range(1000)
    ]
    described = describe(result)
    lines = list(render_run(described))
    assert len(described["failures"]) == 1000
    assert len(lines) < 70
    assert any("950 more" in line for line in lines)
