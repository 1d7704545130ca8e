"""How a pack is judged by S3's report about it."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace

import pytest

from log_aggregator.core.checksums import crc64nvme, encode_crc64nvme
from log_aggregator.core.evidence.at_rest import (
    Algorithm,
    AtRestCheck,
    HashRow,
    HashTask,
    KnownHashes,
    PackAtRest,
    Verdict,
    judge,
)

DATA = b"a pack"
HEX = hashlib.sha256(DATA).hexdigest()
BASE64 = base64.b64encode(hashlib.sha256(DATA).digest()).decode()
OTHER = base64.b64encode(hashlib.sha256(b"another").digest()).decode()
KNOWN = KnownHashes(crc64nvme(DATA), (("the index", HEX),))
TASK = HashTask("packs/a", "v1", "etag", len(DATA), Algorithm.SHA256)
ROW = HashRow("dest", "packs/a", "v1", "", BASE64, "SHA256", "FULL_OBJECT", "etag")


def verdict(*rows: HashRow, known: KnownHashes | None = KNOWN, task: HashTask = TASK) -> PackAtRest:
    hashes = {} if known is None else {task.key: known}
    (pack,), _ = judge("dest", [task], hashes, rows, "the job is Failed")
    return pack


def test_a_matching_hash_is_good() -> None:
    assert verdict(ROW) == PackAtRest(
        "packs/a", 6, Algorithm.SHA256, Verdict.GOOD, "", checksum=BASE64
    )


def test_without_a_sha256_the_crc_is_compared() -> None:
    task = replace(TASK, algorithm=Algorithm.CRC64NVME)
    row = replace(ROW, algorithm="CRC64NVME", checksum=encode_crc64nvme(crc64nvme(DATA)))
    known = KnownHashes(crc64nvme(DATA))
    assert known.algorithm is Algorithm.CRC64NVME
    assert verdict(row, task=task, known=known).verdict is Verdict.GOOD
    wrong = replace(row, checksum=encode_crc64nvme(crc64nvme(b"another")))
    assert verdict(wrong, task=task, known=known).verdict is Verdict.DAMAGED


def test_a_different_hash_is_damage() -> None:
    found = verdict(replace(ROW, checksum=OTHER))
    assert (found.verdict, found.checksum) == (Verdict.DAMAGED, OTHER)
    assert OTHER in found.reason
    assert BASE64 in found.reason


def test_every_recorded_hash_must_match() -> None:
    """If the index and a custody record have different hashes, one of them was changed."""
    known = replace(KNOWN, sha256=(*KNOWN.sha256, ("custody record 3", "ab" * 32)))
    found = verdict(ROW, known=known)
    assert found.verdict is Verdict.DAMAGED
    assert "custody record 3" in found.reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"failure": "404: NoSuchKey"}, "could not hash it: 404"),
        ({"algorithm": "SHA1"}, "S3 computed SHA1"),
        ({"algorithm": ""}, "S3 computed no hash"),
        ({"type": "COMPOSITE"}, "COMPOSITE"),
        ({"type": ""}, "of an unknown type"),
        ({"etag": "other"}, "another ETag, other"),
        ({"etag": ""}, "another ETag, unknown"),
        ({"checksum": ""}, "cannot be read"),
        ({"checksum": "%"}, "cannot be read"),
        ({"checksum": BASE64[:20]}, "cannot be read"),
    ],
    ids=[
        "failed",
        "other-algorithm",
        "no-algorithm",
        "composite",
        "no-type",
        "other-etag",
        "no-etag",
        "no-checksum",
        "no-base64",
        "short",
    ],
)
def test_a_row_without_evidence_is_unproven(change: dict[str, str], reason: str) -> None:
    """Nor does it mean damage: S3 said nothing about the bytes."""
    found = verdict(replace(ROW, **change))
    assert found.verdict is Verdict.UNPROVEN
    assert reason in found.reason


def test_missing_and_duplicate_rows_are_unproven() -> None:
    assert "the job is Failed" in verdict().reason
    assert verdict().verdict is Verdict.UNPROVEN
    assert verdict(ROW, ROW).verdict is Verdict.UNPROVEN
    assert verdict(ROW, replace(ROW, failure="x")).verdict is Verdict.UNPROVEN


@pytest.mark.parametrize(
    "change",
    [{"key": "packs/b"}, {"bucket": "other"}, {"version_id": "v2"}, {"version_id": None}],
    ids=["key", "bucket", "version", "no-version"],
)
def test_a_row_about_another_object_is_counted_and_proves_nothing(change: dict[str, str]) -> None:
    """One example is a version other than the one checked."""
    (pack,), foreign = judge("dest", [TASK], {"packs/a": KNOWN}, [replace(ROW, **change)], "why")
    assert (pack.verdict, foreign) == (Verdict.UNPROVEN, 1)
    check = AtRestCheck("c", (), 0.0, (), foreign_rows=foreign)
    assert not check.is_good


def test_without_a_known_hash_nothing_is_proven() -> None:
    """The index or its SHA-256 was lost while S3 was hashing."""
    assert verdict(ROW, known=None).verdict is Verdict.UNPROVEN
    assert verdict(ROW, known=KnownHashes(crc64nvme(DATA))).verdict is Verdict.UNPROVEN


def test_a_check_is_good_only_if_every_pack_is() -> None:
    good, bad = verdict(ROW), verdict(replace(ROW, checksum=OTHER))
    assert AtRestCheck("c", (), 0.0, (good,)).is_good
    assert AtRestCheck("c", (), 0.0, (good, bad)).good_bytes == 6
    for packs in ((good, bad), (good, verdict())):
        assert not AtRestCheck("c", (), 0.0, packs).is_good
