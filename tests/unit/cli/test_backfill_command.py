"""The `backfill` and `status` commands: their output and exit codes."""

from __future__ import annotations

import importlib
import json
import threading
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from tests.support.backfilling import make_worker, three_windows
from tests.support.waiting import SECONDS_MAX
from tests.support.world import World, fail_on, find_losses, left_in_place
from tests.unit.cli.conftest import Command

from log_aggregator import wiring
from log_aggregator.cli.backfill import beating
from log_aggregator.core.backfill.entries import Kind, Totals
from log_aggregator.errors import AccessDenied, Failure, NotFound, Unreachable
from log_aggregator.ports.account import LifecycleRule
from log_aggregator.ports.executions import Execution, MapCounts, PieceCounts
from log_aggregator.steps.backfill.ledger import Attempt
from log_aggregator.steps.packing.results import RunResult
from log_aggregator_lab.stores.faults import FaultyStore

RANGE = ("--from", "2025-03-01", "--to", "2025-03-20")
NAME = "2025-03-01-to-2025-03-20"
BACKFILL = ("backfill", *RANGE, "--delete-originals", "--other-buckets", "logs")


class Inspector:
    """An inspector of buckets whose log objects S3 deletes after this many days."""

    def __init__(self, days: int | None = None) -> None:
        self.days = days

    def get_bucket_lifecycle_configuration(self, bucket: str) -> tuple[LifecycleRule, ...]:
        if self.days is None:
            raise AccessDenied("GetBucketLifecycleConfiguration s3://logs: AccessDenied")
        return (LifecycleRule("old", expiration_days=self.days),)


@pytest.fixture(autouse=True)
def inspector(monkeypatch: pytest.MonkeyPatch) -> Inspector:
    account = Inspector(3650)
    module = importlib.import_module("log_aggregator.cli.backfill")
    monkeypatch.setattr(module, "connect_inspector", lambda *_: account)
    return account


class Executions:
    """The executions of a stack that is packing history."""

    def list_executions(self, stack: str) -> list[Execution]:
        if stack != "log-aggregator":
            raise NotFound(f"stack {stack!r}: no state machine")
        began = datetime(2025, 4, 5, tzinfo=UTC)
        counts = PieceCounts(157, 71, 3, 82, 1)
        machine, old = "ProcessHistoricalMainLogsSM", "CombineLogFilesSM"
        return [
            Execution(
                machine,
                "history",
                "RUNNING",
                began,
                None,
                "2022-01-01",
                "2024-12-31",
                (MapCounts("Windows", counts),),
            ),
            Execution(old, "night", "SUCCEEDED", began, began),
        ]


