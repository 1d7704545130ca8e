"""The packs are the ledger: which packs a group has, and which log objects are members of them
already.

There is no database. A pack whose run died before its index was written gets the index back from
its own tail.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from log_aggregator.errors import ObjectFrozen
from log_aggregator.model import Group, Identity, PackFormat, Target
from log_aggregator.ports.store import ObjectStore, WriteOptions
from log_aggregator.steps.packs.index import format_of, read_index, restore_index
from log_aggregator.steps.packs.pages import list_all


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a group's packs hold, but for those that have no index and cannot give it back now
    (frozen, or copied alone).
    """

    pack_of: Mapping[Identity, str]
    """From a log object's identity to the key of a pack that it is a member of; of those that were
    asked for.
    """
    written: Mapping[str, datetime] = field(default_factory=dict)
    """When each pack was written, by its key."""

    def age_of(self, pack_key: str) -> tuple[datetime, str]:
        """Sorts packs, the oldest first."""
        return self.written[pack_key], pack_key


def read_ledger(
    store: ObjectStore,
    target: Target,
    group: Group,
    wanted: Container[Identity],
    options: WriteOptions,
    *,
    restore: bool = True,
) -> Ledger:
    """Looks for some log objects in the indexes of all packs of a group; restores indexes that are
    missing, unless told not to.

    Of each index only what is wanted is kept: a busy group's packs have a million members.
    """
    # What ends in a slash is the folder that a console shows, not a pack.
    stored = list_all(store, target.bucket, target.packs_prefix(group))
    written = {found.key: found.last_modified for found in stored if not found.key.endswith("/")}
    if not written:  # a group's first run, as nearly all are: no pack, so no index to look for
        return Ledger({})
    index_keys = {
        found.key for found in list_all(store, target.bucket, target.indexes_prefix(group))
    }
    pack_of: dict[Identity, str] = {}
    for key in written:
        if target.index_key(key) in index_keys or (
            restore and _restore_index(store, target, group, key, options)
        ):
            members = read_index(store, target, key).find_identities(wanted)
            pack_of |= dict.fromkeys(members, key)
    return Ledger(pack_of, written)


def _restore_index(
    store: ObjectStore, target: Target, group: Group, pack_key: str, options: WriteOptions
) -> bool:
    """False where the pack cannot give its index back now."""
    if format_of(group, target, pack_key) is PackFormat.COPY:
        return False
    try:
        restore_index(store, target, pack_key, options)
    except ObjectFrozen:
        return False
    return True
