"""CloudTrail's digests: their keys and documents, and whether CloudTrail signed them.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html
and
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-custom-validation.html.
The texts of flaws are those of `aws cloudtrail validate-logs` where it has one.
"""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from log_aggregator.core.packformat.inflate import GZIP_WBITS
from log_aggregator.core.rsa import PublicKey, verify
from log_aggregator.limits import MIB

DIGEST_LOG_TYPE = "CloudTrail-Digest"
SIGNATURE_ALGORITHM = "SHA256withRSA"
HASH_ALGORITHM = "SHA-256"
PERIOD = timedelta(hours=1)
"""CloudTrail writes a digest for every hour, even for one without logs."""

DIGEST_BYTES_MAX = 256 * MIB
"""Inflated. A log takes half a kilobyte in a digest, so this is half a million logs in an hour."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a digest or a log. The text begins in lower case and has no full stop."""

    text: str


NOT_FOUND = Flaw("not found")
INVALID_FORMAT = Flaw("invalid format")
BAD_SIGNATURE = Flaw("signature verification failed")
MOVED = Flaw("has been moved from its original location")
WRONG_HASH = Flaw("hash value doesn't match")
TRAILING_DATA = Flaw("unexpected data after end of compressed stream")


@dataclass(frozen=True, slots=True, order=True)
class Chain:
    """The digests that follow one another: of one trail, in one account and region. `folder` is the
    account's, with the trail's prefix.

    Backfill digests, which CloudTrail writes later for logs that the hourly ones had missed, form
    their own chain.
    """

    bucket: str
    folder: str
    account: str
    region: str
    trail: str
    home_region: str
    is_backfill: bool = False

    @property
    def lineage(self) -> tuple[str, str, str, str, bool]:
        """Equal for two chains if one may continue the other: a trail can be moved to another
        bucket or prefix.
        """
        return self.account, self.region, self.trail, self.home_region, self.is_backfill


@dataclass(frozen=True, slots=True)
class DigestName:
    """The facts in a digest's key: its chain, and when its hour ended."""

    chain: Chain
    key: str
    end: datetime


@dataclass(frozen=True, slots=True)
class Link:
    """A digest's statement about the one before it."""

    bucket: str
    key: str
    sha256: str | None
    signature: str | None


@dataclass(frozen=True, slots=True)
class NamedLog:
    """A log that a digest names, and the hex SHA-256 of its inflated bytes."""

    bucket: str
    key: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Digest:
    """A digest's document. `previous` is None at the beginning of a chain: validation or logging
    was switched on, perhaps again.
    """

    bucket: str
    key: str
    start: datetime
    end: datetime
    end_text: str
    fingerprint: str
    previous: Link | None
    previous_signature: str | None
    logs: tuple[NamedLog, ...]
    sha256: str
    """Of the inflated document, because that is what CloudTrail signs."""


