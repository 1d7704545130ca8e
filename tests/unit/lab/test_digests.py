"""The digests, checked by an implementation of CloudTrail's rules that shares nothing with the
generator.

The rules:
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-custom-validation.html.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from log_aggregator_lab.organisation.generate import (
    OrganisationSpec,
    SyntheticObject,
    generate,
    public_key_der,
    public_key_fingerprint,
    small,
)

SPEC = replace(
    small(11),
    accounts=2,
    objects=60,
    digest_chains=-1,
    days=2,
    large_sizes_bytes=(600_000,),
    backfilled_logs=2,
)


@dataclass(frozen=True)
class Digest:
    item: SyntheticObject
    raw: bytes

    @property
    def fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = json.loads(self.raw)
        return fields

    @property
    def is_backfill(self) -> bool:
        return self.item.key.endswith("_backfill.json.gz")


@lru_cache(maxsize=1)
def organisation() -> dict[str, SyntheticObject]:
    return {item.key: item for item in generate(SPEC)}


def digests(*, backfill: bool = False) -> list[Digest]:
    found = [
        Digest(item, gzip.decompress(item.body))
        for item in organisation().values()
        if item.source == "digest"
    ]
    return [digest for digest in found if digest.is_backfill == backfill]


def chains() -> list[list[Digest]]:
    """Digests of one account and region, oldest first."""
    by_place: dict[str, list[Digest]] = {}
    for digest in digests():
        by_place.setdefault(digest.item.key.split("/20")[0], []).append(digest)
    return [sorted(chain, key=lambda digest: digest.item.key) for chain in by_place.values()]


def verify(spec: OrganisationSpec, digest: Digest) -> None:
    fields = digest.fields
    lines = (
        fields["digestEndTime"],
        fields["digestS3Bucket"] + "/" + fields["digestS3Object"],
        hashlib.sha256(digest.raw).hexdigest(),
        fields["previousDigestSignature"] or "null",
    )
    key = load_der_public_key(public_key_der(spec))
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(
        bytes.fromhex(digest.item.metadata["signature"]),
        "\n".join(lines).encode(),
        padding.PKCS1v15(),
        hashes.SHA256(),
    )


def test_every_signature_verifies() -> None:
    """Every digest's metadata hold a signature that verifies with the published key over
    CloudTrail's string to sign.
    """
    for digest in digests() + digests(backfill=True):
        assert (
            digest.item.metadata["signature-algorithm"]
            == digest.fields["digestSignatureAlgorithm"]
            == "SHA256withRSA"
        )
        assert digest.fields["digestPublicKeyFingerprint"] == public_key_fingerprint(SPEC)
        verify(SPEC, digest)


def test_a_changed_digest_does_not_verify() -> None:
    """One changed byte, or the key of another seed, makes the signature invalid: the check above
    can fail.
    """
    digest = digests()[3]
    with pytest.raises(InvalidSignature):
        verify(
            SPEC, Digest(digest.item, digest.raw.replace(b'"awsAccountId":"', b'"awsAccountId":"9'))
        )
    with pytest.raises(InvalidSignature):
        verify(replace(SPEC, seed=12), digest)


def test_the_public_key_has_2048_bits() -> None:
    """The key is an RSA key of 2048 bits with the usual exponent, given as PKCS#1 DER."""
    key = load_der_public_key(public_key_der(SPEC))
    assert isinstance(key, rsa.RSAPublicKey)
    assert (key.key_size, key.public_numbers().e) == (2048, 65537)


def test_digests_name_their_own_place() -> None:
    """digestS3Bucket and digestS3Object are the object's own place, and the key's time is
    digestEndTime.
    """
    for digest in digests() + digests(backfill=True):
        assert (digest.fields["digestS3Bucket"], digest.fields["digestS3Object"]) == (
            digest.item.bucket,
            digest.item.key,
        )
        stamp = digest.item.key.removesuffix(".json.gz").removesuffix("_backfill")[-16:]
        assert stamp == digest.fields["digestEndTime"].replace("-", "").replace(":", "")


def test_chains_are_linked_hour_by_hour() -> None:
    """Every digest but the first names its predecessor's place, hash and signature, and begins
    where that one ended.
    """
    assert len(chains()) == 4
    for chain in chains():
        assert len(chain) == 49
        assert all(
            value is None
            for name, value in chain[0].fields.items()
            if name.startswith("previousDigest")
        )
        for previous, digest in pairwise(chain):
            assert digest.fields["digestStartTime"] == previous.fields["digestEndTime"]
            assert digest.fields["previousDigestS3Bucket"] == previous.item.bucket
            assert digest.fields["previousDigestS3Object"] == previous.item.key
            assert (
                digest.fields["previousDigestHashValue"] == hashlib.sha256(previous.raw).hexdigest()
            )
            assert digest.fields["previousDigestSignature"] == previous.item.metadata["signature"]


def test_log_hashes_match_the_stored_logs() -> None:
    """Every log that a digest names exists, and its inflated bytes have the hash in the digest."""
    for digest in digests() + digests(backfill=True):
        for entry in digest.fields["logFiles"]:
            stored = organisation()[entry["s3Object"]]
            assert stored.bucket == entry["s3Bucket"]
            assert hashlib.sha256(gzip.decompress(stored.body)).hexdigest() == entry["hashValue"]


def test_event_times_match_the_records() -> None:
    """A log's oldest and newest event time in the digest are the earliest and latest eventTime of
    its records.
    """
    for digest in digests():
        for entry in digest.fields["logFiles"]:
            times = [
                record["eventTime"]
                for record in json.loads(gzip.decompress(organisation()[entry["s3Object"]].body))[
                    "Records"
                ]
            ]
            assert (entry["oldestEventTime"], entry["newestEventTime"]) == (min(times), max(times))


def test_every_ordinary_log_is_named_exactly_once() -> None:
    """Each undamaged CloudTrail log of a wanted day is in one digest, the backfilled ones in the
    backfill digest alone.
    """
    named = [entry["s3Object"] for digest in digests() for entry in digest.fields["logFiles"]]
    backfilled = [
        entry["s3Object"]
        for digest in digests(backfill=True)
        for entry in digest.fields["logFiles"]
    ]
    ordinary = [
        item.key
        for item in organisation().values()
        if item.source == "cloudtrail" and item.purpose == "log" and item.oddity in ("", "large")
    ]
    assert len(backfilled) == 2
    assert sorted(named + backfilled) == sorted(ordinary)


def test_a_digest_names_the_logs_of_its_hour() -> None:
    """A log's delivery time lies in [digestStartTime, digestEndTime) of the digest that names
    it.
    """
    for digest in digests():
        start, end = digest.fields["digestStartTime"], digest.fields["digestEndTime"]
        assert all(
            start <= entry["newestEventTime"] < end for entry in digest.fields["logFiles"]
        ), digest.item.key


def test_hours_without_logs_have_an_empty_digest() -> None:
    """There are digests without logs, and their event times are null."""
    empty = [digest for digest in digests() if not digest.fields["logFiles"]]
    assert empty
    assert all(
        digest.fields["newestEventTime"] is digest.fields["oldestEventTime"] is None
        for digest in empty
    )


def test_only_a_backfill_digest_has_its_creation_time() -> None:
    """The backfill digest has its generation time in the metadata and begins a separate chain; no
    other digest does the former.
    """
    (backfill,) = digests(backfill=True)
    assert backfill.item.metadata["backfill-generation-timestamp"].endswith(".000Z")
    assert backfill.fields["previousDigestSignature"] is None
    assert all(
        set(digest.item.metadata) == {"signature", "signature-algorithm"} for digest in digests()
    )
