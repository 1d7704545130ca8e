"""The bodies of CloudTrail logs: one JSON document each, without a final newline."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from random import Random

from log_aggregator_lab.organisation.compression import gzip_member
from log_aggregator_lab.organisation.events import record_templates

EVENT_SPAN = timedelta(minutes=14)
"""How long before its own time a log with several records begins; its newest record has exactly
that time.
"""

# Records in a log, and its size as stored (measured at gzip level 6).
_SIZES = (
    (1, 684),
    (2, 962),
    (5, 1_398),
    (10, 2_406),
    (20, 3_740),
    (40, 6_011),
    (80, 10_733),
    (160, 19_362),
)
_LARGE_PATTERN_RECORDS = 64


@dataclass(frozen=True, slots=True)
class CloudTrailDocument:
    """Everything that determines a CloudTrail log's content."""

    seed: str
    account: str
    region: str
    time: datetime
    record_count: int
    large_size_bytes: int = 0
    """A large document repeats its records until it has about this size; 0: not large."""

    @property
    def newest(self) -> datetime:
        return self.time

    @property
    def oldest(self) -> datetime:
        return self.time - EVENT_SPAN if self.record_count > 1 else self.time


def record_count_for(size_bytes: int) -> int:
    """How many records make a log of about this size as stored."""
    ends = [second for second in _SIZES[1:] if size_bytes <= second[1]] or [_SIZES[-1]]
    count_end, bytes_end = ends[0]
    count_start, bytes_start = _SIZES[_SIZES.index(ends[0]) - 1]
    return max(
        1,
        round(
            count_start
            + (size_bytes - bytes_start) * (count_end - count_start) / (bytes_end - bytes_start)
        ),
    )


def large_document(
    seed: str, account: str, region: str, time: datetime, size_bytes: int
) -> CloudTrailDocument:
    return CloudTrailDocument(seed, account, region, time, _LARGE_PATTERN_RECORDS, size_bytes)


def cloudtrail_log(document: CloudTrailDocument, level: int) -> bytes:
    """The gzip object. A large one is stored without compression, so that it is made fast and has
    the size that was asked for.
    """
    return gzip_member(cloudtrail_bytes(document), 0 if document.large_size_bytes else level)


def cloudtrail_bytes(document: CloudTrailDocument) -> bytes:
    """The JSON document, which digests hash."""
    records = ",".join(_records(document)).encode()
    repeats = max(1, round(document.large_size_bytes / (len(records) + 1)))
    return b'{"Records":[' + b",".join([records] * repeats) + b"]}"


@lru_cache(maxsize=256)
def pooled_cloudtrail_log(
    number: int, account: str, region: str, time: datetime, record_count: int, level: int, seed: int
) -> bytes:
    """One of a few logs that are used repeatedly."""
    return cloudtrail_log(
        CloudTrailDocument(f"{seed}/pool/{number}", account, region, time, record_count), level
    )


def _records(document: CloudTrailDocument) -> Iterator[str]:
    random = Random(document.seed)
    count = document.record_count
    templates = random.choices(record_templates(document.account, document.region), k=count)
    noise = random.randbytes(54 * count).hex()
    span_seconds = (document.newest - document.oldest).seconds
    for number, template in enumerate(templates):
        hexes = noise[108 * number : 108 * number + 108]
        time = document.oldest + timedelta(seconds=span_seconds * number // max(count - 1, 1))
        yield template % (
            hexes[:10].upper(),
            time.isoformat()[:19],
            hexes[10:27],
            _uuid(hexes[27:59]),
            _uuid(hexes[59:91]),
            hexes[91:108],
        )


def _uuid(hexes: str) -> str:
    return f"{hexes[:8]}-{hexes[8:12]}-4{hexes[13:16]}-a{hexes[17:20]}-{hexes[20:32]}"
