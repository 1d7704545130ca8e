"""CloudTrail's public keys, kept beside the packs: without them nobody can check the signatures of
packed digests.

AWS promises nowhere how long ListPublicKeys gives an old key. So each is written once, when digests
that it may have signed are packed, to `keys/cloudtrail/<region>/<fingerprint>.json`, and never
again.
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
"""As `aws cloudtrail validate-logs` asks: a digest is signed after its hour has ended."""

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
    """Writes the keys that CloudTrail used in a region in this time, those that are not there yet,
    and says how many.

    Raises StoreError, also where CloudTrail has none, and VerificationError where another key is
    stored under the same fingerprint.
    """
    keys = list_keys(trail_keys, region, first, last)
    return write_keys(store, target, region, keys, options)


def list_keys(
    trail_keys: TrailKeys, region: str, first: datetime, last: datetime
) -> list[TrailKey]:
    """Raises StoreError, also where CloudTrail has none."""
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
    """How many were not there yet. Raises StoreError and VerificationError."""
    return sum(_write_key(store, target, region, key, options) for key in keys)


def archive_prefix(target: Target, region: str) -> str:
    return f"{target.root}keys/cloudtrail/{region}/"


def read_archived_key(
    store: ObjectStore, target: Target, region: str, fingerprint: str
) -> TrailKey | None:
    """None where it is not there. Raises BadPack where what is there is no key, or that of another
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
        raise BadPack(f"s3://{target.bucket}/{key} is not the public key that its name says")
    return found


@dataclass(slots=True)
class KeyRing:
    """The public keys of a validation: asked of CloudTrail first, whose word counts most, then of
    the archive. Thread safe.

    `failures` says, by region, why CloudTrail could not be asked; `sources`, from where each
    (region, fingerprint) came.
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
        """None where there is no such key. `generated` is when a backfill digest was made, which
        may be long after its hour.

        Raises BadPack, StoreError: also where the archive does not have it and CloudTrail, which
        may, could not be asked, is not there to be asked, or refused to be when it was to be kept.
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
        """CloudTrail may have the key, and could not be asked: now, or by the runs that would have
        kept it. Everything else goes on without it.
        """
        refusal = self._read_refusals().get(region)
        since = "" if refusal is None else f"; runs were refused it, first on {refusal.since}"
        if failed is not None:
            kind = type(failed) if isinstance(failed, StoreError) else StoreError
            text = f"no public key {fingerprint}: {failed}{since}"
            raise kind(text, code=failed.code, operation=LIST_PUBLIC_KEYS)
        if refusal is not None:
            text = f"no public key {fingerprint} of {region} was kept{since}"
            raise AccessDenied(text, operation=LIST_PUBLIC_KEYS)
        raise _not_asked(fingerprint)

    def _read_refusals(self) -> dict[str, Refusal]:
        """Of all targets; where several know of a Region, the first refusal counts."""
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
        """Nothing where CloudTrail cannot be asked: the archive may have the key."""
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
        f"no public key {fingerprint!r} is kept beside the packs, and CloudTrail, which may have "
        "it, was not asked",
        code="NotAsked",
        operation="ListPublicKeys",
    )
    error.advice = (
        "Nothing is said against these digests. Ask CloudTrail, with its credentials and without "
        "--public-keys archive; AWS_ENDPOINT_URL_CLOUDTRAIL names another place to ask."
    )
    return error


def _write_key(
    store: ObjectStore, target: Target, region: str, key: TrailKey, options: WriteOptions
) -> int:
    """How many were written. One that somebody else wrote in the meantime must be the same."""
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
                f"s3://{target.bucket}/{name} is another key than CloudTrail's of this fingerprint"
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
