"""Tests the drill itself: plants damage in copies of a pack, and checks that a drill finds it.

The copies lie under a separate prefix and are removed afterwards. The pack itself is only read.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time

from log_aggregator.core.checksums import crc64nvme
from log_aggregator.core.evidence.samples import Sample
from log_aggregator.core.packformat.index import decode_index, encode_index
from log_aggregator.errors import CannotStart, NothingFound, RequestFailed
from log_aggregator.limits import MIB
from log_aggregator.model import DeleteMarker, LogObject, Member, Target
from log_aggregator.ports.store import Deletion, ObjectStore, Page, WriteOptions
from log_aggregator.steps.cloudtrail.public_keys import KeyRing
from log_aggregator.steps.evidence.drills.draw import DrawRules, draw_sample
from log_aggregator.steps.evidence.drills.recover import PackOutcome, Recovery
from log_aggregator.steps.evidence.drills.thawing import look_at_sample
from log_aggregator.steps.job import Job
from log_aggregator.steps.packs.index import read_index
from log_aggregator.steps.packs.pages import list_all, list_pages
from log_aggregator.steps.packs.ranges import PackReader
from log_aggregator.steps.retrieval.thaw import PackState, State

COPIED_BYTES_MAX = 64 * MIB
"""The smallest pack that was drawn is copied; it is held in memory."""
DELETIONS_MAX = 1_000
CANARY = b"Written by log-aggregator to see whether it can be removed again.\n"

OpenRoom = Callable[[str, str], ObjectStore]
"""`open_room(bucket, prefix)`: a store whose only bucket is the target's, which maps to this
prefix.
"""


@dataclass(frozen=True, slots=True)
class Copied:
    """A pack and its index as they are stored, and the member to damage."""

    pack: bytes
    index: bytes
    member: Member


@dataclass(frozen=True, slots=True)
class Damage:
    """A kind of damage. `do` returns the damaged pack and index."""

    name: str
    text: str
    do: Callable[[Copied], tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Trial:
    """What the drill reported about a copy."""

    damage: Damage
    outcome: PackOutcome

    @property
    def is_kept(self) -> bool:
        """Whether damage was found, or nothing was reported about the undamaged copy."""
        return bool(self.outcome.failures) != (self.damage is UNDAMAGED)


@dataclass(slots=True)
class SelfTest:
    """Whether the drill finds what is planted."""

    target: Target
    pack_key: str
    place: str
    members: int
    trials: list[Trial] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    """What could not be removed."""

    @property
    def is_kept(self) -> bool:
        return len(self.trials) == len(DAMAGES) and all(trial.is_kept for trial in self.trials)


def change_member(copied: Copied) -> tuple[bytes, bytes]:
    place = copied.member.offset + copied.member.length_bytes // 2
    pack = bytearray(copied.pack)
    pack[place] ^= 1
    return bytes(pack), copied.index


def drop_line(copied: Copied) -> tuple[bytes, bytes]:
    """Removes a member's line and adjusts the number of members, so the index itself is sound."""
    index = decode_index(copied.index)
    left = tuple(each for each in index.members if each.identity != copied.member.identity)
    return copied.pack, encode_index(replace(index, members=left))


def cut_pack(copied: Copied) -> tuple[bytes, bytes]:
    """Cuts off the last byte."""
    return copied.pack[:-1], copied.index


UNDAMAGED = Damage("none", "an unchanged copy", lambda copied: (copied.pack, copied.index))
DAMAGES = (
    UNDAMAGED,
    Damage("member", "one bit of a member changed", change_member),
    Damage("index-line", "a member's line missing in the index", drop_line),
    Damage("truncated", "the last byte of the pack missing", cut_pack),
)


def run_planted(
    job: Job, target: Target, rules: DrawRules, scratch: str | None, open_room: OpenRoom
) -> SelfTest | None:
    """Plants each damage in its own copy. `scratch` is the bucket for the copies; None: the
    target's own. Returns None if the target has no pack.

    Raises CannotStart if the copies could not be removed, NothingFound if no pack that was drawn
    can be copied.
    """
    sample = draw_sample(job, target, rules)
    if sample is None:
        return None
    pack = _choose_pack(job, sample)
    bucket, prefix = _choose_place(target, scratch)
    members = sample.by_pack[pack.key]
    test = SelfTest(target, pack.key, f"s3://{bucket}/{prefix}", len(members))
    copied = _read(job.store, target, pack, members[0])
    with _clearing(job.store, bucket, prefix, test):
        for damage in DAMAGES:
            room = open_room(bucket, f"{prefix}{damage.name}/")
            test.trials.append(_try(job, room, sample, test, damage, copied))
    return test


