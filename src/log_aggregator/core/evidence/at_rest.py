"""Checks of packs at rest, by S3's own hashes of whole packs.

S3 Batch Operations hashes stored objects, frozen ones as well, without a thaw. A pack is good only
if exactly one task of the job was about this version of it, succeeded, and gave the hash that was
recorded when the pack was written. Anything else proves nothing about the pack.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-compute-checksums.html
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from log_aggregator.core.checksums import encode_crc64nvme


class Algorithm(StrEnum):
    """S3's names. SHA-256 is used if it is known for a pack; CRC64NVME is known for every pack."""

    SHA256 = "SHA256"
    CRC64NVME = "CRC64NVME"

    @property
    def bytes_count(self) -> int:
        return 32 if self is Algorithm.SHA256 else 8


class Verdict(StrEnum):
    """The verdict on one pack."""

    GOOD = "good"  # S3 holds the bytes that were written
    DAMAGED = "damaged"  # it holds other bytes, or the pack is gone
    UNPROVEN = "unproven"  # S3 did not hash it, so nothing is proven


@dataclass(frozen=True, slots=True)
class KnownHashes:
    """The hashes that a pack must have. There may be several records of its SHA-256 (the index's
    metadata, custody records); all must match.
    """

    crc64nvme: int
    sha256: tuple[tuple[str, str], ...] = ()
    """(source, hex)."""

    @property
    def algorithm(self) -> Algorithm:
        return Algorithm.SHA256 if self.sha256 else Algorithm.CRC64NVME

    def find_mismatch(self, algorithm: Algorithm, found: str) -> str | None:
        """Why the hash `found`, in base64, is not that of the pack as written; None if it is."""
        if algorithm is Algorithm.CRC64NVME:
            expected = encode_crc64nvme(self.crc64nvme)
            return None if found == expected else f"its CRC64NVME is {found}, and not {expected}"
        for source, claimed in self.sha256:
            expected = base64.b64encode(bytes.fromhex(claimed)).decode()
            if found != expected:
                return f"its SHA-256 is {found}; {source} says {expected}"
        return None


@dataclass(frozen=True, slots=True)
class HashTask:
    """One pack that S3 is asked to hash, in the version that was listed."""

    key: str
    version_id: str | None
    etag: str
    size_bytes: int
    algorithm: Algorithm


@dataclass(frozen=True, slots=True)
class HashRow:
    """A row of a completion report. `failure` is empty if the task succeeded."""

    bucket: str
    key: str
    version_id: str | None
    failure: str = ""
    checksum: str = ""
    """Base64, as S3 writes it."""
    algorithm: str = ""
    type: str = ""
    etag: str = ""


@dataclass(frozen=True, slots=True)
class PackAtRest:
    """The result for one pack, as it is written in a custody record."""

    key: str
    size_bytes: int
    algorithm: Algorithm
    verdict: Verdict
    reason: str = ""
    """Why it is not good; empty if it is."""
    checksum: str = ""
    """What S3 computed, in base64; empty if it computed none."""


@dataclass(frozen=True, slots=True)
class AtRestCheck:
    """The result of one check of packs at rest; it has its own kind of custody record."""

    check: str
    """Its name: the folder under `at-rest/` that holds its manifests, jobs and reports."""
    jobs: tuple[str, ...]
    """S3's ids of its jobs."""
    dollars: float
    """Estimated before it began."""
    packs: tuple[PackAtRest, ...]
    foreign_rows: int = 0
    """Rows of the reports about objects that were not asked for."""
    skipped: int = 0
    """Adopted aggregates, which have no recorded hash of the whole."""

    def count(self, verdict: Verdict) -> int:
        return sum(pack.verdict is verdict for pack in self.packs)

    @property
    def good_bytes(self) -> int:
        return sum(pack.size_bytes for pack in self.packs if pack.verdict is Verdict.GOOD)

    @property
    def is_good(self) -> bool:
        """Whether every pack is good, and the reports have no other rows."""
        return not self.foreign_rows and self.count(Verdict.GOOD) == len(self.packs)


