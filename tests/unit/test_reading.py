"""Packs from Python: the same bytes as from the command line, and nothing that writes."""

from __future__ import annotations

import gzip
import inspect
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.golden.golden_formats import COPY_BYTES, COPY_INDEX
from tests.golden.golden_packs import FOLDER, ORIGINALS
from tests.support.waiting import SECONDS_MAX
from tests.support.world import (
    ACCOUNT,
    DAY,
    World,
    document,
    flow_key,
    make_world,
    pack_gzip,
    trail_key,
)

from log_aggregator import errors, reading
from log_aggregator.adapters.local_files import LocalFiles
from log_aggregator.adapters.read_only import READS, ReadOnlyStore
from log_aggregator.model import Target
from log_aggregator.ports.store import Deletion, ObjectStore, WriteOptions
from log_aggregator.reading import (
    AccessDenied,
    Archive,
    BadPack,
    IncompleteSearch,
    Member,
    NoLines,
    NotFound,
    ObjectFrozen,
    Pack,
    SettingsError,
    VerificationError,
    open_archive,
    read_index,
    read_pack,
)
from log_aggregator.steps.workers import SerialWorkers

GZIP, TAR, COPY = FOLDER / "gzip.json.gz", FOLDER / "tar.tar", FOLDER / "copy.bin"


@pytest.fixture
def world() -> World:
    """Packed: two CloudTrail logs, and a flow log."""
    made = make_world()
    for number in (1, 2):
        made.put("logs", trail_key(number), document(number))
    made.put("logs", flow_key("a.log.gz"), pack_gzip(b"flow one\nflow two"))
    assert made.run().failures == []
    return made


def archive_of(world: World) -> Archive:
    return Archive(ReadOnlyStore(world.store), SerialWorkers(), world.targets)


# Packs of an archive


def test_packs_are_found_by_what_is_asked(world: World) -> None:
    """Each condition alone; a pack tells its group, its place and its size."""
    archive = archive_of(world)
    assert [pack.log_type for pack in archive.packs()] == ["CloudTrail", "vpcflowlogs"]
    for asked in (
        {"log_type": "cloudtrail"},
        {"key": "*_CloudTrail_*"},
        {"key": f"s3://logs/{trail_key(1)}"},
    ):
        (pack,) = archive.packs(**asked)
        assert (pack.log_type, pack.account, pack.bucket, pack.date, pack.format) == (
            "CloudTrail",
            ACCOUNT,
            "logs",
            DAY,
            "gzip",
        )
        assert pack.where == f"s3://dest/{pack.key}"
        assert pack.size_bytes == world.store.head_object("dest", pack.key).size_bytes
    assert len(list(archive.packs(account=ACCOUNT, bucket="logs", region="eu-west-1"))) == 2
    assert list(archive.packs(account="999999999999")) == []


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({"day": "2025-04-03"}, 2),
        ({"day": DAY}, 2),
        ({"day": "2025-04-02"}, 0),
        ({"first": DAY}, 2),
        ({"last": date(2025, 4, 2)}, 0),
        ({"first": "2025-04-03T02:00", "log_type": "CloudTrail"}, 1),
        ({"first": datetime(2025, 4, 3, 3, tzinfo=UTC), "log_type": "CloudTrail"}, 0),
        ({"last": datetime(2025, 4, 3, 1, 30), "log_type": "CloudTrail"}, 1),  # noqa: DTZ001 - UTC
    ],
)
def test_days_and_moments(world: World, asked: dict[str, Any], count: int) -> None:
    """A date is a whole day, and both ends belong to a range."""
    assert len(list(archive_of(world).packs(**asked))) == count


@pytest.mark.parametrize(
    "asked",
    [
        {"account": "1234"},
        {"log_type": "Cloud/Trail"},
        {"day": "yesterday"},
        {"day": DAY, "first": DAY},
    ],
)
def test_what_cannot_be_meant_is_said_before_anything_is_read(
    world: World, asked: dict[str, Any]
) -> None:
    with pytest.raises(SettingsError):
        archive_of(world).packs(**asked)


