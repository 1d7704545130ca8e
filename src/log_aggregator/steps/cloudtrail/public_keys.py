"""Keeps CloudTrail's public keys with the packs: without them the signatures of packed digests
cannot be checked.

AWS does not document for how long ListPublicKeys returns an old key
(https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_ListPublicKeys.html). So when
digests are packed, each key that may have signed them is written once, to
`keys/cloudtrail/<region>/<fingerprint>.json`, and never again.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from log_aggregator.core.checksums import crc64nvme
from log_aggregator.core.formats import check_format
from log_aggregator.core.rsa import parse_public_key
from log_aggregator.core.times import decode_time, encode_time
from log_aggregator.errors import (
    AccessDenied,
    BadPack,
    NotFound,
    PreconditionFailed,
    RequestFailed,
    StoreError,
    VerificationError,
)
from log_aggregator.model import Target
from log_aggregator.ports.store import ObjectStore, WriteOptions
from log_aggregator.ports.trail_keys import TrailKey, TrailKeys
from log_aggregator.steps.cloudtrail.refusals import Refusal, read_refusals
from log_aggregator.steps.packs.index import naming

LIST_PUBLIC_KEYS = "ListPublicKeys"
FORMAT = "log-aggregator-cloudtrail-key"
VERSION = 1
OPTIONS = WriteOptions(content_type="application/json")
MARGIN = timedelta(hours=2)
"""The margin of `aws cloudtrail validate-logs`: a digest is signed after its hour has ended."""

BACKFILL_MARGIN = timedelta(hours=1)
_FINGERPRINT = re.compile(r"[0-9A-Za-z._-]{1,128}")
_REGION = re.compile(r"[a-z0-9-]{1,64}")


class KeySource(StrEnum):
    """Where a public key was found."""

    CLOUDTRAIL = "cloudtrail"
    ARCHIVE = "archive"


def archive_keys(
    store: ObjectStore,
    target: Target,
    trail_keys: TrailKeys,
    region: str,
    first: datetime,
    last: datetime,
    options: WriteOptions = OPTIONS,
) -> int:
    """Writes the keys that CloudTrail used in a Region in this time, unless they are stored
    already, and returns how many it wrote.

    Raises StoreError, also if CloudTrail has none, and VerificationError if a different key is
    stored under the same fingerprint.
    """
    keys = list_keys(trail_keys, region, first, last)
    return write_keys(store, target, region, keys, options)


def list_keys(
    trail_keys: TrailKeys, region: str, first: datetime, last: datetime
) -> list[TrailKey]:
    """CloudTrail's keys. Raises StoreError, also if it has none."""
    keys = trail_keys.list_public_keys(region, first, last)
    if not keys:
        raise StoreError(
            f"CloudTrail has no public key for {region} from {first:%Y-%m-%d} to {last:%Y-%m-%d}",
            operation=LIST_PUBLIC_KEYS,
        )
    return keys


def write_keys(
    store: ObjectStore,
    target: Target,
    region: str,
    keys: Iterable[TrailKey],
    options: WriteOptions = OPTIONS,
) -> int:
    """Writes keys, and returns how many were new. Raises StoreError and VerificationError."""
    return sum(_write_key(store, target, region, key, options) for key in keys)


def archive_prefix(target: Target, region: str) -> str:
    return f"{target.root}keys/cloudtrail/{region}/"


def read_archived_key(
    store: ObjectStore, target: Target, region: str, fingerprint: str
) -> TrailKey | None:
    """An archived key, or None. Raises BadPack if the object is not a key, or has another
    fingerprint; StoreError.
    """
    if not _FINGERPRINT.fullmatch(fingerprint) or not _REGION.fullmatch(region):
        return None
    key = f"{archive_prefix(target, region)}{fingerprint}.json"
    try:
        data = store.get_object(target.bucket, key).data
    except NotFound:
        return None
    try:
        with naming(f"s3://{target.bucket}/{key}"):
            found = _parse_archived(json.loads(data), region)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        found = None
    if found is None or found.fingerprint != fingerprint:
        raise BadPack(f"s3://{target.bucket}/{key} does not contain the public key of its name")
    return found


