"""Thaws what was drawn and is frozen, under a limit of dollars, and knows how long each pack took.

S3 says itself what is under way or done, so nothing but the request is written down.
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
"""Half as long again as S3 takes at most. What is not there by then is not coming back."""
THAW_DAYS = 3
"""So long the copies can be read: a drill that is started every day finds them."""
_LATE = "S3 takes longer than it says"


@dataclass(frozen=True, slots=True)
class ThawRules:
    """How packs are thawed, and for how much at most: the dollars of the whole drill."""

    tier: str = "Bulk"
    days: int = THAW_DAYS
    dollars_max: float = 1.0


@dataclass(slots=True)
class Looked:
    """The packs of a sample, as S3 has them now."""

    states: list[PackState]
    failures: dict[str, Failure] = field(default_factory=dict)
    """By the pack's key: it cannot be looked at, or does not come."""
    ready: dict[str, datetime] = field(default_factory=dict)
    """When it was first seen that a pack can be read."""

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
    """What the listing said of them is forgotten: S3 is asked."""
    for pack_key, members in sorted(sample.by_pack.items()):
        group = entry_of(sample.target, pack_key).group
        yield FoundPack(sample.target, pack_key, group, PackFormat.GZIP, tuple(members))


def price_thawing(looked: Looked, rules: ThawRules) -> float:
    """Dollars for what is frozen. Raises SettingsError where the tier does not exist for a pack."""
    tiers = price_tiers(looked.states, rules.days)
    dollars = next(each.dollars for each in tiers if each.tier == rules.tier)
    if dollars is None:
        classes = ", ".join(sorted({each.storage_class for each in looked.of(State.FROZEN)}))
        raise SettingsError(
            f"--tier {rules.tier}: expected another one, because one of {classes} does not know it"
        )
    return dollars


def check_dollars(dollars: float, spent: float, rules: ThawRules) -> None:
    """Raises LimitExceeded where the drill would cost more than it may."""
    if dollars and dollars + spent > rules.dollars_max:
        before = f", after ${spent:.4g} before" if spent else ""
        raise LimitExceeded(
            f"thawing what was drawn costs ${dollars:.4g}{before}, and --dollars-max is "
            f"${rules.dollars_max:.4g}; a higher --dollars-max starts it, and a smaller sample "
            "costs less"
        )


def plan_request(
    looked: Looked, drill: BegunDrill, rules: ThawRules, dollars: float, now: datetime
) -> ThawRequest | None:
    """What is to be written down before packs are asked for: those that are frozen, and those that
    somebody else has asked for. None where there is nothing new.
    """
    frozen = [each.key for each in looked.of(State.FROZEN)]
    others = [each.key for each in looked.of(State.THAWING) if each.key not in drill.asked]
    packs = tuple(sorted([*frozen, *others]))
    return ThawRequest(now, rules.tier, rules.days, dollars, packs) if packs else None


def give_up_late(looked: Looked, drill: BegunDrill, now: datetime) -> None:
    """What S3 should have thawed long ago is a failure, so that every drill ends."""
    for pack in looked.of(State.THAWING):
        asked = drill.asked.get(pack.key)
        if asked is not None and now - asked.asked > THAW_TIME_MAX:
            where = f"s3://{pack.bucket}/{pack.key}"
            looked.failures[pack.key] = Failure.of(where, ObjectFrozen(f"{where}: {_LATE}"))


def wait_for(
    job: Job, looked: Looked, thawing: list[PackState], patience: Patience, progress: ThawProgress
) -> None:
    """Until all of them can be read, or it is known that they do not come. Raises Unreachable."""
    times = _Times(progress, job.clock, looked.ready)
    for failure in wait_until_thawed(job.store, thawing, job.clock, patience, times):
        key = next(
            each.key for each in thawing if failure.where == f"s3://{each.bucket}/{each.key}"
        )
        looked.failures[key] = failure


def thaw_seconds(looked: Looked, drill: BegunDrill, packs: Iterable[str]) -> dict[str, float]:
    """Of those that had to be thawed: from the first request until it was seen that each can be
    read.
    """
    asked = drill.asked
    return {
        key: max(0.0, (looked.ready[key] - asked[key].asked).total_seconds())
        for key in packs
        if key in asked and key in looked.ready
    }


class _Times(ThawProgress):
    """Passes on how it goes, and keeps when each pack was seen to be ready."""

    def __init__(self, inner: ThawProgress, clock: Clock, ready: dict[str, datetime]) -> None:
        self._inner, self._clock, self._ready = inner, clock, ready

    def waiting(self, thawed: int, total: int) -> None:
        self._inner.waiting(thawed, total)

    def ready(self, pack: PackState) -> None:
        self._ready[pack.key] = self._clock.now()
