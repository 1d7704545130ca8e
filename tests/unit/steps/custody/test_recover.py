"""What remains of a run that was stopped, or that does not know the outcome of a deletion."""

from __future__ import annotations

from datetime import timedelta

from tests.simulation.test_custody_chain import findings, lies, records_of
from tests.support.custody import run_recorded, run_recorded_faulty
from tests.support.world import DAY, World, document, left_in_place, make_world, trail_key

from log_aggregator.adapters.forwarding import Call
from log_aggregator.core.custody import RecordKind
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import Interrupted, Unreachable
from log_aggregator.steps.custody.keep import CustodyKeeper
from log_aggregator.steps.packing.listing import Progress
from log_aggregator.steps.packing.run import run
from log_aggregator_lab.stores.faults import Fault, FaultyStore

DAYS = [DAY - timedelta(days=days) for days in (14, 7, 0)]
ACCOUNTS = ("111111111111", "222222222222", "333333333333")


def three_accounts() -> World:
    world = make_world()
    for account in ACCOUNTS:
        for number in range(2):
            world.put("logs", trail_key(number, account=account), document(number))
    return world


def kinds(world: World) -> list[RecordKind]:
    return [record.kind for record in records_of(world)]


def test_a_stopped_run_records_what_it_did() -> None:
    """Ctrl-C in the second of three groups: the first is recorded, the second is called unfinished,
    the third was not begun; the next run finds what is missing.
    """
    world = three_accounts()
    seen = [0]

    def stop(_number: int, call: Call) -> Fault | None:
        seen[0] += call.operation == "DeleteObjects"
        is_second = call.operation == "DeleteObjects" and seen[0] == 2
        return Fault(after=KeyboardInterrupt()) if is_second else None

    result, _ = run_recorded_faulty(world, "stopped", stop)
    assert result.is_stopped
    assert [len(group.failures) for group in result.groups] == [0, 1]
    assert result.groups[1].failures[0].error == Interrupted.__name__
    assert kinds(world) == [RecordKind.OPENING, RecordKind.CLOSING]
    opening, closing = records_of(world)
    assert len(opening.planned) == 3
    assert (closing.closes, closing.open) == (None, (0,))
    assert closing.totals["deleted"] == 2
    assert findings(world) == []
    assert run_recorded(world, "again").failures == []
    assert (findings(world), lies(world), left_in_place(world)) == ([], [], [])
    assert RecordKind.RECOVERY in kinds(world)


def test_every_window_gets_its_own_record() -> None:
    """A run over three weeks that is stopped in the last window leaves two closings before it."""
    world = make_world()
    days = DateWindow(DAYS[0], DAYS[-1])
    for number, day in enumerate(DAYS):
        world.put("logs", trail_key(number, day=day), document(number))
    seen = [0]

    def stop(_number: int, call: Call) -> Fault | None:
        seen[0] += call.operation == "DeleteObjects"
        is_third = call.operation == "DeleteObjects" and seen[0] == 3
        return Fault(before=KeyboardInterrupt()) if is_third else None

    job = world.job(FaultyStore(world.store, stop)).for_days(days)
    result = run(job, Progress(), None, CustodyKeeper(job, "long", lambda done: None))
    assert result.is_stopped
    assert kinds(world) == [RecordKind.OPENING, RecordKind.CLOSING] * 3
    whole = [record.totals["deleted"] for record in records_of(world)[1::2]]
    assert whole == [1, 1, 0]
    assert sum(len(record.groups) for record in records_of(world)) == 3


def test_an_unknown_outcome_is_resolved_by_the_same_run() -> None:
    """S3 answers again before the run ends: its own recovery record gives the outcome."""
    world = three_accounts()
    lost = [False]

    def lose(_number: int, call: Call) -> Fault | None:
        if call.operation == "DeleteObjects" and not lost[0]:
            lost[0] = True
            return Fault(after=Unreachable("nobody answered"))
        if lost[0] and call.operation == "ListObjectVersions" and not lost[1:]:
            lost.append(True)
            return Fault(before=Unreachable("nobody answers"))
        return None

    result, _ = run_recorded_faulty(world, "run", lose)
    assert sum(group.unknown for group in result.groups) == 2
    assert kinds(world) == [RecordKind.OPENING, RecordKind.CLOSING, RecordKind.RECOVERY]
    assert records_of(world)[-1].open == ()
    assert (findings(world), lies(world)) == ([], [])


def test_nothing_is_recorded_twice() -> None:
    """If a dead run left nothing unrecorded, no record is written; its opening is closed after a
    day.
    """
    world = three_accounts()
    job = world.job()
    keeper = CustodyKeeper(job, "dead", lambda done: None)
    keeper.begin(DateWindow(DAYS[0], DAYS[0]), [])
    run_recorded(world, "run")
    before = kinds(world)
    job = world.job()
    keeper = CustodyKeeper(job, "dead", lambda done: None)
    keeper.begin(job.rules.selection.window, [records_of(world)[1].groups[0].group])
    run_recorded(world, "next")
    run_recorded(world, "and next")
    assert RecordKind.RECOVERY not in kinds(world)[len(before) :]
    world.clock.advance(days=2)
    run_recorded(world, "late")
    assert kinds(world)[-1] is RecordKind.RECOVERY
    assert records_of(world)[-1].open == ()
    assert (findings(world), lies(world)) == ([], [])
