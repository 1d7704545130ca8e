"""Signatures of custody records. The owner of a key confirms that a record was the newest in its
chain at some time, and with it all records before it.

A signature is an object of its own in the bucket of the records, written once.
docs/internals/custody.md shows one byte by byte, and how to check it with openssl alone.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from log_aggregator.core.custody import custody_prefix, record_key
from log_aggregator.core.formats import check_format
from log_aggregator.core.jsontext import decode_json, decoding
from log_aggregator.core.rsa import PublicKey, parse_public_key_info, verify
from log_aggregator.core.times import decode_time, encode_time
from log_aggregator.limits import KIB
from log_aggregator.model import Target

FORMAT = "log-aggregator-signature"
VERSION = 1
ALGORITHM = "RSASSA_PKCS1_V1_5_SHA_256"
"""KMS's name for it
(https://docs.aws.amazon.com/kms/latest/developerguide/symm-asymm-choose-key-spec.html)."""
KEY_BITS_MIN = 2048
SIGNATURE_BYTES_MAX = 256 * KIB
"""The limit of the object. A time stamp with all its certificates takes about 6 KB."""

_KEY = re.compile(r"(?P<folder>[0-9]{7})/(?P<sequence>(?P=folder)[0-9]{3})\.json")


@dataclass(frozen=True, slots=True)
class Statement:
    """What is signed."""

    bucket: str
    record: str
    """The record's key."""
    sequence: int
    sha256: str
    """Hex, of the record as it is stored."""
    signed_at: datetime

    def describe(self) -> dict[str, Any]:
        """In plain types, as it is stored."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "bucket": self.bucket,
            "record": self.record,
            "sequence": self.sequence,
            "sha256": self.sha256,
            "signed_at": encode_time(self.signed_at),
        }

    def encode(self) -> bytes:
        """The message that the signature is made over."""
        return _encode_canonical(self.describe())


@dataclass(frozen=True, slots=True)
class Signature:
    """A signed statement, as it is stored."""

    statement: Statement
    key: str
    """The signer's name for the key. It is not signed, so nothing relies on it."""
    public_key: bytes
    """DER of X.509's SubjectPublicKeyInfo."""
    signature: bytes
    time_stamp: bytes | None = None
    """DER of RFC 3161's TimeStampResp over the SHA-256 of the signature's bytes."""


@dataclass(frozen=True, slots=True)
class WrittenSignature:
    """The object with the signature of a record."""

    bucket: str
    key: str
    sequence: int
    signed_by: str
    """The signer's name for its key."""
    is_stamped: bool
    is_new: bool = True
    """Whether it was written now, and was not there before."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a time stamp proves: that the data existed at that time."""

    moment: datetime
    authority: str
    """The subject of the certificate that signed it."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A valid signature. Whether its record exists is another question."""

    sequence: int
    sha256: str
    signed_at: datetime
    key: str
    """The name under which it is trusted, otherwise the hash of the public key."""
    is_trusted: bool
    has_stamp: bool
    stamp: Stamp | None = None
    """The time stamp, once it was checked."""
    ended: datetime | None = None
    """When the record's run ended, once the record was read."""


@dataclass(slots=True)
class Proven:
    """How much of a chain is signed."""

    signatures: int = 0
    """The number of signatures that were read."""
    newest: Proof | None = None
    """The signature of the newest signed record, by a trusted key; by any key if none is trusted.
    """
    stamped: Proof | None = None
    """The same among signatures with a checked time stamp."""
    after: int = 0
    """The number of records after that of `newest`, which are only chained."""
    oldest: int | None = None
    """The oldest record that was read: the proof reaches back to it."""


def signatures_prefix(target: Target) -> str:
    return f"{target.root}signatures/"


def signature_key(target: Target, sequence: int) -> str:
    """`<root>signatures/0000000/0000000042.json`: like the record's key, in another folder."""
    place = record_key(target, sequence).removeprefix(custody_prefix(target))
    return f"{signatures_prefix(target)}{place.removesuffix('.jsonl.gz')}.json"


def parse_signature_key(target: Target, key: str) -> int | None:
    """The sequence number of the record; None if it is not a signature's key."""
    found = _KEY.fullmatch(key.removeprefix(signatures_prefix(target)))
    return int(found["sequence"]) if found and key.startswith(signatures_prefix(target)) else None


def encode_signature(signature: Signature) -> bytes:
    """The signature as it is stored."""
    described = {
        "statement": signature.statement.describe(),
        "algorithm": ALGORITHM,
        "key": signature.key,
        "public_key": _encode_bytes(signature.public_key),
        "signature": _encode_bytes(signature.signature),
    }
    if signature.time_stamp is not None:
        described["time_stamp"] = _encode_bytes(signature.time_stamp)
    return _encode_canonical(described) + b"\n"


def decode_signature(data: bytes) -> Signature:
    """The inverse of `encode_signature`. It accepts no other bytes, so that a signature has exactly
    one form. Raises BadPack.
    """
    with decoding("the signature"):
        if len(data) > SIGNATURE_BYTES_MAX:
            raise ValueError("it is too large for a signature")
        found = decode_json(data)
        check_format("the signature", found["statement"], FORMAT, VERSION)
        stamp = found.get("time_stamp")
        signature = Signature(
            _parse_statement(found["statement"]),
            _text(found["key"]),
            _decode_bytes(found["public_key"]),
            _decode_bytes(found["signature"]),
            None if stamp is None else _decode_bytes(stamp),
        )
        if encode_signature(signature) != data:
            raise ValueError("it is not in the form of a signature")
        return signature


def find_flaw(signature: Signature, target: Target, sequence: int) -> str | None:
    """What is wrong with a signature in itself, or with its key in S3. Whether its signer is
    trusted, and whether the record is as it says, is not checked here.
    """
    statement = signature.statement
    if statement.bucket != target.bucket:
        return f"it is for a record in bucket {statement.bucket}"
    if (statement.sequence, statement.record) != (sequence, record_key(target, sequence)):
        return f"it is for record {statement.sequence}, {statement.record}"
    try:
        key = parse_signing_key(signature.public_key)
    except ValueError as error:
        return f"its public key cannot be used: {error}"
    if not signature.key.startswith("arn:") and signature.key != name_key(signature.public_key):
        return "its public key is not the one that it names"
    if not verify(key, statement.encode(), signature.signature):
        return "it does not fit its public key and its statement"
    return None


def parse_signing_key(der: bytes) -> PublicKey:
    """An RSA key that is long enough. Raises ValueError."""
    key = parse_public_key_info(der)
    if key.n.bit_length() < KEY_BITS_MIN:
        raise ValueError(f"it has {key.n.bit_length()} bits; expected {KEY_BITS_MIN} or more")
    return key


def name_key(public_key: bytes) -> str:
    """The name of a key that has no other."""
    return f"sha256:{hashlib.sha256(public_key).hexdigest()}"


_PEM = re.compile(
    r"-----BEGIN PUBLIC KEY-----\s*(?P<body>[A-Za-z0-9+/=\s]+?)\s*-----END PUBLIC KEY-----"
)


def parse_public_keys(data: bytes) -> list[bytes]:
    """The DER of the public keys in a file: any number as PEM, or one as DER. Raises ValueError."""
    bodies = _PEM.findall(data.decode("ascii", errors="replace"))
    found = [base64.b64decode("".join(body.split()), validate=True) for body in bodies] or [data]
    for der in found:
        parse_signing_key(der)
    return found


def _parse_statement(found: Mapping[str, Any]) -> Statement:
    return Statement(
        _text(found["bucket"]),
        _text(found["record"]),
        int(found["sequence"]),
        _text(found["sha256"]),
        decode_time(found["signed_at"]),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not text")
    return value


def _encode_canonical(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _encode_bytes(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decode_bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
