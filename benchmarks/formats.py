"""Other ways to keep a day's logs: the bytes, the CPU of making them out of what AWS delivers, and
what has to be read to get one log back.
"""

from __future__ import annotations

import gzip
import io
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet
from benchmarks.everyday import Account
from benchmarks.report import Options, Outcome, Table

from log_aggregator_lab.organisation.compression import gzip_member

Originals = Sequence[bytes]
DAY = datetime(2026, 3, 14, tzinfo=UTC)
ROWS_OF_A_GROUP = 100
ROUNDS = 3
SECONDS_MAX = 5


def measure(options: Options) -> Outcome:
    count = 100 if options.is_quick else 1_000
    originals = [gzip_member(each) for each in Account(0).logs(DAY, count)]
    columns = {
        "kept as": "",
        "MB": ".2f",
        "of the originals": ".0%",
        "ms CPU a log": ".2f",
        "KB to read for one log": ",.0f",
        "gives the delivered file back": "",
    }
    table = Table(f"{count:,} CloudTrail logs of 8 KB, kept in other ways", columns)
    total = sum(map(len, originals))
    for name, (make, is_exact) in WAYS.items():
        size, milliseconds = _time(make, originals)
        alone = {"originals, joined": 1, "Parquet, zstd": ROWS_OF_A_GROUP}.get(name, count / 2)
        row = (name, size / 1e6, size / total, milliseconds, size / count * alone / 1e3, is_exact)
        table.rows.append(row)
    notes = [
        (
            "The logs are those of benchmarks/everyday.py, whose values repeat as in a real "
            "account. Joined is what a gzip pack does, without its index; each log is inflated "
            "once, to see that it is whole."
        ),
        (
            "A stream is read from its beginning, so half of it on average. In Parquet, a log's "
            f"document is one value, in row groups of {ROWS_OF_A_GROUP}."
        ),
    ]
    return Outcome([table], notes, is_quick=options.is_quick)


def join(originals: Originals) -> int:
    """As a pack does: the bytes stay, and are looked through once."""
    for each in originals:
        inflate(each)
    return len(b"".join(originals))


def gzip_stream(originals: Originals) -> int:
    return len(gzip.compress(b"".join(map(inflate, originals)), 6))


def zstd_stream(level: int) -> Callable[[Originals], int]:
    def make(originals: Originals) -> int:
        codec = pa.Codec("zstd", compression_level=level)
        return len(codec.compress(b"".join(map(inflate, originals)), asbytes=True))

    return make


def parquet(originals: Originals) -> int:
    documents = pa.table({"document": list(map(inflate, originals))})
    file = io.BytesIO()
    pyarrow.parquet.write_table(
        documents, file, compression="zstd", row_group_size=ROWS_OF_A_GROUP, use_dictionary=False
    )
    return len(file.getvalue())


def inflate(original: bytes) -> bytes:
    return zlib.decompress(original, wbits=31)


WAYS: Mapping[str, tuple[Callable[[Originals], int], str]] = {
    "originals, joined": (join, "yes"),
    "one gzip stream": (gzip_stream, "no"),
    "one zstd stream, level 3": (zstd_stream(3), "no"),
    "one zstd stream, level 19": (zstd_stream(19), "no"),
    "Parquet, zstd": (parquet, "no"),
}


def _time(make: Callable[[Originals], int], originals: Originals) -> tuple[int, float]:
    """The bytes, and the least milliseconds of CPU for each log in some rounds."""
    taken = []
    for _ in range(ROUNDS):
        began = time.process_time()
        size = make(originals)
        taken.append(time.process_time() - began)
        if taken[-1] > SECONDS_MAX:
            break
    return size, min(taken) / len(originals) * 1000
