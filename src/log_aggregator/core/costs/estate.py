"""What log objects cost a month as they are, what packing them costs once, and what their packs
cost a month.

All of it is linear in objects, bytes and groups, or nearly so, which is why it can be applied to a
sample as well as to everything.
"""

from __future__ import annotations

from dataclasses import dataclass

from log_aggregator.core.costs.prices import PRICES, Prices
from log_aggregator.core.costs.storage import INDEX_BYTES_PER_MEMBER
from log_aggregator.core.planning import PackLimits
from log_aggregator.limits import GIB, LIST_PAGE_COUNT_MAX

OBJECTS_PER_SECOND = 900
"""Measured on one function or machine, with 128 readers and 100 ms for every answer
(docs/internals/lambda-sizes.md).
"""
BYTES_PER_SECOND = 75e6


@dataclass(frozen=True, slots=True)
class Load:
    """Log objects to be packed. Counts that come from a sample are not whole numbers."""

    objects: float = 0.0
    size_bytes: float = 0.0
    groups: float = 0.0

    def packs(self, limits: PackLimits) -> float:
        """One for each group, plus one whenever a pack is full."""
        return (
            self.groups
            + self.size_bytes / limits.pack_size_bytes_max
            + self.objects / limits.members_max
        )

    @property
    def seconds(self) -> float:
        """The time to pack it on one machine in the Region."""
        return max(self.objects / OBJECTS_PER_SECOND, self.size_bytes / BYTES_PER_SECOND)


@dataclass(frozen=True, slots=True)
class PackingCosts:
    """The limits by which packs are cut, and the prices."""

    limits: PackLimits
    prices: Prices = PRICES
    has_terms: bool = False
    """Terms are written along with the packs: one more request for each."""

    def once(self, load: Load, storage_class: str) -> float:
        """Requests to list, read, write, verify and delete. One request for each pack is billed at
        the price of its class, all others at that of Standard.
        """
        prices, packs = self.prices.standard, load.packs(self.limits)
        parts = load.size_bytes / self.limits.part_size_bytes
        gets = load.objects + 3 * packs
        listings = load.objects / LIST_PAGE_COUNT_MAX + 2 * load.groups
        # A pack of several parts is also created and completed. Every pack has an index.
        puts = listings + parts + packs * ((4 if parts > packs else 2) + self.has_terms)
        surcharge = packs * (self.prices.storage[storage_class].put_1000 - prices.put_1000)
        return (gets * prices.get_1000 + puts * prices.put_1000 + surcharge) / 1000

    def month(self, load: Load, storage_class: str) -> float:
        """For the packs in a class, including the indexes in their tails, and for the copies of the
        indexes, in Standard.
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
        """In addition to `once`, if log objects are encrypted with KMS and without Bucket Keys."""
        return load.objects * self.prices.kms_request_10000 / 10_000


def month_rates(storage_class: str, size_class: int, prices: Prices) -> tuple[float, float]:
    """Dollars a month for an object of a size class (`Sizes`): for the object, and for each of its
    bytes.

    A storage class that is not in the table counts as Standard. Objects in Intelligent-Tiering
    count as not cooled.
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
    """The months until cheaper storage has paid for the packing; None if never."""
    return once / (now - later) if now > later else None
