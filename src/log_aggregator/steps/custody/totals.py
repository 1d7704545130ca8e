"""Totals of what is packed, from custody records: these are few, however many packs there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from log_aggregator.core.costs.storage import Sizes
from log_aggregator.core.custody import GroupEntry
from log_aggregator.model import Target
from log_aggregator.steps.custody.walk import list_records, read_records
from log_aggregator.steps.job import Job


@dataclass(slots=True)
class PackedTotal:
    """The totals of some of the packs."""

    packs: int = 0
    objects: int = 0
    """Log objects in these packs."""
    source_bytes: int = 0
    pack_bytes: int = 0
    deleted: int = 0
    """Originals that were deleted."""

    def add(self, entry: GroupEntry) -> None:
        """Adds what one record says about a group. Exactly one record says that a pack is new, and
        each record counts only its own deletions.
        """
        for pack in entry.packs:
            self.deleted += pack.deleted or 0
            if pack.is_new:
                self.packs += 1
                self.objects += pack.members
                self.source_bytes += pack.source_bytes
                self.pack_bytes += pack.size_bytes


@dataclass(slots=True)
class PackedTotals:
    """Totals of everything, and by log type, account and so on. `unread`: records that cannot be
    read, and why.
    """

    records: int = 0
    total: PackedTotal = field(default_factory=PackedTotal)
    by_log_type: dict[str, PackedTotal] = field(default_factory=dict)
    by_account: dict[str, PackedTotal] = field(default_factory=dict)
    by_month: dict[str, PackedTotal] = field(default_factory=dict)
    by_bucket: dict[str, PackedTotal] = field(default_factory=dict)
    pack_sizes: Sizes = field(default_factory=Sizes)
    unread: list[tuple[str, str]] = field(default_factory=list)

    def add(self, entry: GroupEntry) -> None:
        group = entry.group
        self.total.add(entry)
        for totals, name in (
            (self.by_log_type, group.log_type),
            (self.by_account, group.account),
            (self.by_month, f"{group.date:%Y-%m}"),
            (self.by_bucket, group.bucket),
        ):
            totals.setdefault(name, PackedTotal()).add(entry)
        for pack in entry.packs:
            if pack.is_new:
                self.pack_sizes.add(pack.size_bytes)


def sum_records(
    job: Job, targets: Iterable[Target], show: Callable[[int], object] = lambda _: None
) -> PackedTotals:
    """Sums every record of these targets. `show` gets the number of records read. Raises
    StoreError.
    """
    totals = PackedTotals()
    for target in targets:
        listed = list_records(job.store, target)
        for found in read_records(job.store, job.workers, target, listed):
            totals.records += 1
            show(totals.records)
            if found.record is None:
                totals.unread.append((f"s3://{target.bucket}/{found.key}", found.problem))
                continue
            for entry in found.record.groups:
                totals.add(entry)
    return totals
