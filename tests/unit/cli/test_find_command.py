"""The `find` command: its output, what it reads, and its exit codes."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from tests.support.world import (
    DAY,
    World,
    access_key,
    document,
    flow_key,
    make_world,
    pack_gzip,
    trail_key,
)
from tests.unit.cli.conftest import Command, Outcome

from log_aggregator.adapters.counting import CountingStore
from log_aggregator.model import Target
from log_aggregator.steps.packs.pages import list_all
from log_aggregator_lab.stores.faults import FaultyStore

OTHER = "222222222222"
HOSTILE = "line\nbreak \x1b[31m.log.gz"


@pytest.fixture
def world() -> World:
    """Four packs: CloudTrail of two accounts, flow logs with a hostile key, access logs without an
    account.
    """
    world = make_world(storage_class="DEEP_ARCHIVE")
    for number in range(3):
        world.put("logs", trail_key(number), document(number), metadata={"signature": "abc"})
    world.put("logs", trail_key(0, account=OTHER), document(7))
    world.put("logs", flow_key(HOSTILE), pack_gzip(b"flow\n"))
    world.put("logs", access_key(1), b"line\n")
    assert world.run().failures == []
    return world


def lines(done: Outcome) -> list[str]:
    assert done.code == 0, done.err
    return done.out.decode().splitlines()


def test_rows_for_packs_and_log_objects(world: World, command: Command) -> None:
    """Log objects are listed under their pack; the account filters both, and the amount read is
    reported.
    """
    done = command(world, "find", "--account", OTHER)
    pack, member = lines(done)
    assert pack.split()[:4] == [str(DAY), OTHER, "CloudTrail", "1"]
    assert "DEEP_ARCHIVE" in pack
    assert member.endswith(f"s3://logs/{trail_key(0, account=OTHER)}")
    assert "1 log object" in done.err
    assert "1 index read" in done.err


def test_find_reads_no_packs(world: World, command: Command) -> None:
    """Search needs only listings and indexes, so it works while every pack is frozen."""
    store = FaultyStore(world.store, lambda *_: None)
    assert len(lines(command(world, "find", "--key", "*", store=store))) == 4 + 6
    read = [
        call.key
        for call in store.calls
        if call.operation not in {"ListObjectsV2", "ListObjectVersions", "GetBucketVersioning"}
    ]
    assert len(read) == 4
    assert all(key is not None and key.startswith("indexes/") for key in read)


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (["--log-type", "cloudtrail"], 4),
        (["--log-type", "cloudtrail,vpcflowlogs"], 5),
        (["--account", "none"], 1),
        (["--log-region", "eu-west-1"], 5),
        (["--bucket", "logs"], 6),
        (["--date", f"{DAY}"], 6),
        (
            ["--from", f"{DAY}T01:00", "--to", f"{DAY}T01:59"],
            3,
        ),  # one trail and one access log by the hour, flow logs by their day
        ([trail_key(1), access_key(1)], 2),
        (["s3://logs/*/CloudTrail/*_000000000000000[12].json.gz"], 2),
    ],
    ids=["log type", "log types", "no account", "region", "bucket", "date", "hour", "keys", "glob"],
)
def test_each_condition_narrows_the_result(
    world: World, command: Command, arguments: list[str], count: int
) -> None:
    """Each condition finds its matches and nothing else, in rows and in the count."""
    found = [json.loads(line) for line in lines(command(world, "find", *arguments, "--json"))]
    assert len(found) == count
    counted = json.loads(command(world, "find", *arguments, "--count", "--json").out)
    assert (counted["members"], counted["packs"]) == (count, len({each["pack"] for each in found}))


APP = """
[[layouts]]
name = "nginx"
pattern = "back-{region}-{DD}-{MM}-{YYYY}-{HH}.log"
"""


@pytest.fixture
def declared_world() -> World:
    """Two log objects of a declared layout."""
    world = make_world(layouts=tomllib.loads(APP)["layouts"])
    for hour in (1, 2):
        world.put("logs", f"back-eu-west-1-03-04-2025-{hour:02}.log", b"x\n")
    assert world.run().failures == []
    return world


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (["--log-type", "Nginx"], 2),
        (["--log-type", "declared/nginx"], 2),
        (["--log-region", "eu-west-1"], 2),
        (["--from", f"{DAY}T02:00"], 1),
        (["back-eu-west-1-03-04-2025-02.log"], 1),
        (["back-*-02.log"], 1),
    ],
    ids=["log type", "declared before", "region", "hour", "key", "glob"],
)
def test_conditions_work_on_declared_layouts(
    declared_world: World, command: Command, tmp_path: Path, arguments: list[str], count: int
) -> None:
    """Declared layouts are searched like built-in ones."""
    settings = tmp_path / "aggregator.toml"
    settings.write_text(APP)
    found = lines(command(declared_world, "find", *arguments, "--json", "--config", str(settings)))
    assert len(found) == count
    packs = command(
        declared_world, "verify", "--config", str(settings), "--log-type", "nginx", "--all"
    )
    assert packs.code == 0


def test_an_undeclared_log_type_is_refused(
    declared_world: World, command: Command, tmp_path: Path
) -> None:
    """A misspelt type is an error that lists the known types; a broken declaration is an error,
    too.
    """
    done = command(declared_world, "find", "--log-type", "ngimx")
    assert (done.code, "declared/<name>" in done.err) == (2, True)
    settings = tmp_path / "aggregator.toml"
    settings.write_text('[[layouts]]\nname = "nginx"\npattern = "x"\n')
    done = command(declared_world, "find", "--log-type", "nginx", "--config", str(settings))
    assert (done.code, "it has no date" in done.err) == (2, True)


def test_packs_can_be_listed_alone(world: World, command: Command) -> None:
    """There is a row with its size for each pack to thaw."""
    packs = [
        json.loads(line)
        for line in lines(command(world, "find", "--log-type", "CloudTrail", "--packs", "--json"))
    ]
    assert [(each["members"], each["storage_class"]) for each in packs] == [
        (3, "DEEP_ARCHIVE"),
        (1, "DEEP_ARCHIVE"),
    ]
    stored = {found.key: found.size_bytes for found in list_all(world.store, "dest", "packs/")}
    assert all(each["pack_bytes"] == stored[each["pack"]] for each in packs)


def test_a_key_cannot_send_escape_sequences_to_the_terminal(world: World, command: Command) -> None:
    """Line breaks and escape sequences in a key are shown, not sent; JSON gives the key
    unchanged.
    """
    _, member = lines(command(world, "find", "--log-type", "vpcflowlogs"))
    assert "line\\nbreak \\x1b[31m" in member
    assert json.loads(command(world, "find", "--log-type", "vpcflowlogs", "--json").out)[
        "key"
    ] == flow_key(HOSTILE)


@pytest.mark.parametrize(
    "arguments", [["--date", "2024-01-01"], ["--bucket", "elsewhere"]], ids=["date", "bucket"]
)
def test_nothing_found_exits_with_1(world: World, command: Command, arguments: list[str]) -> None:
    """A date or bucket without packs gives exit code 1 and no output, and no index is read."""
    done = command(world, "find", *arguments)
    assert (done.code, done.out) == (1, b"")
    assert "nothing found; 0 indexes read" in done.err


def test_unreadable_indexes_are_named_last(world: World, command: Command) -> None:
    """With a lost index everything else is found first, then comes exit code 1 with the
    pack's key.
    """
    lost = next(
        found.key for found in list_all(world.store, "dest", "packs/") if OTHER in found.key
    )
    world.store.delete("dest", Target("dest").index_key(lost))
    done = command(world, "find", "--key", "*", "--json")
    assert (done.code, len(done.out.splitlines())) == (1, 5)
    assert f"{lost}: the pack has no index" in done.err


def test_an_expired_pack_is_reported(world: World, command: Command) -> None:
    """An index without its pack is found, and the pack is reported as gone."""
    gone = next(
        found.key for found in list_all(world.store, "dest", "packs/") if OTHER in found.key
    )
    world.store.delete("dest", gone)
    assert " GONE " in lines(command(world, "find", "--account", OTHER))[0]
    assert (
        json.loads(command(world, "find", "--account", OTHER, "--json").out)["storage_class"]
        is None
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--account", "12"], "--account '12'"),
        (["--log-type", "cloudtrial"], "no layout has this name"),
        (["--date", "2026-13-01"], "--date '2026-13-01'"),
        (["--date", "2024-01-01", "--to", "2024-01-01"], "either --date"),
        (["--from", "2024-01-02", "--to", "2024-01-01"], "ends before it begins"),
        (["--packs", "--count"], "--packs, --count"),
    ],
    ids=["account", "log type", "date", "date and range", "backwards", "packs and count"],
)
def test_typing_mistakes_are_explained(
    world: World, command: Command, arguments: list[str], said: str
) -> None:
    """The exit code is 2 and the message names the option."""
    done = command(world, "find", *arguments)
    assert (done.code, done.out) == (2, b"")
    assert said in done.err


@pytest.mark.parametrize("more", [(), ("--count",), ("--packs",), ("--json",)])
def test_without_a_condition_it_is_refused(command: Command, more: tuple[str, ...]) -> None:
    """Without a condition it refuses, because that would be ten years of everything."""
    world = make_world()
    store = CountingStore(world.store)
    done = command(world, "find", *more, store=store)
    assert (done.code, "--key '*' means all log objects" in done.err, store.requests) == (
        2,
        True,
        {},
    )
