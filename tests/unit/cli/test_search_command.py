"""The `search` and `index tables` commands."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.world import DAY, World, access_key, flow_key, make_world, pack_gzip, trail_key
from tests.unit.cli.conftest import Command

from log_aggregator.cli import search_events
from log_aggregator.steps.search import after_run
from log_aggregator.steps.search.after_run import merge_after_run

KEY, OTHER = "AKIAIOSFODNN7EXAMPLE", "AKIAI44QH8DHBEXAMPLE"
TRAIL = ("--log-type", "CloudTrail")


def record(access_key_id: str, name: str, hour: int = 3) -> dict[str, Any]:
    return {
        "eventTime": f"{DAY}T{hour:02}:00:00Z",
        "eventSource": "iam.amazonaws.com",
        "eventName": name,
        "sourceIPAddress": "203.0.113.7",
        "userIdentity": {"accessKeyId": access_key_id},
    }


def packed(*, storage_class: str = "STANDARD", is_merged: bool = True) -> World:
    """Two CloudTrail packs, one with the key twice, and one of access logs."""
    world = make_world(storage_class=storage_class)
    logs = {
        "111111111111": [record(KEY, "ListUsers"), record(OTHER, "ListRoles"), record(KEY, "X", 5)],
        "222222222222": [record(OTHER, "ListUsers")],
    }
    for account, records in logs.items():
        body = pack_gzip(json.dumps({"Records": records}).encode())
        world.put("logs", trail_key(1, account=account), body)
    result = world.run()
    assert result.failures == []
    if is_merged:
        merge_after_run(world.job(), result)
        assert result.warnings == []
    return world


@pytest.mark.parametrize("is_merged", [True, False])
def test_a_value_is_shown_with_place_time_and_count(command: Command, is_merged: bool) -> None:
    done = command(packed(is_merged=is_merged), "search", KEY.lower())
    assert done.code == 0
    lines = done.out.decode().splitlines()
    assert lines[0] == f"{KEY}  access-key, 2 times in 1 pack"
    assert lines[1] == f"  first {DAY}T03:00:00Z, last {DAY}T05:00:00Z"
    assert lines[2] == "  in CloudTrail of 111111111111"
    assert lines[3].split() == [f"{DAY:%Y-%m}", "█" * 32, "2"]
    assert lines[4].startswith("1 pack: STANDARD 1 (")
    assert done.err.splitlines() == ["searched: 2 log objects in 2 packs"]


def test_json_lists_packs_and_searched_values(command: Command) -> None:
    done = command(packed(), "search", KEY, "10.0.0.0/8", "--json")
    told = json.loads(done.out)
    assert (done.code, told["asked"]) == (0, [KEY, "10.0.0.0/8"])
    assert [(each["value"], each["count"]) for each in told["found"]] == [(KEY, 2)]
    assert [pack["account"] for pack in told["packs"]] == ["111111111111"]
    assert told["searched"]["is_whole"]


def test_nothing_found_exits_with_1_only_after_a_complete_search(command: Command) -> None:
    """A pack without terms may hold the value, so that has its own exit code and is reported."""
    world = packed()
    nothing = command(world, "search", "nobody-has-this")
    assert nothing.code == 1
    assert "everything was searched: 2 log objects in 2 packs" in nothing.err
    world.put("logs", access_key(1), b"no terms\n")
    world.put("logs", flow_key("a.log.gz"), pack_gzip(b"not a flow log\n"))
    assert world.run().failures == []
    unsearched = command(world, "search", "nobody-has-this", "--json")
    assert unsearched.code == 4
    told = json.loads(unsearched.out)
    assert not told["searched"]["is_whole"]
    assert [each["members"] for each in told["searched"]["unsearched"]] == [2]
    assert "nothing found in what was searched; 2 log objects may hold it" in unsearched.err
    assert command(world, "search", "nobody-has-this", *TRAIL).code == 1


def test_unsearched_logs_are_reported_even_when_quiet(command: Command) -> None:
    world = packed()
    world.put("logs", access_key(1), b"no terms\n")
    assert world.run().failures == []
    for more in ((), ("--packs",), ("--events",), ("--json",)):
        done = command(world, "search", KEY, "--quiet", *more)
        assert done.code == 0
        told = done.err.splitlines()
        assert told[0] == "not searched: 1 log object in packs that were searched: cannot be parsed"
        assert told[1].startswith("  such as logs/S3AccessLogs/")
        assert "log-aggregator extract" in told[2]


def test_values_not_found_are_named(command: Command) -> None:
    """A value inside a network that was found counts as found, too."""
    asked = ("203.0.113.0/24", "203.0.113.7", "nobody")
    done = command(packed(), "search", *asked)
    assert "nobody  not found" in done.out.decode().splitlines()
    assert json.loads(command(packed(), "search", *asked, "--json").out)["not_found"] == ["nobody"]


def test_without_packs_nothing_counts_as_searched(command: Command) -> None:
    done = command(packed(), "search", KEY, "--account", "999999999999")
    assert (done.code, done.out) == (1, b"")
    assert "no packs match these dates, accounts and log types" in done.err


def test_a_star_is_explained(command: Command) -> None:
    assert "AKIA*: * is taken literally" in command(packed(), "search", "AKIA*").err
    assert command(packed(), "search", "AKIA", "--prefix").code == 0


def test_events_are_printed_while_searching(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events are not collected in memory, even if there are millions."""
    calls: list[list[str]] = []
    monkeypatch.setattr(search_events, "print_json_lines", lambda lines: calls.append([*lines]))
    command(packed(), "search", KEY, "--events")
    assert [len(each) for each in calls] == [1, 1]


