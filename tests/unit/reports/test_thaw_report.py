"""What `thaw` reports before it costs anything, and the result."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from tests.support.world import World, document, make_world, trail_key

from log_aggregator.core.query import Query
from log_aggregator.errors import Failure, NotFound, ObjectFrozen
from log_aggregator.model import Target
from log_aggregator.reports.numbers import format_bytes
from log_aggregator.reports.thaw import (
    describe_failures,
    describe_thaw,
    render_outcome,
    render_thaw,
)
from log_aggregator.steps.retrieval.find import find
from log_aggregator.steps.retrieval.thaw import (
    PackState,
    State,
    look_at_packs,
    price_tiers,
    start_thawing,
)
from log_aggregator.steps.workers import SerialWorkers

ACCOUNTS = ("111111111111", "222222222222", "333333333333")
EXPIRES = datetime(2025, 4, 12, tzinfo=UTC)


def archived() -> World:
    """One pack per account with two log objects each, all frozen."""
    world = make_world(storage_class="DEEP_ARCHIVE")
    for account in ACCOUNTS:
        for number in range(2):
            world.put("logs", trail_key(number, account=account), document(number))
    world.run()
    return world


def look(world: World) -> tuple[list[PackState], list[Failure]]:
    packs = find(world.store, SerialWorkers(), [Target("dest")], Query())
    return look_at_packs(world.store, SerialWorkers(), packs)


def describe(states: list[PackState], days: int = 7) -> dict[str, Any]:
    return describe_thaw(states, price_tiers(states, days), days)


def rows(lines: Iterable[str], state: State) -> list[str]:
    """The lines of single packs, then the total."""
    return [line for line in lines if line.split()[0] == state.value]


def state_of(state: State, number: int = 1, storage_class: str = "GLACIER") -> PackState:
    expires = EXPIRES if state is State.THAWED else None
    return PackState("dest", f"packs/{number:03}", 1000, storage_class, state, 2, expires)


def test_each_pack_has_the_state_reported_by_s3() -> None:
    """A requested pack is no longer frozen, and only frozen packs have a price."""
    world = archived()
    states, failures = look(world)
    assert failures == []
    start_thawing(world.store, SerialWorkers(), states[:1], days=7, tier="Bulk")
    states, _ = look(world)
    described = describe(states)
    totals = {state: total["packs"] for state, total in described["totals"].items()}
    counts = {state.value: [each.state for each in states].count(state) for state in State}
    assert totals == counts
    assert totals["frozen"] == 2
    lines = list(render_thaw(described))
    assert lines[0] == "3 packs with 6 log objects:"
    size = sum(each.size_bytes for each in states if each.state is State.FROZEN)
    assert rows(lines, State.FROZEN)[-1] == (
        f"frozen    2 packs, {format_bytes(size)} (DEEP_ARCHIVE)"
    )
    for each in states:
        assert sum(each.key in line for line in lines) == 1
    assert [pack["key"] for pack in described["packs"]] == [each.key for each in states]


def test_a_thawed_pack_shows_its_expiry() -> None:
    """Only a thawed pack's copy has an expiry."""
    described = describe([state_of(State.THAWED, 1), state_of(State.FROZEN, 2)])
    assert [bool(pack["expires"]) for pack in described["packs"]] == [True, False]
    lines = list(render_thaw(described))
    assert f"until {described['packs'][0]['expires']}" in rows(lines, State.THAWED)[0]
    assert described["packs"][0]["expires"].startswith("2025-04-12T00:00")
    assert not any("until" in line for line in rows(lines, State.FROZEN))


def test_only_frozen_packs_have_a_price() -> None:
    """If nothing needs thawing there is no price list, and there are no empty totals."""
    described = describe([state_of(State.READABLE, 1, "STANDARD"), state_of(State.THAWED, 2)])
    lines = list(render_thaw(described))
    assert not any("thawing" in line or "Bulk" in line for line in lines)
    assert rows(lines, State.FROZEN) == rows(lines, State.THAWING) == []
    assert rows(lines, State.READABLE)[-1] == "readable  1 pack, 1.0 KB (STANDARD)"


def test_each_tier_has_a_price() -> None:
    """Cost and duration are shown, or that the class lacks the tier. One day is singular."""
    described = describe([state_of(State.FROZEN, 1), state_of(State.FROZEN, 2, "DEEP_ARCHIVE")], 1)
    lines = list(render_thaw(described))
    at = next(at for at, line in enumerate(lines) if line.startswith("thawing"))
    assert " for 1 day, costs (" in lines[at]
    assert [line.split()[0] for line in lines[at + 1 :]] == ["Bulk", "Standard", "Expedited"]
    for tier, line in zip(described["tiers"], lines[at + 1 :], strict=True):
        assert ("$" in line) is (tier["dollars"] is not None)
        assert line.endswith(tier["takes"] if tier["dollars"] else "of these classes")
    assert described["tiers"][2]["dollars"] is None
    assert " for 7 days, costs (" in "\n".join(render_thaw(describe([state_of(State.FROZEN)], 7)))
    assert "(DEEP_ARCHIVE, GLACIER)" in rows(lines, State.FROZEN)[-1]


def test_a_long_list_of_packs_is_cut_with_a_count() -> None:
    """Twenty are shown; totals and JSON cover all."""
    described = describe([state_of(State.FROZEN, number) for number in range(25)])
    lines = list(render_thaw(described))
    assert sum("s3://" in line for line in lines) == 20
    assert "  ... and 5 more; --json names all" in lines
    assert rows(lines, State.FROZEN)[-1].startswith("frozen    25 packs, 25.0 KB")
    assert len(described["packs"]) == 25
    twenty = describe([state_of(State.FROZEN, number) for number in range(20)])
    assert not any("more;" in line for line in render_thaw(twenty))


def test_a_dry_run_reports_nothing_started() -> None:
    """The report is empty before any request, and where none is needed."""
    assert list(render_outcome(describe([state_of(State.FROZEN)]), waited=False)) == []


def test_started_thaws_are_reported() -> None:
    """Without a wait it says how to continue; after a wait, what can be read."""
    described = describe([state_of(State.FROZEN)]) | {"started": 1}
    (line,) = render_outcome(described, waited=False)
    assert line.startswith("1 restore started; the same command")
    described |= {"started": 2, "thawed": 2}
    assert list(render_outcome(described, waited=True)) == [
        "2 restores started",
        "2 packs can be read",
    ]


def test_failed_packs_are_named() -> None:
    """Refused and vanished packs are named, with one advice per kind; they do not count as
    readable.
    """
    world = archived()
    states, _ = look(world)
    world.store.delete("dest", states[0].key)
    _, missing = look(world)
    refused = [Failure.of(f"s3://dest/{each.key}", ObjectFrozen("no")) for each in states[1:]]
    described = describe([]) | {"failures": describe_failures([*missing, *refused])}
    lines = list(render_outcome(described, waited=True))
    assert lines[0] == "3 failed:"
    assert [line.split(": ")[0].strip() for line in lines[1:4]] == [
        f"s3://dest/{each.key}" for each in states
    ]
    assert [line.strip() for line in lines].count(ObjectFrozen.advice) == 1
    assert described["failures"][0]["error"] == NotFound.__name__
    assert "can be read" not in "\n".join(lines).replace(ObjectFrozen.advice, "")
