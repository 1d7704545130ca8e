"""A run: list everything of a window of days, plan, and settle group by group, main and auxiliary logs at the same time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from log_aggregator.core.custody import WrittenRecord
from log_aggregator.core.skipscan import DateWindow
from log_aggregator.core.windows import split_window
from log_aggregator.errors import CannotStart, GroupFailed, LimitExceeded, StoreError, Unreachable
from log_aggregator.limits import STALE_UPLOAD_AGE_HOURS_MIN
from log_aggregator.model import OWN_FOLDERS, Group, Target
from log_aggregator.ports import Clock, ObjectStore
from log_aggregator.steps.group import Failure, GroupPlan, GroupResult, GroupRules, discard_group, plan_group, settle_group
from log_aggregator.steps.list import SourceBucket, list_prefix, list_prefixes, read_versioning
from log_aggregator.steps.selection import Rules, Selection
from log_aggregator.steps.workers import Workers

UNANSWERED_GROUPS_MAX = 3
"""After so many groups in a row for which S3 gave no answer the rest are not tried: each would wait for all its retries."""


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
    """What a run tells whoever watches it. Every method may be called from several threads; this one says nothing."""

    def listing(self, bucket: str) -> None: ...
    def listed(self, keys: int) -> None: ...
    def planned(self, groups: int, objects: int) -> None: ...
    def settled(self, result: GroupResult, objects: int) -> None: ...


@dataclass(slots=True)
class Found:
    """What a window's listing found, bucket by bucket."""

    buckets: dict[str, SourceBucket] = field(default_factory=dict)
    selection: Selection = field(default_factory=Selection)

    @property
    def objects(self) -> int:
        return sum(len(found.sources) + len(found.discards) for found in self.selection.groups.values())


@dataclass(slots=True)
class RunPlan:
    """Everything that a run would do."""

    first: date
    last: date
    groups: list[GroupPlan] = field(default_factory=list)
    selection: Selection = field(default_factory=Selection)
    failures: list[Failure] = field(default_factory=list)


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
    custody: list[WrittenRecord] = field(default_factory=list)
    """Its custody records, once they are written."""

    def add_seconds(self, seconds: Mapping[str, float]) -> None:
        """Wall time by step, summed over what ran at the same time."""
        for step, value in seconds.items():
            self.seconds[step] = self.seconds.get(step, 0.0) + value


def plan_run(store: ObjectStore, workers: Workers, clock: Clock, rules: RunRules, progress: Progress) -> RunPlan:
    """What `run` would do, and nothing of it. Raises CannotStart, LimitExceeded."""
    window = rules.selection.window
    result = RunPlan(window.first, window.last)
    buckets = find_buckets(store, rules)
    today = clock.now().date()
    for part in split_window(window):
        found = _list_window(store, workers, buckets, rules, part, progress)

        def plan(group: Group, found: Found = found) -> GroupPlan | Failure:
            try:
                return plan_group(store, group, found.selection.groups[group], rules.target(group.bucket), rules.group, today)
            except GroupFailed as error:
                return Failure.of(str(group), error)

        for planned in workers.each(plan, sorted(found.selection.groups)):
            if isinstance(planned, Failure):
                result.failures.append(planned)
            else:
                result.groups.append(planned)
        result.selection.merge_counts(found.selection)
    return result


def run(store: ObjectStore, workers: Workers, clock: Clock, rules: RunRules, progress: Progress) -> RunResult:
    """Packs, verifies and deletes all that the rules want. What fails is in the result's `failures`.

    Raises CannotStart and LimitExceeded before anything was touched; of later days of a long range they are among the failures.
    """
    window = rules.selection.window
    result = RunResult(window.first, window.last)
    buckets = find_buckets(store, rules)
    result.buckets = [bucket.name for bucket in buckets]
    result.stale_uploads, refused = abort_stale_uploads(store, clock, {rules.target(bucket.name) for bucket in buckets})
    result.failures += refused
    for part in split_window(window):
        began = time.perf_counter()
        try:
            found = _list_window(store, workers, buckets, rules, part, progress)
        except (CannotStart, LimitExceeded) as error:
            if part.first == window.first:
                raise
            result.failures.append(Failure.of(f"{part.first} to {window.last}", error))
            break
        result.add_seconds({"list": time.perf_counter() - began})
        result.selection.merge_counts(found.selection)
        progress.planned(len(found.selection.groups), found.objects)
        for settled in _settle_all(store, workers, found, rules, clock.now().date(), progress):
            result.groups.append(settled)
            result.add_seconds(settled.seconds)
            result.failures += settled.failures
    return result


