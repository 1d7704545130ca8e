"""One group, from its listed log objects to their deletion: combine, verify, delete, always in this
order.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial

from log_aggregator.core.custody import PackEntry
from log_aggregator.core.digests import DIGEST_LOG_TYPE
from log_aggregator.core.planning import Source, plan_packs
from log_aggregator.errors import (
    ConditionsIgnored,
    Failure,
    GroupFailed,
    OtherBytes,
    RetainedObjects,
    Unreachable,
    UnreadableSources,
)
from log_aggregator.limits import PLAN_ATTEMPTS_MAX
from log_aggregator.model import (
    Group,
    LogObject,
    PackPlan,
    Target,
    VerifiedPack,
    WrittenPack,
)
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.conditions import Conditions
from log_aggregator.steps.job import Job
from log_aggregator.steps.packing.buckets import SourceBucket
from log_aggregator.steps.packing.combine import combine
from log_aggregator.steps.packing.delete import (
    DeletionReport,
    ListedVersions,
    OriginalDeleter,
    delete_originals,
)
from log_aggregator.steps.packing.discard import discard
from log_aggregator.steps.packing.ledger import read_ledger
from log_aggregator.steps.packing.listing import Progress
from log_aggregator.steps.packing.read import UnfitSources, Unreadable
from log_aggregator.steps.packing.results import GroupPlan, GroupResult, Settling
from log_aggregator.steps.packing.scan import find_present
from log_aggregator.steps.packing.selection import GroupSources
from log_aggregator.steps.packs.verify import verify_pack
from log_aggregator.steps.rules import GroupRules, Level
from log_aggregator.steps.workers import Workers

_NAMED_COUNT_MAX = 10
"""Only this many unreadable objects are named: a Step Functions state holds 256 KiB."""


@dataclass(frozen=True, slots=True)
class GroupWork:
    """Works on the groups of one bucket. Its methods are the steps, in order.

    A group's `result` records what was done and what failed.
    """

    store: ObjectStore
    workers: Workers
    bucket: SourceBucket
    target: Target
    rules: GroupRules
    today: date
    conditions: Conditions
    progress: Progress = field(default_factory=Progress)

    @classmethod
    def of(
        cls, job: Job, bucket: SourceBucket, today: date, progress: Progress | None = None
    ) -> GroupWork:
        """`today` is the same for all buckets of a run, even if midnight passes."""
        rules = job.rules
        target = rules.target(bucket.name)
        return cls(
            job.store,
            job.workers,
            bucket,
            target,
            rules.group,
            today,
            job.conditions,
            progress or Progress(),
        )

    def plan(self, group: Group, found: GroupSources, *, restore: bool = False) -> GroupPlan:
        """Reads the group's packs, and plans new packs for log objects that are in none of them."""
        rules = self.rules
        ledger = read_ledger(
            self.store, self.target, group, found.identities, rules.combine.index, restore=restore
        )
        pack_of, keep = ledger.pack_of, self._keeps
        fresh = [
            each
            for each in found.sources
            if rules.packs_new and each.log_object.identity not in pack_of
        ]
        packed = [each.log_object for each in found.sources if each.log_object.identity in pack_of]
        if rules.is_listing_old:
            there = find_present(
                self.store, self.bucket, {each.identity for each in packed}, group.date
            )
            packed = [log_object for log_object in packed if log_object.identity in there]
        settled = Counter(pack_of[log_object.identity] for log_object in packed)
        return GroupPlan(
            group,
            packs=plan_packs(group, fresh, self.target, rules.combine.limits, found.markers),
            settled=dict(sorted(settled.items(), key=lambda each: ledger.age_of(each[0]))),
            settled_bytes=sum(log_object.size_bytes for log_object in packed),
            keep_originals=keep(self.today),
            kept=frozenset(key for key in settled if keep(ledger.written[key].date())),
            discards=len(found.discards),
        )

    def settle(self, result: GroupResult, found: GroupSources) -> None:
        """Does all steps for a group or a part of one. If a step fails, its originals stay."""
        try:
            packs = self.combine(result, found)
            listed = ListedVersions(source.log_object for source in found.sources)
            for settling in packs:
                verified = self.verify(result, settling, self.rules.level)
                self.delete(result, settling, verified, listed)
        except (GroupFailed, Unreachable) as error:
            result.failures.append(Failure.of(str(result.group), error))

    def combine(self, result: GroupResult, found: GroupSources) -> list[Settling]:
        """Plans a group and writes its packs. Returns the packs, old and new, whose originals can
        be deleted once they are verified.

        `result` records what was done even if this ends with an error. Raises GroupFailed.
        """
        if result.group.log_type == DIGEST_LOG_TYPE:
            regions = {source.facts.region for source in found.sources if source.facts.region}
            result.digest_regions = sorted(regions.union(result.digest_regions))
        result.listed += len(found.sources)
        result.listed_bytes += sum(source.log_object.size_bytes for source in found.sources)
        with _timed(result, "plan"):
            plan = self.plan(result.group, found, restore=True)
        result.packed_before += sum(plan.settled.values())
        result.packed_before_bytes += plan.settled_bytes
        self.progress.working(result.group, "combine")
        with _timed(result, "combine"):
            written = [pack.key for pack in self._write_packs(plan, found, result)]
        kept = plan.kept.union(written if plan.keep_originals else ())
        packs = [*plan.settled, *written]
        return [Settling(key, key in kept, packed_now=key in written) for key in packs]

    def verify(self, result: GroupResult, settling: Settling, level: Level) -> VerifiedPack:
        """Verifies a pack before its originals are deleted. Raises GroupFailed."""
        self.progress.working(result.group, "verify")
        return verify_settling(self.store, self.target, result, settling, level)

    def delete(
        self,
        result: GroupResult,
        settling: Settling,
        verified: VerifiedPack,
        listed: ListedVersions,
    ) -> None:
        """Deletes the listed originals of a verified pack, or keeps them if the settings say so.
        Raises GroupFailed.
        """
        settled = result.settled[settling.pack_key]
        members = verified.index.members
        # An inventory is old, and S3 reports success for a version that was gone before, which
        # would be counted as deleted now.
        if self.rules.is_listing_old:
            named = {member.identity for member in members if member.identity in listed}
            there = find_present(self.store, self.bucket, named, result.group.date)
            listed.forget(named - there)
        if settling.keep_originals:
            kept = sum(member.identity in listed for member in members)
            settled.kept += kept
            result.kept += kept
            return
        report = DeletionReport()
        self.progress.working(result.group, "delete")
        try:
            with _timed(result, "delete"):
                delete_originals(
                    self._deleter(result.group),
                    verified,
                    listed,
                    report,
                    packed_now=settling.packed_now,
                )
        except ConditionsIgnored as error:
            # Every group fails with the same message: the run's result keeps it once.
            result.failures.append(Failure.of(f"s3://{self.bucket.name}", error))
            report.withheld += sum(member.identity in listed for member in members) - report.gone
        finally:
            _take_deletions(report, result, settled)

    def discard(self, result: GroupResult, discards: Sequence[LogObject]) -> None:
        """Deletes a group's log objects of other regions, if the settings say so and they are as
        old as originals must be. The result's `failures` name what failed.
        """
        going = [each for each in discards if not self._keeps(each.last_modified.date())]
        if not going or not self.rules.packs_new:
            return
        options, report = self.rules.combine.index, DeletionReport()
        deleter = self._deleter(result.group)
        try:
            discard(deleter, self.target, result.group, going, options, report)
        except ConditionsIgnored as error:
            result.failures.append(Failure.of(f"s3://{self.bucket.name}", error))
        except (GroupFailed, Unreachable) as error:
            result.failures.append(Failure.of(str(result.group), error))
        if report.list_key is not None:
            result.discard_lists.append(report.list_key)
        result.discarded += report.deleted
        result.unknown += report.unknown
        result.retained += len(report.retained)
        if report.retained:
            what = "log objects of other regions"
            result.failures.append(_retained_failure(result.group, report, what))

    def _keeps(self, since: date) -> bool:
        return self.rules.keeps(since, self.today)

    def _deleter(self, group: Group) -> OriginalDeleter:
        def check(keys: Sequence[str]) -> None:
            self.conditions.check(self.store, self.target, self.rules.combine.index, keys)

        return OriginalDeleter(
            self.store,
            self.workers,
            self.bucket,
            group.date,
            check,
            partial(self.progress.deleted, group),
        )

    def _write_packs(
        self, plan: GroupPlan, found: GroupSources, result: GroupResult
    ) -> list[WrittenPack]:
        """Writes the plan's packs. Sources that turn out unfit are left out, and the rest of their
        pack is planned again.
        """
        options, took = self.rules.combine, partial(self.progress.packing, plan.group)
        written: list[WrittenPack] = []
        unreadable: list[Unreadable] = []
        waiting = [(pack, 1) for pack in plan.packs]
        while waiting:
            pack, attempt = waiting.pop(0)
            self.workers.check_stop()
            try:
                written.append(combine(self.store, self.workers, pack, options, took))
                _take_written(pack, written[-1], result)
            except UnfitSources as unfit:
                unreadable += unfit.unreadable
                result.changed += len(unfit.changed)
                if attempt >= PLAN_ATTEMPTS_MAX:
                    raise GroupFailed(
                        f"{plan.group}: its log objects change faster than they can be read"
                    ) from unfit
                rest = _without(pack, unfit, found.sources)
                again = plan_packs(plan.group, rest, pack.target, options.limits, found.markers)
                waiting = [*((replanned, attempt + 1) for replanned in again), *waiting]
        if unreadable:
            result.failures.append(_unreadable_failure(plan.group, unreadable))
        return written


