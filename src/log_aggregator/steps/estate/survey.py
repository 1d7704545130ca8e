"""The survey. A source bucket is counted completely if that takes few requests, or read from an
inventory if there is one, and otherwise sampled until the allowed requests are used.

It only lists, and writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from functools import partial
from itertools import islice
from random import Random

from log_aggregator.core.inventory.manifest import check_versions
from log_aggregator.core.inventory.sorting import gather_keys
from log_aggregator.errors import RequestFailed, cannot_start
from log_aggregator.model import LogObject
from log_aggregator.ports.account import AccountInspector
from log_aggregator.steps.estate.draws import Chances, Draw, Means, make_draw, mass_of
from log_aggregator.steps.estate.pages import Allowance, Entry, Lister, OutOfRequests, entries_of
from log_aggregator.steps.estate.tally import Tally, Yard
from log_aggregator.steps.estate.tree import Looker, Place
from log_aggregator.steps.inventory import Inventory, InventoryReader, naming
from log_aggregator.steps.job import Job
from log_aggregator.steps.packing.buckets import look_at_bucket

REQUESTS_MAX = 2_000
"""These cost one cent and list 200,000 to two million keys."""
COUNTING_SHARE = 10
"""One request in this many is spent on finding out which buckets are small."""
COUNTING_PAGES = (3, 100)
DRAWS_AT_ONCE = 16
FIRST_DRAW_REQUESTS = 10
"""The expected requests of a draw before the first one is made."""
PILOT_ROUNDS = 2
"""Draws of the first rounds only teach where much can be found: they vary the most."""
ROUNDS_MIN = 4
_INVENTORY_ROWS = 10_000
_WAITING_MAX = 1_000_000
"""Old versions that are held in memory, in about 500 MB. Beyond that, those whose delete marker
comes later in the inventory are counted as logs of a live key.
"""


class Way(StrEnum):
    """How a bucket's figures were found."""

    COUNTED = "counted"
    INVENTORY = "inventory"
    SAMPLED = "sampled"
    NOT_SEEN = "not-seen"  # too few requests were allowed for a single round of draws


class Lifecycle(StrEnum):
    """Whether a bucket's lifecycle rules are known."""

    READ = "read"
    NONE = "none"
    UNKNOWN = "unknown"  # the question was refused, or not asked


@dataclass(slots=True)
class BucketFigures:
    """The figures of a bucket: a count, or draws that each estimate the whole bucket."""

    bucket: str
    way: Way = Way.NOT_SEEN
    counted: Tally = field(default_factory=Tally)
    draws: list[Draw] = field(default_factory=list)
    accounts: dict[str, Means] = field(default_factory=dict)
    """The accounts that were drawn, in a sampled bucket."""
    accounts_seen: int = 0
    """Folders of accounts that were seen."""
    inventory: str = ""
    lifecycle: Lifecycle = Lifecycle.UNKNOWN


@dataclass(slots=True)
class Estate:
    """All source buckets."""

    today: date
    buckets: list[BucketFigures] = field(default_factory=list)
    requests: int = 0


@dataclass(frozen=True, slots=True)
class Extent:
    """How much to look at, and the seed: the same seed draws the same sample of a bucket that has
    not changed.
    """

    requests_max: int = REQUESTS_MAX
    seed: int = 1