def parse_digest_key(bucket: str, key: str) -> DigestName | None:
    """None if it is not a digest's key. A trail's name may have underscores; regions have none."""
    found = _KEY.fullmatch(key)
    if found is None:
        return None
    try:
        end = datetime.strptime(found["end"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
    chain = Chain(
        bucket,
        found["folder"],
        found["account"],
        found["region"],
        found["trail"],
        found["home_region"],
        found["backfill"] is not None,
    )
    return DigestName(chain, key, end)


def parse_digest(data: bytes) -> Digest | Flaw:
    """A digest as it is stored, gzip of a JSON document. Any error is a flaw. The signature is not
    checked here.
    """
    document = inflate(data, DIGEST_BYTES_MAX)
    if document is None:
        return INVALID_FORMAT
    try:
        return _make_digest(json.loads(document), hashlib.sha256(document).hexdigest())
    except (
        ValueError,
        KeyError,
        TypeError,
        RecursionError,
    ):  # not UTF-8, not JSON, not these fields; nested without an end
        return INVALID_FORMAT


def string_to_sign(digest: Digest) -> bytes:
    """What CloudTrail signed: end of the hour, bucket and key, hash, and the signature of the
    digest before, or "null".
    """
    place = f"{digest.bucket}/{digest.key}"
    return "\n".join(
        (digest.end_text, place, digest.sha256, digest.previous_signature or "null")
    ).encode()


def check_signature(digest: Digest, signature: str, key: PublicKey) -> Flaw | None:
    """Whether the key's owner signed this digest. `signature` is hex, from the object's user
    metadata: it is nowhere else, except in the next digest.
    """
    if not _HEX.fullmatch(signature):
        return BAD_SIGNATURE
    return None if verify(key, string_to_sign(digest), bytes.fromhex(signature)) else BAD_SIGNATURE


def inflate(data: bytes, bytes_max: int) -> bytes | None:
    """Inflates one whole gzip member. None if it is not gzip, damaged, cut short, larger than
    `bytes_max`, or followed by anything.
    """
    inflater = zlib.decompressobj(GZIP_WBITS)
    try:
        inflated = inflater.decompress(data, bytes_max)
    except zlib.error:
        return None
    return inflated if inflater.eof and not inflater.unused_data else None


class LogHash:
    """The SHA-256 of a log's inflated bytes, of which only a piece is in memory at a time.

    CloudTrail hashes the inflated log, and the AWS CLI refuses bytes after the first gzip member.
    """

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(GZIP_WBITS)
        self._hash = hashlib.sha256()
        self._is_damaged = False
        self._has_more = False

    def take(self, piece: bytes) -> None:
        rest = piece
        while rest and not self._is_damaged and not self._inflater.eof:
            try:
                self._hash.update(self._inflater.decompress(rest, MIB))
            except zlib.error:
                self._is_damaged = True
            rest = self._inflater.unused_data or self._inflater.unconsumed_tail
        self._has_more = self._has_more or bool(rest)

    def compare(self, sha256: str) -> Flaw | None:
        """The flaw, if any, of everything taken."""
        if self._is_damaged or not self._inflater.eof:
            return INVALID_FORMAT
        if self._has_more:
            return TRAILING_DATA
        return None if self._hash.hexdigest() == sha256 else WRONG_HASH


def _make_digest(value: object, sha256: str) -> Digest:
    """Raises ValueError, KeyError, TypeError."""
    fields = _object(value)
    if fields.get("digestSignatureAlgorithm", SIGNATURE_ALGORITHM) != SIGNATURE_ALGORITHM:
        raise ValueError("an unknown algorithm")
    end_text = _text(fields["digestEndTime"])
    return Digest(
        bucket=_text(fields["digestS3Bucket"]),
        key=_text(fields["digestS3Object"]),
        start=_parse_time(_text(fields["digestStartTime"])),
        end=_parse_time(end_text),
        end_text=end_text,
        fingerprint=_text(fields["digestPublicKeyFingerprint"]),
        previous=_parse_link(fields),
        previous_signature=_optional_text(fields["previousDigestSignature"]),
        logs=tuple(_parse_log(_object(entry)) for entry in _list(fields["logFiles"])),
        sha256=sha256,
    )


def _parse_link(fields: Mapping[str, Any]) -> Link | None:
    bucket, key = (
        _optional_text(fields.get("previousDigestS3Bucket")),
        _optional_text(fields.get("previousDigestS3Object")),
    )
    if bucket is None or key is None:
        return None
    if fields.get("previousDigestHashAlgorithm", HASH_ALGORITHM) != HASH_ALGORITHM:
        raise ValueError("an unknown algorithm")
    sha256 = _optional_text(fields.get("previousDigestHashValue"))
    return Link(
        bucket,
        key,
        sha256.lower() if sha256 else None,
        _optional_text(fields["previousDigestSignature"]),
    )


def _parse_log(entry: Mapping[str, Any]) -> NamedLog:
    if entry.get("hashAlgorithm", HASH_ALGORITHM) != HASH_ALGORITHM:
        raise ValueError("an unknown algorithm")
    return NamedLog(
        _text(entry["s3Bucket"]), _text(entry["s3Object"]), _text(entry["hashValue"]).lower()
    )


def _object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("not an object")
    return value


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError("not a text")
    # Raises UnicodeEncodeError for a lone surrogate, which JSON can express but UTF-8 cannot, so
    # that it cannot have been signed.
    value.encode()
    return value


def _optional_text(value: object) -> str | None:
    return None if value is None else _text(value)


def _parse_time(text: str) -> datetime:
    if not _TIME.fullmatch(text):
        raise ValueError("not a time")
    return datetime.fromisoformat(text)


_HEX = re.compile(r"([0-9a-fA-F]{2})+")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_KEY = re.compile(
    r"(?P<folder>(?:.*/)?AWSLogs/(?:o-[a-z0-9]+/)?(?P<account>[0-9]{12})/)CloudTrail-Digest/(?P<region>[a-z0-9-]+)/[0-9]+/[0-9]+/[0-9]+/"
    r"(?P=account)_CloudTrail-Digest_(?P=region)_(?P<trail>[^/]+)_(?P<home_region>[a-z0-9-]+)"
    r"_(?P<end>[0-9]{8}T[0-9]{6}Z)(?P<backfill>_backfill)?\.json\.gz"
)