def judge(
    bucket: str,
    tasks: Sequence[HashTask],
    known: Mapping[str, KnownHashes],
    rows: Iterable[HashRow],
    absent: str,
) -> tuple[list[PackAtRest], int]:
    """(the result for each pack, the number of rows about something else). `absent` says why a pack
    may have no row.
    """
    wanted = {(task.key, task.version_id): task for task in tasks}
    found: dict[str, list[HashRow]] = {}
    foreign = 0
    for row in rows:
        if row.bucket == bucket and (row.key, row.version_id) in wanted:
            found.setdefault(row.key, []).append(row)
        else:
            foreign += 1
    return [_judge(task, known, found.get(task.key, ()), absent) for task in tasks], foreign


def _judge(
    task: HashTask, known: Mapping[str, KnownHashes], rows: Sequence[HashRow], absent: str
) -> PackAtRest:
    def say(verdict: Verdict, reason: str = "", checksum: str = "") -> PackAtRest:
        return PackAtRest(task.key, task.size_bytes, task.algorithm, verdict, reason, checksum)

    if not rows:
        return say(Verdict.UNPROVEN, f"S3's report has no row about it: {absent}")
    if len(rows) > 1:
        return say(Verdict.UNPROVEN, f"S3's report has {len(rows)} rows about it; expected one")
    row, hashes = rows[0], known.get(task.key)
    if problem := next(_problems(task, row), None):
        return say(Verdict.UNPROVEN, problem)
    if hashes is None:
        return say(Verdict.UNPROVEN, "its index can no longer be read", row.checksum)
    if task.algorithm is Algorithm.SHA256 and not hashes.sha256:
        return say(Verdict.UNPROVEN, "its SHA-256 is no longer known", row.checksum)
    mismatch = hashes.find_mismatch(task.algorithm, row.checksum)
    return say(Verdict.DAMAGED if mismatch else Verdict.GOOD, mismatch or "", row.checksum)


def _problems(task: HashTask, row: HashRow) -> Iterator[str]:
    """Why a row proves nothing."""
    if row.failure:
        yield f"S3 could not hash it: {row.failure}"
    if row.algorithm != task.algorithm.value or row.type != "FULL_OBJECT":
        yield f"S3 computed {row.algorithm or 'no hash'}, {row.type or 'of an unknown type'}"
    if row.etag != task.etag:
        yield f"S3 hashed an object with another ETag, {row.etag or 'unknown'}"
    try:
        is_whole = len(base64.b64decode(row.checksum, validate=True)) == task.algorithm.bytes_count
    except (binascii.Error, ValueError):
        is_whole = False
    if not is_whole:
        yield "S3's hash cannot be read"


def describe_check(check: AtRestCheck) -> dict[str, Any]:
    """Its part of the first line of a custody record; its packs follow as lines."""
    return {
        "check": check.check,
        "jobs": list(check.jobs),
        "dollars": check.dollars,
        "foreign_rows": check.foreign_rows,
        "skipped": check.skipped,
    }


def describe_pack(pack: PackAtRest) -> dict[str, Any]:
    return {
        "key": pack.key,
        "size_bytes": pack.size_bytes,
        "algorithm": pack.algorithm.value,
        "verdict": pack.verdict.value,
        "reason": pack.reason,
        "checksum": pack.checksum,
    }


def parse_check(head: Mapping[str, Any], lines: Iterable[Mapping[str, Any]]) -> AtRestCheck:
    """The inverse of both. Raises errors that `decoding` turns into BadPack."""
    return AtRestCheck(
        str(head["check"]),
        tuple(map(str, head["jobs"])),
        float(head["dollars"]),
        tuple(map(parse_pack, lines)),
        int(head["foreign_rows"]),
        int(head["skipped"]),
    )


def parse_pack(line: Mapping[str, Any]) -> PackAtRest:
    return PackAtRest(
        str(line["key"]),
        int(line["size_bytes"]),
        Algorithm(line["algorithm"]),
        Verdict(line["verdict"]),
        str(line["reason"]),
        str(line["checksum"]),
    )
