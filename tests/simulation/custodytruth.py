"""Whether the custody records of a simulated world are true."""

from __future__ import annotations

from collections import Counter

from tests.simulation.guard import GuardedStore
from tests.simulation.randomworld import RandomWorld
from tests.simulation.truth import Violation

from log_aggregator.core.custody import Record
from log_aggregator.model import Target
from log_aggregator.steps.custody.chain import SEQUENCE_MAX
from log_aggregator.steps.custody.walk import list_records, read_records
from log_aggregator.steps.packs.index import read_index
from log_aggregator.steps.packs.pages import list_all
from log_aggregator.steps.workers import SerialWorkers


def check_custody(world: RandomWorld, guard: GuardedStore) -> None:
    """Exactly one record says who wrote each pack, and the records of each group report at least as
    many deletions as there were. Raises Violation.
    """
    if not world.seed % 2:
        return
    for target in world.truth.targets:
        records = _read_all(world, target)
        written = Counter(pack.key for record in records for pack in record.packs if pack.is_new)
        told = Counter[str]()
        for group in (each for record in records for each in record.groups):
            # Changed: the first answer was lost, and the second deletion met another object.
            gone = sum((pack.deleted or 0) + pack.changed for pack in group.packs)
            told[str(group.group)] += gone + group.counts.unknown
        done = Counter[str]()
        for entry in list_all(world.store, target.bucket, f"{target.root}indexes/"):
            key = target.pack_key(entry.key)
            index = read_index(world.store, target, key).decode()
            if written[key] != 1:
                raise Violation(f"{key}: {written[key]} records say who wrote it")
            places = {(index.group.bucket, member.identity) for member in index.members}
            done[str(index.group)] += len(places & guard.deleted)
            guard.deleted -= places  # it may be in two packs
        for name, count in done.items():
            if told[name] < count:
                raise Violation(f"{name}: {count} originals were deleted, {told[name]} told")


def _read_all(world: RandomWorld, target: Target) -> list[Record]:
    listed = {
        sequence: entry
        for sequence, entry in list_records(world.store, target).items()
        if sequence <= SEQUENCE_MAX
    }
    found = list(read_records(world.store, SerialWorkers(), target, listed))
    unread = [each.key for each in found if each.record is None]
    if unread:
        raise Violation(f"{unread[0]}: it cannot be read")
    return [each.record for each in found if each.record is not None]
