"""A drill: does what was packed come back? A random sample of members is thawed where it has to be,
extracted and compared, and what came of it is recorded in custody.

It may be stopped at any time, and wait for days: the sample is written down before anything is
thawed, and the next drill goes on with it. It ends when its record is written.
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
    """What drill is wanted. Where one has begun, its sample is gone on with, whatever `draw`
    says.
    """

    draw: DrawRules
    thaw: ThawRules = field(default_factory=ThawRules)
    patience: Patience | None = None
    """None: it does not wait for packs that are thawed."""
    is_dry: bool = False
    """Only says what would be drawn, and what thawing costs."""


class DrillWatch(ThawProgress):
    """Is told how it goes. This one shows nothing."""

    def counted(self, packs: int) -> None:
        """The members of so many packs were counted."""

    def recovered(self, members: int, total: int) -> None:
        """So many were brought back, or failed."""


@dataclass(slots=True)
class DrillOutcome:
    """How far a drill has come. It is over where there is a record."""

    target: Target
    sample: Sample
    has_gone_on: bool
    """It was begun before."""
    states: list[PackState]
    dollars: float
    """For all that was thawed so far; in a dry run, for what would be."""
    waiting: int = 0
    """Packs that are being thawed, and that nobody waits for."""
    asked: datetime | None = None
    """When they were asked for."""
    record: Record | None = None
    written: WrittenRecord | None = None
    failures: list[Failure] = field(default_factory=list)
    warnings: list[Failure] = field(default_factory=list)
    """Digests that no key vouches for."""

    @property
    def drill(self) -> Drill | None:
        return self.record.drill if self.record is not None else None


def advance_drill(
    job: Job, target: Target, rules: DrillRules, watch: DrillWatch
) -> DrillOutcome | None:
    """Begins a drill in a target, or goes on with the one that has begun, as far as it comes. None
    where the target has no pack.

    Raises LimitExceeded and SettingsError before anything is written or thawed; StoreError, also
    where the record cannot be written: then the drill has not ended, and the next one goes on.
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
    """When the sample of the newest drill was drawn; None where there is none, or where one is to
    be gone on with. Raises StoreError.
    """
    return DrillFolder(job.store, target, job.rules.group.combine.index).find_last()


def find_early(job: Job, target: Target, every_days: int) -> datetime | None:
    """When the last drill was drawn, where that is less than so many days ago, so that none is due.
    None where one is. Raises StoreError.
    """
    last = find_last_drill(job, target)
    is_early = last is not None and last > job.clock.now() - timedelta(days=every_days)
    return last if is_early else None


@dataclass(slots=True)
class _Advance:
    """One drill, as far as it comes."""

    job: Job
    folder: DrillFolder
    rules: DrillRules
    looked: Looked
    outcome: DrillOutcome
    watch: DrillWatch
    thawing: list[PackState] = field(default_factory=list)

    def ask(self, begun: BegunDrill, dollars: float) -> BegunDrill:
        """For what is frozen. What is refused is a failure; the next drill asks again."""
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
        """Whether everything is there by now, or is known not to come."""
        if not self.thawing:
            return True
        if self.rules.patience is None:
            self.outcome.waiting = len(self.thawing)
            self.outcome.asked = min(begun.asked[each.key].asked for each in self.thawing)
            return False
        wait_for(self.job, self.looked, self.thawing, self.rules.patience, self.watch)
        return True

    def finish(self, begun: BegunDrill) -> None:
        """Brings everything back, and records what came of it."""
        outcomes = sorted(self._recover(begun), key=lambda each: each.pack_key)
        for each in outcomes:
            self.outcome.failures += each.failures
            self.outcome.warnings += each.warnings
        if _is_refused(outcomes):
            return  # nothing is known of any member; the next drill goes on
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
    """Nothing came back, and for no other reason than that nobody may read it."""
    found = list(outcomes)
    failures = [failure for each in found for failure in each.failures]
    return (
        bool(failures)
        and not any(each.seconds for each in found)
        and all(failure.error in _REFUSALS for failure in failures)
    )