def verify_settling(
    store: ObjectStore, target: Target, result: GroupResult, settling: Settling, level: Level
) -> VerifiedPack:
    """Verifies a pack and records that in the result. Raises GroupFailed."""
    with _timed(result, "verify"):
        verified = verify_pack(store, target, settling.pack_key, level)
    result.settled.setdefault(settling.pack_key, PackEntry.of(verified))
    return verified


def _without(pack: PackPlan, unfit: UnfitSources, sources: Sequence[Source]) -> list[Source]:
    """The sources left for a pack. If one version of a key cannot be read, the whole key stays:
    otherwise an older version could become the current one.
    """
    facts = {source.log_object.identity: source for source in sources}
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
    text = f"{len(unreadable)} log objects could not be read and were left alone"
    return Failure.of(str(group), UnreadableSources(_naming(text, unreadable)))


def _naming(text: str, unreadable: Sequence[Unreadable]) -> str:
    """Adds the reason of the first one, as the others' are mostly the same."""
    text += f"; the first: {unreadable[0].error}"
    if others := [each.source.key for each in unreadable[1:_NAMED_COUNT_MAX]]:
        text += f"; the others: {', '.join(others)}"
    if more := len(unreadable[_NAMED_COUNT_MAX:]):
        text += f" and {more:,} more"
    return text


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
    settled.kept += report.withheld + len(report.different)
    settled.unknown += report.unknown
    result.deleted += report.deleted
    result.retained += len(report.retained)
    result.changed += len(report.changed)
    result.kept += report.withheld + len(report.different)
    result.unknown += report.unknown
    if report.retained:
        result.failures.append(_retained_failure(result.group, report, "originals"))
    if report.different:
        text = f"{len(report.different)} originals could not be proven equal to their packed copies"
        error = OtherBytes(_naming(text, report.different))
        result.failures.append(Failure.of(str(result.group), error))


def _retained_failure(group: Group, report: DeletionReport, what: str) -> Failure:
    first = report.retained[0]
    error = RetainedObjects(
        f"S3 refuses to delete {len(report.retained)} {what} ({first.code}); the first: "
        f"{first.deletion.key}"
    )
    return Failure.of(str(group), error)


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
