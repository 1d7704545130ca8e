"""A drill: can packed logs be recovered? A random sample of members is thawed if necessary,
extracted and compared, and a custody record keeps the result.

A drill can be stopped at any time and can wait for days: the sample is written before anything is
thawed, and the next drill resumes it. It ends when its record is written.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta

from log_aggregator.core.custody import Record, RecordKind, WrittenRecord
from log_aggregator.core.evidence.drills import Drill, RecoveryTime
from log_aggregator.core.evidence.samples import Sample
from log_aggregator.core.packformat.index import TOOL
from log_aggregator.errors import Failure, NotFound
from log_aggregator.model import Target
from log_aggregator.steps.cloudtrail.public_keys import KeyRing
from log_aggregator.steps.custody.write import append_record
from log_aggregator.steps.evidence.drills.draw import DrawRules, draw_sample
from log_aggregator.steps.evidence.drills.folder import BegunDrill, DrillFolder
from log_aggregator.steps.evidence.drills.recover import PackOutcome, Recovery, Verdict
from log_aggregator.steps.evidence.drills.thawing import (
    Looked,
    ThawRules,
    check_dollars,
    give_up_late,
    look_at_sample,
    plan_request,
    price_thawing,
    thaw_seconds,
    wait_for,
)
from log_aggregator.steps.job import Job
from log_aggregator.steps.retrieval.thaw import (
    PackState,
    Patience,
    State,
    ThawProgress,
    start_thawing,
)

_REFUSALS = frozenset({"AccessDenied", "NoSuchBucket"})


@dataclass(frozen=True, slots=True)
class DrillRules:
    """How to drill. A drill that was begun is resumed with its own sample, whatever `draw` says."""

    draw: DrawRules
    thaw: ThawRules = field(default_factory=ThawRules)
    patience: Patience | None = None
    """None: do not wait for packs that are being thawed."""
    is_dry: bool = False
    """Only report what would be drawn, and what thawing would cost."""


class DrillWatch(ThawProgress):
    """Is told how a drill proceeds. This one shows nothing."""

    def counted(self, packs: int) -> None:
        """The members of this number of packs were counted."""

    def recovered(self, members: int, total: int) -> None:
        """This number of members were recovered, or failed."""


@dataclass(slots=True)
class DrillOutcome:
    """How far a drill has come. It is over if there is a record."""

    target: Target
    sample: Sample
    has_gone_on: bool
    """It was begun by an earlier call and resumed."""
    states: list[PackState]
    dollars: float
    """The price of what was thawed so far; in a dry run, of what would be."""
    waiting: int = 0
    """Packs that are being thawed, for a later call to read."""
    asked: datetime | None = None
    """When their thawing was requested."""
    record: Record | None = None
    written: WrittenRecord | None = None
    failures: list[Failure] = field(default_factory=list)
    warnings: list[Failure] = field(default_factory=list)
    """Digests whose signature could not be checked."""

    @property
    def drill(self) -> Drill | None:
        return self.record.drill if self.record is not None else None


def advance_drill(
    job: Job, target: Target, rules: DrillRules, watch: DrillWatch
) -> DrillOutcome | None:
    """Begins a drill in a target, or resumes the one that was begun, as far as it gets. None if the
    target has no pack.

    Raises LimitExceeded and SettingsError before anything is written or thawed. Raises StoreError,
    also if the record cannot be written: the drill has not ended then, and the next one resumes it.
    """
    folder = DrillFolder(job.store, target, job.rules.group.combine.index)
    begun = folder.find_begun()
    sample = draw_sample(job, target, rules.draw, watch.counted) if begun is None else begun.sample
    if sample is None:
        return None
    looked = look_at_sample(job, sample)
    spent = 0.0 if begun is None else begun.dollars
    dollars = price_thawing(looked, rules.thaw)
    outcome = DrillOutcome(target, sample, begun is not None, looked.states, spent + dollars)
    if rules.is_dry:
        return outcome
    check_dollars(dollars, spent, rules.thaw)
    begun = begun or folder.begin(sample)
    advanced = _Advance(job, folder, rules, looked, outcome, watch)
    begun = advanced.ask(begun, dollars)
    if not outcome.failures and advanced.wait(begun):
        advanced.finish(begun)
    return outcome


def find_last_drill(job: Job, target: Target) -> datetime | None:
    """When the sample of the newest drill was drawn; None if there is none, or if one must be
    resumed. Raises StoreError.
    """
    return DrillFolder(job.store, target, job.rules.group.combine.index).find_last()


def find_early(job: Job, target: Target, every_days: int) -> datetime | None:
    """When the last drill was drawn, if that was less than `every_days` ago. None if a drill should
    happen now. Raises StoreError.
    """
    last = find_last_drill(job, target)
    is_early = last is not None and last > job.clock.now() - timedelta(days=every_days)
    return last if is_early else None


@dataclass(slots=True)
class _Advance:
    """One drill while it advances."""

    job: Job
    folder: DrillFolder
    rules: DrillRules
    looked: Looked
    outcome: DrillOutcome
    watch: DrillWatch
    thawing: list[PackState] = field(default_factory=list)

    def ask(self, begun: BegunDrill, dollars: float) -> BegunDrill:
        """Requests thawing of frozen packs. A refused request is a failure; the next drill repeats
        it.
        """
        now = self.job.clock.now()
        give_up_late(self.looked, begun, now)
        request = plan_request(self.looked, begun, self.rules.thaw, dollars, now)
        if request is not None:
            begun = self.folder.request(begun, request)
        asked, refused = start_thawing(
            self.job.store,
            self.job.workers,
            self.looked.states,
            days=self.rules.thaw.days,
            tier=self.rules.thaw.tier,
        )
        self.outcome.failures += refused
        self.thawing = [*asked, *self.looked.of(State.THAWING)]
        self.thawing = [each for each in self.thawing if each.key not in self.looked.failures]
        return begun

    def wait(self, begun: BegunDrill) -> bool:
        """Whether every pack can be read by now, or is known not to be thawed in time."""
        if not self.thawing:
            return True
        if self.rules.patience is None:
            self.outcome.waiting = len(self.thawing)
            self.outcome.asked = min(begun.asked[each.key].asked for each in self.thawing)
            return False
        wait_for(self.job, self.looked, self.thawing, self.rules.patience, self.watch)
        return True

    def finish(self, begun: BegunDrill) -> None:
        """Recovers the sample, and writes the record."""
        outcomes = sorted(self._recover(begun), key=lambda each: each.pack_key)
        for each in outcomes:
            self.outcome.failures += each.failures
            self.outcome.warnings += each.warnings
        if _is_refused(outcomes):
            return  # this shows nothing about any member; the next drill resumes it
        record = self._make_record(begun, outcomes)
        written = append_record(self.job.store, record, self.folder.options)
        self.folder.end(begun, written)
        self.outcome.record, self.outcome.written = record, written

    def _recover(self, begun: BegunDrill) -> list[PackOutcome]:
        sample = begun.sample
        first, last = (datetime.combine(day, time.min, UTC) for day in (sample.first, sample.last))
        keys = KeyRing(self.job.store, [sample.target], None, first, last)
        recovery = Recovery(self.job.store, sample.target, keys, self.job.clock)
        by_pack = sample.by_pack
        outcomes = [
            PackOutcome(
                key, len(by_pack[key]), failure.error == NotFound.__name__, failures=[failure]
            )
            for key, failure in self.looked.failures.items()
        ]
        wanted = [key for key in by_pack if key not in self.looked.failures]
        done = sum(each.bad for each in outcomes)
        for outcome in self.job.workers.each(
            lambda key: recovery.recover(key, by_pack[key]), wanted
        ):
            outcomes.append(outcome)
            done += len(by_pack[outcome.pack_key])
            self.watch.recovered(done, len(sample.members))
        return outcomes

    def _make_record(self, begun: BegunDrill, outcomes: list[PackOutcome]) -> Record:
        sample = begun.sample
        return Record(
            sample.target,
            f"drill/{sample.name}",
            TOOL,
            sample.drawn,
            self.job.clock.now(),
            sample.first,
            sample.last,
            failures=(
                *sample.failures,
                *((each.where, each.error, each.message) for each in self.outcome.failures),
            ),
            kind=RecordKind.DRILL,
            drill=_sum(begun, outcomes, thaw_seconds(self.looked, begun, sample.by_pack)),
        )


def _sum(
    begun: BegunDrill, outcomes: Iterable[PackOutcome], thawing_seconds: dict[str, float]
) -> Drill:
    sample, outcomes = begun.sample, list(outcomes)
    warm = [each for each in outcomes if each.pack_key not in begun.asked]
    frozen = [each for each in outcomes if each.pack_key in begun.asked]
    verdicts = [verdict for each in outcomes for verdict in each.verdicts]
    return Drill(
        seed=sample.seed,
        confidence=sample.confidence,
        population=sample.population,
        is_counted=sample.is_counted,
        population_packs=sample.packs,
        members=len(sample.members) + sample.lost,
        bad=sum(each.bad for each in outcomes) + sample.lost,
        packs=len(outcomes) + len(sample.failures),
        packs_frozen=len(frozen),
        packs_bad=sum(each.is_bad for each in outcomes) + len(sample.failures),
        digests_valid=verdicts.count(Verdict.VALID),
        digests_invalid=verdicts.count(Verdict.INVALID),
        digests_unvouched=verdicts.count(Verdict.UNVOUCHED),
        warm=RecoveryTime.of([seconds for each in warm for seconds in each.seconds]),
        frozen=RecoveryTime.of(
            [
                seconds + thawing_seconds.get(each.pack_key, 0.0)
                for each in frozen
                for seconds in each.seconds
            ]
        ),
        dollars=round(begun.dollars, 6),
        sample_key=begun.sample_key,
        sample_sha256=begun.sample_sha256,
    )


def _is_refused(outcomes: Iterable[PackOutcome]) -> bool:
    """Whether nothing was recovered, only because access was denied."""
    found = list(outcomes)
    failures = [failure for each in found for failure in each.failures]
    return (
        bool(failures)
        and not any(each.seconds for each in found)
        and all(failure.error in _REFUSALS for failure in failures)
    )
