"""The `put-back` command."""

from __future__ import annotations

import json

import pytest
from tests.support.world import DAY, World, access_key, document, make_world, trail_key
from tests.unit.cli.conftest import Command

from log_aggregator.adapters.counting import CountingStore
from log_aggregator.adapters.forwarding import Call
from log_aggregator.errors import AccessDenied
from log_aggregator_lab.stores.faults import Fault, FaultyStore

ON_THE_DAY = ("--date", f"{DAY}")


def packed() -> World:
    world = make_world()
    for number in range(3):
        world.put("logs", trail_key(number), document(number), metadata={"signature": "s"})
    world.put("logs", access_key(1), b"line\n")
    assert world.run().failures == []
    world.store.create_bucket("audit")
    return world


def test_put_back_twice_changes_nothing_more(command: Command) -> None:
    """Originals are put back, and the same command again changes nothing."""
    world = packed()
    described = json.loads(
        command(world, "put-back", *ON_THE_DAY, "--log-type", "cloudtrail", "--json").out
    )
    assert (described["written"], described["there"], described["failures"]) == (3, 0, [])
    assert world.store.get_object("logs", trail_key(1)).metadata == {"signature": "s"}
    done = command(world, "put-back", *ON_THE_DAY)
    assert (
        done.code,
        "1 original put back" in done.out.decode(),
        "3 were there already" in done.out.decode(),
    ) == (0, True, True)


def test_a_warning_says_that_the_next_run_packs_it_again(command: Command) -> None:
    """Putting back into a source bucket prints what the next run does; elsewhere it prints no
    notice.
    """
    world = packed()
    assert command(world, "put-back", *ON_THE_DAY).err.startswith("Warning: ")
    done = command(world, "put-back", *ON_THE_DAY, "--to-bucket", "audit", "--prefix", "a/")
    assert "[holds]" not in done.err
    assert len(world.store.list_objects("audit", prefix="a/").objects) == 4
    for names in (["--to-bucket", "logs"], ["--to-bucket", "audit", "--other-buckets", "aud*"]):
        done = command(world, "put-back", *ON_THE_DAY, "--prefix", "b/", *names)
        assert "[holds]" in done.err


def test_every_packed_bucket_counts_as_a_source(command: Command) -> None:
    """This includes a bucket found in neither the settings nor the originals put back."""
    world = packed()
    world.store.put(
        "dest", "indexes/other/vpcflowlogs/all/2025/04/03/one.log.gz.index.jsonl.gz", b""
    )
    world.store.create_bucket("other")
    done = command(
        world, "put-back", *ON_THE_DAY, "--bucket", "logs", "--to-bucket", "other", "--dry-run"
    )
    assert (done.code, "[holds]" in done.out.decode()) == (0, True)


def test_a_dry_run_writes_nothing(command: Command) -> None:
    """It names every key that would be written."""
    world = packed()
    store = CountingStore(world.store)
    described = json.loads(
        command(
            world,
            "put-back",
            *ON_THE_DAY,
            "--dry-run",
            "--json",
            "--to-bucket",
            "audit",
            store=store,
        ).out
    )
    assert [original["bucket"] for original in described["originals"]] == ["audit"] * 4
    assert "PutObject" not in store.requests
    assert (
        f"s3://logs/{trail_key(1)}"
        in command(world, "put-back", *ON_THE_DAY, "--dry-run").out.decode()
    )
    assert world.store.list_objects("logs").objects == ()


def test_a_different_object_is_left_alone(command: Command) -> None:
    """An object that differs is a failure with exit code 1, and is left alone."""
    world = packed()
    world.store.put("logs", trail_key(1), b"another")
    done = command(world, "put-back", *ON_THE_DAY)
    text = done.out.decode()
    assert (done.code, "KeyTaken" in text, "3 originals put back" in text) == (1, True, True)
    assert world.store.get_object("logs", trail_key(1)).data == b"another"


def test_ctrl_c_exits_with_130_and_can_be_resumed(command: Command) -> None:
    """The exit code is 130, and the next call does the rest."""
    world = packed()

    def stop(number: int, call: Call) -> Fault | None:
        return (
            Fault(before=KeyboardInterrupt())
            if call.operation == "PutObject" and call.key == trail_key(1)
            else None
        )

    assert command(world, "put-back", *ON_THE_DAY, store=FaultyStore(world.store, stop)).code == 130
    assert command(world, "put-back", *ON_THE_DAY).code == 0
    assert len(world.store.list_objects("logs").objects) == 4


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "expected at least one condition"),
        (["--date", "2019-01-01"], 1, "nothing found"),
        (["--date", f"{DAY}", "--objects-max", "3"], 3, "more than 3 originals"),
        (["--date", f"{DAY}", "--to-bucket", "s3://x/y"], 2, "--to-bucket"),
        (
            ["--date", f"{DAY}", "--to-bucket", "dest", "--prefix", "packs/"],
            2,
            "lies among packs and indexes",
        ),
    ],
)
def test_bad_arguments_are_refused(
    command: Command, arguments: list[str], code: int, message: str
) -> None:
    """Impossible requests are reported, and nothing is written."""
    world = packed()
    done = command(world, "put-back", *arguments)
    assert (done.code, message in done.err) == (code, True), done.err
    assert world.store.list_objects("logs").objects == ()


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_a_missing_bucket_is_noticed_first(command: Command, more: tuple[str, ...]) -> None:
    """It is noticed before any pack is read, and reported once, not per original."""
    world = packed()
    store = CountingStore(world.store)
    done = command(
        world, "put-back", *ON_THE_DAY, "--to-bucket", "no-such-bucket", *more, store=store
    )
    assert (done.code, "no-such-bucket" in done.err) == (3, True)
    assert "PutObject" not in store.requests


def test_a_bucket_that_cannot_be_listed_is_a_warning(command: Command) -> None:
    """A principal that can write to it may lack permission to list it."""
    world = packed()
    store = FaultyStore(
        world.store,
        lambda _, call: (
            Fault(before=AccessDenied("AccessDenied"))
            if (call.operation, call.bucket) == ("ListObjectsV2", "audit")
            else None
        ),
    )
    done = command(world, "put-back", *ON_THE_DAY, "--to-bucket", "audit", store=store)
    assert (done.code, "audit cannot be listed" in done.err) == (0, True)


def test_a_prefix_that_is_not_text_is_refused(command: Command) -> None:
    """A prefix that is not valid text, as from a terminal with another encoding, is refused."""
    done = command(packed(), "put-back", *ON_THE_DAY, "--prefix", "\udcff")
    assert (done.code, "--prefix" in done.err) == (2, True)
