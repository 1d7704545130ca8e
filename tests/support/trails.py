"""An organisation's trails in memory: delivered, packed, tampered with, and validated."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from tests.support.places import find_places
from tests.support.world import SteppingClock, World, make_rules

from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import AccessDenied, RequestFailed, StoreError
from log_aggregator.model import Target
from log_aggregator.ports.store import ObjectStore
from log_aggregator.ports.trail_keys import TrailKey, TrailKeys
from log_aggregator.steps.cloudtrail.accounts import find_accounts
from log_aggregator.steps.cloudtrail.findings import Finding, Request, State, Validation
from log_aggregator.steps.cloudtrail.public_keys import KeyRing
from log_aggregator.steps.cloudtrail.validate import validate
from log_aggregator.steps.workers import SerialWorkers, Workers
from log_aggregator_lab.check import read_original_back
from log_aggregator_lab.organisation import keys as lab_keys
from log_aggregator_lab.organisation.cloudtrail import list_cloudtrail
from log_aggregator_lab.organisation.digests import list_digests
from log_aggregator_lab.organisation.generate import OrganisationSpec
from log_aggregator_lab.organisation.synthetic import SyntheticObject
from log_aggregator_lab.servers.trail_api import LabTrailKeys
from log_aggregator_lab.stores.memory import MemoryStore

SPEC = OrganisationSpec(
    seed=3, accounts=2, objects=24, size_bytes_median=1_000, digest_chains=-1, backfilled_logs=1
)
BUCKET = SPEC.control_tower_bucket
TARGET = Target("dest")
_A_YEAR = timedelta(days=365)


@dataclass
class Trails:
    """A world whose Control Tower bucket holds the logs and digests of one or more specifications
    with the same seed.
    """

    spec: OrganisationSpec = SPEC
    storage_class: str = "STANDARD"
    others: tuple[OrganisationSpec, ...] = ()
    objects: dict[str, SyntheticObject] = field(default_factory=dict)
    keys: TrailKeys | None = None
    valid: list[Finding] = field(default_factory=list)

    def __post_init__(self) -> None:
        clock = SteppingClock(
            datetime.combine(self.spec.first_day + timedelta(days=9), time(1), UTC)
        )
        store = MemoryStore(clock=clock)
        store.create_bucket(BUCKET, versioning="Enabled")
        store.create_bucket("dest", versioning="Enabled")
        window = DateWindow(self.spec.first_day, self.spec.first_day + timedelta(days=8))
        rules = make_rules(
            window,
            control_tower_bucket=BUCKET,
            destination_bucket="dest",
            storage_class=self.storage_class,
        )
        self.world = World(store, clock, rules, (TARGET,))
        self.keys = LabTrailKeys(self.spec)
        for spec in (self.spec, *self.others):
            for item in (*list_cloudtrail(spec), *list_digests(spec)):
                self.objects[item.key] = item
                self.put(item.key, item.body, item.metadata)

    @property
    def store(self) -> MemoryStore:
        return self.world.store

    @property
    def digest_keys(self) -> list[str]:
        """Of the first chain, oldest first."""
        return self.chain(0)

    @property
    def log_keys(self) -> list[str]:
        return sorted(key for key, item in self.objects.items() if item.source == "cloudtrail")

    def chain(self, number: int) -> list[str]:
        found: dict[str, list[str]] = {}
        for key, item in self.objects.items():
            if item.source == "digest" and not key.endswith("_backfill.json.gz"):
                found.setdefault(key.partition("/20")[0], []).append(key)
        return sorted(list(found.values())[number])

    def put(self, key: str, body: bytes, metadata: Any = None) -> None:
        self.world.put(BUCKET, key, body, metadata=metadata, content_type="application/json")

    def pack(self) -> None:
        assert self.world.run().failures == []

    def put_back(self, keys: Iterable[str]) -> None:
        """As it was, from its pack."""
        for key in keys:
            (place,) = find_places(self.store, TARGET, BUCKET, key)
            self.store.put(
                BUCKET,
                key,
                b"".join(read_original_back(self.store, place)),
                metadata=place.member.metadata,
            )

    def rewrite(
        self, key: str, change: Callable[[dict[str, Any]], None], *, sign: bool = False
    ) -> None:
        """Changes a digest's document; with `sign`, as only CloudTrail can, with a valid
        signature.
        """
        item = self.objects[key]
        fields = json.loads(gzip.decompress(item.body))
        change(fields)
        document = json.dumps(fields).encode()
        metadata = dict(item.metadata)
        if sign:
            metadata["signature"] = sign_document(self.spec, fields, document)
        self.put(key, gzip.compress(document), metadata)

    def move_older(self, count: int, bucket: str) -> None:
        """The trail of the first chain delivered its first digests to another bucket; the chain
        continues from there.
        """
        self.store.create_bucket(bucket, versioning="Enabled")
        places = [bucket if number < count else BUCKET for number in range(len(self.digest_keys))]
        chain = [(self.objects[key].body, self.objects[key].metadata) for key in self.digest_keys]
        for key, place, (body, metadata) in zip(
            self.digest_keys, places, sign_again(self.spec, chain, places), strict=True
        ):
            self.store.delete(BUCKET, key)
            self.store.put(place, key, body, metadata=metadata)

    def validate(
        self,
        first: datetime | date | None = None,
        last: datetime | date | None = None,
        *,
        store: ObjectStore | None = None,
        workers: Workers | None = None,
        buckets: frozenset[str] = frozenset(),
        **request: Any,
    ) -> Validation:
        """For the first day, unless another range is given."""
        begin, end = first or self.spec.first_day, last or self.spec.first_day
        asked = Request(_moment(begin, time.min), _moment(end, time.max), **request)
        found = store or self.store
        ring = KeyRing(found, [TARGET], self.keys, asked.first, asked.last)
        places = find_accounts(found, [TARGET], [BUCKET], buckets, asked.read_from)
        self.ring, self.valid = ring, []
        return validate(
            found, workers or SerialWorkers(), [TARGET], places, asked, ring, self._watch
        )

    def _watch(self, findings: Iterable[Finding]) -> None:
        self.valid += (finding for finding in findings if finding.state is State.VALID)


class Denying:
    """A CloudTrail that must not, or cannot, be asked."""

    def __init__(self, error: StoreError | None = None) -> None:
        self.asked = 0
        self._error = error or AccessDenied(
            "ListPublicKeys cloudtrail: AccessDeniedException", code="AccessDeniedException"
        )

    def list_public_keys(self, region: str, first: datetime, last: datetime) -> list[TrailKey]:
        self.asked += 1
        raise self._error


class RegionDeny(LabTrailKeys):
    """A CloudTrail that must not be asked in some Regions, as with Control Tower's Region deny."""

    def __init__(
        self, spec: OrganisationSpec, *regions: str, error: RequestFailed | None = None
    ) -> None:
        super().__init__(spec)
        self.keys = [replace(key, valid_until=key.valid_until + _A_YEAR) for key in self.keys]
        self.denied = set(regions)
        self.error = error or AccessDenied(
            "ListPublicKeys cloudtrail: AccessDeniedException: with an explicit deny in a service "
            "control policy",
            code="AccessDeniedException",
        )

    @property
    def regions(self) -> list[str]:
        """The Regions that were asked."""
        return [region for region, _, _ in self.asked]

    def list_public_keys(self, region: str, first: datetime, last: datetime) -> list[TrailKey]:
        keys = super().list_public_keys(region, first, last)
        if region in self.denied:
            raise self.error
        return keys


