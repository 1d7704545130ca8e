"""Laws of the survey: places cover every key exactly once; draws are unbiased; the intervals
contain the true figures of generated organisations.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from log_aggregator.core.estimates import Estimate, estimate_total
from log_aggregator.core.inventory.sorting import gather_keys
from log_aggregator.core.windows import DateWindow
from log_aggregator.model import LogObject
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.estate.draws import Chances, Draw, make_draw
from log_aggregator.steps.estate.pages import Allowance, Lister
from log_aggregator.steps.estate.survey import BucketFigures, Estate, Extent, Way, survey
from log_aggregator.steps.estate.tally import Tally, Yard
from log_aggregator.steps.estate.tree import Looker, Place
from log_aggregator.steps.job import Job
from log_aggregator.steps.packing.buckets import SourceBucket
from log_aggregator.steps.rules import Rules
from log_aggregator.steps.workers import SerialWorkers
from log_aggregator_lab.estate import (
    ACCESS_BUCKET,
    MAIN_BUCKET,
    EstateSpec,
    ListedStore,
    list_estate,
)

TODAY = date(2025, 7, 1)
ALL_DAYS = DateWindow(date(2006, 1, 1), date(2099, 12, 31))
BUCKET = "logs"
SMALL = EstateSpec(accounts=3, last_day=date(2025, 1, 20), objects_a_day=0.4)

_DAYS = st.dates(date(2025, 1, 1), date(2025, 3, 3))
_HEADS = st.sampled_from(
    [f"AWSLogs/{account}/" for account in ("111111111111", "222222222222")]
    + ["o-abcd/AWSLogs/o-abcd/333333333333/"]
)
_REGIONS = st.sampled_from(["eu-west-1", "us-east-1"])
_ENDS = st.text("ab01-/é", min_size=1, max_size=4)
_FAMILIES = (
    st.builds("{0}CloudTrail/{1}/{2:%Y/%m/%d}/{3}.json.gz".format, _HEADS, _REGIONS, _DAYS, _ENDS),
    st.builds(
        "{0}Config/{1}/{2.year}/{2.month}/{2.day}/{3}.json.gz".format,
        _HEADS,
        _REGIONS,
        _DAYS,
        _ENDS,
    ),
    st.builds("{0:%Y-%m-%d}-10-11-12-0123456789ABCDE{1}".format, _DAYS, st.integers(0, 9)),
    st.builds("E{0}ABCDEFGHIJKL.{1:%Y-%m-%d}-05.0123abcd.gz".format, st.integers(1, 3), _DAYS),
    st.builds("year={0.year}/month={0.month:02d}/day={0.day:02d}/{1}".format, _DAYS, _ENDS),
    st.builds("{0.year}/{0.month}/{0.day}.log{1}".format, _DAYS, st.integers(0, 9)),
    st.builds("x/{0.year}/{0.month:02d}/{0.day}/{1}".format, _DAYS, _ENDS),
    _ENDS,
)


@st.composite
def buckets(draw: st.DrawFn) -> list[str]:
    """Keys of a few families, many of each."""
    chosen = draw(st.lists(st.sampled_from(_FAMILIES), min_size=1, max_size=4))
    return [key for family in chosen for key in draw(st.lists(family, min_size=1, max_size=30))]


def make_yard(bucket: str, *, is_main: bool = False) -> Yard:
    return Yard(SourceBucket(bucket, None, is_main=is_main), Rules(ALL_DAYS), TODAY)


def make_looker(store: ObjectStore, yard: Yard, requests_max: int = 100_000) -> Looker:
    return Looker(Lister(store, yard.bucket, Allowance(requests_max)), yard)


def make_objects(keys: Sequence[str]) -> list[LogObject]:
    written = datetime(2025, 3, 4, tzinfo=UTC)
    return [
        LogObject(BUCKET, key, None, "e", 100 + number, written)
        for number, key in enumerate(sorted(set(keys)))
    ]


def walk(looker: Looker, place: Place) -> Iterator[Tally]:
    """Everything counted at a place and below it."""
    seen = looker.look(place)
    yield seen.counted
    for number in range(len(seen.parts)):
        yield from walk(looker, seen.parts[number])


def count(tallies: Iterator[Tally]) -> Counter[Any]:
    """Objects and bytes by every attribute that distinguishes them, including those left alone."""
    counts: Counter[Any] = Counter()
    for tally in tallies:
        for cell, (objects, size_bytes) in tally.cells.items():
            counts.update({(cell, "objects"): objects, (cell, "bytes"): size_bytes})
        for why, keys in tally.left.items():
            counts.update({(why, "objects"): keys.objects, (why, "bytes"): keys.size_bytes})
    return counts


@settings(max_examples=100, deadline=None)
@given(keys=buckets(), page_size=st.integers(1, 4), is_main=st.booleans())
def test_places_cover_every_key_exactly_once(
    keys: list[str], page_size: int, is_main: bool
) -> None:
    """However a bucket is partitioned, walking all places counts the same as listing it."""
    objects = make_objects(keys)
    yard = make_yard(BUCKET, is_main=is_main)
    looker = make_looker(ListedStore(objects, page_size=page_size), yard)
    assert count(walk(looker, Place(""))) == count(iter([yard.tally(gather_keys(objects))]))


@dataclass(slots=True)
class Scripted:
    """A random source that takes a given path, and reports the number of choices at each fork."""

    script: list[int]
    forks: list[tuple[int, float]] = field(default_factory=list)
    """How many ways, and how likely the one that was taken."""

    def randrange(self, count: int) -> int:
        return self._take([1 / count] * count)

    def choices(self, numbers: range, *, cum_weights: list[float]) -> list[int]:
        ends = [0.0, *cum_weights]
        likely = [(ends[n + 1] - ends[n]) / ends[-1] for n in numbers]
        return [self._take(likely)]

    def _take(self, likely: list[float]) -> int:
        place = len(self.forks)
        number = self.script[place] if place < len(self.script) else 0
        self.forks.append((len(likely), likely[number]))
        return number


def every_draw(looker: Looker, root: Place, chances: Chances) -> Iterator[tuple[Draw, float]]:
    """All possible draws, each with its probability."""
    script: list[int] = []
    while True:
        chance = Scripted(script)
        draw = make_draw(looker, root, chances, cast("Any", chance))
        probability = 1.0
        for _, likely in chance.forks:
            probability *= likely
        yield draw, probability
        taken = [script[n] if n < len(script) else 0 for n in range(len(chance.forks))]
        while taken and taken[-1] + 1 == chance.forks[len(taken) - 1][0]:
            taken.pop()
        if not taken:
            return
        script = [*taken[:-1], taken[-1] + 1]


@pytest.mark.parametrize("learned", [0, 6])
def test_samples_are_unbiased(learned: int) -> None:
    """Over all draws, weighted by probability, objects, bytes and groups are those of the bucket:
    there is no bias, whatever was learned before.
    """
    rows = [found for found in list_estate(SMALL) if found.bucket == MAIN_BUCKET]
    yard = make_yard(MAIN_BUCKET, is_main=True)
    looker, root, chances = make_looker(ListedStore(rows, page_size=7), yard), Place(""), Chances()
    some = list(every_draw(looker, root, chances))
    for draw, _ in some[:: max(1, len(some) // 6)][:learned]:
        chances.learn(draw)
    sums: Counter[str] = Counter()
    for draw, probability in every_draw(looker, root, chances):
        load = draw.load
        sums["all"] += cast("int", probability)
        sums["objects"] += cast("int", load.objects * probability)
        sums["bytes"] += cast("int", load.size_bytes * probability)
        sums["groups"] += cast("int", load.groups * probability)
    truth = yard.tally(gather_keys(sorted(rows, key=lambda found: found.key))).load
    assert len(some) > 100
    assert sums["all"] == pytest.approx(1)
    assert sums["objects"] == pytest.approx(truth.objects)
    assert sums["bytes"] == pytest.approx(truth.size_bytes)
    assert sums["groups"] == pytest.approx(truth.groups)


@dataclass(frozen=True, slots=True)
class Sampling:
    """What a survey needs of a job."""

    store: ObjectStore
    workers: SerialWorkers = field(default_factory=SerialWorkers)
    today: date = TODAY


def run_survey(store: ObjectStore, requests_max: int, seed: int) -> Estate:
    yards = [make_yard(MAIN_BUCKET, is_main=True), make_yard(ACCESS_BUCKET)]
    return survey(cast("Job", Sampling(store)), yards, {}, Extent(requests_max, seed))


def total(buckets: Sequence[BucketFigures], name: str) -> Estimate:
    return estimate_total(
        [[getattr(draw.load, name) for draw in bucket.draws] for bucket in buckets],
        sum(getattr(bucket.counted.load, name) for bucket in buckets),
    )


def test_intervals_contain_the_true_figures() -> None:
    """Two organisations are surveyed with seven seeds each: at 95 in 100, at most two of 14 miss;
    no survey exceeds its requests; and on average they are right.
    """
    held: Counter[str] = Counter()
    errors: list[float] = []
    for number in range(2):
        spec = EstateSpec(
            number, 10, last_day=date(2025, 4, 15), objects_a_day=0.5, access_logs_a_day=20
        )
        rows = list(list_estate(spec))
        store = ListedStore(rows, page_size=20)
        truth = {"objects": len(rows), "size_bytes": sum(found.size_bytes for found in rows)}
        for seed in range(7):
            estate = run_survey(store, 400, seed)
            assert estate.requests <= 400
            assert [bucket.way for bucket in estate.buckets] == [Way.SAMPLED, Way.SAMPLED]
            for name, true in truth.items():
                estimate = total(estate.buckets, name)
                held[name] += estimate.low <= true <= estimate.high
            errors.append(total(estate.buckets, "objects").value / len(rows) - 1)
    assert min(held.values()) >= 12, held
    assert abs(sum(errors) / len(errors)) < 0.15
    assert max(map(abs, errors)) < 1


def test_the_same_seed_draws_the_same_sample() -> None:
    """Another seed draws another one."""
    spec = EstateSpec(accounts=6, last_day=date(2025, 3, 1), access_logs_a_day=20)
    store = ListedStore(list(list_estate(spec)), page_size=20)
    one, same, other = (
        total(run_survey(store, 300, seed).buckets, "objects") for seed in (5, 5, 6)
    )
    assert one == same
    assert one != other
