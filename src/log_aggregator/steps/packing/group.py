"""One group, from its listed log objects to their deletion: combine, verify, delete, in this order
and no other.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date

from log_aggregator.core.custody import PackEntry
from log_aggregator.core.digests import DIGEST_LOG_TYPE
from log_aggregator.core.planning import Source, plan_packs
from log_aggregator.errors import (
    Failure,
    GroupFailed,
    RetainedObjects,
    UnreadableSources,
)
from log_aggregator.limits import PLAN_ATTEMPTS_MAX
from log_aggregator.model import (
    Group,
    Identity,
    LogObject,
    PackPlan,
    Target,
    VerifiedPack,
    WrittenPack,
)
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.packing.buckets import SourceBucket
from log_aggregator.steps.packing.combine import combine
from log_aggregator.steps.packing.delete import DeletionReport, ListedVersions, delete_originals
from log_aggregator.steps.packing.discard import discard
from log_aggregator.steps.packing.ledger import read_ledger
from log_aggregator.steps.packing.read import UnfitSources, Unreadable
from log_aggregator.steps.packing.results import GroupPlan, GroupResult, Settling
from log_aggregator.steps.packing.rules import GroupRules
from log_aggregator.steps.packing.scan import find_present
from log_aggregator.steps.packing.selection import GroupSources
from log_aggregator.steps.packs.verify import Level, verify_pack
from log_aggregator.steps.workers import Workers


def plan_group(
    store: ObjectStore,
    bucket: SourceBucket,
    group: Group,
    found: GroupSources,
    target: Target,
    rules: GroupRules,
    today: date,
    *,
    restore: bool = False,
) -> GroupPlan:
    """Looks at the packs that a group has, and plans packs for the log objects that are in none of
    them.
    """
    ledger = read_ledger(
        store, target, group, found.identities, rules.combine.index, restore=restore
    )
    pack_of = ledger.pack_of
    fresh = [source for source in found.sources if source.log_object.identity not in pack_of]
    packed = [
        source.log_object for source in found.sources if source.log_object.identity in pack_of
    ]
    if rules.is_listing_old:
        present = find_present(
            store, bucket, {log_object.identity for log_object in packed}, group.date
        )
        packed = [log_object for log_object in packed if log_object.identity in present]
    settled = Counter(pack_of[log_object.identity] for log_object in packed)
    packs = plan_packs(group, fresh, target, rules.combine.limits, found.markers)
    kept = frozenset(key for key in settled if rules.keeps(ledger.written[key].date(), today))
    oldest_first = dict(
        sorted(settled.items(), key=lambda item: (ledger.written[item[0]], item[0]))
    )
    settled_bytes = sum(log_object.size_bytes for log_object in packed)
    return GroupPlan(
        group,
        packs,
        oldest_first,
        settled_bytes,
        rules.keeps(today, today),
        kept,
        len(found.discards),
    )


def settle_group(
    store: ObjectStore,
    workers: Workers,
    bucket: SourceBucket,
    result: GroupResult,
    found: GroupSources,
    target: Target,
    rules: GroupRules,
    today: date,
) -> None:
    """Does all of it, for a group or a part of one. What was done and what failed is taken down in
    `result`.

    The originals of what failed are where they were.
    """
    listed = ListedVersions(source.log_object for source in found.sources)
    try:
        for settling in combine_group(store, workers, bucket, result, found, target, rules, today):
            verified = verify_settling(store, result, settling, target, rules.level)
            settle_pack(store, workers, bucket, result, settling, verified, listed, rules)
    except GroupFailed as error:
        result.failures.append(Failure.of(str(result.group), error))


def combine_group(
    store: ObjectStore,
    workers: Workers,
    bucket: SourceBucket,
    result: GroupResult,
    found: GroupSources,
    target: Target,
    rules: GroupRules,
    today: date,
) -> list[Settling]:
    """Plans a group and writes its packs. Gives the packs, old and new, whose originals can go once
    they are verified.

    What was done is taken down in `result`, even where it ends with an error. Raises GroupFailed.
    """
    if result.group.log_type == DIGEST_LOG_TYPE:
        regions = {source.facts.region for source in found.sources if source.facts.region}
        result.digest_regions = sorted(regions.union(result.digest_regions))
    result.listed += len(found.sources)
    result.listed_bytes += sum(source.log_object.size_bytes for source in found.sources)
    with _timed(result, "plan"):
        plan = plan_group(store, bucket, result.group, found, target, rules, today, restore=True)
    result.packed_before += sum(plan.settled.values())
    result.packed_before_bytes += plan.settled_bytes
    with _timed(result, "combine"):
        written = [pack.key for pack in _combine_all(store, workers, plan, found, rules, result)]
    kept = plan.kept.union(written if plan.keep_originals else ())
    return [Settling(key, key in kept) for key in [*plan.settled, *written]]


def verify_settling(
    store: ObjectStore, result: GroupResult, settling: Settling, target: Target, level: Level
) -> VerifiedPack:
    """Verifies a pack, before its originals go. Raises GroupFailed."""
    with _timed(result, "verify"):
        verified = verify_pack(store, target, settling.pack_key, level)
    result.settled.setdefault(settling.pack_key, PackEntry.of(verified))
    return verified


def settle_pack(
    store: ObjectStore,
    workers: Workers,
    bucket: SourceBucket,
    result: GroupResult,
    settling: Settling,
    verified: VerifiedPack,
    listed: ListedVersions,
    rules: GroupRules,
) -> None:
    """Deletes the originals of a verified pack, those that were listed, or keeps them where the
    settings say so. Raises GroupFailed.
    """
    settled = result.settled[settling.pack_key]
    if rules.is_listing_old:  # S3 says of a version that has gone before that it was deleted
        named = {member.identity for member in verified.index.members if member.identity in listed}
        listed.forget(named - find_present(store, bucket, named, result.group.date))
    if settling.keep_originals:
        kept = sum(member.identity in listed for member in verified.index.members)
        settled.kept += kept
        result.kept += kept
        return
    with _timed(result, "delete"):
        _take_deletions(
            delete_originals(store, workers, verified, bucket.versioning, listed), result, settled
        )


def discard_group(
    store: ObjectStore,
    workers: Workers,
    versioning: str | None,
    result: GroupResult,
    discards: Sequence[LogObject],
    target: Target,
    rules: GroupRules,
    today: date,
) -> None:
    """Deletes a group's log objects of other regions, where the settings say so, and once they are
    as old as originals must be.

    What fails is in the result's `failures`.
    """
    going = [
        log_object
        for log_object in discards
        if not rules.keeps(log_object.last_modified.date(), today)
    ]
    if not going:
        return
    try:
        report = discard(
            store, workers, target, result.group, going, versioning, rules.combine.index
        )
    except GroupFailed as error:
        result.failures.append(Failure.of(str(result.group), error))
        return
    result.discard_list = report.list_key
    result.discarded += report.deleted
    result.retained += len(report.retained)
    if report.retained:
        first = report.retained[0]
        text = (
            f"S3 keeps {len(report.retained)} log objects of other regions ({first.code}); the "
            f"first: {first.deletion.key}"
        )
        result.failures.append(Failure.of(str(result.group), RetainedObjects(text)))


def _combine_all(
    store: ObjectStore,
    workers: Workers,
    plan: GroupPlan,
    found: GroupSources,
    rules: GroupRules,
    result: GroupResult,
) -> list[WrittenPack]:
    """Writes the plan's packs. Sources that turn out unfit are left out, and the rest of their pack
    is planned anew.
    """
    written: list[WrittenPack] = []
    facts = {source.log_object.identity: source for source in found.sources}
    unreadable: list[Unreadable] = []
    waiting = [(pack, 1) for pack in plan.packs]
    while waiting:
        pack, attempt = waiting.pop(0)
        workers.check_stop()
        try:
            written.append(combine(store, workers, pack, rules.combine))
            _take_written(pack, written[-1], result)
        except UnfitSources as unfit:
            unreadable += unfit.unreadable
            result.changed += len(unfit.changed)
            if attempt >= PLAN_ATTEMPTS_MAX:
                raise GroupFailed(
                    f"{plan.group}: its log objects change faster than they can be read"
                ) from unfit
            rest = _without(pack, unfit, facts)
            again = plan_packs(plan.group, rest, pack.target, rules.combine.limits, found.markers)
            waiting = [*((replanned, attempt + 1) for replanned in again), *waiting]
    if unreadable:
        result.failures.append(_unreadable_failure(plan.group, unreadable))
    return written


def _without(pack: PackPlan, unfit: UnfitSources, facts: Mapping[Identity, Source]) -> list[Source]:
    """What is left of a pack. With a version that cannot be read its whole key stays: else an older
    one could come to light.
    """
    gone, staying = (
        {source.identity for source in unfit.sources},
        {each.source.key for each in unfit.unreadable},
    )
    return [
        facts[source.identity]
        for source in pack.sources
        if source.identity not in gone and source.key not in staying
    ]


def _unreadable_failure(group: Group, unreadable: Sequence[Unreadable]) -> Failure:
    first = unreadable[0]
    error = UnreadableSources(
        f"{len(unreadable)} log objects could not be read and were left; the first: {first.error}"
    )
    return Failure.of(str(group), error)


def _take_written(plan: PackPlan, pack: WrittenPack, result: GroupResult) -> None:
    result.packs.append(pack)
    if plan.format == "copy":
        result.copied += pack.source_count
    else:
        result.packed += pack.source_count
    result.bytes_in += pack.source_bytes
    result.bytes_out += pack.size_bytes


def _take_deletions(report: DeletionReport, result: GroupResult, settled: PackEntry) -> None:
    settled.deleted = (settled.deleted or 0) + report.deleted
    settled.retained += len(report.retained)
    settled.changed += len(report.changed)
    settled.kept += report.withheld
    result.deleted += report.deleted
    result.retained += len(report.retained)
    result.changed += len(report.changed)
    result.kept += report.withheld
    if report.retained:
        first = report.retained[0]
        error = RetainedObjects(
            f"S3 keeps {len(report.retained)} originals ({first.code}); the first: "
            f"{first.deletion.key}"
        )
        result.failures.append(Failure.of(str(result.group), error))


class _timed:  # noqa: N801 - reads as a statement
    """Adds the wall time of a step to a result."""

    def __init__(self, result: GroupResult, step: str) -> None:
        self._result, self._step = result, step

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._result.seconds[self._step] = (
            self._result.seconds.get(self._step, 0.0) + time.perf_counter() - self._began
        )
