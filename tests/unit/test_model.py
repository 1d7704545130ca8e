"""The data types check themselves."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from log_aggregator.errors import VerificationError
from log_aggregator.model import (
    ContentKind,
    DeleteMarker,
    Group,
    Index,
    ListedKey,
    LogObject,
    Member,
    PackFormat,
    PackPlan,
    StoredObject,
    Target,
    VerifiedPack,
)
from log_aggregator.ports.store import Deletion

TIME = datetime(2025, 4, 3, tzinfo=UTC)
GROUP = Group("logs", "Other", "all", date(2025, 4, 3))
TARGET = Target("dest", "root/")
SOURCE = LogObject("logs", "a", "v", "e", 3, TIME)
MEMBER = Member("a", "v", "e", 3, TIME, 0, 3, sha256="0" * 64)
KEY = "root/packs/logs/Other/all/2025/04/03/x.log.gz"
INDEX = Index(KEY, PackFormat.GZIP, GROUP, 3, 5, (MEMBER,))
STORED = StoredObject("dest", KEY, 100, "e", "v", "STANDARD", 7)


def verify(**changes: Any) -> VerifiedPack:
    values: dict[str, Any] = {
        "target": TARGET,
        "index": INDEX,
        "stored": STORED,
        "expected_size_bytes": 100,
        "expected_crc64nvme": 7,
        "read_back_crc64nvme": None,
    }
    return VerifiedPack(**(values | changes))


def test_a_pack_with_right_evidence_is_verified() -> None:
    """S3's checksum, the read-back one, or both must be the expected one."""
    assert verify().source_bucket == "logs"
    verify(read_back_crc64nvme=7)
    verify(stored=replace(STORED, crc64nvme=None), read_back_crc64nvme=7)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"expected_size_bytes": 101}, id="another size"),
        pytest.param({"expected_crc64nvme": 8}, id="another checksum"),
        pytest.param({"stored": replace(STORED, crc64nvme=8)}, id="another checksum is stored"),
        pytest.param({"stored": replace(STORED, crc64nvme=None)}, id="no checksum at all"),
        pytest.param({"read_back_crc64nvme": 8}, id="read back another, though S3's is right"),
        pytest.param(
            {"stored": replace(STORED, crc64nvme=8), "read_back_crc64nvme": 7},
            id="S3's is another, though read back right",
        ),
        pytest.param(
            {"stored": replace(STORED, crc64nvme=0), "expected_crc64nvme": 7},
            id="a checksum of zero is one",
        ),
        pytest.param({"stored": replace(STORED, key="other")}, id="another key"),
        pytest.param({"stored": replace(STORED, bucket="other")}, id="another bucket"),
        pytest.param({"index": replace(INDEX, pack_key="other")}, id="the index of another pack"),
        pytest.param(
            {"index": replace(INDEX, group=replace(GROUP, bucket="other"))},
            id="the index of another bucket's group",
        ),
        pytest.param({"target": Target("other", "root/")}, id="another target"),
    ],
)
def test_a_pack_with_wrong_evidence_cannot_be_made(changes: dict[str, Any]) -> None:
    """With any mismatch there is no VerifiedPack, and so nothing that can be deleted."""
    with pytest.raises(VerificationError):
        verify(**changes)


def test_keys_of_packs_and_indexes_can_be_converted() -> None:
    """A pack's key and its index's key determine each other; keys of other places are refused."""
    index_key = "root/indexes/logs/Other/all/2025/04/03/x.log.gz.index.jsonl.gz"
    assert (TARGET.index_key(KEY), TARGET.pack_key(index_key)) == (index_key, KEY)
    for wrong in ("packs/a", "root/indexes/a", index_key):
        with pytest.raises(ValueError, match="not the key of a pack"):
            TARGET.index_key(wrong)
    for wrong in (KEY, "root/indexes/a", "indexes/a.index.jsonl.gz"):
        with pytest.raises(ValueError, match="not the key of an index"):
            TARGET.pack_key(wrong)


def test_keys_of_packs_and_terms_can_be_converted() -> None:
    """A pack's key and its terms' key determine each other, and the latter fits wherever the
    index's does.
    """
    terms_key = "root/terms/logs/Other/all/2025/04/03/x.log.gz.terms.jsonl.xz"
    assert (TARGET.terms_key(KEY), TARGET.pack_key_of_terms(terms_key)) == (terms_key, KEY)
    assert len(terms_key) <= len(TARGET.index_key(KEY))
    assert terms_key.startswith(tuple(TARGET.own_prefixes))
    for wrong in ("packs/a", "root/terms/a", terms_key):
        with pytest.raises(ValueError, match="not the key of a pack"):
            TARGET.terms_key(wrong)
    for wrong in (KEY, "root/terms/a", TARGET.index_key(KEY), "terms/a.terms.jsonl.xz"):
        with pytest.raises(ValueError, match="not the key of a pack's terms"):
            TARGET.pack_key_of_terms(wrong)


def test_folders_of_groups_do_not_contain_each_other() -> None:
    """No group's folder contains another's, even if one name begins with the other."""
    other = replace(GROUP, bucket="logs-2")
    assert not TARGET.packs_prefix(other).startswith(TARGET.packs_prefix(GROUP))
    assert GROUP.path == "logs/Other/all/2025/04/03/"


@pytest.mark.parametrize(
    ("sources", "reason"),
    [
        ((), "at least one"),
        ((replace(SOURCE, bucket="other"),), "one bucket"),
        ((SOURCE, SOURCE), "only once"),
    ],
)
def test_a_plan_must_be_consistent(sources: tuple[LogObject, ...], reason: str) -> None:
    """A pack has members, all of one bucket, none twice."""
    with pytest.raises(ValueError, match=reason):
        PackPlan(GROUP, TARGET, KEY, PackFormat.GZIP, sources)


def test_a_member_has_a_hash_and_a_deletion_an_identity() -> None:
    """Every member has a hash, and no deletion is by key alone."""
    with pytest.raises(ValueError, match="hash"):
        replace(MEMBER, sha256=None)
    with pytest.raises(ValueError, match="version id or an ETag"):
        Deletion("a")


def test_a_key_is_deleted_if_its_newest_entry_is_a_delete_marker() -> None:
    """Old markers do not make a key deleted, nor does a store that marks no version as the
    newest.
    """
    marker = DeleteMarker("logs", "a", "m", TIME, is_latest=True)
    assert ListedKey("a", (replace(SOURCE, is_latest=False),), (marker,)).is_deleted
    assert ListedKey("a", (), (marker,)).is_deleted
    assert not ListedKey("a", (SOURCE,), (replace(marker, is_latest=False),)).is_deleted
    assert not ListedKey("a", (replace(SOURCE, is_latest=False),)).is_deleted


def test_binary_data_goes_into_a_tar() -> None:
    """Only content that can be concatenated goes into a gzip pack."""
    assert {kind for kind in ContentKind if kind.pack_format is PackFormat.TAR} == {
        ContentKind.BINARY
    }
    assert SOURCE.identity == MEMBER.identity