def test_missing_terms_are_reported(command: Command) -> None:
    world = packed(is_merged=False)
    for found in world.store.list_objects("dest", prefix="terms/").objects:
        world.store.delete("dest", found.key)
    done = command(world, "search", KEY)
    assert done.code == 4
    assert "2 packs: no terms were made of the pack" in done.err
    assert "`log-aggregator index terms` makes terms" in done.err


def test_a_quick_search_is_never_complete(command: Command) -> None:
    world = packed()
    found = command(world, "search", KEY, "--quick")
    assert found.code == 0
    assert "1 pack: not listed 1" in found.out.decode().splitlines()
    nothing = command(world, "search", "nobody-has-this", "--quick")
    assert nothing.code == 4
    assert "whether there are packs that no table covers" in nothing.err


def test_events_are_printed_as_delivered(command: Command) -> None:
    done = command(packed(), "search", KEY, "--events")
    assert done.code == 0
    assert [json.loads(line) for line in done.out.splitlines()] == [
        record(KEY, "ListUsers"),
        record(KEY, "X", 5),
    ]
    assert "2 events in 1 log object" in done.err


def test_json_events_name_their_log_objects(command: Command) -> None:
    done = command(packed(), "search", KEY, "--events", "--json")
    told = [json.loads(line) for line in done.out.splitlines()]
    assert {each["key"] for each in told} == {trail_key(1)}
    assert told[0]["event"]["eventName"] == "ListUsers"


def test_frozen_packs_are_found_and_thawed(command: Command) -> None:
    world = packed(storage_class="DEEP_ARCHIVE")
    found = command(world, "search", KEY)
    assert found.code == 0
    assert "thawing, Bulk: $" in found.out.decode()
    events = command(world, "search", KEY, "--events")
    assert (events.code, events.out) == (1, b"")
    assert "1 pack must be thawed before reading" in events.err
    dear = command(world, "search", KEY, "--thaw", "--dollars-max", "0")
    assert dear.code == 3
    assert "add --yes" in dear.err
    started = command(world, "search", KEY, "--thaw", "--json")
    assert (started.code, json.loads(started.out)["started"]) == (0, 1)


def test_an_expired_pack_is_found_but_not_read(command: Command) -> None:
    world = packed()
    (gone,) = (
        found.key
        for found in world.store.list_objects("dest", prefix="packs/").objects
        if "111111111111" in found.key
    )
    world.store.delete("dest", gone)
    assert "1 pack: GONE 1" in command(world, "search", KEY).out.decode().splitlines()
    events = command(world, "search", KEY, "--events")
    assert (events.code, events.out) == (1, b"")
    assert "could not be read:\n" in events.err
    assert gone in events.err


def test_packs_can_be_listed_alone(command: Command) -> None:
    lines = command(packed(), "search", OTHER, "--packs").out.decode().splitlines()
    assert [line.split()[1:4] for line in lines] == [
        ["111111111111", "CloudTrail", "1"],
        ["222222222222", "CloudTrail", "1"],
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--packs", "--events"),
        ("--quick", "--thaw"),
        ("--from", "2025-04-03T12:00"),
        ("--field", "colour"),
        ("--account", "12"),
    ],
)
def test_incompatible_options_are_refused(command: Command, arguments: tuple[str, ...]) -> None:
    assert command(packed(), "search", KEY, *arguments).code == 2


@pytest.mark.parametrize(
    ("value", "more", "expected"),
    [
        (" ", (), "expected something to look for"),
        ("10.0.0.0/40", (), "no network has the length /40"),
        ("10.0.0.0/8", ("--prefix",), "for a network leave out --prefix"),
        (
            "10.0.0.0/8",
            ("--field", "access-key"),
            "expected --field address, or no --field, for a network",
        ),
    ],
)
def test_unsearchable_values_are_refused(
    command: Command, value: str, more: tuple[str, ...], expected: str
) -> None:
    done = command(packed(), "search", value, *more)
    assert done.code == 2
    assert expected in done.err


def test_readable_packs_are_not_thawed(command: Command) -> None:
    world = packed()
    done = command(world, "search", KEY, "--thaw")
    assert done.code == 0
    assert "nothing needs thawing: --events can read" in done.err


def test_tables_can_be_merged_by_hand(command: Command) -> None:
    world = packed(is_merged=False)
    told = json.loads(command(world, "index", "tables", "--json").out)
    assert (told["packs"], len(told["tables"]), told["failures"]) == (2, 1, [])
    again = json.loads(command(world, "index", "tables", "--json").out)
    assert (again["packs"], again["tables"]) == (0, [])
    anew = command(world, "index", "tables", "--rebuild")
    assert "1 older table replaced" in anew.out.decode()
    assert command(world, "search", KEY, "--quick").code == 0


def test_a_run_without_parquet_warns_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(after_run, "has_reader", lambda: False)
    world = make_world()
    body = pack_gzip(json.dumps({"Records": [record(KEY, "X")]}).encode())
    world.put("logs", trail_key(1), body)
    result = world.run()
    merge_after_run(world.job(), result)
    assert [warning.error for warning in result.warnings] == ["NotInstalled"]
    assert result.failures == []


def test_a_merge_that_fails_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """No merge error makes a run fail or loses its report."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(after_run, "merge_terms", fail)
    world = make_world()
    body = pack_gzip(json.dumps({"Records": [record(KEY, "X")]}).encode())
    world.put("logs", trail_key(1), body)
    result = world.run()
    merge_after_run(world.job(), result)
    assert [warning.error for warning in result.warnings] == ["Unexpected"]
    assert result.failures == []