def survey(
    job: Job,
    yards: Sequence[Yard],
    inventories: Mapping[str, Inventory],
    extent: Extent,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Estate:
    """The figures of all buckets. `inventories` are by bucket; `on_progress` gets the number of
    requests so far. Raises CannotStart, BadInventory, Interrupted.
    """
    allowance = Allowance(extent.requests_max)
    estate = Estate(job.today)
    open_: list[_Sample] = []
    listed = [yard for yard in yards if yard.bucket.name not in inventories]
    pages_max = _clamp(extent.requests_max // (COUNTING_SHARE * max(1, len(listed))))
    for yard in yards:
        figures = BucketFigures(yard.bucket.name, lifecycle=_answer(yard))
        estate.buckets.append(figures)
        with cannot_start(f"bucket {yard.bucket.name!r} cannot be listed"):
            if yard.bucket.name in inventories:
                _read_inventory(job, yard, inventories[yard.bucket.name], figures)
            else:
                lister = Lister(job.store, yard.bucket, allowance)
                if not _count(job, lister, yard, pages_max, figures):
                    open_.append(_Sample(Looker(lister, yard), figures, extent.seed))
        on_progress(allowance.used)
    while sample := _choose_next(open_):
        job.workers.check_stop()
        with cannot_start(f"bucket {sample.figures.bucket!r} cannot be listed"):
            sample.draw_round(job, allowance)
        on_progress(allowance.used)
    for each in open_:
        each.finish()
    estate.requests = allowance.used
    return estate


def find_yards(job: Job, inspector: AccountInspector | None) -> list[Yard]:
    """The source buckets. Their lifecycle rules stay unknown if reading them is not allowed. Raises
    CannotStart.
    """
    yards = []
    for name in job.list_source_buckets():
        yard = Yard.of(look_at_bucket(job, name), job.rules, job.today)
        if inspector is not None:
            with suppress(RequestFailed):
                yard = replace(yard, lifecycle=inspector.get_bucket_lifecycle_configuration(name))
        yards.append(yard)
    return yards


def _answer(yard: Yard) -> Lifecycle:
    if yard.lifecycle is None:
        return Lifecycle.UNKNOWN
    return Lifecycle.READ if yard.lifecycle else Lifecycle.NONE


def _clamp(pages: int) -> int:
    return max(COUNTING_PAGES[0], min(COUNTING_PAGES[1], pages))


def _count(job: Job, lister: Lister, yard: Yard, pages_max: int, figures: BucketFigures) -> bool:
    """Counts a bucket. False if it has more pages than allowed."""
    entries: list[Entry] = []
    with suppress(OutOfRequests):
        for page in islice(lister.pages("", None), pages_max):
            job.workers.check_stop()
            entries += entries_of(page)
            if page.next_start is None:
                figures.counted = yard.tally(gather_keys(entries))
                figures.way = Way.COUNTED
                return True
    return False


def _read_inventory(job: Job, yard: Yard, inventory: Inventory, figures: BucketFigures) -> None:
    """Tallies an inventory. Its rows have no order, so old versions wait until the delete markers
    are known: nothing of a deleted key is packed.
    """
    manifest = inventory.manifest
    reader = InventoryReader(job.store, job.workers, manifest, yard.bucket.versioning)
    check_versions(manifest, yard.bucket.versioning)
    waiting: list[Entry] = []
    for file in manifest.files:
        with naming(f"s3://{manifest.bucket}/{file.key}"):
            rows = reader.read(file)
            while batch := list(islice(rows, _INVENTORY_ROWS)):
                current, old = _part_versions(batch)
                figures.counted.merge(yard.tally(gather_keys(current)))
                waiting += old
        if len(waiting) > _WAITING_MAX:
            _take_waiting(yard, waiting, figures)
    _take_waiting(yard, waiting, figures)
    figures.way, figures.inventory = Way.INVENTORY, inventory.location


def _part_versions(rows: Sequence[Entry]) -> tuple[list[Entry], list[Entry]]:
    """Separates the newest versions of keys from old ones and the markers that hide them."""
    current = [row for row in rows if isinstance(row, LogObject) and row.is_latest]
    old = [
        row for row in rows if (not row.is_latest if isinstance(row, LogObject) else row.is_latest)
    ]
    return list(current), old


def _take_waiting(yard: Yard, waiting: list[Entry], figures: BucketFigures) -> None:
    ordered = sorted(waiting, key=lambda entry: entry.key)
    figures.counted.merge(yard.tally(gather_keys(ordered)))
    waiting.clear()


class _Sample:
    """A bucket that is too large to count, and its draws so far."""

    def __init__(self, looker: Looker, figures: BucketFigures, seed: int) -> None:
        self.looker = looker
        self.figures = figures
        self.rounds = 0
        self.is_over = False
        self._seed = f"{seed} {figures.bucket}"
        self._root = Place("")
        self._chances = Chances()
        self._pilot: list[Draw] = []
        self._made = self._requests = 0

    @property
    def gain(self) -> float:
        """How much another round may reduce the variance: the bucket with the most to gain is drawn
        from next.
        """
        masses = [mass_of(draw.load) for draw in self.figures.draws]
        if self.rounds < ROUNDS_MIN or len(masses) < 2:
            return float("inf")
        mean = sum(masses) / len(masses)
        return sum((mass - mean) ** 2 for mass in masses) / len(masses) ** 3

    def draw_round(self, job: Job, allowance: Allowance) -> None:
        """Makes some draws concurrently. If there are not enough requests for all of them, none
        counts: those that finished first would be the small ones, and bias the result.
        """
        count, before = self._fitting(allowance), allowance.used
        if count == 0:
            self.is_over = True
            return
        draws = list(self._draw(job, count))
        self._requests += allowance.used - before
        self._made += count
        if not all(draws):
            self.is_over = True
            return
        for draw in draws:
            if draw is not None:
                self._chances.learn(draw)
                (self.figures.draws if self.rounds >= PILOT_ROUNDS else self._pilot).append(draw)
        self.rounds += 1

    def finish(self) -> None:
        """Notes which accounts were drawn. If there were requests for the pilot rounds only, their
        draws count: they are unbiased too.
        """
        figures = self.figures
        figures.draws = figures.draws or self._pilot
        if figures.draws:
            figures.way = Way.SAMPLED
        places = {place: means for place, means in self._chances.places.items() if means.draws}
        for place, means in places.items():
            if place.is_account:
                figures.accounts[place.name] = means
        figures.accounts_seen = sum(
            part.is_account
            for place in places
            if place.seen is not None and not place.seen.are_alike
            for part in place.seen.parts
        )

    def _draw(self, job: Job, count: int) -> Iterator[Draw | None]:
        """Makes draws; None for one that ran out of requests."""
        numbers = range(self._made, self._made + count)
        futures = [job.workers.start_read(partial(self._draw_one, number)) for number in numbers]
        for future in futures:
            yield future.result()

    def _draw_one(self, number: int) -> Draw | None:
        chance = Random(f"{self._seed} {number}")
        try:
            return make_draw(self.looker, self._root, self._chances, chance)
        except OutOfRequests:
            return None

    def _fitting(self, allowance: Allowance) -> int:
        if not self._made:
            return min(DRAWS_AT_ONCE, allowance.left // FIRST_DRAW_REQUESTS)
        each = max(1.0, self._requests / self._made)
        return min(DRAWS_AT_ONCE, int(allowance.left / (1.5 * each)))


def _choose_next(samples: Sequence[_Sample]) -> _Sample | None:
    """The bucket whose figures are the least certain."""
    left = [sample for sample in samples if not sample.is_over]
    return max(left, key=lambda sample: (sample.gain, -sample.rounds), default=None)
