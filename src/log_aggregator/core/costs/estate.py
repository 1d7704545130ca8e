"""What log objects cost a month as they lie, what packing them costs once, and what their packs
cost a month.

All of it is linear in objects, bytes and groups, or nearly so: it holds for a sample as it does for
the whole.
"""

from __future__ import annotations

from dataclasses import dataclass

from log_aggregator.core.costs.prices import PRICES, Prices
from log_aggregator.core.costs.storage import INDEX_BYTES_PER_MEMBER
from log_aggregator.core.planning import PackLimits
from log_aggregator.limits import GIB, LIST_PAGE_COUNT_MAX

OBJECTS_PER_SECOND = 900
"""What one function or machine packs, with 128 readers where every answer takes 100 ms
(docs/internals/lambda-sizes.md).
"""
BYTES_PER_SECOND = 75e6


@dataclass(frozen=True, slots=True)
class Load:
    """Log objects to be packed. Counts of a sample are not whole."""

    objects: float = 0.0
    size_bytes: float = 0.0
    groups: float = 0.0

    def packs(self, limits: PackLimits) -> float:
        """One for each group, and one more whenever one is full."""
        return (
            self.groups
            + self.size_bytes / limits.pack_size_bytes_max
            + self.objects / limits.members_max
        )

    @property
    def seconds(self) -> float:
        """Of packing it on one machine in the region."""
        return max(self.objects / OBJECTS_PER_SECOND, self.size_bytes / BYTES_PER_SECOND)


@dataclass(frozen=True, slots=True)
class PackingCosts:
    """By which limits packs are cut, and at which prices."""

    limits: PackLimits
    prices: Prices = PRICES
    has_terms: bool = False
    """Terms are written beside the packs: one request more for each."""

    def once(self, load: Load, storage_class: str) -> float:
        """Requests to list, read, write, verify and delete. One request of each pack is billed as
        its class has it, all others as Standard.
        """
        prices, packs = self.prices.standard, load.packs(self.limits)
        parts = load.size_bytes / self.limits.part_size_bytes
        gets = load.objects + 3 * packs
        listings = load.objects / LIST_PAGE_COUNT_MAX + 2 * load.groups
        puts = listings + parts + packs * ((4 if parts > packs else 2) + self.has_terms)
        surcharge = packs * (self.prices.storage[storage_class].put_1000 - prices.put_1000)
        return (gets * prices.get_1000 + puts * prices.put_1000 + surcharge) / 1000

    def month(self, load: Load, storage_class: str) -> float:
        """Of the packs in a class, with the indexes in their tails, and of the indexes beside them,
        in Standard.
        """
        storage, standard = self.prices.storage[storage_class], self.prices.standard
        packs, index = load.packs(self.limits), load.objects * INDEX_BYTES_PER_MEMBER
        stored = max(load.size_bytes + index, packs * storage.size_bytes_min)
        overhead = (
            storage.overhead_bytes * storage.gb_month
            + storage.overhead_standard_bytes * standard.gb_month
        )
        monitoring = packs * storage.monitoring_1000 / 1000
        return (
            stored * storage.gb_month + packs * overhead + index * standard.gb_month
        ) / GIB + monitoring

    def kms(self, load: Load) -> float:
        """On top of `once` where log objects are encrypted with KMS and without Bucket Keys."""
        return load.objects * self.prices.kms_request_10000 / 10_000


def month_rates(storage_class: str, size_class: int, prices: Prices) -> tuple[float, float]:
    """Dollars a month for an object of a size class (`Sizes`) as it lies: for the object, and for
    each of its bytes.

    A class that is not in the table counts as Standard. In Intelligent-Tiering nothing is said to
    have cooled.
    """
    storage = prices.storage.get(storage_class, prices.standard)
    is_small = size_class < storage.size_bytes_min.bit_length()
    for_object = (
        storage.overhead_bytes * storage.gb_month
        + storage.overhead_standard_bytes * prices.standard.gb_month
    ) / GIB
    if storage.cooled_gb_month:
        monitored = 0.0 if is_small else storage.monitoring_1000 / 1000
        return for_object + monitored, storage.gb_month / GIB
    if is_small:
        return for_object + storage.size_bytes_min * storage.gb_month / GIB, 0.0
    return for_object, storage.gb_month / GIB


def find_payback_months(once: float, now: float, later: float) -> float | None:
    """After how many months less storage has paid for the packing; None: never."""
    return once / (now - later) if now > later else None