def test_originals_come_back(world: World) -> None:
    """Bytes, metadata and addresses, one by one and all together; a second time, too."""
    expected = {stored.source.key: stored.data for stored in world.originals}
    packs = list(archive_of(world).packs())
    for _ in range(2):
        one_by_one = {each.key: each.read() for pack in packs for each in pack.members()}
        together = {each.key: data for pack in packs for each, data in pack.originals()}
        assert one_by_one == together == expected
    member = next(packs[0].members())
    assert member.where == f"s3://logs/{trail_key(1)}"
    assert len(packs[0]) == 2


def test_only_what_was_asked_for_is_a_member(world: World) -> None:
    (pack,) = archive_of(world).packs(key=trail_key(2))
    assert [member.key for member in pack.members()] == [trail_key(2)]
    assert [member.key for member, _ in pack.originals()] == [trail_key(2)]


def test_records_of_documents_and_lines(world: World) -> None:
    """CloudTrail's `Records`; text that is not JSON has lines only."""
    trails, flows = archive_of(world).packs()
    assert list(trails.records()) == [{"n": 1}, {"n": 2}]
    (flow,) = flows.members()
    assert list(flow.lines()) == [b"flow one", b"flow two"]
    with pytest.raises(NoLines, match=r"a\.log\.gz: it is text, and not JSON"):
        list(flow.records())


@pytest.mark.parametrize(
    ("text", "records"),
    [
        ('{"configurationItems": [{"a": 1}, {"a": 2}]}', [{"a": 1}, {"a": 2}]),
        ('{"a": 1}\n{"a": 2}\n', [{"a": 1}, {"a": 2}]),
        ('{"a": {"Records": []}}', [{"a": {"Records": []}}]),
        ('{"Records": "none"}', [{"Records": "none"}]),
    ],
)
def test_what_records_are(text: str, records: list[Any]) -> None:
    assert list(reading._iter_records(gzip.compress(text.encode()), "x")) == records


def test_an_error_never_quotes_a_log() -> None:
    for data in (b'{"secret": 1', b"secret", b'"secret"', b"secret\x00"):
        with pytest.raises(NoLines) as caught:
            list(reading._iter_records(data, "where"))
        assert "secret" not in str(caught.value)
        assert caught.value.__cause__ is None


def test_a_frozen_pack_has_to_be_thawed() -> None:
    """The error has a type of its own, and says how."""
    world = make_world(storage_class="DEEP_ARCHIVE")
    world.put("logs", trail_key(1), document(1))
    assert world.run().failures == []
    (pack,) = archive_of(world).packs()
    assert pack.storage_class == "DEEP_ARCHIVE"
    for read in (next(pack.members()).read, pack.verify, lambda: list(pack.records())):
        with pytest.raises(ObjectFrozen) as caught:
            read()
        assert "log-aggregator thaw" in caught.value.advice


def test_a_damaged_member_is_not_given(world: World) -> None:
    (pack,) = archive_of(world).packs(log_type="CloudTrail")
    damage(world, pack.key)
    with pytest.raises((VerificationError, BadPack)):
        [member.read() for member in pack.members()]
    with pytest.raises((VerificationError, BadPack)):
        list(pack.originals())
    with pytest.raises((VerificationError, BadPack)):
        pack.verify()


def damage(world: World, key: str) -> None:
    data = bytearray(world.store.get_object("dest", key).data)
    data[30] ^= 1
    stored = world.store.head_object("dest", key)
    world.store.delete_objects("dest", [Deletion(key, stored.version_id, stored.etag)])
    world.store.put("dest", key, bytes(data))


def test_a_pack_without_an_index_is_said_at_the_end(world: World) -> None:
    keys = [pack.key for pack in archive_of(world).packs()]
    index_key = Target("dest").index_key(keys[0])
    stored = world.store.head_object("dest", index_key)
    world.store.delete_objects("dest", [Deletion(index_key, stored.version_id, stored.etag)])
    found = archive_of(world).packs()
    assert next(found).key == keys[1]
    with pytest.raises(IncompleteSearch):
        next(found)