@pytest.fixture(autouse=True)
def executions(monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("log_aggregator.cli.status")
    monkeypatch.setattr(module, "connect_executions", lambda *_: Executions())


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("log_aggregator.cli.status.WATCH_SECONDS", 0.0)
    monkeypatch.setattr("log_aggregator.steps.backfill.work.LOOK_SECONDS", 0.0)


def claim(world: World, at: int) -> Attempt:
    ledger = make_worker(world, "other-host-1").ledger
    attempt = ledger.claim(ledger.reader.read().windows[at])
    assert attempt is not None
    return attempt


def test_a_range_is_packed_and_reported(command: Command) -> None:
    """The same command again finds nothing to do, and `status` elsewhere reports the same."""
    world = three_windows()
    done = command(world, *BACKFILL)
    assert done.code == 0, done.err
    lines = done.out.decode().splitlines()
    assert lines[0] == (f"Backfill {NAME}: 2025-03-01 to 2025-03-20, 3 windows: 3 done")
    assert lines[1].startswith("  packed     5 log objects, ")
    assert lines[2] == "  deleted    5 originals, each after its pack was verified"
    assert "window 1 of 3: 2025-03-01 to 2025-03-07" in done.err
    assert "window 3 of 3: 2025-03-15 to 2025-03-20" in done.err
    assert (find_losses(world), left_in_place(world)) == ([], [])
    again = command(world, *BACKFILL)
    assert again.code == 0
    assert "window" not in again.err.replace("3 windows", "")
    told = command(world, "status")
    assert told.code == 0
    assert told.out.decode().splitlines() == again.out.decode().splitlines() == lines


def test_failures_are_named_and_exit_with_1(command: Command) -> None:
    """Both commands report the failure; the same backfill again retries it."""
    world = three_windows()
    denied = AccessDenied("no", code="AccessDenied", operation="GetObject")
    bad = fail_on(lambda call: call.bucket == "logs" and "2025/03/08" in call.key, denied)
    done = command(world, *BACKFILL, store=FaultyStore(world.store, bad))
    told = command(world, "status")
    for each in (done, told):
        assert each.code == 1
        text = each.out.decode()
        assert "3 windows: 2 done, 1 failed" in text
        assert "  failed     2025-03-08 to 2025-03-14, 1 attempt:" in text
        assert "UnreadableSources" in text
    assert command(world, *BACKFILL).code == 0
    assert left_in_place(world) == []


def test_killed_runs_are_reported_once_for_all_windows(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recovery looks at every group of every open run, so doing it after each window would cost
    more than the windows. Its failures are reported.
    """
    told = []

    def tell(job: object, result: RunResult, *_: object) -> None:
        told.append((result.first, result.last, result.buckets))
        result.failures.append(Failure("custody", "StoreError", "no", "look"))

    def fail(*_: object) -> None:
        pytest.fail("after a window")

    monkeypatch.setattr("log_aggregator.steps.custody.keep.recover_runs", fail)
    monkeypatch.setattr("log_aggregator.steps.backfill.recover.recover_runs", tell)
    done = command(three_windows(), *BACKFILL)
    assert told == [(date(2025, 3, 1), date(2025, 3, 20), ["logs"])]
    assert done.code == 1
    assert "custody: StoreError: no" in done.err


def test_unreadable_lifecycle_rules_are_reported(command: Command, inspector: Inspector) -> None:
    """Unreadable lifecycle rules are reported and do not stop the backfill."""
    inspector.days = None
    world = three_windows()
    done = command(world, *BACKFILL, "--json")
    assert done.code == 0
    assert list(json.loads(done.out)["lifecycle_unknown"]) == ["logs"]
    assert "cannot go first: GetBucketLifecycleConfiguration" in done.err


def test_windows_are_ordered_by_age_and_urgency(command: Command, inspector: Inspector) -> None:
    """`--order newest` takes the newest window first, except that logs about to expire precede it.
    The world's clock says 5 April 2025.
    """
    inspector.days = 32
    done = command(three_windows(), *BACKFILL, "--order", "newest")
    begun = [line.rpartition(": ")[2] for line in done.err.splitlines() if " of 3: " in line]
    assert begun == [
        "2025-03-01 to 2025-03-07",
        "2025-03-08 to 2025-03-14",
        "2025-03-15 to 2025-03-20",
    ]
    inspector.days = 3650
    done = command(three_windows(), *BACKFILL, "--order", "newest")
    begun = [line.rpartition(": ")[2] for line in done.err.splitlines() if " of 3: " in line]
    assert begun[0] == "2025-03-15 to 2025-03-20"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("backfill", "--other-buckets", "logs", "--from", "2025-03-01"), 2, "expected both"),
        (("backfill", *RANGE), 2, "at least one bucket to take logs from"),
        ((*BACKFILL, "--name", "a/b"), 2, "--name 'a/b'"),
        ((*BACKFILL, "--window-days", "9"), 2, "--window-days"),
        (("status", "--name", "../x"), 2, "--name '../x'"),
        (("status",), 1, "nothing found in s3://dest/backfills/"),
        (("status", "--name", "other"), 1, "no backfill 'other' in s3://dest/backfills/"),
        (("status", "--stack", "other"), 1, "no state machine"),
        (("status", "--work-bucket", "none"), 3, "NoSuchBucket"),
    ],
)
def test_bad_arguments_are_refused(
    command: Command, arguments: tuple[str, ...], code: int, message: str
) -> None:
    """Each wrong argument ends with the documented code and says what is wrong."""
    done = command(three_windows(), *arguments)
    assert (done.code, message in done.err) == (code, True), done.err


def test_another_range_under_the_same_name_is_refused(command: Command) -> None:
    """It is refused before anything is touched."""
    world = three_windows()
    assert command(world, *BACKFILL, "--name", "history").code == 0
    done = command(
        world, "backfill", "--from", "2025-03-02", "--to", "2025-03-20", "--name", "history",
        "--other-buckets", "logs",
    )  # fmt: skip
    assert done.code == 2
    assert "that backfill covers 2025-03-01 to 2025-03-20" in done.err


@pytest.mark.usefixtures("no_waits")
def test_a_claim_of_another_worker_is_waited_for_or_taken_over(command: Command) -> None:
    """`--take-over` takes the claim immediately; without it the command waits and says whose claim
    it is.
    """
    world = three_windows()
    claim(world, 0)
    taken = command(world, *BACKFILL, "--take-over")
    assert taken.code == 0
    assert "waiting" not in taken.err
    assert left_in_place(world) == []
    world = three_windows()
    attempt = claim(world, 0)
    looks = iter(range(100))

    def end(number: int, call: Any) -> None:
        if call.key.endswith("/windows/") and next(looks) == 8:
            attempt.end(Kind.DONE, Totals())

    waited = command(world, *BACKFILL, store=FaultyStore(world.store, end))
    assert waited.code == 0
    assert waited.err.count("waiting for 1 window claimed by other-host-1") == 1


def test_status_shows_who_is_working(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """It reports the window, its start, the last beat, what is done and how fast."""
    world = three_windows()
    monkeypatch.setattr(wiring, "SystemClock", lambda: world.clock)
    attempt = claim(world, 1)
    world.clock.advance(seconds=60)
    attempt.beat(Totals(objects=600))
    told = command(world, "status", "--json")
    assert told.code == 0
    (found,) = json.loads(told.out)["backfills"]
    assert found["windows"] == {"total": 3, "done": 0, "failed": 0, "under_way": 1, "to_do": 2}
    (worked_on,) = found["under_way"]
    assert worked_on["worker"] == "other-host-1"
    assert (worked_on["first_date"], worked_on["objects"]) == ("2025-03-08", 600)
    assert found["objects_per_second"] == pytest.approx(10.0, abs=0.1)
    text = command(world, "status").out.decode()
    assert "at 10 log objects per second" in text
    assert "  under way  2025-03-08 to 2025-03-14: other-host-1, since 2025-04-05T01:00:00Z" in text


def test_status_of_a_stack_shows_executions_and_runs(command: Command) -> None:
    """It lists executions with their windows, and the runs in the stack's work bucket."""
    world = three_windows()
    world.store.create_bucket("work", versioning=None)
    world.store.put("work", "runs/2025-04-05/night/plan.json", b"{}")
    told = command(world, "status", "--stack", "log-aggregator", "--work-bucket", "work")
    assert told.code == 0
    assert told.out.decode().splitlines() == [
        "Execution history of ProcessHistoricalMainLogsSM: RUNNING, 2022-01-01 to 2024-12-31",
        "  since 2025-04-05T00:00:00Z",
        "  Windows: 82 of 157 done, 3 running, 71 waiting, 1 failed",
        "Execution night of CombineLogFilesSM: SUCCEEDED",
        "  since 2025-04-05T00:00:00Z to 2025-04-05T00:00:00Z",
        "Run 2025-04-05/night: no result yet; it is under way, or was stopped",
    ]


def test_a_worker_reports_while_its_window_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beats carry what has been done so far; a failed beat ends nothing, and they stop with the
    window.
    """
    monkeypatch.setattr("log_aggregator.cli.backfill.BEAT_SECONDS", 0.001)
    told: list[Totals] = []
    is_heard = threading.Event()

    class Beaten:
        def beat(self, totals: Totals) -> None:
            told.append(totals)
            if len(told) == 1:
                raise Unreachable("no answer", code="ReadTimeoutError")
            is_heard.set()

    with beating(cast("Attempt", Beaten()), lambda: Totals(objects=len(told))):
        assert is_heard.wait(SECONDS_MAX)
    for thread in threading.enumerate():
        if thread.name == "beats":
            thread.join(SECONDS_MAX)
            assert not thread.is_alive()
    assert told[:2] == [Totals(), Totals(objects=1)]


@pytest.mark.usefixtures("no_waits")
def test_watching_ends_when_there_is_nothing_to_do(command: Command) -> None:
    """It polls until nothing is left to do, printing one JSON document per line."""
    world = three_windows()
    assert command(world, *BACKFILL).code == 0
    done = command(world, "status", "--watch", "--json")
    assert len(done.out.splitlines()) == 1
    other = three_windows()
    looks = iter(range(100))

    def finish(number: int, call: Any) -> None:
        if call.key.endswith("/windows/") and next(looks) == 2:
            make_worker(other, "late").work()

    claim(other, 0).end(Kind.STOPPED, Totals())
    done = command(other, "status", "--watch", "--json", store=FaultyStore(other.store, finish))
    assert done.code == 0
    states = [json.loads(line)["backfills"][0]["windows"]["done"] for line in done.out.splitlines()]
    assert states == [0, 0, 3]


def test_an_unanswered_request_is_an_error(command: Command) -> None:
    """Nothing was touched, so the exit code is 3."""
    world = three_windows()
    silent = Unreachable("no answer", code="ReadTimeoutError")
    store = FaultyStore(world.store, fail_on(lambda call: True, silent))
    for arguments in (BACKFILL, ("status",)):
        done = command(world, *arguments, store=store)
        assert (done.code, "no answer" in done.err) == (3, True)


def test_the_fields_of_status_are_documented(
    command: Command, json_fields: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fields are exactly those of docs/reference/json.md, with one window failed, one under way
    and one to do.
    """
    world = three_windows()
    monkeypatch.setattr(wiring, "SystemClock", lambda: world.clock)
    claim(world, 0).end(Kind.FAILED, Totals(), [Failure("a", "b", "c", "d")])
    claim(world, 1)
    world.store.create_bucket("work", versioning=None)
    world.store.put("work", "runs/2025-04-05/night/plan.json", b"{}")
    more = ["--stack", "log-aggregator", "--work-bucket", "work"]
    done = command(world, "status", *more, "--json")
    found = set(json_fields.flatten(json.loads(done.out)))
    assert found == set(json_fields.json_fields("status"))


def test_the_fields_of_backfill_are_documented(
    command: Command, json_fields: Any, inspector: Inspector
) -> None:
    """After a backfill nothing is under way or to do; its other fields are exactly those of the
    page.
    """
    inspector.days = None
    world = three_windows()
    denied = AccessDenied("no", code="AccessDenied", operation="GetObject")
    bad = fail_on(lambda call: call.bucket == "logs" and "2025/03/08" in call.key, denied)
    done = command(world, *BACKFILL, "--json", store=FaultyStore(world.store, bad))
    found = set(json_fields.flatten(json.loads(done.out)))
    missing = set(json_fields.json_fields("backfill")) - found
    assert found <= set(json_fields.json_fields("backfill")) | {"lifecycle_unknown.logs"}
    assert {field.partition("[]")[0] for field in missing} == {
        "under_way",
        "to_do",
        "lifecycle_unknown.<bucket>",
        "custody_failures",
    }


@pytest.fixture
def json_fields(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[3] / "docs"))
    return importlib.import_module("reference_pages.json_fields")
