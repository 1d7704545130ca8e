"""Packs written in the past must stay readable, and be written the same way."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from tests.golden.golden_packs import FOLDER, FORMATS, ORIGINALS, TARGET, make_packs
from tests.support.waiting import SECONDS_MAX

from log_aggregator.core.checksums import crc64nvme
from log_aggregator.core.packformat import expected_pack
from log_aggregator.core.packformat.index import decode_index, encode_index
from log_aggregator.core.packformat.tail import decode_tail, encode_tail
from log_aggregator.errors import BadPack, VerificationError
from log_aggregator.model import Index, PackFormat
from log_aggregator.steps.packs.verify import verify_pack
from log_aggregator.steps.rules import Level
from log_aggregator_lab.stores.memory import MemoryStore
from log_aggregator_lab.unpacking import unpack_member

GZIP, TAR = FOLDER / "gzip.json.gz", FOLDER / "tar.tar"
BOTH = list(FORMATS)


def read(pack_format: str) -> tuple[bytes, Index, bytes]:
    """(the pack, its index, the index's bytes)."""
    data = (FOLDER / f"{pack_format}.index.jsonl.gz").read_bytes()
    return (FOLDER / f"{pack_format}.{FORMATS[pack_format]}").read_bytes(), decode_index(data), data


def run(*command: str, stdin: bytes | None = None) -> bytes:
    """The output of a real program. It must succeed without any message."""
    done = subprocess.run(
        command, input=stdin, capture_output=True, check=True, timeout=SECONDS_MAX
    )
    assert done.stderr == b""
    return done.stdout


def same_zlib() -> bool:
    """Whether this machine's zlib deflates the golden text to the golden bytes; others may differ
    and be right too.
    """
    _, index, data = read("gzip")
    return encode_index(index) == data


@pytest.mark.parametrize("pack_format", BOTH)
def test_every_original_comes_back_from_the_golden_packs(pack_format: str) -> None:
    """Bytes, metadata and flags of every member of the golden packs are unchanged."""
    pack, index, _ = read(pack_format)
    for member in index.members:
        data, metadata = ORIGINALS[member.key]
        assert (
            unpack_member(member, pack[member.offset : member.offset + member.length_bytes]) == data
        )
        assert (dict(member.metadata), member.content_type) == (metadata, "text/plain")
    assert (crc64nvme(pack), len(pack)) == expected_pack(index, read(pack_format)[2])[::-1]


def test_the_golden_packs_hold_every_original() -> None:
    """Together the golden packs have all the originals, in every encoding."""
    members = [member for pack_format in BOTH for member in read(pack_format)[1].members]
    assert sorted(member.key for member in members) == sorted(ORIGINALS)
    assert {member.encoding.value for member in members} == {"raw", "block", "sealed"}


@pytest.mark.parametrize("pack_format", BOTH)
def test_the_tail_is_the_index(pack_format: str) -> None:
    """Each golden pack's tail decodes to the index stored next to it, and encodes to the same
    bytes.
    """
    pack, index, data = read(pack_format)
    tail = pack[index.content_length_bytes :]
    assert decode_tail(PackFormat(pack_format), tail) == data
    assert encode_tail(PackFormat(pack_format), data, index.content_length_bytes) == tail


@pytest.mark.parametrize("pack_format", BOTH)
def test_golden_packs_are_written_the_same_way(pack_format: str) -> None:
    """The same log objects give the golden bytes again; another zlib gives packs of the same
    content, places and hashes.
    """
    made = make_packs()
    pack, index, data = read(pack_format)
    if same_zlib():
        assert made[f"{pack_format}.{FORMATS[pack_format]}"] == pack
        assert made[f"{pack_format}.index.jsonl.gz"] == data
    again = decode_index(made[f"{pack_format}.index.jsonl.gz"])
    assert [
        (member.identity, member.sha256, member.encoding, member.flags) for member in again.members
    ] == [
        (member.identity, member.sha256, member.encoding, member.flags) for member in index.members
    ]
    assert again.pack_key == index.pack_key


EXPECTED_LINES = [{"Records": []}, {"Records": []}, {"text": 1}, {"text": 2}]


@pytest.mark.skipif(shutil.which("gzip") is None, reason="gzip is not installed")
def test_gzip_can_read_the_gzip_pack() -> None:
    """`gzip -t` finds nothing wrong, and `zcat` gives one document per line, except two that were
    one object's members.
    """
    run("gzip", "-t", str(GZIP))
    text = run("gzip", "-dc", str(GZIP))
    assert (
        text
        == gzip.decompress(GZIP.read_bytes())
        == b'{"Records":[]}\n{"Records":[]}{"Records":[]}\n{"text":1}\n{"text":2}\n'
    )


def test_every_line_is_json() -> None:
    """A JSON reader accepts each line of the inflated pack; jq, where installed, agrees."""
    lines = [
        line
        for line in gzip.decompress(GZIP.read_bytes()).splitlines()
        if line.count(b"Records") < 2
    ]
    assert [json.loads(line) for line in lines] == [EXPECTED_LINES[0], *EXPECTED_LINES[2:]]
    for line in lines:
        run(sys.executable, "-m", "json.tool", "--compact", stdin=line)
    if shutil.which("jq"):
        everything = run("jq", "-c", ".", stdin=gzip.decompress(GZIP.read_bytes()))
        assert [json.loads(line) for line in everything.splitlines()] == [
            EXPECTED_LINES[0],
            *EXPECTED_LINES,
        ]


@pytest.mark.skipif(shutil.which("tar") is None, reason="tar is not installed")
def test_tar_can_read_the_tar_pack() -> None:
    """`tar tvf` lists the keys and the index, `tar xO` gives the originals, and gzip inflates the
    index's entry.
    """
    listing = run("tar", "tvf", str(TAR)).decode().splitlines()
    keys = [key for key in ORIGINALS if key.endswith(".parquet")]
    assert [line.split()[-1] for line in listing] == [
        *sorted(keys),
        ".log-aggregator/index.jsonl.gz",
    ]
    for key in keys:
        assert run("tar", "xOf", str(TAR), key) == ORIGINALS[key][0]
    entry = run("tar", "xOf", str(TAR), ".log-aggregator/index.jsonl.gz")
    assert gzip.decompress(entry) == gzip.decompress(read("tar")[2])


def test_pythons_tarfile_can_read_the_tar_pack() -> None:
    """The members' times and sizes are those of the originals."""
    with tarfile.open(fileobj=io.BytesIO(TAR.read_bytes())) as tar:
        infos = tar.getmembers()[:-1]
    assert [(info.size, info.mtime, info.mode) for info in infos] == [
        (member.size_bytes, int(member.last_modified.timestamp()), 0o644)
        for member in read("tar")[1].members
    ]


@pytest.mark.parametrize("pack_format", BOTH)
def test_damage_is_found_by_reading_back(pack_format: str) -> None:
    """Reading back finds a flipped bit or a cut anywhere, even if S3's checksum is that of the
    damage.
    """
    pack, index, data = read(pack_format)
    for position in range(0, len(pack), 7):
        flipped = (
            pack[:position] + bytes([pack[position] ^ (1 << position % 8)]) + pack[position + 1 :]
        )
        for damaged in (flipped, pack[:position]):
            with pytest.raises((VerificationError, BadPack)):
                verify(index, data, damaged)
    verify(index, data, pack)


def verify(index: Index, data: bytes, pack: bytes) -> None:
    store = MemoryStore()
    store.create_bucket("dest")
    store.put("dest", index.pack_key, pack, with_checksum=True)
    store.put("dest", TARGET.index_key(index.pack_key), data)
    verify_pack(store, TARGET, index.pack_key, Level.READ_BACK)


def test_the_golden_files_stay_small() -> None:
    """They are committed, so they stay small."""
    assert (
        sum(path.stat().st_size for path in (GZIP, TAR, *Path(FOLDER).glob("*.jsonl.gz"))) < 30_000
    )