def find_buckets(store: ObjectStore, rules: RunRules) -> list[SourceBucket]:
    """The buckets that logs are taken from; each is looked at, so that a wrong name ends the run before it begins."""
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
    """Names of buckets, and all buckets that begin with a name ending in *. Raises CannotStart where there is none."""
    beginnings = [name.removesuffix("*") for name in names if name.endswith("*")]
    yield from (name for name in names if not name.endswith("*"))
    if not beginnings:
        return
    with _cannot_start("other_buckets: buckets cannot be listed"):
        existing = store.list_buckets()
    for beginning in beginnings:
        found = [name for name in existing if name.startswith(beginning)]
        if not found:
            raise CannotStart(f"other_buckets: there is no bucket whose name begins with {beginning!r}")
        yield from found


def _list_window(
    store: ObjectStore, workers: Workers, buckets: Iterable[SourceBucket], rules: RunRules, window: DateWindow, progress: Progress
) -> Found:
    wanted = replace(rules.selection, window=window)
    found = Found({bucket.name: bucket for bucket in buckets})
    prefixes: list[tuple[SourceBucket, str]] = []
    for bucket in found.buckets.values():
        progress.listing(bucket.name)
        with _cannot_start(f"bucket {bucket.name!r} cannot be listed"):
            own = list_prefixes(store, workers, bucket, rules.organization_id, found.selection)
            prefixes += ((bucket, prefix) for prefix in own)

    def list_one(place: tuple[SourceBucket, str]) -> Selection:
        with _cannot_start(f"bucket {place[0].name!r} cannot be listed"):
            return list_prefix(store, place[0], place[1], wanted, progress.listed)

    for selection in workers.each(list_one, prefixes):
        found.selection.merge(selection)
    if found.objects > rules.objects_max:
        raise LimitExceeded(f"{found.objects} log objects from {window.first} to {window.last}; objects_max = {rules.objects_max}")
    return found


@contextlib.contextmanager
def _cannot_start(what: str) -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        raise CannotStart(f"{what}: {error}") from error


def _settle_all(
    store: ObjectStore, workers: Workers, found: Found, rules: RunRules, today: date, progress: Progress
) -> Iterator[GroupResult]:
    """Groups of all buckets together, the largest first, so that none is left alone at the end."""
    groups = found.selection.groups
    unanswered = 0

    def settle(group: Group) -> GroupResult:
        nonlocal unanswered
        if unanswered >= UNANSWERED_GROUPS_MAX:
            skipped = Unreachable(f"not tried: S3 did not answer for {unanswered} groups before")
            settled = GroupResult(group, failures=[Failure.of(str(group), skipped)])
        else:
            settled = settle_group(
                store, workers, found.buckets[group.bucket], group, groups[group], rules.target(group.bucket), rules.group, today
            )
            discards, versioning = groups[group].discards, found.buckets[group.bucket].versioning
            discard_group(store, workers, versioning, settled, discards, rules.target(group.bucket), rules.group, today)
            unanswered = unanswered + 1 if any(failure.error == Unreachable.__name__ for failure in settled.failures) else 0
        progress.settled(settled, len(groups[group].sources))
        return settled

    yield from workers.each(settle, sorted(groups, key=lambda group: (-len(groups[group].sources), group)))


def abort_stale_uploads(store: ObjectStore, clock: Clock, targets: Iterable[Target]) -> tuple[int, list[Failure]]:
    """Aborts uploads of runs that died long ago; younger ones may be those of a run that is under way. A refusal stops nothing."""
    oldest = clock.now() - timedelta(hours=STALE_UPLOAD_AGE_HOURS_MIN)
    aborted, refused = 0, []
    for target in sorted(targets, key=lambda target: (target.bucket, target.root)):
        try:
            for upload in store.list_multipart_uploads(target.bucket, prefix=f"{target.root}packs/"):
                if upload.initiated is not None and upload.initiated < oldest:
                    store.abort_multipart_upload(upload)
                    aborted += 1
        except StoreError as error:
            refused.append(Failure.of(f"unfinished uploads in s3://{target.bucket}/{target.root}packs/", error))
    return aborted, refused
