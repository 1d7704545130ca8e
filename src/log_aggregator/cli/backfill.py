"""`backfill`: packs a long range of days, window by window."""

from __future__ import annotations

import os
import re
import socket
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import click

from log_aggregator.cli.lasting import print_lasting_report, require_room
from log_aggregator.cli.options import (
    connection_options,
    json_option,
    make_cli_window,
    make_connection,
    settings_options,
)
from log_aggregator.cli.printing import print_line
from log_aggregator.cli.progress.backfill import BackfillView, make_backfill_view
from log_aggregator.cli.run import measure_run, name_run
from log_aggregator.core.backfill.entries import BackfillPlan, Totals, name_backfill
from log_aggregator.core.backfill.order import Order
from log_aggregator.core.backfill.states import BEAT_SECONDS, BackfillState, State
from log_aggregator.core.windows import WINDOW_DAYS_MAX, DateWindow
from log_aggregator.errors import Failure, Interrupted, LogAggregatorError, SettingsError
from log_aggregator.reports.backfill import describe_backfill, render_backfill
from log_aggregator.settings import Settings, check_sources
from log_aggregator.steps.backfill.expiry import Expiry, read_expiry
from log_aggregator.steps.backfill.ledger import Attempt, Ledger, choose_target, open_backfill
from log_aggregator.steps.backfill.recover import tell_of_killed_runs
from log_aggregator.steps.backfill.work import Outcome, Worker
from log_aggregator.steps.cloudtrail.run_keys import archive_run_keys
from log_aggregator.steps.custody.sign import sign_after_run
from log_aggregator.steps.job import Job
from log_aggregator.wiring import (
    Connection,
    connect_inspector,
    connect_signing,
    connect_trail_keys,
    open_job,
)

EXAMPLE = """\b
Example:
  log-aggregator backfill --from 2023-01-01 --to 2025-12-31
  log-aggregator status --watch          (in another terminal)
"""


