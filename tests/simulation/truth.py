"""The reference model: what the outside world put into the source buckets, and what must be true of
it at every moment.

It knows nothing about runs. It is told what AWS and other people do, reads the store, and compares:
every original's bytes are in place, as exactly that version, or come back from a pack whose index
is durable, with key, metadata and content type.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from log_aggregator.core.checksums import crc64nvme
from log_aggregator.core.packformat.index import decode_index
from log_aggregator.core.packformat.tail import encode_tail
from log_aggregator.model import DeleteMarker, Identity, Index, LogObject, Member, Target
from log_aggregator_lab.stores.memory import MemoryStore
from log_aggregator_lab.unpacking import unpack_member


class Violation(Exception):
    """Something that must never happen."""


class Fate(StrEnum):
    """What an undisturbed run has to do with an original."""

    GO = "go"  # packed and deleted
    DISCARD = "discard"  # listed and deleted, in no pack, because the settings say so
    STAY = "stay"  # left alone: never read, packed or deleted, and in no plan
    LOCKED = "locked"  # may be packed, and S3 keeps it
    # someone deleted its key meanwhile: whether it was packed before depends on timing
    OPEN = "open"


Untimed = tuple[str, str | None, str, int]
"""An identity without its time."""


@dataclass(slots=True)
class Original:
    """An object as delivered."""

    source: LogObject
    data: bytes
    metadata: Mapping[str, str]
    content_type: str | None
    content_encoding: str | None
    fate: Fate

    @property
    def place(self) -> tuple[str, Identity]:
        return (self.source.bucket, self.source.identity)

    def __str__(self) -> str:
        return f"s3://{self.source.bucket}/{self.source.key} {self.source.version_id}"


@dataclass(slots=True)
class Truth:
    """All originals that ever existed, except those that someone else has destroyed."""

    store: MemoryStore
    sources: tuple[str, ...]
    targets: tuple[Target, ...]
    originals: dict[tuple[str, Identity], Original] = field(default_factory=dict)
    _packs: dict[str, dict[tuple[str, Untimed], tuple[Member, str]]] = field(default_factory=dict)
    """Cached contents of each pack: a pack is written once, so it is read once."""

    def add(self, original: Original) -> None:
        """A new object. In a bucket without versions it replaces the previous one, which is
        gone.
        """
        source = original.source
        if source.version_id in (None, "null"):
            self.forget(source.bucket, source.key)
        self.originals[original.place] = original

    def forget(
        self, bucket: str, key: str, version_ids: Container[str | None] = (None, "null")
    ) -> None:
        """Someone has destroyed these versions of the key; those without a version id by
        overwriting or deleting it.
        """
        for place in [
            place
            for place, each in self.originals.items()
            if (each.source.bucket, each.source.key) == (bucket, key)
        ]:
            if place[1][1] in version_ids and not self.is_packed(self.originals[place]):
                del self.originals[place]

    def name_versions(self) -> None:
        """The bucket has versions from now on: older objects are listed with the version id
        "null".
        """
        for original in list(self.originals.values()):
            if original.source.version_id is None:
                del self.originals[original.place]
                original.source = replace(original.source, version_id="null")
                self.originals[original.place] = original

    def of_key(self, bucket: str, key: str) -> list[Original]:
        return [
            each
            for each in self.originals.values()
            if (each.source.bucket, each.source.key) == (bucket, key)
        ]

    def check_all(self) -> None:
        """Raises Violation if an original is lost, or was not left alone."""
        in_place = {
            (bucket, entry.identity)
            for bucket in self.sources
            for entry in self.data_versions(bucket)
        }
        for place, original in self.originals.items():
            if original.fate is Fate.STAY:
                if place not in in_place:
                    raise Violation(f"{original}: it had to stay, and is gone")
                if self.is_packed(original):
                    raise Violation(f"{original}: it had to stay, and was packed")
            elif place not in in_place:
                self.check_kept(original)

    def check_left_alone(self, bucket: str, key: str, what: str) -> None:
        """Raises Violation if the key is that of an original that has to stay. Either all versions
        of a key have to stay, or none.
        """
        for original in self.of_key(bucket, key):
            if original.fate is Fate.STAY:
                raise Violation(f"{original}: it had to stay, and was {what}")

    def check_done(self) -> None:
        """After an undisturbed run. Raises Violation if something is left, or gone, that should not
        be.
        """
        in_place = {
            (bucket, entry.identity)
            for bucket in self.sources
            for entry in self.data_versions(bucket)
        }
        kept = {(bucket, key) for bucket in self.sources for key in self._keys_that_stay(bucket)}
        for place, original in self.originals.items():
            if (
                original.fate in (Fate.GO, Fate.DISCARD)
                and place in in_place
                and (place[0], place[1][0]) not in kept
            ):
                raise Violation(f"{original}: it was left, and should have gone")
            if original.fate in (Fate.STAY, Fate.LOCKED) and place not in in_place:
                raise Violation(f"{original}: it had to stay, and is gone")
            if original.fate is Fate.LOCKED and not self.is_packed(original):
                raise Violation(f"{original}: S3 keeps it, and it was not packed")

    def _keys_that_stay(self, bucket: str) -> Iterator[str]:
        """If versioning is suspended: keys of which an older version can be replaced at any time.
        No condition protects it.
        """
        if self.store.get_bucket_versioning(bucket) == "Suspended":
            yield from (
                entry.key
                for entry in self.data_versions(bucket)
                if entry.version_id == "null" and not entry.is_latest
            )

    def check_kept(self, original: Original) -> None:
        """Raises Violation unless it comes back byte for byte from a pack that has its index or, if
        it is to be discarded, is in a list.
        """
        if original.fate is Fate.DISCARD and self._is_written_down(original):
            return
        if not self.is_packed(original):
            raise Violation(f"{original}: it is neither in its bucket nor in a pack")

    def is_packed(self, original: Original) -> bool:
        """As it was listed; or, if its key was rewritten between listing and reading with the same
        ETag, under the time of the previous object: it is read by its ETag. A twin of the same
        second is not what was packed under its name.
        """
        bucket, identity = original.place
        for target in self.targets:
            for pack_key in self._durable_packs(target):
                found = self._read_pack(target, pack_key).get((bucket, identity[:4]))
                if found is None:
                    continue
                member, _ = found
                data = self._member_bytes(target, pack_key, member)
                is_twin = original.fate is Fate.OPEN and data != original.data
                if member.identity == identity and not is_twin:
                    _compare(original, *found, data)
                    return True
                if data == original.data:
                    return True
        return False

    def data_versions(self, bucket: str) -> Iterator[LogObject]:
        """As in a listing of that bucket: with version ids if the bucket has any."""
        has_versions = self.store.get_bucket_versioning(bucket) is not None
        start = None
        while True:
            page = (
                self.store.list_object_versions(bucket, start=start)
                if has_versions
                else self.store.list_objects(bucket, start=start)
            )
            yield from page.objects
            if page.next_start is None:
                return
            start = page.next_start

    def _is_written_down(self, original: Original) -> bool:
        """In one of the lists of discards."""
        key, version_id, etag, size, _ = original.source.identity
        wanted = {"key": key, "version_id": version_id, "etag": etag, "size": size}
        return any(
            wanted.items() <= line.items()
            for target in self.targets
            for line in self._read_lists(target)
        )

    def _read_lists(self, target: Target) -> Iterator[dict[str, object]]:
        for entry in _list_all(self.store, target.bucket, f"{target.root}discards/"):
            lines = gzip.decompress(
                self.store.get_object(target.bucket, entry.key).data
            ).splitlines()
            yield from (json.loads(line) for line in lines)

    def _durable_packs(self, target: Target) -> Iterator[str]:
        """Packs that exist and have their index."""
        for entry in _list_all(self.store, target.bucket, f"{target.root}indexes/"):
            pack_key = target.pack_key(entry.key)
            if _list_all(self.store, target.bucket, pack_key):
                yield pack_key

    def _read_pack(
        self, target: Target, pack_key: str
    ) -> dict[tuple[str, Untimed], tuple[Member, str]]:
        name = f"{target.bucket}/{pack_key}"
        if name not in self._packs:
            index = decode_index(
                self.store.get_object(target.bucket, target.index_key(pack_key)).data
            )
            is_sound = self._is_sound(target, pack_key, index)
            members = index.members if is_sound else ()
            self._packs[name] = {
                (index.group.bucket, member.identity[:4]): (member, pack_key) for member in members
            }
        return self._packs[name]

    def _is_sound(self, target: Target, pack_key: str, index: Index) -> bool:
        """By the checksum that the index demands, computed over the actual bytes: an incomplete
        pack counts as empty.
        """
        data = self.store.get_object(target.bucket, pack_key).data
        content, tail = data[: index.content_length_bytes], data[index.content_length_bytes :]
        own_index = self.store.get_object(target.bucket, target.index_key(pack_key)).data
        return crc64nvme(content) == index.content_crc64nvme and tail == encode_tail(
            index.format, own_index, len(content)
        )

    def _member_bytes(self, target: Target, pack_key: str, member: Member) -> bytes:
        first, last = member.offset, member.offset + member.length_bytes
        return unpack_member(
            member, self.store.get_object(target.bucket, pack_key).data[first:last]
        )


def newest_of(entries: Sequence[LogObject | DeleteMarker]) -> LogObject | DeleteMarker | None:
    return next((entry for entry in entries if entry.is_latest), None)


def _compare(original: Original, member: Member, pack_key: str, data: bytes) -> None:
    for what, is_same in (
        ("bytes", data == original.data),
        ("user metadata", dict(member.metadata) == dict(original.metadata)),
        ("content type", member.content_type == original.content_type),
        ("content encoding", member.content_encoding == original.content_encoding),
    ):
        if not is_same:
            raise Violation(f"{original}: its {what} in {pack_key} are not what was delivered")


def _list_all(store: MemoryStore, bucket: str, prefix: str) -> list[LogObject]:
    page = store.list_objects(bucket, prefix=prefix)
    found = list(page.objects)
    while page.next_start is not None:
        page = store.list_objects(bucket, prefix=prefix, start=page.next_start)
        found += page.objects
    return found
