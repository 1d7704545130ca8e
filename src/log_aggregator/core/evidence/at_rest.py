"""What S3's own hashes of whole packs say: nouns, and how a pack is judged by them.

S3 Batch Operations hashes what it stores, frozen or not, without a thaw. A pack is good only where
exactly one task of the job was about this very version of it, succeeded, and gave the hash that is
known from when the pack was written. Whatever else there is says that nothing was shown of it.

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
    """By S3's name. SHA-256 wherever it is known; CRC64NVME is known of every pack."""

    SHA256 = "SHA256"
    CRC64NVME = "CRC64NVME"

    @property
    def bytes_count(self) -> int:
        return 32 if self is Algorithm.SHA256 else 8


class Verdict(StrEnum):
    """Of one pack."""

    GOOD = "good"  # S3 holds the very bytes that were written
    DAMAGED = "damaged"  # it holds others, or the pack is gone
    UNPROVEN = "unproven"  # S3 did not hash it, so nothing was shown


@dataclass(frozen=True, slots=True)
class KnownHashes:
    """What a pack must give. Of SHA-256 there may be several claims (the index's metadata, custody
    records); all of them must hold. Hex.
    """

    crc64nvme: int
    sha256: tuple[tuple[str, str], ...] = ()
    """(who says so, hex)."""

    @property
    def algorithm(self) -> Algorithm:
        return Algorithm.SHA256 if self.sha256 else Algorithm.CRC64NVME

    def find_mismatch(self, algorithm: Algorithm, found: str) -> str | None:
        """`found` in base64. Why it is not what was written; None where it is."""
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
    """One pack that S3 is asked to hash: the very version that was looked at."""

    key: str
    version_id: str | None
    etag: str
    size_bytes: int
    algorithm: Algorithm


@dataclass(frozen=True, slots=True)
class HashRow:
    """A row of a completion report. `failure` is empty where the task succeeded."""

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
    """What was found of one pack, as it stands in a custody record."""

    key: str
    size_bytes: int
    algorithm: Algorithm
    verdict: Verdict
    reason: str = ""
    """Why it is not good; empty where it is."""
    checksum: str = ""
    """What S3 computed, in base64; empty where it computed none."""


@dataclass(frozen=True, slots=True)
class AtRestCheck:
    """What one check of packs at rest found: in custody, a record of its own kind."""

    check: str
    """Its name: the folder under `at-rest/` that holds its manifests, jobs and reports."""
    jobs: tuple[str, ...]
    """S3's ids of its jobs."""
    dollars: float
    """As they were estimated before it began."""
    packs: tuple[PackAtRest, ...]
    foreign_rows: int = 0
    """Rows of the reports about what nobody asked for."""
    skipped: int = 0
    """Adopted aggregates, of which no hash of the whole is known."""

    def count(self, verdict: Verdict) -> int:
        return sum(pack.verdict is verdict for pack in self.packs)

    @property
    def good_bytes(self) -> int:
        return sum(pack.size_bytes for pack in self.packs if pack.verdict is Verdict.GOOD)

    @property
    def is_good(self) -> bool:
        """Every pack is, and the reports spoke of nothing else."""
        return not self.foreign_rows and self.count(Verdict.GOOD) == len(self.packs)


def judge(
    bucket: str,
    tasks: Sequence[HashTask],
    known: Mapping[str, KnownHashes],
    rows: Iterable[HashRow],
    absent: str,
) -> tuple[list[PackAtRest], int]:
    """(what each pack turns out to be, how many rows are about something else). `absent`: why a
    pack may have no row.
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
        return say(Verdict.UNPROVEN, "its index cannot be read any more", row.checksum)
    if task.algorithm is Algorithm.SHA256 and not hashes.sha256:
        return say(Verdict.UNPROVEN, "its SHA-256 is not known any more", row.checksum)
    mismatch = hashes.find_mismatch(task.algorithm, row.checksum)
    return say(Verdict.DAMAGED if mismatch else Verdict.GOOD, mismatch or "", row.checksum)


def _problems(task: HashTask, row: HashRow) -> Iterator[str]:
    """Why a row shows nothing."""
    if row.failure:
        yield f"S3 could not hash it: {row.failure}"
    if row.algorithm != task.algorithm.value or row.type != "FULL_OBJECT":
        yield f"S3 computed {row.algorithm or 'no hash'}, {row.type or 'of an unknown type'}"
    if row.etag != task.etag:
        yield f"S3 hashed an object of another ETag, {row.etag or 'unknown'}"
    try:
        is_whole = len(base64.b64decode(row.checksum, validate=True)) == task.algorithm.bytes_count
    except (binascii.Error, ValueError):
        is_whole = False
    if not is_whole:
        yield "S3's hash cannot be read"


def describe_check(check: AtRestCheck) -> dict[str, Any]:
    """The head of what stands in a custody record; its packs are lines of their own."""
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
    """The inverse of both. Raises what `decoding` knows."""
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
