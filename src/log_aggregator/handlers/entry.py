"""What all functions share: settings from the environment, the object store, logs, traces, and an
end before the time runs out.
"""

from __future__ import annotations

import functools
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

# Imported here, because a function has more processor time while it loads than in its first call.
import log_aggregator.adapters.s3.store  # noqa: F401
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import (
    Interrupted,
    LogAggregatorError,
    OutOfTime,
    RequestFailed,
    SettingsError,
)
from log_aggregator.model import Stage
from log_aggregator.ports.account import AccountInspector
from log_aggregator.ports.store import ObjectStore
from log_aggregator.ports.trail_keys import TrailKeys
from log_aggregator.settings import SETTINGS, Settings, read_settings
from log_aggregator.steps.fanout.folder import Kind, RunFolder
from log_aggregator.steps.fanout.gather import RunRecord
from log_aggregator.steps.job import Job
from log_aggregator.steps.workers import ThreadWorkers
from log_aggregator.telemetry.foreign import leave_alone, tell_own
from log_aggregator.telemetry.logs import bind, configure_logs, log_error, log_info
from log_aggregator.telemetry.tracing import span
from log_aggregator.wiring import (
    BucketAccounts,
    Connection,
    SystemClock,
    attend,
    connect_inspector,
    connect_signing,
    connect_store,
    connect_trail_keys,
    make_rules,
    make_workers,
)

if TYPE_CHECKING:
    from log_aggregator.ports.signing import Signing

PREFIX = "LOG_AGGREGATOR_"
WORK_BUCKET = f"{PREFIX}WORK_BUCKET"
ACCESS_LOG_BUCKET = f"{PREFIX}ACCESS_LOG_BUCKET"
DRILL_EVERY_DAYS = f"{PREFIX}DRILL_EVERY_DAYS"
DRILL_DOLLARS_MAX = f"{PREFIX}DRILL_DOLLARS_MAX"
LOG_LEVEL = f"{PREFIX}LOG_LEVEL"

MARGIN_SECONDS_MAX = 60
"""How long before its end a function stops, so that work under way can finish or be aborted."""

Event = Mapping[str, Any]
Result = dict[str, Any]


class Context(Protocol):
    """The parts of Lambda's context that are used."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a function. The requests of the job's store are counted for each call."""

    settings: Settings
    job: Job
    work_bucket: str
    request_id: str
    connect_keys: Callable[[], TrailKeys | None]
    """Gives access to CloudTrail's public keys."""
    connect_signing: Callable[[], Signing | None]
    """Gives what signs custody records; None where they are not signed."""
    connect_account: Callable[[], AccountInspector]
    """Gives access to the account itself: Lambda's quota, and everything that the doctor checks."""

    def folder(self, run: str) -> RunFolder:
        """A run's folder. Its requests are counted too, because they are billed."""
        return RunFolder(self.job.store, self.work_bucket, run)

    def job_of(self, record: RunRecord) -> Job:
        """The job of a run that has begun."""
        job = self.job.for_days(DateWindow(record.first, record.last)).for_layouts(record.layouts)
        # Turning deletion off takes effect during a run; turning it on, only in the next run.
        stage = min(record.stage, job.rules.group.stage, key=list(Stage).index)
        return job.for_stage(stage).for_listing(is_old=bool(record.inventory))


def serve(
    step: str,
) -> Callable[[Callable[[Event, Call], Result]], Callable[[Event, Context], Result]]:
    """Makes a Lambda handler from a function of an event and a call. Errors are logged, and raised:
    the state machine acts on their names. Errors that are not ours are raised as Unexpected or
    OutOfMemory, because Lambda passes the text of any error to its log, to Step Functions and to
    X-Ray.
    """

    def decorate(work: Callable[[Event, Call], Result]) -> Callable[[Event, Context], Result]:
        @functools.wraps(work)
        def handler(event: Event, context: Context) -> Result:
            try:
                return answer(event, context)
            except Exception as error:  # noqa: BLE001 - all of them are raised, in our own words
                told = leave_alone(error)
            raise told  # outside `except`, where it would have the error as its context

        def answer(event: Event, context: Context) -> Result:
            configure_logs(os.environ.get(LOG_LEVEL, ""))
            named = {name: event[name] for name in ("run", "kind", "task", "item") if name in event}
            with bind(step=step, request_id=context.aws_request_id, **named), span(step, **named):
                return _run(step, work, event, context)

        return handler

    return decorate


