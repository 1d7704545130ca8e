"""Days of logs on a real server, the command line that packs them, and what must hold afterwards.

All days share the same three buckets, because making a new bucket takes the server longer than a
whole run. A day has its own keys, packs and uploads, so each day is a separate world, except for
the chain of custody records, to which every run adds one.
"""

from __future__ import annotations

import itertools
import random
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import boto3
from tests.support.forking import Done, Forked, ForkServer, Tuning
from tests.support.proxy import Proxy
from tests.support.world import access_key, document, flow_key, pack_gzip, trail_key

from log_aggregator.core.query import Query
from log_aggregator.errors import LogAggregatorError
from log_aggregator.limits import MIB
from log_aggregator.model import Identity, Member, PackedMember, Target, is_fixed
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.packs.pages import list_all
from log_aggregator.steps.packs.verify import verify_pack
from log_aggregator.steps.retrieval.catalog import list_packs
from log_aggregator.steps.rules import Level
from log_aggregator.steps.workers import SerialWorkers
from log_aggregator.wiring import Connection, connect
from log_aggregator_lab.check import read_original_back
from log_aggregator_lab.servers.s3 import EmbeddedS3
from log_aggregator_lab.upload import create_bucket

FIRST_DAY = date(2015, 1, 1)
NEXT_DAY = Tuning(clock_hours=25)
"""After a day, an unfinished upload counts as that of a dead run."""

READS = {
    "GetObject",
    "HeadObject",
    "ListObjectVersions",
    "ListObjectsV2",
    "ListMultipartUploads",
    "GetBucketVersioning",
}


@dataclass(frozen=True, slots=True)
class Original:
    """A log object as it was put. Version id None: its bucket has no versions."""

    bucket: str
    identity: Identity
    data: bytes
    metadata: Mapping[str, str]

    @property
    def key(self) -> str:
        return self.identity[0]

    def __str__(self) -> str:
        return f"{self.bucket}/{self.key} {self.identity[1]}"


Packed = list[tuple[str, Member, PackedMember]]
"""(source bucket, member, where it lies)"""


@dataclass(slots=True)
class Ground:
    """A server with the buckets `trail` (versions), `logs` (none) and `packs`, and a proxy in front
    of it.
    """

    server: EmbeddedS3
    proxy: Proxy
    forks: ForkServer
    names: Mapping[str, str]
    client: Any = field(repr=False)
    """Bypasses the proxy, as does the store."""
    store: ObjectStore = field(repr=False)
    _days: Iterator[date] = field(
        default_factory=lambda: (
            FIRST_DAY + timedelta(days=2 * number) for number in itertools.count()
        )
    )

    def environment(self, endpoint_url: str) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": self.server.access_key,
            "AWS_SECRET_ACCESS_KEY": self.server.secret_key,
            "AWS_ENDPOINT_URL_S3": endpoint_url,
            "AWS_REGION": self.server.region,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def new_day(self) -> Day:
        return Day(self, next(self._days))


@contextmanager
def make_ground(server: EmbeddedS3) -> Iterator[Ground]:
    names = {name: f"{name}-{secrets.token_hex(4)}" for name in ("trail", "logs", "packs")}
    for name, bucket in names.items():
        create_bucket(bucket, server, is_versioned=name != "logs")
    with ExitStack() as stack:
        yield Ground(
            server,
            stack.enter_context(Proxy(server.endpoint_url)),
            stack.enter_context(ForkServer()),
            names,
            make_client(server),
            connect(
                Connection(
                    None, server.region, server.endpoint_url, server.access_key, server.secret_key
                )
            ),
        )


def make_client(server: EmbeddedS3) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=server.endpoint_url,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        region_name=server.region,
    )


