"""A run: list everything of a window of days, plan, and settle group by group, main and auxiliary
logs at the same time.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from log_aggregator.core.custody import WrittenRecord
from log_aggregator.errors import CannotStart, LimitExceeded, StoreError, Unreachable
from log_aggregator.limits import STALE_UPLOAD_AGE_HOURS_MIN
from log_aggregator.model import OWN_FOLDERS, Group, Target
from log_aggregator.ports import Clock, ObjectStore
from log_aggregator.steps.group import Failure, GroupResult, GroupRules, discard_group, settle_group
from log_aggregator.steps.list import SourceBucket, read_versioning
from log_aggregator.steps.listing import BucketListing, Found, Listing, cannot_start
from log_aggregator.steps.selection import Rules, Selection
from log_aggregator.steps.workers import Workers

UNANSWERED_GROUPS_MAX = 3
"""After so many groups in a row for which S3 gave no answer the rest are not tried: each would wait
for all its retries.
"""


@dataclass(frozen=True, slots=True)
class RunRules:
    """What a run is about."""

    main_buckets: tuple[str, ...]
    other_buckets: tuple[str, ...]
    organization_id: str | None
    destination_bucket: str | None
    final_aggregation_prefix: str
    selection: Rules
    group: GroupRules
    objects_max: int

    def target(self, source_bucket: str) -> Target:
        """Where the packs of a bucket's logs go."""
        if self.destination_bucket is not None:
            return Target(self.destination_bucket)
        return Target(source_bucket, f"{self.final_aggregation_prefix}/")


class Progress:
    """What a run tells whoever watches it. Every method may be called from several threads; this
    one says nothing.
    """

    def listing(self, bucket: str) -> None: ...
    def listed(self, keys: int) -> None: ...
    def planned(self, groups: int, objects: int) -> None: ...
    def settled(self, result: GroupResult, objects: int) -> None: ...


@dataclass(slots=True)
class RunResult:
    """Everything that a run did."""

    first: date
    last: date
    groups: list[GroupResult] = field(default_factory=list)
    selection: Selection = field(default_factory=Selection)
    stale_uploads: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    buckets: list[str] = field(default_factory=list)
    """Those that logs were looked for in."""
    inventories: list[str] = field(default_factory=list)
    """Where the inventories are that it went by, if it did not list the buckets."""
    custody: list[WrittenRecord] = field(default_factory=list)
    """Its custody records, once they are written."""

    def add_seconds(self, seconds: Mapping[str, float]) -> None:
        """Wall time by step, summed over what ran at the same time."""
        for step, value in seconds.items():
            self.seconds[step] = self.seconds.get(step, 0.0) + value


def run(
    store: ObjectStore,
    workers: Workers,
    clock: Clock,
    rules: RunRules,
    progress: Progress,
    listing: Listing | None = None,
) -> RunResult:
    """Packs, verifies and deletes all that the rules want. What fails is in the result's
    `failures`.

    What there is to pack is found by `listing`, or by listing the buckets. Raises CannotStart and
    LimitExceeded before anything was touched; of later days of a long range they are among the
    failures.
    """
    window = rules.selection.window
    result = RunResult(window.first, window.last)
    buckets = {bucket.name: bucket for bucket in find_buckets(store, rules)}
    result.buckets = list(buckets)
    result.stale_uploads, refused = abort_stale_uploads(
        store, clock, {rules.target(name) for name in buckets}
    )
    result.failures += refused
    listing = listing or BucketListing(store, workers, rules.organization_id, progress)
    rules = replace(rules, group=replace(rules.group, is_listing_old=listing.is_old))
    windows = listing.windows(buckets, rules.selection)
    begin = window.first
    while begin <= window.last:
        began = time.perf_counter()
        try:
            found = next(windows)
            check_limit(found, rules)
        except (CannotStart, LimitExceeded) as error:
            if begin == window.first:
                raise
            result.failures.append(Failure.of(f"{begin} to {window.last}", error))
            break
        result.add_seconds({"list": time.perf_counter() - began})
        result.selection.merge_counts(found.selection)
        progress.planned(len(found.shelf.groups), found.shelf.objects)
        for settled in _settle_all(
            store, workers, found, buckets, rules, clock.now().date(), progress
        ):
            result.groups.append(settled)
            result.add_seconds(settled.seconds)
            result.failures += settled.failures
        begin = found.window.last + timedelta(days=1)
    return result


def check_limit(found: Found, rules: RunRules) -> None:
    """Raises LimitExceeded."""
    if found.shelf.objects > rules.objects_max:
        window = found.window
        raise LimitExceeded(
            f"{found.shelf.objects} log objects from {window.first} to {window.last}; "
            f"objects_max = {rules.objects_max}"
        )


def find_buckets(store: ObjectStore, rules: RunRules) -> list[SourceBucket]:
    """The buckets that logs are taken from; each is looked at, so that a wrong name ends the run
    before it begins.
    """
    buckets = [look_at_bucket(store, rules, name) for name in bucket_names(store, rules)]
    check_destination(store, rules)
    return buckets


def bucket_names(store: ObjectStore, rules: RunRules) -> list[str]:
    """Main buckets first. Raises CannotStart where the beginning of a name fits no bucket."""
    return list(dict.fromkeys([*rules.main_buckets, *expand_names(store, rules.other_buckets)]))


def look_at_bucket(store: ObjectStore, rules: RunRules, name: str) -> SourceBucket:
    """Raises CannotStart where it is not there or may not be looked at."""
    target = rules.target(name)
    own = tuple(f"{target.root}{folder}" for folder in OWN_FOLDERS) if target.bucket == name else ()
    return SourceBucket(name, read_versioning(store, name), name in rules.main_buckets, own)


def check_destination(store: ObjectStore, rules: RunRules) -> None:
    """Raises CannotStart where there is a destination bucket in the settings only."""
    if rules.destination_bucket is not None:
        read_versioning(store, rules.destination_bucket)


def expand_names(store: ObjectStore, names: Sequence[str]) -> Iterator[str]:
    """Names of buckets, and all buckets that begin with a name ending in *. Raises CannotStart
    where there is none.
    """
    beginnings = [name.removesuffix("*") for name in names if name.endswith("*")]
    yield from (name for name in names if not name.endswith("*"))
    if not beginnings:
        return
    with cannot_start("other_buckets: buckets cannot be listed"):
        existing = store.list_buckets()
    for beginning in beginnings:
        found = [name for name in existing if name.startswith(beginning)]
        if not found:
            raise CannotStart(
                f"other_buckets: there is no bucket whose name begins with {beginning!r}"
            )
        yield from found


def _settle_all(
    store: ObjectStore,
    workers: Workers,
    found: Found,
    buckets: Mapping[str, SourceBucket],
    rules: RunRules,
    today: date,
    progress: Progress,
) -> Iterator[GroupResult]:
    """Groups of all buckets together, the largest first, so that none is left alone at the end."""
    groups = found.shelf.groups
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
            bucket, target = buckets[group.bucket], rules.target(group.bucket)
            for part in found.shelf.parts(group):
                settle_group(store, workers, bucket, settled, part, target, rules.group, today)
                discard_group(
                    store,
                    workers,
                    bucket.versioning,
                    settled,
                    part.discards,
                    target,
                    rules.group,
                    today,
                )
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
        except StoreError as error:
            refused.append(
                Failure.of(f"unfinished uploads in s3://{target.bucket}/{target.root}packs/", error)
            )
    return aborted, refused