@click.command(epilog=EXAMPLE)
@click.option(
    "--from",
    "from_",
    metavar="YYYY-MM-DD",
    help="First log date of the range. Required.",
)
@click.option(
    "--to",
    "to_",
    metavar="YYYY-MM-DD",
    help="Last log date of the range. Required.",
)
@click.option(
    "--order",
    type=click.Choice([each.value for each in Order]),
    default=Order.OLDEST.value,
    show_default=True,
    help="Which windows go first. Windows whose log objects a lifecycle rule of their bucket "
    "deletes within 30 days go before all others.",
)
@click.option(
    "--name",
    metavar="NAME",
    help="The backfill's name, under which its ledger is kept. Left out: made from the range, so "
    "that the same range resumes where it stopped.",
)
@click.option(
    "--window-days",
    type=click.IntRange(1, WINDOW_DAYS_MAX),
    default=WINDOW_DAYS_MAX,
    show_default=True,
    help="Days in a window; fewer where it would have more than objects_max log objects.",
)
@click.option(
    "--take-over",
    is_flag=True,
    help="Do not wait for windows that another worker has claimed, because it was killed or is too "
    "slow. If it is still at work, nothing is lost, but work may be done twice.",
)
@settings_options
@connection_options
@json_option
def backfill(
    settings: Settings,
    from_: str | None,
    to_: str | None,
    order: str,
    name: str | None,
    window_days: int,
    take_over: bool,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
) -> int:
    """Pack a long range of days, window by window. Each window is a run as `run` does it. A ledger
    next to the packs keeps which windows are done, failed or to do.

    It may be stopped at any time: the same command resumes where it stopped, and retries what
    failed. Several may work on one backfill at the same time, each on its own windows.
    """
    if from_ is None or to_ is None:
        raise SettingsError(
            "--from, --to: expected both, such as --from 2023-01-01 --to 2023-12-31"
        )
    check_sources(settings)
    window = make_cli_window(None, from_, to_, settings.look_back_days)
    wish = Wish(window, name or name_backfill(window), window_days, Order(order), take_over)
    return do_backfill(settings, wish, make_connection(profile, region, endpoint_url), as_json)


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user wants of the backfill."""

    window: DateWindow
    name: str
    window_days: int
    order: Order
    takes_over: bool


def do_backfill(settings: Settings, wish: Wish, connection: Connection, as_json: bool) -> int:
    """Works, prints, and gives the exit code."""
    require_room()
    with open_job(connection, settings) as job:
        target = choose_target(job)
        sources = (*job.rules.main_buckets, *job.rules.other_buckets)
        plan = open_backfill(
            job,
            target,
            BackfillPlan(
                wish.name, wish.window, wish.window_days, tuple(sorted(sources)), job.clock.now()
            ),
        )
        ledger = Ledger.join(job, target, plan, name_worker())
        expiry = _read_expiry(job, settings, connection)
        view = make_backfill_view(is_quiet=as_json)
        runner = WindowRuns(settings, connection, view)
        worker = Worker(
            ledger, runner.run, wish.order, expiry.rules, view, takes_over=wish.takes_over
        )
        with view.progress:
            state, is_stopped = _work(worker)
            failures = (
                [] if is_stopped else _tell_of_killed_runs(job, settings, connection, plan.window)
            )
    for failure in failures:
        print_line(f"{failure.where}: {failure.error}: {failure.message}", err=True)
    described = {
        **describe_backfill(state, target),
        "stopped": is_stopped,
        "lifecycle_unknown": expiry.unknown,
        "custody_failures": [asdict(failure) for failure in failures],
    }
    print_lasting_report(
        described,
        list(render_backfill(described)),
        "its work",
        as_json=as_json,
        advice="`log-aggregator status` shows the same.",
    )
    if is_stopped:
        raise Interrupted("stopped; its progress is shown above")
    return 1 if failures or state.count(State.FAILED) else 0


def _tell_of_killed_runs(
    job: Job, settings: Settings, connection: Connection, window: DateWindow
) -> list[Failure]:
    """Writes the custody records that killed runs left out. What cannot be written is a failure,
    and so is a stop in the meantime; the next run writes it.
    """
    archive_keys = partial(archive_run_keys, job, partial(connect_trail_keys, connection))
    sign = partial(sign_after_run, job, connect=partial(connect_signing, connection, settings))
    try:
        return tell_of_killed_runs(job, window, name_run(job.clock.now()), archive_keys, sign)
    except (KeyboardInterrupt, Interrupted):
        return [Failure.of("custody records of earlier runs", Interrupted("stopped"))]


def _work(worker: Worker) -> tuple[BackfillState, bool]:
    """How far it is in the end, and whether it was stopped."""
    try:
        return worker.work(), worker.is_stopped
    except (KeyboardInterrupt, Interrupted):
        if worker.state is None:
            raise
        return worker.state, True


def _read_expiry(job: Job, settings: Settings, connection: Connection) -> Expiry:
    """Reports the buckets whose lifecycle could not be read; their windows cannot go first."""
    inspector = connect_inspector(connection, settings.bucket_owners)
    expiry = read_expiry(inspector, job.list_source_buckets())
    for bucket, reason in expiry.unknown.items():
        print_line(
            f"lifecycle of {bucket} unknown, so what it deletes soon cannot go first: {reason}",
            err=True,
        )
    return expiry


def name_worker() -> str:
    """A unique name that shows on which host the worker runs."""
    host = re.sub(r"[^A-Za-z0-9.-]", "-", socket.gethostname())[:60]
    return f"{host}-{os.getpid()}-{uuid.uuid4().hex[:8]}"


@dataclass(frozen=True, slots=True)
class WindowRuns:
    """Runs windows as `run` does, each with its own connection, and beats in the meantime."""

    settings: Settings
    connection: Connection
    view: BackfillView

    def run(self, attempt: Attempt) -> Outcome:
        """Raises CannotStart, LimitExceeded."""
        with beating(attempt, self.view.read_totals):
            described = measure_run(
                self.settings,
                attempt.window,
                self.connection,
                is_quiet=True,
                progress=self.view.progress,
                recovers=False,
            )
        return make_outcome(described)


def make_outcome(described: Mapping[str, Any]) -> Outcome:
    """From a run's description."""
    objects = described["objects"]
    return Outcome(
        Totals(
            objects=objects["packed"] + objects["copied"],
            bytes_in=described["bytes_in"],
            bytes_out=described["bytes_out"],
            packs=len(described["packs"]),
            deleted=objects["deleted"],
            kept=objects["kept"],
            failures=len(described["failures"]),
            dollars=described["dollars"]["estimated"],
            seconds=described["seconds"],
        ),
        [Failure(**failure) for failure in described["failures"]],
        [record["key"] for record in described["custody"]],
        described["stopped"],
    )


@contextmanager
def beating(attempt: Attempt, read_totals: Callable[[], Totals]) -> Iterator[None]:
    """Records every BEAT_SECONDS that the window is still worked on, even while the work waits."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(BEAT_SECONDS):
            # If a beat is lost, another worker may take the window over: at worst, work done twice.
            with suppress(LogAggregatorError):
                attempt.beat(read_totals())

    thread = threading.Thread(target=beat, name="beats", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
