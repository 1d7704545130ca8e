"""Bodies that differ from what their names promise: whatever the pack, each comes back byte for
byte, and text is compressed whatever its name.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Mapping
from datetime import UTC, datetime
from random import Random

import pytest
from tests.support.world import (
    World,
    find_losses,
    left_in_place,
    make_world,
    pack_gzip,
    read_indexes,
)

from log_aggregator.core.planning import PackLimits
from log_aggregator.core.query import Query
from log_aggregator.model import PackFormat, Target
from log_aggregator.steps.retrieval.fetch import (
    Fetched,
    FetchProgress,
    VersionChoice,
    choose,
    fetch_all,
)
from log_aggregator.steps.retrieval.find import find
from log_aggregator.steps.workers import SerialWorkers
from log_aggregator_lab.organisation.text_documents import Origin, clb_line, empty_parquet

TARGET = Target("dest")
LINES = b"2025-04-03T10:00:00Z first\n2025-04-03T10:00:01Z second\n"


def zstd_frame(data: bytes) -> bytes:
    """RFC 8878: one raw block, with a content size of one byte."""
    return b"".join(
        (
            b"\x28\xb5\x2f\xfd\x20",
            bytes([len(data)]),
            (len(data) << 3 | 1).to_bytes(3, "little"),
            data,
        )
    )


def pack_named_gzip(data: bytes) -> bytes:
    """As `gzip app.log` writes it: with the file's name and time in the header."""
    stored = io.BytesIO()
    with gzip.GzipFile("app.log", "wb", fileobj=stored, mtime=1_743_674_400) as member:
        member.write(data)
    return stored.getvalue()


BODIES = {
    "members.log.gz": pack_gzip(LINES) + pack_gzip(b"third, without an end"),
    "members-of-nothing.log.gz": pack_gzip(b"") + pack_gzip(LINES) + pack_gzip(b""),
    "zeros.log.gz": pack_gzip(LINES) + bytes(512),
    "named-inside.log.gz": pack_named_gzip(LINES),
    "cut.log.gz": pack_gzip(LINES)[:-5],
    "text.log.gz": LINES,
    "table.gz": empty_parquet(Random(1)),
    "utf-16.log": LINES.decode().encode("utf-16"),
    "utf-16-big.txt": LINES.decode().encode("utf-16-be"),
    "broken.json": b'{"Records": [{"n": 1}, {"n": \n\n',
    "broken.json.gz": pack_gzip(b'{"Records": [}'),
    "two-documents.json": b'{"n": 1}{"n": 2}',
    "core": Random(2).randbytes(3000),
    "compressed.log": zstd_frame(LINES),
    "compressed.log.zst": zstd_frame(LINES),
    "table.parquet": empty_parquet(Random(3)),
    "empty-lines.log": b"\n\n\n",
    "carriage-returns.log": b"one\r\n\r\ntwo\r",
    "a-zero.log": b"\0",
    "gzip-in-text.out": pack_gzip(LINES),
}


class Kept:
    """Keeps what was extracted."""

    def __init__(self) -> None:
        self.originals: dict[str, bytes] = {}

    def take(self, original: Fetched) -> None:
        self.originals[original.member.key] = b"".join(original.pieces)


def declared_world(kind: str | None = None, limits: PackLimits | None = None) -> World:
    """A wide declaration never turns a table into a log, so the second one names tables."""
    patterns = {"app": "app/{YYYY-MM-DD}/{*}", "tables": "app/{YYYY-MM-DD}/{*}.parquet"}
    layouts = [
        {"name": name, "pattern": pattern} | ({"kind": kind} if kind else {})
        for name, pattern in patterns.items()
    ]
    return make_world(limits=limits, layouts=layouts, verify="read-back")


def put(world: World, bodies: Mapping[str, bytes]) -> dict[str, bytes]:
    """Store the bodies under their whole keys."""
    stored = {f"app/2025-04-03/{name}": body for name, body in bodies.items()}
    for key, body in stored.items():
        world.put("logs", key, body, content_type="application/octet-stream")
    return stored


def extract(world: World) -> dict[str, bytes]:
    packs = find(world.store, SerialWorkers(), [TARGET], Query())
    kept = Kept()
    wanted = choose(packs, VersionChoice())
    result = fetch_all(world.store, SerialWorkers(), wanted, kept, FetchProgress())
    assert result.failures == []
    return kept.originals


def formats(world: World) -> set[PackFormat]:
    return {index.format for index in read_indexes(world.store, TARGET).values()}


@pytest.mark.parametrize(
    ("kind", "limits", "wanted"),
    [
        (None, None, {PackFormat.GZIP, PackFormat.TAR}),
        ("gzip", None, {PackFormat.GZIP}),
        ("text", None, {PackFormat.GZIP}),
        ("binary", None, {PackFormat.TAR}),
        (None, PackLimits(copy_alone_bytes_min=1), {PackFormat.COPY}),
        (None, PackLimits(members_max=1), {PackFormat.GZIP, PackFormat.TAR}),
    ],
    ids=["by the bytes", "gzip", "text", "binary", "copied alone", "each in its own pack"],
)
def test_every_body_comes_back(
    kind: str | None, limits: PackLimits | None, wanted: set[PackFormat]
) -> None:
    """Packed, verified, deleted and extracted: nothing is left, and every byte comes back, even if
    most bodies are not what the declaration says.
    """
    world = declared_world(kind, limits)
    stored = put(world, BODIES)
    assert world.run().failures == []
    assert (left_in_place(world), find_losses(world)) == ([], [])
    assert extract(world) == stored
    assert formats(world) == wanted


@pytest.mark.parametrize("name", BODIES)
def test_a_body_alone_in_its_group(name: str) -> None:
    """Each body is both first and last of its pack, so that no neighbour hides a fault at
    its end.
    """
    world = declared_world()
    stored = put(world, {name: BODIES[name]})
    assert world.run().failures == []
    assert left_in_place(world) == []
    assert extract(world) == stored


@pytest.mark.parametrize("name", ["app.out", "trace.xml", "access.log.2025-04-03", "stdout"])
def test_text_is_compressed_whatever_its_suffix(name: str) -> None:
    """Text with a name that no table knows goes into a gzip pack, at less than a third of its size;
    a tar would take all of it.
    """
    origin, random = (
        Origin("111111111111", "eu-west-1", datetime(2025, 4, 3, tzinfo=UTC)),
        Random(4),
    )
    text = "".join(f"{clb_line(origin, random)}\n" for _ in range(500)).encode()
    world = declared_world()
    stored = put(world, {name: text})
    assert world.run().failures == []
    assert extract(world) == stored
    ((key, index),) = read_indexes(world.store, TARGET).items()
    assert index.format is PackFormat.GZIP
    assert world.store.head_object("dest", key).size_bytes * 3 < len(text)
