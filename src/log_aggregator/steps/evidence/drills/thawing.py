"""Thaws the frozen packs of a sample, within a limit of dollars, and measures how long each took.

HeadObject shows whether a restore is under way or done, so only the requests are written down.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from log_aggregator.core.evidence.samples import Sample, ThawRequest
from log_aggregator.errors import Failure, LimitExceeded, ObjectFrozen, SettingsError
from log_aggregator.model import PackFormat
from log_aggregator.ports.store import Clock
from log_aggregator.steps.evidence.drills.folder import BegunDrill
from log_aggregator.steps.job import Job
from log_aggregator.steps.retrieval.catalog import entry_of
from log_aggregator.steps.retrieval.find import FoundPack
from log_aggregator.steps.retrieval.thaw import (
    PackState,
    Patience,
    State,
    ThawProgress,
    look_at_packs,
    price_tiers,
    wait_until_thawed,
)

THAW_TIME_MAX = timedelta(hours=72)
"""A Bulk restore from Deep Archive takes up to 48 hours
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/restoring-objects-retrieval-options.html). A
pack that is not thawed after half as long again is given up."""
THAW_DAYS = 3
"""How long thawed copies stay readable: long enough for a drill that is started every day."""
_LATE = "S3 takes longer to thaw it than AWS documents"


@dataclass(frozen=True, slots=True)
class ThawRules:
    """How packs are thawed. `dollars_max` is for the whole drill."""

    tier: str = "Bulk"
    days: int = THAW_DAYS
    dollars_max: float = 1.0


@dataclass(slots=True)
class Looked:
    """The packs of a sample, as S3 has them now."""

    states: list[PackState]
    failures: dict[str, Failure] = field(default_factory=dict)
    """By the pack's key: it could not be examined, or is not thawed in time."""
    ready: dict[str, datetime] = field(default_factory=dict)
    """When a pack was first seen to be readable."""

    def of(self, state: State) -> list[PackState]:
        return [each for each in self.states if each.state is state]


def look_at_sample(job: Job, sample: Sample) -> Looked:
    """One HEAD for each pack. Raises Unreachable."""
    states, failures = look_at_packs(job.store, job.workers, _list_packs(sample))
    prefix, now = f"s3://{sample.target.bucket}/", job.clock.now()
    found = Looked(states, {each.where.removeprefix(prefix): each for each in failures})
    found.ready = {each.key: now for each in found.of(State.THAWED)}
    return found


def _list_packs(sample: Sample) -> Iterator[FoundPack]:
    """The packs of the sample, without what the listing said about them: S3 is asked anew."""
    for pack_key, members in sorted(sample.by_pack.items()):
        group = entry_of(sample.target, pack_key).group
        yield FoundPack(sample.target, pack_key, group, PackFormat.GZIP, tuple(members))


def price_thawing(looked: Looked, rules: ThawRules) -> float:
    """The price in dollars of thawing what is frozen. Raises SettingsError if the storage class of
    a pack does not have the tier.
    """
    tiers = price_tiers(looked.states, rules.days)
    dollars = next(each.dollars for each in tiers if each.tier == rules.tier)
    if dollars is None:
        classes = ", ".join(sorted({each.storage_class for each in looked.of(State.FROZEN)}))
        raise SettingsError(
            f"--tier {rules.tier}: choose another tier; {classes} cannot be restored with this one"
        )
    return dollars


def check_dollars(dollars: float, spent: float, rules: ThawRules) -> None:
    """Raises LimitExceeded if the drill would cost more than its limit."""
    if dollars and dollars + spent > rules.dollars_max:
        before = f", on top of ${spent:.4g} spent" if spent else ""
        raise LimitExceeded(
            f"thawing the sample costs ${dollars:.4g}{before}, more than --dollars-max of "
            f"${rules.dollars_max:.4g}; raise --dollars-max, or draw a smaller sample"
        )


def plan_request(
    looked: Looked, drill: BegunDrill, rules: ThawRules, dollars: float, now: datetime
) -> ThawRequest | None:
    """The request to write down before thawing: the frozen packs, and those whose thawing someone
    else requested. None if there is nothing new.
    """
    frozen = [each.key for each in looked.of(State.FROZEN)]
    others = [each.key for each in looked.of(State.THAWING) if each.key not in drill.asked]
    packs = tuple(sorted([*frozen, *others]))
    return ThawRequest(now, rules.tier, rules.days, dollars, packs) if packs else None


def give_up_late(looked: Looked, drill: BegunDrill, now: datetime) -> None:
    """Counts packs that S3 should have thawed long ago as failures, so that every drill ends."""
    for pack in looked.of(State.THAWING):
        asked = drill.asked.get(pack.key)
        if asked is not None and now - asked.asked > THAW_TIME_MAX:
            where = f"s3://{pack.bucket}/{pack.key}"
            looked.failures[pack.key] = Failure.of(where, ObjectFrozen(f"{where}: {_LATE}"))


def wait_for(
    job: Job, looked: Looked, thawing: list[PackState], patience: Patience, progress: ThawProgress
) -> None:
    """Waits until all of them can be read, or are given up. Raises Unreachable."""
    times = _Times(progress, job.clock, looked.ready)
    for failure in wait_until_thawed(job.store, thawing, job.clock, patience, times):
        key = next(
            each.key for each in thawing if failure.where == f"s3://{each.bucket}/{each.key}"
        )
        looked.failures[key] = failure


def thaw_seconds(looked: Looked, drill: BegunDrill, packs: Iterable[str]) -> dict[str, float]:
    """For each pack that had to be thawed, the time from the first request until it was seen to be
    readable.
    """
    asked = drill.asked
    return {
        key: max(0.0, (looked.ready[key] - asked[key].asked).total_seconds())
        for key in packs
        if key in asked and key in looked.ready
    }


class _Times(ThawProgress):
    """Passes progress on, and records when each pack was seen to be ready."""

    def __init__(self, inner: ThawProgress, clock: Clock, ready: dict[str, datetime]) -> None:
        self._inner, self._clock, self._ready = inner, clock, ready

    def waiting(self, thawed: int, total: int) -> None:
        self._inner.waiting(thawed, total)

    def ready(self, pack: PackState) -> None:
        self._ready[pack.key] = self._clock.now()
