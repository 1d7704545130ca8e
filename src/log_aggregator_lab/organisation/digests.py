"""The CloudTrail digests: hourly, chained, signed as CloudTrail signs them, so that any validator
can check them.

Structure and signature:
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html
and
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-custom-validation.html.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from random import Random

from log_aggregator_lab.organisation import keys
from log_aggregator_lab.organisation.cloudtrail import (
    CloudTrailLog,
    day_prefix,
    midnight,
    plan_backfilled_logs,
    plan_large_logs,
    plan_logs,
)
from log_aggregator_lab.organisation.compression import gzip_member
from log_aggregator_lab.organisation.documents import cloudtrail_bytes
from log_aggregator_lab.organisation.specification import OrganisationSpec
from log_aggregator_lab.organisation.synthetic import Purpose, SyntheticObject

SIGNATURE_ALGORITHM = "SHA256withRSA"
_HOUR = timedelta(hours=1)
_BACKFILL_DELAY = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class SignedDigest:
    """A digest's bytes before compression, and the signature that only the object's metadata
    holds.
    """

    key: str
    end: datetime
    document: bytes
    signature: str


def list_digests(spec: OrganisationSpec) -> Iterator[SyntheticObject]:
    """The digests of as many chains as the specification asks for, each chain in its order, and the
    backfill digest.

    Every digest names the hashes of its hour's logs, so those documents are made here once more.
    """
    chains = spec.chains if spec.digest_chains < 0 else spec.chains[: spec.digest_chains]
    for account, region in chains:
        for digest in sign_chain(spec, account, region):
            yield _digest_object(spec, digest)
    if chains and spec.backfilled_logs:
        yield _backfill_object(spec)


def public_key_der(spec: OrganisationSpec) -> bytes:
    """The PKCS#1 DER of the public key, as CloudTrail's ListPublicKeys gives it."""
    return keys.public_key_der(spec.seed)


def public_key_fingerprint(spec: OrganisationSpec) -> str:
    return keys.public_key_fingerprint(spec.seed)


def sign_chain(spec: OrganisationSpec, account: str, region: str) -> Iterator[SignedDigest]:
    """One digest for each hour, beginning with a starting digest. The last one ends, and is stored,
    in the day after the last wanted day.
    """
    logs = _logs_of_chain(spec, account, region)
    offset = timedelta(
        seconds=Random(f"{spec.seed}/digest/{account}/{region}").randrange(60, 3_000)
    )
    previous: SignedDigest | None = None
    position = 0
    for number in range(24 * spec.days + 1):
        end = midnight(spec.first_day) + offset + number * _HOUR
        first = position
        while position < len(logs) and logs[position].document.time < end:
            position += 1
        previous = _signed(spec, account, region, end, logs[first:position], previous)
        yield previous


def _logs_of_chain(spec: OrganisationSpec, account: str, region: str) -> list[CloudTrailLog]:
    logs = list(
        chain.from_iterable(plan_logs(spec, account, region, day) for day in spec.wanted_days)
    )
    if (account, region) == spec.chains[0]:
        logs += plan_large_logs(spec)
    return sorted(logs, key=lambda item: (item.document.time, item.key))


def _signed(
    spec: OrganisationSpec,
    account: str,
    region: str,
    end: datetime,
    logs: Sequence[CloudTrailLog],
    previous: SignedDigest | None,
    suffix: str = "",
) -> SignedDigest:
    name = (
        f"{account}_CloudTrail-Digest_{region}_{spec.trail_name}_{spec.home_region}_"
        f"{end:%Y%m%dT%H%M%SZ}{suffix}.json.gz"
    )
    key = f"{day_prefix(spec, account, 'CloudTrail-Digest', region, end)}{name}"
    content = _digest_fields(spec, account, key, end, logs) | _previous_fields(spec, previous)
    content["logFiles"] = [_log_fields(spec, item) for item in logs]
    document = json.dumps(content, separators=(",", ":")).encode()
    signature = keys.sign(spec.seed, _string_to_sign(content, document)).hex()
    return SignedDigest(key, end, document, signature)


def _digest_fields(
    spec: OrganisationSpec, account: str, key: str, end: datetime, logs: Sequence[CloudTrailLog]
) -> dict[str, object]:
    return {
        "awsAccountId": account,
        "digestStartTime": _timestamp(end - _HOUR),
        "digestEndTime": _timestamp(end),
        "digestS3Bucket": spec.control_tower_bucket,
        "digestS3Object": key,
        "digestPublicKeyFingerprint": public_key_fingerprint(spec),
        "digestSignatureAlgorithm": SIGNATURE_ALGORITHM,
        "newestEventTime": _timestamp(max(item.document.newest for item in logs)) if logs else None,
        "oldestEventTime": _timestamp(min(item.document.oldest for item in logs)) if logs else None,
    }


def _previous_fields(spec: OrganisationSpec, previous: SignedDigest | None) -> dict[str, object]:
    """All five are null in a starting digest."""
    return {
        "previousDigestS3Bucket": spec.control_tower_bucket if previous else None,
        "previousDigestS3Object": previous.key if previous else None,
        "previousDigestHashValue": hashlib.sha256(previous.document).hexdigest()
        if previous
        else None,
        "previousDigestHashAlgorithm": "SHA-256" if previous else None,
        "previousDigestSignature": previous.signature if previous else None,
    }


def _log_fields(spec: OrganisationSpec, item: CloudTrailLog) -> dict[str, object]:
    return {
        "s3Bucket": spec.control_tower_bucket,
        "s3Object": item.key,
        "hashValue": hashlib.sha256(cloudtrail_bytes(item.document)).hexdigest(),
        "hashAlgorithm": "SHA-256",
        "newestEventTime": _timestamp(item.document.newest),
        "oldestEventTime": _timestamp(item.document.oldest),
    }


def _string_to_sign(content: dict[str, object], document: bytes) -> bytes:
    place = f"{content['digestS3Bucket']}/{content['digestS3Object']}"
    previous = content["previousDigestSignature"] or "null"
    digest = hashlib.sha256(document).hexdigest()
    return f"{content['digestEndTime']}\n{place}\n{digest}\n{previous}".encode()


def _digest_object(
    spec: OrganisationSpec, digest: SignedDigest, extra_metadata: dict[str, str] | None = None
) -> SyntheticObject:
    day = digest.end.date()
    return SyntheticObject(
        bucket=spec.control_tower_bucket,
        key=digest.key,
        make=partial(gzip_member, digest.document, spec.compression_level),
        source="digest",
        purpose=Purpose.LOG if day in spec.wanted_days else Purpose.OTHER_DAY,
        day=day,
        metadata={"signature": digest.signature, "signature-algorithm": SIGNATURE_ALGORITHM}
        | (extra_metadata or {}),
        content_type="application/json",
        content_encoding="gzip",
    )


def _backfill_object(spec: OrganisationSpec) -> SyntheticObject:
    """A digest that CloudTrail made days later for logs that the hourly digests had missed; it
    starts its own chain.
    """
    account, region = spec.chains[0]
    logs = list(plan_backfilled_logs(spec))
    end = logs[0].document.time + _HOUR
    made = end + _BACKFILL_DELAY
    digest = _signed(spec, account, region, end, logs, None, "_backfill")
    return _digest_object(
        spec, digest, {"backfill-generation-timestamp": f"{made:%Y-%m-%dT%H:%M:%S}.000Z"}
    )


def _timestamp(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