@dataclass(slots=True)
class Day:
    """One day of logs."""

    ground: Ground
    date: date
    originals: list[Original] = field(default_factory=list)

    @property
    def client(self) -> Any:
        return self.ground.client

    @property
    def store(self) -> ObjectStore:
        return self.ground.store

    @property
    def target(self) -> Target:
        return Target(self.ground.names["packs"])

    def put(self, name: str, key: str, data: bytes, **metadata: str) -> None:
        bucket = self.ground.names[name]
        answer = self.client.put_object(Bucket=bucket, Key=key, Body=data, Metadata=metadata)
        etag, version_id = answer["ETag"].strip('"'), answer.get("VersionId")
        written = None if is_fixed(version_id) else self._written(bucket, key)
        identity = (key, version_id, etag, len(data), written)
        self.originals.append(Original(bucket, identity, data, metadata))

    def _written(self, bucket: str, key: str) -> datetime:
        """As in a listing."""
        found = self.store.list_objects(bucket, prefix=key).objects
        return next(each.last_modified for each in found if each.key == key)

    def arguments(self) -> list[str]:
        names = self.ground.names
        buckets = [
            "--control-tower-bucket",
            names["trail"],
            "--other-buckets",
            names["logs"],
            "--destination-bucket",
            names["packs"],
        ]
        sizes = [
            "--part-size",
            "5 MiB",
            "--copy-size-min",
            "10 MiB",
            "--readers",
            "4",
            "--groups-at-once",
            "2",
        ]
        return ["run", "--delete-originals", "--json", "--date", str(self.date), *buckets, *sizes]

    def start(self, proxy: Proxy | None = None, tuning: Tuning | None = None) -> Forked:
        """A run through the ground's proxy, or through another one."""
        endpoint_url = (proxy or self.ground.proxy).endpoint_url
        return self.ground.forks.start(
            self.arguments(),
            self.ground.environment(endpoint_url),
            tuning=tuning or Tuning(),
        )

    def run(self, tuning: Tuning | None = None) -> Done:
        return self.start(tuning=tuning).wait()

    def open_uploads(self) -> list[str]:
        """Open uploads of packs of this day."""
        uploads = self.client.list_multipart_uploads(Bucket=self.target.bucket).get("Uploads", [])
        return [upload["Key"] for upload in uploads if f"{self.date:/%Y/%m/%d/}" in upload["Key"]]

    def stored(self) -> list[tuple[str, str, str]]:
        """Everything in the destination bucket that belongs to this day."""
        return sorted(
            (found.key, found.etag, found.version_id or "")
            for folder in ("packs/", "indexes/")
            for found in list_all(self.store, self.target.bucket, folder)
            if f"{self.date:/%Y/%m/%d/}" in found.key
        )

    def in_place(self) -> set[tuple[str, Identity]]:
        """The originals that are still in place, each as exactly the version that was put."""
        trail, logs = self.ground.names["trail"], self.ground.names["logs"]
        found = {(logs, entry.identity) for entry in list_all(self.store, logs, "")}
        page = self.store.list_object_versions(trail)
        if page.next_start is not None:
            raise AssertionError("more versions than one page holds: earlier days were left behind")
        return found | {(trail, entry.identity) for entry in page.objects}

    def left_markers(self) -> list[str]:
        page = self.store.list_object_versions(self.ground.names["trail"])
        return [marker.key for marker in page.markers if f"{self.date:/%Y/%m/%d/}" in marker.key]

    def packed(self) -> Packed:
        """The members of every pack of the day that has an index. Each pack is read back, byte for
        byte.
        """
        found = []
        for entry in list_packs(
            self.store, SerialWorkers(), self.target, Query.of_days(self.date, self.date)
        ):
            if entry.index_bytes is not None:
                index = verify_pack(self.store, self.target, entry.pack_key, Level.READ_BACK).index
                found += [
                    (index.group.bucket, member, PackedMember(self.target, entry.pack_key, member))
                    for member in index.members
                ]
        return found

    def find_losses(self, packed: Packed | None = None) -> list[str]:
        """Originals that are neither in place nor in a pack with their bytes and metadata.
        `packed`: the contents of the packs, if just read.
        """
        in_place = self.in_place()
        missing = [
            original
            for original in self.originals
            if (original.bucket, original.identity) not in in_place
        ]
        try:
            places = {
                (bucket, member.identity): place
                for bucket, member, place in (self.packed() if packed is None else packed)
            }
        except LogAggregatorError as error:
            return [f"a pack with an index is not sound: {error}"]
        return [
            problem
            for original in missing
            if (
                problem := self._find_loss(
                    original, places.get((original.bucket, original.identity))
                )
            )
        ]

    def _find_loss(self, original: Original, place: PackedMember | None) -> str | None:
        if place is None:
            return f"{original}: neither in its bucket nor in a pack"
        try:
            data = b"".join(read_original_back(self.store, place))
        except LogAggregatorError as error:
            return f"{original}: {error}"
        if data != original.data:
            return f"{original}: came back with other bytes"
        if dict(place.member.metadata) != dict(original.metadata):
            return f"{original}: came back with other metadata"
        return None

    def copies(self, packed: Packed | None = None) -> Counter[tuple[str, Identity]]:
        """The number of packs that contain each original."""
        members = self.packed() if packed is None else packed
        return Counter((bucket, member.identity) for bucket, member, _ in members)