def test_a_good_pack_is_verified(world: World) -> None:
    for pack in archive_of(world).packs():
        pack.verify()


# Files on disk


@pytest.mark.parametrize("path", [GZIP, TAR], ids=lambda path: str(path.name))
def test_a_pack_on_disk_needs_nothing_else(path: Path, tmp_path: Path) -> None:
    """Its index is in its own tail, whatever the file is called; every member comes back."""
    renamed = tmp_path / "downloaded"
    shutil.copy(path, renamed)
    pack = read_pack(renamed)
    assert (pack.where, pack.size_bytes) == (str(renamed), path.stat().st_size)
    for member in pack.members():
        data, metadata = ORIGINALS[member.key]
        assert (member.read(), dict(member.metadata)) == (data, metadata)
        assert member.content_type == "text/plain"
    assert {each.key: data for each, data in pack.originals()} == {
        member.key: ORIGINALS[member.key][0] for member in pack.members()
    }
    pack.verify()


def test_both_golden_packs_hold_all_originals() -> None:
    keys = [member.key for path in (GZIP, TAR) for member in read_pack(path).members()]
    assert sorted(keys) == sorted(ORIGINALS)


@pytest.mark.parametrize(("pack", "index"), [(GZIP, "gzip"), (TAR, "tar"), (COPY, "copy")])
def test_an_index_beside_it_may_be_named(pack: Path, index: str) -> None:
    """A copy has none of its own."""
    found = read_pack(pack, FOLDER / f"{index}.index.jsonl.gz")
    assert len(found) == len(list(found.originals()))
    found.verify()


def test_a_copy_comes_back() -> None:
    (member,) = read_pack(COPY, FOLDER / "copy.index.jsonl.gz").members()
    assert member.read() == COPY_BYTES
    assert (member.sha256, member.is_latest, member.flags) == (None, False, ("identity-unknown",))
    assert (member.key, member.version_id) == (COPY_INDEX.members[0].key, "v-1")


def test_an_index_alone_lists_and_does_not_read() -> None:
    pack = read_index(FOLDER / "gzip.index.jsonl.gz")
    assert [each.key for each in pack.members()] == [each.key for each in read_pack(GZIP).members()]
    assert pack.size_bytes is None
    with pytest.raises(NotFound):
        next(pack.members()).read()


@pytest.mark.parametrize("path", [GZIP, TAR], ids=lambda path: str(path.name))
def test_damage_anywhere_in_a_file_is_found(path: Path, tmp_path: Path) -> None:
    """By `verify`, or when it is opened; no changed byte of a member is ever given."""
    data, changed = path.read_bytes(), tmp_path / path.name
    for position in range(0, len(data), 83):
        changed.write_bytes(data[:position] + bytes([data[position] ^ 4]) + data[position + 1 :])
        with pytest.raises((BadPack, VerificationError)):
            read_pack(changed).verify()
        try:
            originals = list(read_pack(changed).originals())
        except (BadPack, VerificationError):
            continue
        assert all(ORIGINALS[member.key][0] == found for member, found in originals)


def test_another_packs_index_is_noticed() -> None:
    with pytest.raises((BadPack, VerificationError)):
        read_pack(TAR, FOLDER / "gzip.index.jsonl.gz").verify()


@pytest.mark.parametrize(
    "data",
    [b"", b"no pack", bytes(2048), pack_gzip(b"text")],
    ids=["empty", "text", "zeros", "gzip"],
)
def test_what_is_no_pack_is_refused(data: bytes, tmp_path: Path) -> None:
    """The file is named in a note, and in the message where it is about the tail."""
    path = tmp_path / "x.gz"
    path.write_bytes(data)
    for read in (read_pack, read_index):
        with pytest.raises(BadPack) as caught:
            read(path)
        assert caught.value.__notes__ == [f"while reading {path}"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for read in (read_pack, read_index):
        with pytest.raises(NotFound, match=r"nowhere\.gz: No such file"):
            read(tmp_path / "nowhere.gz")


def test_an_index_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    lines = gzip.decompress((FOLDER / "gzip.index.jsonl.gz").read_bytes()).splitlines()
    head = json.loads(lines[0]) | {"account": "222222222222"}
    path = tmp_path / "x.index.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n".join([json.dumps(head).encode(), *lines[1:], b""])))
    with pytest.raises(BadPack, match="another group"):
        read_index(path)


