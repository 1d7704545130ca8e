"""A run: list everything of a window of days, plan, and settle group by group, main and auxiliary
logs at the same time.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta

from log_aggregator.errors import CannotStart, Failure, LimitExceeded, RequestFailed, Unreachable
from log_aggregator.limits import STALE_UPLOAD_AGE_HOURS_MIN
from log_aggregator.model import Group, Target
from log_aggregator.ports.store import Clock, ObjectStore
from log_aggregator.steps.job import Job
from log_aggregator.steps.packing.buckets import find_buckets
from log_aggregator.steps.packing.group import GroupWork
from log_aggregator.steps.packing.listing import (
    BucketListing,
    Listing,
    Progress,
    check_limit,
)
from log_aggregator.steps.packing.results import GroupResult, RunResult
from log_aggregator.steps.packing.shelf import Shelf
from log_aggregator.steps.workers import Workers

UNANSWERED_GROUPS_MAX = 3
"""After so many groups in a row for which S3 gave no answer the rest are not tried: each would wait
for all its retries.
"""


def run(job: Job, progress: Progress, listing: Listing | None = None) -> RunResult:
    """Packs, verifies and deletes all that the rules want. What fails is in the result's
    `failures`.

    What there is to pack is found by `listing`, or by listing the buckets.
    Raises CannotStart and LimitExceeded before anything was touched; of later days of a long range
    they are among the failures.
    """
    window = job.rules.selection.window
    result = RunResult(window.first, window.last, layouts=job.rules.layouts)
    buckets = {bucket.name: bucket for bucket in find_buckets(job)}
    result.buckets = list(buckets)
    result.stale_uploads, refused = abort_stale_uploads(
        job.store, job.clock, {job.rules.target(name) for name in buckets}
    )
    result.failures += refused
    listing = listing or BucketListing(job, progress)
    job = job.for_listing(is_old=listing.is_old)
    windows = listing.windows(buckets, job.rules.selection)
    begin = window.first
    while begin <= window.last:
        began = time.perf_counter()
        try:
            found = next(windows)
            check_limit(found, job.rules)
        except (CannotStart, LimitExceeded) as error:
            if begin == window.first:
                raise
            result.failures.append(Failure.of(f"{begin} to {window.last}", error))
            break
        result.add_seconds({"list": time.perf_counter() - began})
        result.selection.merge_counts(found.selection)
        progress.planned(len(found.shelf.groups), found.shelf.objects)
        today = job.today
        works = {name: GroupWork.of(job, bucket, today) for name, bucket in buckets.items()}
        for settled in _settle_all(job.workers, found.shelf, works, progress):
            result.groups.append(settled)
            result.add_seconds(settled.seconds)
            result.failures += settled.failures
        begin = found.window.last + timedelta(days=1)
    return result


def _settle_all(
    workers: Workers, shelf: Shelf, works: Mapping[str, GroupWork], progress: Progress
) -> Iterator[GroupResult]:
    """Groups of all buckets together, the largest first, so that none is left alone at the end."""
    groups = shelf.groups
    unanswered = 0

    def is_unanswered(settled: GroupResult) -> bool:
        return any(failure.error == Unreachable.__name__ for failure in settled.failures)

    def settle(group: Group) -> GroupResult:
        nonlocal unanswered
        settled = GroupResult(group)
        if unanswered >= UNANSWERED_GROUPS_MAX:
            skipped = Unreachable(f"not tried: S3 did not answer for {unanswered} groups before")
            settled.failures.append(Failure.of(str(group), skipped))
        else:
            work = works[group.bucket]
            for part in shelf.parts(group):
                work.settle(settled, part)
                work.discard(settled, part.discards)
                if is_unanswered(settled):
                    break
            unanswered = unanswered + 1 if is_unanswered(settled) else 0
        progress.settled(settled, groups[group])
        return settled

    yield from workers.each(settle, sorted(groups, key=lambda group: (-groups[group], group)))


def abort_stale_uploads(
    store: ObjectStore, clock: Clock, targets: Iterable[Target]
) -> tuple[int, list[Failure]]:
    """Aborts uploads of runs that died long ago; younger ones may be those of a run that is under
    way. A refusal stops nothing.
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