def sign_document(spec: OrganisationSpec, fields: dict[str, Any], document: bytes) -> str:
    place = f"{fields['digestS3Bucket']}/{fields['digestS3Object']}"
    lines = (
        fields["digestEndTime"],
        place,
        hashlib.sha256(document).hexdigest(),
        fields["previousDigestSignature"] or "null",
    )
    return lab_keys.sign(spec.seed, "\n".join(lines).encode()).hex()


def sign_again(
    spec: OrganisationSpec, chain: Iterable[tuple[bytes, Mapping[str, str]]], places: Iterable[str]
) -> Iterator[tuple[bytes, dict[str, str]]]:
    """A chain's digests, oldest first, as CloudTrail would have delivered them to these buckets."""
    previous: dict[str, str] = {}
    for (body, metadata), place in zip(chain, places, strict=True):
        fields = json.loads(gzip.decompress(body)) | {"digestS3Bucket": place} | previous
        document = json.dumps(fields).encode()
        signature = sign_document(spec, fields, document)
        yield gzip.compress(document), {**metadata, "signature": signature}
        hashed = hashlib.sha256(document).hexdigest()
        previous = {
            "previousDigestS3Bucket": place,
            "previousDigestHashValue": hashed,
            "previousDigestSignature": signature,
        }


def trails(**changes: Any) -> Trails:
    return Trails(replace(SPEC, **changes))


def problems(result: Validation) -> dict[tuple[str, str], str]:
    """(state, key) -> text of every file that is not simply valid. `holes` are not files."""
    return {
        (finding.state.value, finding.key): finding.text
        for finding in result.findings
        if finding.state is not State.HOLE
    }


def holes(result: Validation) -> dict[tuple[str, str], list[str]]:
    """(account, Region) -> "<begin> to <end>" of every hole."""
    found: dict[tuple[str, str], list[str]] = {}
    for hole in result.holes:
        text = f"{hole.begin:%dT%H:%M:%S} to {hole.end:%dT%H:%M:%S}"
        found.setdefault((hole.chain.account, hole.chain.region), []).append(text)
    return found


def _moment(value: datetime | date, time_of_day: time) -> datetime:
    return value if isinstance(value, datetime) else datetime.combine(value, time_of_day, UTC)
