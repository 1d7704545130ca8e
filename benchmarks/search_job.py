"""Merging alone in a process: reads from its input how many packs and terms there are, and prints
how long it took, and how much memory.

The terms lie in a folder, not in memory, as they would lie in S3.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import cast

from benchmarks.apart import read_peak_bytes
from benchmarks.generated import GeneratedStore
from benchmarks.searching import TARGET, Estate

from log_aggregator.core.terms.model import Field, Sighting, Term, TermsHead
from log_aggregator.core.terms.packterms import encode_terms
from log_aggregator.errors import NotFound
from log_aggregator.ports.store import Body, ListStart, ObjectStore, Page, WriteOptions
from log_aggregator.settings import Settings
from log_aggregator.steps.search.merge import Merging, merge_terms
from log_aggregator.wiring import make_workers

DAY = date(2026, 3, 14)
MIDNIGHT = 1_773_446_400
SHARED = tuple(f"s3:operation{number}" for number in range(200))


def main() -> int:
    told = json.load(sys.stdin)
    estate = Estate(1, told["accounts"])
    with tempfile.TemporaryDirectory() as folder:
        store = FolderStore(Path(folder))
        keys = [f"packs/{estate.name(number, DAY)}" for number in range(estate.accounts)]
        for key in keys:
            store.keep(TARGET.terms_key(key), _encode(key, told["terms"]))
        before = read_peak_bytes()
        began = time.perf_counter()
        with make_workers(Settings()) as workers:
            merging = Merging(cast("ObjectStore", store), workers, TARGET, WriteOptions(), DAY)
            result = merge_terms(merging, keys)
        seconds = time.perf_counter() - began
    if result.failures or result.packs != len(keys):
        return 1
    measured = {
        "rows": result.rows,
        "seconds": seconds,
        "start_bytes": before,
        "peak_bytes": read_peak_bytes(),
        "table_bytes": store.written_bytes,
    }
    print(json.dumps(measured))
    return 0


def _encode(key: str, terms: int) -> bytes:
    """Half of the terms are random ids, as session keys are; the others are events that all have,
    addresses and names.
    """
    chance = random.Random(key)
    sightings = sorted(_sightings(chance, terms), key=lambda each: each.term)
    return encode_terms(TermsHead(key, 100), sightings)


def _sightings(chance: random.Random, terms: int) -> Iterator[Sighting]:
    for number in range(terms):
        first = MIDNIGHT + chance.randrange(80_000)
        last = first + chance.randrange(6_000)
        yield Sighting(_term(chance, number, terms), chance.randrange(1, 99), first, last, (0,))


def _term(chance: random.Random, number: int, terms: int) -> Term:
    if number < len(SHARED):
        return Term(Field.EVENT, SHARED[number])
    if number < terms // 2:
        return Term(Field.ADDRESS, f"10.{number % 200}.{chance.randrange(256)}.{number % 256}")
    return Term(Field.ACCESS_KEY, f"ASIA{chance.getrandbits(64):016X}")


class FolderStore(GeneratedStore):
    """Objects in a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__({}, b"")
        self.written_bytes = 0
        self._folder = folder

    def keep(self, key: str, data: bytes) -> None:
        (self._folder / key.replace("/", "_")).write_bytes(data)

    def list_objects(
        self, bucket: str, *, prefix: str = "", start: ListStart | None = None
    ) -> Page:
        return Page(())

    def get_object(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str | None = None,
        if_match: str | None = None,
        byte_range: tuple[int, int] | None = None,
    ) -> Body:
        path = self._folder / key.replace("/", "_")
        if not path.exists():
            raise NotFound(key, code="NoSuchKey", operation="GetObject")
        return Body(path.read_bytes())

    def put_object(
        self,
        bucket: str,
        key: str,
        data: bytes | bytearray,
        *,
        crc64nvme: int,
        options: WriteOptions,
    ) -> None:
        self.written_bytes += len(data)


if __name__ == "__main__":
    sys.exit(main())