def test_a_file_that_changes_meanwhile_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(b"12345")
    files = LocalFiles({("b", "k"): path})
    etag = files.head_object("b", "k").etag
    path.write_bytes(b"123456")
    os.utime(path, ns=(1, 1))
    with pytest.raises(errors.PreconditionFailed):
        files.get_object("b", "k", if_match=etag)


# Nothing that writes


def calls_of(store: ObjectStore) -> Iterator[tuple[str, Any]]:
    options, part = WriteOptions(), b""
    yield "put_object", lambda: store.put_object("b", "k", part, crc64nvme=0, options=options)
    yield "delete_objects", lambda: store.delete_objects("b", [Deletion("k", "v")])
    yield "restore_object", lambda: store.restore_object("b", "k", days=1, tier="Bulk")
    yield (
        "create_multipart_upload",
        lambda: store.create_multipart_upload("b", "k", options=options),
    )
    yield "list_multipart_uploads", lambda: store.list_multipart_uploads("b", prefix="")


def test_nothing_is_written(world: World) -> None:
    """Whatever is not a read is refused before it is asked for."""
    before = world.store.list_object_versions("dest")
    for name, call in calls_of(ReadOnlyStore(world.store)):
        with pytest.raises(AccessDenied, match="for reading only"):
            call()
        assert name
    assert world.store.list_object_versions("dest") == before
    assert not any(
        read.startswith(("Put", "Delete", "Create", "Upload", "Complete", "Abort", "Restore"))
        for read in READS
    )


def test_an_archive_is_opened_for_reading_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "connect", lambda *_: make_world().store)
    with open_archive("s3://dest/aggregated") as archive:
        assert isinstance(archive._reader.store, ReadOnlyStore)
        assert archive._targets == (Target("dest", "aggregated/"),)


def test_a_settings_file_says_where_packs_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, world: World
) -> None:
    monkeypatch.setattr(reading, "connect", lambda *_: world.store)
    config = tmp_path / "aggregator.toml"
    config.write_text('destination_bucket = "dest"\nother_buckets = ["logs"]\n')
    with open_archive(settings=config) as archive:
        assert len(list(archive.packs())) == 2


@pytest.mark.parametrize(
    "asked", [{}, {"place": "s3://b", "settings": "x.toml"}, {"place": "bucket"}]
)
def test_where_packs_are_has_to_be_said_once(
    monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any]
) -> None:
    monkeypatch.setattr(reading, "connect", lambda *_: make_world().store)
    with pytest.raises(SettingsError):
        open_archive(**asked)


# The surface


def test_everything_public_is_documented() -> None:
    """Functions, classes and their methods."""
    for name in reading.__all__:
        found = getattr(reading, name)
        assert inspect.getdoc(found), name
        for method in vars(found).values() if inspect.isclass(found) else ():
            if inspect.isfunction(method) and not method.__name__.startswith("_"):
                assert inspect.getdoc(method), method.__qualname__


def test_members_and_packs_cannot_be_changed() -> None:
    pack = read_pack(GZIP)
    member = next(pack.members())
    for one in (pack, member):
        with pytest.raises(AttributeError):
            one.key = "other"  # type: ignore[misc]
    assert isinstance(pack, Pack)
    assert isinstance(member, Member)


def test_it_imports_no_client_before_it_is_needed() -> None:
    """A notebook that reads files on disk waits for no AWS client, and nothing else imports it."""
    code = (
        "import sys, log_aggregator.reading; found = set(sys.modules); "
        "print(sorted({'boto3', 'botocore', 'pycurl', 'click', 'rich', 'jinja2'} & found))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, timeout=SECONDS_MAX
    )
    assert done.stdout == b"[]\n"