def _choose_pack(job: Job, sample: Sample) -> PackState:
    """The smallest that can be read now, and has a member with bytes."""
    readable = [
        each
        for each in look_at_sample(job, sample).states
        if each.state in (State.READABLE, State.THAWED)
        and each.size_bytes <= COPIED_BYTES_MAX
        and sample.by_pack[each.key][0].length_bytes
    ]
    if not readable:
        raise NothingFound(
            f"s3://{sample.target.bucket}/{sample.target.root}packs/: none of the packs that were "
            "drawn is both readable now and small enough to copy; `thaw` some, or pass another "
            "--seed"
        )
    return min(readable, key=lambda each: (each.size_bytes, each.key))


def _choose_place(target: Target, scratch: str | None) -> tuple[str, str]:
    """A new random prefix, which no run takes for logs."""
    name = f"drill-{secrets.token_hex(6)}/"
    if scratch is None:
        return target.bucket, f"{target.probes_prefix}{name}"
    return scratch, f"log-aggregator-{name}"


def _read(store: ObjectStore, target: Target, pack: PackState, member: Member) -> Copied:
    pieces = PackReader(store, target.bucket, pack.key).read_pieces(0, pack.size_bytes)
    data = b"".join(body.data for body in pieces)
    return Copied(data, read_index(store, target, pack.key).data, member)


def _try(
    job: Job, room: ObjectStore, sample: Sample, test: SelfTest, damage: Damage, copied: Copied
) -> Trial:
    target = sample.target
    pack, index = damage.do(copied)
    for key, data in ((test.pack_key, pack), (target.index_key(test.pack_key), index)):
        room.put_object(target.bucket, key, data, crc64nvme=crc64nvme(data), options=WriteOptions())
    first, last = (datetime.combine(day, time.min, UTC) for day in (sample.first, sample.last))
    keys = KeyRing(job.store, [target], None, first, last)
    recovery = Recovery(room, target, keys, job.clock)
    return Trial(damage, recovery.recover(test.pack_key, sample.by_pack[test.pack_key]))


@contextmanager
def _clearing(store: ObjectStore, bucket: str, prefix: str, test: SelfTest) -> Iterator[None]:
    """Checks first that objects can be removed, and removes everything at the end, whatever
    happens.
    """
    key = f"{prefix}canary"
    store.put_object(bucket, key, CANARY, crc64nvme=crc64nvme(CANARY), options=WriteOptions())
    if refused := _clear(store, bucket, prefix):
        raise CannotStart(
            f"s3://{bucket}/{key} cannot be removed, so copies of a pack could not be either: "
            f"{refused[0]}; name another bucket with --scratch-bucket"
        )
    try:
        yield
    finally:
        try:
            test.left = _clear(store, bucket, prefix)
        except RequestFailed as error:
            test.left = [f"s3://{bucket}/{prefix}: {error}"]


def _entries(page: Page) -> Iterator[LogObject | DeleteMarker]:
    yield from page.objects
    yield from page.markers


def _clear(store: ObjectStore, bucket: str, prefix: str) -> list[str]:
    """Deletes everything under the prefix, by version if there are versions. Returns what was
    refused.

    The bucket may hold all packs, so nothing is removed if the listing names a key outside the
    prefix.
    """
    if store.get_bucket_versioning(bucket) is None:
        deletions = [Deletion(each.key, etag=each.etag) for each in list_all(store, bucket, prefix)]
    else:
        deletions = [
            Deletion(each.key, version_id=each.version_id)
            for page in list_pages(store.list_object_versions, bucket, prefix)
            for each in _entries(page)
        ]
    if any(not each.key.startswith(prefix) for each in deletions):
        return [f"s3://{bucket}/{prefix}: the server lists keys outside this prefix"]
    refused = []
    for start in range(0, len(deletions), DELETIONS_MAX):
        refused += store.delete_objects(bucket, deletions[start : start + DELETIONS_MAX])
    return [f"s3://{bucket}/{each.deletion.key}: {each.code}" for each in refused]
