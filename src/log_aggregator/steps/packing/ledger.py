"""The packs are the ledger: which packs a group has, and which log objects are members already.

There is no database. If a run died before it wrote a pack's index, the index is restored from the
pack's tail.
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
    """What a group's packs hold, except packs without an index that cannot be restored now (frozen,
    or a copy of a single object).
    """

    pack_of: Mapping[Identity, str]
    """The identity of a log object that was asked for -> the key of its pack."""
    written: Mapping[str, datetime] = field(default_factory=dict)
    """When each pack was written, by its key."""

    def age_of(self, pack_key: str) -> tuple[datetime, str]:
        """A sort key that puts the oldest pack first."""
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
    """Looks for log objects in the indexes of all packs of a group, and restores missing indexes
    unless told not to.

    Keeps only what is wanted of each index: a busy group's packs have a million members.
    """
    # The console creates a "folder" as an empty object whose key ends in a slash.
    stored = list_all(store, target.bucket, target.packs_prefix(group))
    written = {found.key: found.last_modified for found in stored if not found.key.endswith("/")}
    if not written:  # the group's first run, as in most cases: no pack, so no index to list
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
    """Restores an index. False if that is not possible now."""
    if format_of(group, target, pack_key) is PackFormat.COPY:
        return False
    try:
        restore_index(store, target, pack_key, options)
    except ObjectFrozen:
        return False
    return True
