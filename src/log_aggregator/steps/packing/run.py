"""A run: lists a window of days, then plans and settles group by group, main and auxiliary logs
together.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from typing import Protocol

from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import (
    CannotStart,
    Failure,
    Interrupted,
    LimitExceeded,
    NotAuthenticated,
    OutcomeUnknown,
    RequestFailed,
    Unreachable,
)
from log_aggregator.limits import STALE_UPLOAD_AGE_HOURS_MIN
from log_aggregator.model import Group, Target
from log_aggregator.ports.store import Clock, ObjectStore
from log_aggregator.steps.job import Job
from log_aggregator.steps.packing.buckets import SourceBucket, find_buckets
from log_aggregator.steps.packing.group import GroupWork
from log_aggregator.steps.packing.listing import (
    BucketListing,
    Found,
    Listing,
    Progress,
    check_limit,
)
from log_aggregator.steps.packing.results import GroupResult, RunResult
from log_aggregator.steps.packing.shelf import Shelf
from log_aggregator.steps.workers import Workers

UNANSWERED_GROUPS_MAX = 3
"""After S3 did not answer for this many groups in a row, the rest are not tried: each would wait
through all retries.
"""


class Recorder(Protocol):
    """Is told what a run is about to do and what it did, window by window."""

    def begin(self, window: DateWindow, groups: Collection[Group]) -> None:
        """Called before anything of a window is touched. Raises CannotStart."""

    def end(self, done: RunResult) -> None:
        """Called with what was done in a window, also if it was stopped halfway."""

    def finish(self, result: RunResult) -> None:
        """Called at the end of a run that was not stopped."""


class NoRecorder:
    """Records nothing."""

    def begin(self, window: DateWindow, groups: Collection[Group]) -> None: ...
    def end(self, done: RunResult) -> None: ...
    def finish(self, result: RunResult) -> None: ...


def run(
    job: Job,
    progress: Progress,
    listing: Listing | None = None,
    recorder: Recorder | None = None,
) -> RunResult:
    """Packs, verifies and deletes everything that the rules want. The result's `failures` name what
    failed. If the run is stopped or the credentials expire, the result has what was done until
    then.

    `listing` finds what there is to pack; by default the buckets are listed. Raises CannotStart and
    LimitExceeded before anything is touched; for later days of a long range they become failures.
    """
    window, recorder = job.rules.selection.window, recorder or NoRecorder()
    stage = job.rules.group.stage
    result = RunResult(window.first, window.last, layouts=job.rules.layouts, stage=stage)
    buckets = {bucket.name: bucket for bucket in find_buckets(job)}
    result.buckets = list(buckets)
    listing = listing or BucketListing(job, progress)
    job = job.for_listing(is_old=listing.is_old)
    windows = listing.windows(buckets, job.rules.selection)
    begin = window.first
    try:
        while begin <= window.last:
            began = time.perf_counter()
            try:
                found = next(windows)
                check_limit(found, job.rules)
                recorder.begin(found.window, found.shelf.groups)
            except (CannotStart, LimitExceeded) as error:
                if begin == window.first:
                    raise
                result.failures.append(Failure.of(f"{begin} to {window.last}", error, LATER_DAYS))
                break
            result.add_seconds({"list": time.perf_counter() - began})
            if begin == window.first:
                _clean_up(job, buckets, result)
            progress.days(found.window, window)
            progress.planned(len(found.shelf.groups), found.shelf.objects)
            _run_window(job, buckets, found, progress, recorder, result)
            begin = found.window.last + timedelta(days=1)
        recorder.finish(result)
    except (KeyboardInterrupt, Interrupted):
        result.is_stopped = True
    except NotAuthenticated as error:
        if not any(failure.error == error.state_name for failure in result.failures):
            result.failures.append(Failure.of(REST, error))
    return result


REST = "the rest of the run"
"""The place that a failure names when the credentials expired."""
LATER_DAYS = "The earlier days are done. Fix this, and start again for these days."


def _clean_up(job: Job, buckets: Iterable[str], result: RunResult) -> None:
    targets = {job.rules.target(name) for name in buckets}
    result.stale_uploads, refused = abort_stale_uploads(job.store, job.clock, targets)
    result.failures += refused


def _run_window(
    job: Job,
    buckets: Mapping[str, SourceBucket],
    found: Found,
    progress: Progress,
    recorder: Recorder,
    result: RunResult,
) -> None:
    """Settles all groups of some days. Whatever ends it, the recorder gets what was done first."""
    done = RunResult(
        found.window.first,
        found.window.last,
        selection=found.selection,
        buckets=result.buckets,
        layouts=result.layouts,
        stage=result.stage,
    )
    today = job.today
    works = {name: GroupWork.of(job, bucket, today, progress) for name, bucket in buckets.items()}
    started: dict[Group, GroupResult] = {}
    try:
        _settle_all(job.workers, found.shelf, works, progress, started)
    except BaseException as error:
        done.is_stopped = True
        if isinstance(error, NotAuthenticated):
            done.failures.append(Failure.of(REST, error))
        job.workers.end()  # waits, so that work still under way is recorded too
        raise
    finally:
        done.take_groups(started[group] for group in _in_order(found.shelf) if group in started)
        try:
            recorder.end(done)
        finally:
            result.take_window(done)


def _in_order(shelf: Shelf) -> list[Group]:
    """The largest first, so that a large one does not run alone at the end."""
    groups = shelf.groups
    return sorted(groups, key=lambda group: (-groups[group], group))


def _settle_all(
    workers: Workers,
    shelf: Shelf,
    works: Mapping[str, GroupWork],
    progress: Progress,
    started: dict[Group, GroupResult],
) -> None:
    """Settles the groups of all buckets together. `started` has every group that was begun, also if
    this ends with an error.
    """
    groups = shelf.groups
    unanswered = 0

    def settle(group: Group) -> None:
        nonlocal unanswered
        settled = started[group] = GroupResult(group)
        if unanswered >= UNANSWERED_GROUPS_MAX:
            skipped = Unreachable(f"not tried: S3 did not answer for {unanswered} groups in a row")
            settled.failures.append(Failure.of(str(group), skipped))
        else:
            work = works[group.bucket]
            try:
                for part in shelf.parts(group):
                    work.settle(settled, part)
                    work.discard(settled, part.discards)
                    if _is_unanswered(settled):
                        break
            except BaseException:
                stopped = Interrupted("stopped before it was done")
                settled.failures.append(Failure.of(str(group), stopped))
                raise
            unanswered = unanswered + 1 if _is_unanswered(settled) else 0
        progress.settled(settled, groups[group])

    for _ in workers.each(settle, _in_order(shelf)):
        pass


def _is_unanswered(settled: GroupResult) -> bool:
    silent = {Unreachable.__name__, OutcomeUnknown.__name__}
    return any(failure.error in silent for failure in settled.failures)


def abort_stale_uploads(
    store: ObjectStore, clock: Clock, targets: Iterable[Target]
) -> tuple[int, list[Failure]]:
    """Aborts uploads of runs that died long ago; younger ones may belong to a run that is under
    way. A refusal becomes a failure and does not stop the run.
    """
    oldest = clock.now() - timedelta(hours=STALE_UPLOAD_AGE_HOURS_MIN)
    aborted, refused = 0, []
    for target in sorted(targets, key=lambda target: (target.bucket, target.root)):
        try:
            for upload in store.list_multipart_uploads(
                target.bucket, prefix=f"{target.root}packs/"
            ):
                if upload.initiated is not None and upload.initiated < oldest:
                    store.abort_multipart_upload(upload)
                    aborted += 1
        except RequestFailed as error:
            refused.append(
                Failure.of(f"unfinished uploads in s3://{target.bucket}/{target.root}packs/", error)
            )
    return aborted, refused
