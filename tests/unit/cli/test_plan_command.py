"""The `plan` command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date

import pytest
from tests.support.world import DAY, World, document, make_world, trail_key
from tests.unit.cli.conftest import Command

DATE_AND_SOURCE = ("--date", str(DAY), "--other-buckets", "logs")


def make_worlds() -> Iterator[World]:
    """Worlds whose packs pay, never pay, or exist with one more to come."""
    for size_bytes, count in ((100_000, 50), (200, 1)):
        world = make_world()
        for number in range(count):
            world.put("logs", trail_key(number), b"x" * size_bytes)
        yield world
    world = make_world()
    world.put("logs", trail_key(1), document(1))
    assert world.run().failures == []
    world.put("logs", trail_key(2), document(2))
    world.put("logs", "what/is/this", b"?")
    yield world


@pytest.mark.parametrize("words", [("plan",), ("plan", "--groups"), ("run", "--dry-run")])
def test_a_plan_never_sounds_like_a_result(command: Command, words: tuple[str, ...]) -> None:
    """Neither output nor progress sounds as if something were packed."""
    for world in make_worlds():
        before = world.store.snapshot()
        done = command(world, *words, *DATE_AND_SOURCE)
        said = (done.out.decode() + done.err).lower()
        assert "planning " in done.err
        assert "nothing has been written or deleted" in said
        for word in ("packing", "verifying", "deleting", "recording", "uploading"):
            assert word not in said
        assert (done.code, world.store.snapshot()) == (0, before)


@pytest.mark.parametrize(("deletes", "days"), [("--no-delete-originals", 2), ("", 2 + 30)])
def test_only_a_deleting_run_looks_back_for_originals(
    command: Command, deletes: str, days: int
) -> None:
    """Otherwise a cautious first run would pack a month instead of yesterday."""
    options = ["--other-buckets", "logs", "--keep-originals-days", "30", "--json"]
    options.append(deletes or "--delete-originals")
    planned = json.loads(command(make_world(), "plan", *options).out)
    first, last = (date.fromisoformat(planned[name]) for name in ("first_date", "last_date"))
    assert (last - first).days == days


def test_a_deletion_does_not_mention_packing(command: Command) -> None:
    """It does not claim to pack, either before it asks or afterwards."""
    world = make_world()
    world.put("logs", trail_key(1), document(1))
    assert command(world, "run", *DATE_AND_SOURCE).code == 0
    options = ("--verified", "--older-than", "0d", "--yes", *DATE_AND_SOURCE)
    done = command(world, "delete", *options)
    assert done.err.splitlines()[1::2] == [
        "planning 1 log object in 1 group",
        "deleting 1 log object in 1 group",
    ]