@dataclass(slots=True)
class KeyRing:
    """The public keys of a validation: from CloudTrail first, as the better authority, then from
    the archive. Thread safe.

    `failures` says, by Region, why CloudTrail could not be asked; `sources` where each (Region,
    fingerprint) came from.
    """

    store: ObjectStore
    targets: Collection[Target]
    trail_keys: TrailKeys | None
    first: datetime
    last: datetime
    sources: dict[tuple[str, str], KeySource] = field(default_factory=dict)
    failures: dict[str, RequestFailed] = field(default_factory=dict)
    _served: dict[str, dict[str, TrailKey]] = field(default_factory=dict)
    _found: dict[tuple[str, str, datetime | None], TrailKey | None] = field(default_factory=dict)
    _refusals: dict[str, Refusal] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def find(
        self, region: str, fingerprint: str, generated: datetime | None = None
    ) -> TrailKey | None:
        """The key, or None if it does not exist. `generated` is when a backfill digest was made,
        which can be long after its hour.

        Raises BadPack, StoreError. StoreError also if the archive does not have the key, and
        CloudTrail, which may have it, could not be asked now or refused the run that would have
        kept it.
        """
        with self._lock:
            asked = (region, fingerprint, generated)
            if asked not in self._found:
                self._found[asked] = self._look(region, fingerprint, generated)
            found, failed = self._found[asked], self.failures.get(region)
            if found is None and (failed is not None or self.trail_keys is None):
                self._raise_unasked(region, fingerprint, failed)
        return found

    def _raise_unasked(self, region: str, fingerprint: str, failed: RequestFailed | None) -> None:
        """Raises an error that says why CloudTrail could not be asked: now, or by the runs that
        would have kept the key.
        """
        refusal = self._read_refusals().get(region)
        since = "" if refusal is None else f"; CloudTrail refused runs since {refusal.since}"
        if failed is not None:
            kind = type(failed) if isinstance(failed, StoreError) else StoreError
            text = f"no public key {fingerprint}: {failed}{since}"
            raise kind(text, code=failed.code, operation=LIST_PUBLIC_KEYS)
        if refusal is not None:
            text = f"no public key {fingerprint} of {region} was kept{since}"
            raise AccessDenied(text, operation=LIST_PUBLIC_KEYS)
        raise _not_asked(fingerprint)

    def _read_refusals(self) -> dict[str, Refusal]:
        """The refusals of all targets; if several have one for a Region, the earliest counts."""
        if self._refusals is None:
            found: dict[str, Refusal] = {}
            for target in self.targets:
                for region, refusal in read_refusals(self.store, target, date.max).items():
                    known = found.setdefault(region, refusal)
                    if refusal.since < known.since:
                        found[region] = refusal
            self._refusals = found
        return self._refusals

    def _look(self, region: str, fingerprint: str, generated: datetime | None) -> TrailKey | None:
        served = self._served.get(region)
        if served is None:
            served = self._served[region] = self._ask(region, self.first, self.last + MARGIN)
        if fingerprint not in served and generated is not None:
            served |= self._ask(region, generated - BACKFILL_MARGIN, generated + BACKFILL_MARGIN)
        if fingerprint in served:
            self.sources[region, fingerprint] = KeySource.CLOUDTRAIL
            return served[fingerprint]
        for target in self.targets:
            found = read_archived_key(self.store, target, region, fingerprint)
            if found is not None:
                self.sources[region, fingerprint] = KeySource.ARCHIVE
                return found
        return None

    def _ask(self, region: str, first: datetime, last: datetime) -> dict[str, TrailKey]:
        """CloudTrail's keys; empty if it cannot be asked, since the archive may have the key."""
        if self.trail_keys is None or region in self.failures:
            return {}
        try:
            return {
                key.fingerprint: key
                for key in self.trail_keys.list_public_keys(region, first, last)
            }
        except RequestFailed as error:
            self.failures[region] = error
            return {}


def _not_asked(fingerprint: str) -> StoreError:
    error = StoreError(
        f"public key {fingerprint!r} is not kept with the packs, and CloudTrail, which may have "
        "it, was not asked",
        code="NotAsked",
        operation="ListPublicKeys",
    )
    error.advice = (
        "This is not evidence against the digests. Ask CloudTrail: use credentials that may call "
        "it, without --public-keys archive. AWS_ENDPOINT_URL_CLOUDTRAIL sets another endpoint."
    )
    return error


def _write_key(
    store: ObjectStore, target: Target, region: str, key: TrailKey, options: WriteOptions
) -> int:
    """Writes a key; returns 1, or 0 if it existed. An existing one must be the same key."""
    where = f"public key {key.fingerprint!r} of CloudTrail in {region}"
    if not _FINGERPRINT.fullmatch(key.fingerprint):
        raise StoreError(
            f"{where}: not a fingerprint", code="BadAnswer", operation=LIST_PUBLIC_KEYS
        )
    try:
        parse_public_key(key.der)
    except ValueError as error:
        raise StoreError(
            f"{where}: {error}", code="BadAnswer", operation=LIST_PUBLIC_KEYS
        ) from None
    data = encode_key(region, key)
    name = f"{archive_prefix(target, region)}{key.fingerprint}.json"
    try:
        store.put_object(target.bucket, name, data, crc64nvme=crc64nvme(data), options=options)
    except PreconditionFailed:
        stored = read_archived_key(store, target, region, key.fingerprint)
        if stored is None or stored.der != key.der:
            raise VerificationError(
                f"s3://{target.bucket}/{name} differs from CloudTrail's key with this fingerprint"
            ) from None
        return 0
    return 1


def encode_key(region: str, key: TrailKey) -> bytes:
    """The same key gives the same bytes."""
    fields = {
        "format": FORMAT,
        "version": VERSION,
        "region": region,
        "fingerprint": key.fingerprint,
        "valid_from": encode_time(key.valid_from),
        "valid_until": encode_time(key.valid_until),
        "public_key_der": base64.b64encode(key.der).decode(),
    }
    return json.dumps(fields, indent=2).encode() + b"\n"


def _parse_archived(fields: Mapping[str, Any], region: str) -> TrailKey | None:
    check_format("the public key", fields, FORMAT, VERSION)
    if fields["region"] != region:
        return None
    der = base64.b64decode(fields["public_key_der"], validate=True)
    times = [decode_time(fields[name]) for name in ("valid_from", "valid_until")]
    return TrailKey(str(fields["fingerprint"]), der, *times)
