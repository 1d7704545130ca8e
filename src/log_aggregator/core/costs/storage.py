"""The cost of keeping log objects for years: as they are, each in another class, or in packs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from log_aggregator.core.costs.prices import PRICES, Prices, StorageClass
from log_aggregator.core.costs.requests import estimate_dollars
from log_aggregator.limits import GIB

CLASSES = 64
"""Class k holds sizes from 2^(k-1) to less than 2^k, class 0 only empty objects: k is the size's
`bit_length`.
"""
INDEX_BYTES_PER_MEMBER = 130
"""Measured on the demo: `log-aggregator demo` writes 639 KB of indexes for 4,916 members. Digests
take more, for their signatures.
"""
DAYS_PER_MONTH = 30


@dataclass(slots=True)
class Sizes:
    """The number and bytes of objects in each size class, which is all that storage prices depend
    on.

    Every minimum that S3 bills is a power of two, so the exact sizes are not needed.
    """

    counts: list[int] = field(default_factory=lambda: [0] * CLASSES)
    bytes: list[int] = field(default_factory=lambda: [0] * CLASSES)

    @classmethod
    def of(cls, sizes: Iterable[int]) -> Sizes:
        """Raises ValueError for a size below zero."""
        found = cls()
        for size_bytes in sizes:
            found.add(size_bytes)
        return found

    def add(self, size_bytes: int, count: int = 1) -> None:
        """Adds objects of this size. Raises ValueError for a size below zero."""
        if size_bytes < 0 or count < 0:
            raise ValueError(f"expected 0 or more, not {count} objects of {size_bytes} bytes")
        size_class = size_bytes.bit_length()
        self.counts[size_class] += count
        self.bytes[size_class] += size_bytes * count

    def merge(self, other: Sizes) -> None:
        """Adds the sizes of other objects."""
        for size_class in range(CLASSES):
            self.counts[size_class] += other.counts[size_class]
            self.bytes[size_class] += other.bytes[size_class]

    @property
    def count(self) -> int:
        return sum(self.counts)

    @property
    def total_bytes(self) -> int:
        return sum(self.bytes)

    def below(self, size_bytes: int) -> tuple[int, int]:
        """Count and bytes of the objects below a size, which must be a power of two, or 0."""
        classes = size_bytes.bit_length()
        return sum(self.counts[:classes]), sum(self.bytes[:classes])


@dataclass(frozen=True, slots=True)
class Way:
    """Dollars for one way of keeping log objects."""

    once: float
    """Requests and transitions."""
    storage: float
    """For all months together."""

    @property
    def total(self) -> float:
        return self.once + self.storage


def estimate_storage(
    sizes: Sizes, storage_class: str, months: float, prices: Prices = PRICES
) -> float:
    """Dollars for objects that are kept in a class for `months` and then deleted. Raises KeyError
    for an unknown class.
    """
    storage = prices.storage[storage_class]
    billed_months = max(months, storage.days_min / DAYS_PER_MONTH)
    small_count, small_bytes = sizes.below(storage.size_bytes_min)
    own = _gb_dollars(storage, billed_months) * (sizes.total_bytes - small_bytes)
    if storage.cooled_gb_month:
        own += small_bytes * storage.gb_month * billed_months
        own += (sizes.count - small_count) * storage.monitoring_1000 / 1000 * billed_months * GIB
    else:
        own += small_count * storage.size_bytes_min * _gb_dollars(storage, billed_months)
    overhead = (
        storage.overhead_bytes * storage.gb_month
        + storage.overhead_standard_bytes * prices.standard.gb_month
    )
    return (own + sizes.count * overhead * billed_months) / GIB


def estimate_left(sizes: Sizes, months: float, prices: Prices = PRICES) -> Way:
    """Every log object stays in Standard, where it is."""
    return Way(0.0, estimate_storage(sizes, "STANDARD", months, prices))


def estimate_each(sizes: Sizes, storage_class: str, months: float, prices: Prices = PRICES) -> Way:
    """A lifecycle rule moves each log object by itself into a class, on its first day."""
    moved = sizes.count * prices.storage[storage_class].transition_1000 / 1000
    return Way(moved, estimate_storage(sizes, storage_class, months, prices))


@dataclass(frozen=True, slots=True)
class Packed:
    """Log objects after packing: the requests that it took, the packs, and their indexes."""

    requests: Mapping[str, int]
    packs: Sizes
    """Including the indexes in their tails."""
    index_bytes: int
    """Of the copies of the indexes, which stay in Standard."""


def estimate_packed(
    packed: Packed, storage_class: str, months: float, prices: Prices = PRICES
) -> Way:
    """Packs are written directly to a class, and their indexes to Standard.

    One request for each pack is billed at the price of its class: its only PUT, or the one that
    completes its upload
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/aws-usage-report-understand.html).
    """
    surcharge = (
        packed.packs.count
        * (prices.storage[storage_class].put_1000 - prices.standard.put_1000)
        / 1000
    )
    warm = packed.index_bytes * prices.standard.gb_month * months / GIB
    in_class = estimate_storage(packed.packs, storage_class, months, prices)
    return Way(estimate_dollars(packed.requests, prices) + surcharge, in_class + warm)


def estimate_payback_months(now: Way, later: Way, months: float) -> float | None:
    """The months after which a way that costs more at first is the cheaper one; None if never. Both
    ways must be for the same `months`.
    """
    saved = (now.storage - later.storage) / months
    return max(0.0, (later.once - now.once) / saved) if saved > 0 else None


def _gb_dollars(storage: StorageClass, months: float) -> float:
    """Dollars for a GB over these months, cheaper from each month in `cools_after` on."""
    steps = [0.0, *(min(float(after), months) for after in storage.cools_after), months]
    prices = (storage.gb_month, *storage.cooled_gb_month)
    return sum(
        price * (end - begin) for price, (begin, end) in zip(prices, pairwise(steps), strict=True)
    )
