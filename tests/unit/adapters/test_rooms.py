"""A store of rooms never lists, reads, writes or deletes anything outside its prefixes."""

from __future__ import annotations

import pytest

from log_aggregator.adapters.rooms import Room, RoomStore
from log_aggregator.core.checksums import crc64nvme
from log_aggregator.errors import NoSuchBucket, StoreError
from log_aggregator.limits import PART_SIZE_BYTES_MIN
from log_aggregator.model import LogObject
from log_aggregator.ports.store import Deletion, ListStart, ObjectStore, Page, WriteOptions
from log_aggregator_lab.stores.memory import MemoryStore

PREFIX = "scratch/one/"
STRANGERS = ("a", "scratch/on", "scratch/one", "scratch/one0", "scratch/two/k", "z")


@pytest.fixture
def memory() -> MemoryStore:
    store = MemoryStore()
    store.create_bucket("real", versioning="Enabled")
    for key in STRANGERS:
        store.put("real", key, key.encode())
    return store


@pytest.fixture
def rooms(memory: MemoryStore) -> RoomStore:
    return RoomStore(memory, {"room": Room("real", PREFIX)})


def put(store: ObjectStore, key: str, data: bytes = b"data") -> None:
    store.put_object("room", key, data, crc64nvme=crc64nvme(data), options=WriteOptions())


def list_versions(store: ObjectStore) -> list[LogObject]:
    return list(store.list_object_versions("room").objects)


def test_only_keys_under_the_prefix_are_listed(memory: MemoryStore, rooms: RoomStore) -> None:
    for key in ("b", "a/x", "c"):
        put(rooms, key)
    assert [each.key for each in list_versions(rooms)] == ["a/x", "b", "c"]
    assert {each.bucket for each in list_versions(rooms)} == {"room"}
    page = rooms.list_objects("room", start=ListStart("a/x"))
    assert [each.key for each in page.objects] == ["b", "c"]
    page = rooms.list_prefixes("room", prefix="")
    assert (page.prefixes, [each.key for each in page.objects]) == (("a/",), ["b", "c"])
    assert {each.key for each in memory.list_objects("real").objects} == {
        *STRANGERS,
        f"{PREFIX}a/x",
        f"{PREFIX}b",
        f"{PREFIX}c",
    }


def test_pages_continue_inside_the_room(memory: MemoryStore, rooms: RoomStore) -> None:
    """The start of the next page is a key of the room, too."""
    memory._page_size = 2
    names = [f"k{number}" for number in range(5)]
    for name in names:
        put(rooms, name)
    found, start = [], None
    for _ in names:
        page = rooms.list_object_versions("room", start=start)
        found += [each.key for each in page.objects]
        start = page.next_start
        if start is None:
            break
        assert start.key in names
    assert found == names


def test_only_keys_under_the_prefix_are_deleted(memory: MemoryStore, rooms: RoomStore) -> None:
    """A key that looks like one outside is still the room's own, and refusals name it."""
    for key in STRANGERS:
        put(rooms, key, b"ours")
    listed = list_versions(rooms)
    memory.retain("real", f"{PREFIX}a")
    failures = rooms.delete_objects(
        "room", [Deletion(each.key, each.version_id) for each in listed]
    )
    assert [each.deletion.key for each in failures] == ["a"]
    assert [each.key for each in list_versions(rooms)] == ["a"]
    for key in STRANGERS:
        assert memory.get_object("real", key).data == key.encode()


def test_an_upload_stays_under_the_prefix(memory: MemoryStore, rooms: RoomStore) -> None:
    """An upload is created, copied into, listed and completed inside the room."""
    data = bytes(PART_SIZE_BYTES_MIN)
    put(rooms, "source", data)
    (source,) = list_versions(rooms)
    upload = rooms.create_multipart_upload("room", "copy", options=WriteOptions())
    assert (upload.bucket, upload.key) == ("room", "copy")
    assert [each.key for each in rooms.list_multipart_uploads("room", prefix="")] == ["copy"]
    part = rooms.upload_part_copy(upload, 1, source, (0, len(data)))
    last = rooms.upload_part(upload, 2, b"end", crc64nvme=crc64nvme(b"end"))
    whole = data + b"end"
    rooms.complete_multipart_upload(
        upload, [part, last], size_bytes=len(whole), crc64nvme=crc64nvme(whole)
    )
    assert memory.get_object("real", f"{PREFIX}copy").data == whole
    stored = rooms.head_object("room", "copy")
    assert (stored.bucket, stored.key, stored.size_bytes) == ("room", "copy", len(whole))


def test_sources_are_read_under_the_prefix(rooms: RoomStore) -> None:
    put(rooms, "a", b"ours")
    (source,) = list_versions(rooms)
    (body,) = rooms.get_objects([source])
    assert not isinstance(body, Exception)
    assert body.data == rooms.get_object_checked("room", "a")[0].data == b"ours"


def test_no_other_bucket_is_visible(rooms: RoomStore) -> None:
    """Not even the room's real bucket can be reached."""
    assert rooms.list_buckets() == ["room"]
    for bucket in ("real", "other"):
        with pytest.raises(NoSuchBucket):
            rooms.list_objects(bucket)
        with pytest.raises(NoSuchBucket):
            rooms.delete_objects(bucket, [Deletion("a", "v")])


class NoPrefixes(MemoryStore):
    """A server that lists everything, whatever the prefix."""

    def list_object_versions(
        self, bucket: str, *, prefix: str = "", start: ListStart | None = None
    ) -> Page:
        return super().list_object_versions(bucket)


def test_a_server_that_ignores_the_prefix_is_an_error() -> None:
    memory = NoPrefixes()
    memory.create_bucket("real")
    memory.put("real", "a", b"a stranger's")
    rooms = RoomStore(memory, {"room": Room("real", PREFIX)})
    with pytest.raises(StoreError, match="lists keys outside this prefix"):
        rooms.list_object_versions("room")


@pytest.mark.parametrize("prefix", ["", "/", "a", "/a/"])
def test_a_prefix_must_be_a_folder(prefix: str) -> None:
    """A prefix without its slash would include neighbours, and an empty one everything."""
    with pytest.raises(ValueError, match="expected a prefix"):
        Room("real", prefix)