def put_small(day: Day) -> None:
    """A key with two versions and an old delete marker between them, a digest with its signature,
    flow logs, text.
    """
    first, second = (trail_key(number, day=day.date) for number in (1, 2))
    day.put("trail", first, document(1), signature="one")
    day.client.delete_object(Bucket=day.ground.names["trail"], Key=first)
    day.put("trail", first, document(2), signature="two")
    day.put("trail", second, document(3))
    day.put(
        "trail",
        trail_key(3, service="CloudTrail-Digest", day=day.date),
        document(4),
        signature="0af1",
    )
    day.put("logs", flow_key("a.log.gz", day=day.date), pack_gzip(b"lines without an end"))
    day.put("logs", access_key(1, day=day.date), b"some text\n")
    day.put("logs", access_key(2, day=day.date), b"more text without an end")


def put_large(day: Day) -> None:
    """A member that S3 copies after a bridge, in a pack of several parts."""
    large = b"\x1f\x8b\x08" + random.Random(str(day.date)).randbytes(10 * MIB)
    day.put("logs", flow_key("a.log.gz", day=day.date), pack_gzip(b"small\n"))
    day.put("logs", flow_key("b.log.gz", day=day.date), large, kept="yes")


def assert_settled(day: Day, where: str = "", copies_max: int = 1, openings_max: int = 1) -> None:
    """Nothing is lost or left, everything is in one pack (or in the given number), no upload is
    open a day later, and a further run only reads.
    """
    packed = day.packed()
    assert day.find_losses(packed) == [], where
    assert (
        day.in_place() & {(original.bucket, original.identity) for original in day.originals}
        == set()
    ), where
    assert day.left_markers() == [], where
    copies = day.copies(packed)
    assert copies.keys() == {(original.bucket, original.identity) for original in day.originals}, (
        where
    )
    assert max(copies.values()) <= copies_max, (where, copies)
    before = day.stored()
    day.ground.proxy.restart()
    further = day.run(NEXT_DAY)
    assert further.code == 0, (where, further)
    assert (
        further.result["packs"],
        further.result["objects"]["deleted"],
        further.result["failures"],
    ) == ([], 0, []), where
    writes = [
        request
        for request in day.ground.proxy.requests
        if request.operation not in {*READS, "AbortMultipartUpload"}
    ]
    # Its own record, and one more for each opening by a dead run of the day before.
    assert {request.key.split("/")[0] for request in writes} == {"custody"}, (where, writes)
    assert len(writes) <= 1 + openings_max, (where, writes)
    assert day.stored() == before, where
    assert day.open_uploads() == [], where


def assert_mended(day: Day, where: str = "", copies_max: int = 1, openings_max: int = 1) -> None:
    """Nothing is lost now, and an undisturbed run ends well and leaves everything as it should
    be.
    """
    day.ground.proxy.wait_until_idle()
    assert day.find_losses() == [], where
    day.ground.proxy.restart()
    mending = day.run()
    assert mending.code == 0, (where, mending)
    assert mending.result["failures"] == [], where
    assert_settled(day, where, copies_max, openings_max)


SCENARIOS = {"small": put_small, "large": put_large}


def make_day(ground: Ground, scenario: str) -> Day:
    day = ground.new_day()
    SCENARIOS[scenario](day)
    ground.proxy.restart()
    return day


def names_of(requests: Sequence[Any]) -> list[str]:
    return [str(request) for request in requests]