def settings_of(environment: Mapping[str, str]) -> Settings:
    """The settings from environment variables; empty ones are ignored. Raises SettingsError.

    Layouts are not among them: they are in a file, which `prepare` reads.
    """
    values: dict[str, Any] = {}
    for row in (row for row in SETTINGS if row.name != "layouts"):
        text = environment.get(f"{PREFIX}{row.name.upper()}", "")
        if text:
            values[row.name] = _read_value(row.name, text)
    return read_settings(None, values)


def required(environment: Mapping[str, str], name: str) -> str:
    """Raises SettingsError."""
    value = environment.get(name, "")
    if not value:
        raise SettingsError(
            f"{name}: the environment variable is missing; template.yaml sets it, so deploy again"
        )
    return value


def _run(
    step: str, work: Callable[[Event, Call], Result], event: Event, context: Context
) -> Result:
    log_info("begins")
    try:
        settings = settings_of(os.environ)
        with make_workers(settings) as workers, _deadline(context, workers):
            clock = SystemClock()
            today = clock.now().date()
            work_bucket = required(os.environ, WORK_BUCKET)
            # The work bucket holds manifests and declarations. They are not logs, even if
            # other_buckets = ["a*"] and a wide declaration match them.
            rules = make_rules(settings, DateWindow(today, today)).holding(work_bucket)
            call = Call(
                settings=settings,
                job=Job(
                    attend(_connect(settings.readers, settings.bucket_owners)),
                    workers,
                    rules,
                    clock,
                ),
                work_bucket=work_bucket,
                request_id=context.aws_request_id,
                connect_keys=_connect_keys,
                connect_signing=partial(_connect_signing, settings),
                connect_account=partial(_connect_account, settings.bucket_owners),
            )
            result = _work(step, work, event, call)
    except Exception as error:
        log_error("failed", error)
        raise
    log_info("ends", result=result)
    return result


def _work(step: str, work: Callable[[Event, Call], Result], event: Event, call: Call) -> Result:
    try:
        return work(event, call)
    except Interrupted as error:
        stopped = OutOfTime(f"{step}: stopped shortly before the function's time was over")
        _leave_word(event, call, stopped)
        raise stopped from error
    except Exception as error:
        _leave_word(event, call, tell_own(error))
        raise


def _leave_word(event: Event, call: Call, error: LogAggregatorError) -> None:
    """Writes down why a piece of a run ended, for the run's end. That it cannot be written must not
    hide the error itself.
    """
    piece = event.get("task") or event.get("item")
    if piece is None:
        return
    try:
        call.folder(event["run"]).write_failure(Kind(event["kind"]), piece, error)
    except RequestFailed as other:
        log_error("the failure could not be written down", other)


@contextmanager
def _deadline(context: Context, workers: ThreadWorkers) -> Iterator[None]:
    """Stops the workers before Lambda would kill the function, so that uploads are aborted and the
    error has a name.
    """
    left = context.get_remaining_time_in_millis() / 1000
    timer = threading.Timer(left - min(MARGIN_SECONDS_MAX, left / 10), workers.stop)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@functools.cache
def _connect(readers: int, accounts: BucketAccounts) -> ObjectStore:
    """One for all invocations of a container, whose connections stay open."""
    return connect_store(Connection(), readers, accounts)


def _connect_account(accounts: BucketAccounts) -> AccountInspector:
    """Raises CannotStart."""
    return connect_inspector(Connection(), accounts)


def _connect_keys() -> TrailKeys | None:
    """None where the S3 server is not AWS's. Raises CannotStart."""
    return connect_trail_keys(Connection())


def _connect_signing(settings: Settings) -> Signing | None:
    """Raises CannotStart, SettingsError."""
    return connect_signing(Connection(), settings)


def _read_value(name: str, text: str) -> Any:
    """Lists may be written as JSON or with commas, `holds` is JSON."""
    if not text.lstrip().startswith(("[", "{")):
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise SettingsError(f"{name} = {text!r}: not JSON: {error}") from None
