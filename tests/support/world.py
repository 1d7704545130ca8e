"""Small organisations in memory: their contents, how they are run, and what must hold
afterwards.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from log_aggregator.adapters.forwarding import Call
from log_aggregator.core.planning import PackLimits
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import RequestFailed
from log_aggregator.model import Index, LogObject, Member, Target
from log_aggregator.ports.store import ObjectStore
from log_aggregator.settings import read_settings
from log_aggregator.steps.job import Job
from log_aggregator.steps.packing.buckets import Area
from log_aggregator.steps.packing.listing import Progress
from log_aggregator.steps.packing.results import RunResult
from log_aggregator.steps.packing.run import run
from log_aggregator.steps.packing.scan import list_in_chunks
from log_aggregator.steps.packing.selection import Selection
from log_aggregator.steps.packs.pages import list_all
from log_aggregator.steps.packs.verify import verify_pack
from log_aggregator.steps.rules import Level, Rules, RunRules
from log_aggregator.steps.workers import SerialWorkers, Workers
from log_aggregator.wiring import make_run_rules
from log_aggregator_lab.stores.faults import Decide, Fault, FaultyStore, Killed
from log_aggregator_lab.stores.memory import MemoryStore
from log_aggregator_lab.unpacking import unpack_member

DAY = date(2025, 4, 3)
WINDOW = DateWindow(date(2025, 4, 2), date(2025, 4, 4))
ACCOUNT = "111111111111"
READS = {
    "GetObject",
    "HeadObject",
    "ListObjectVersions",
    "ListObjectsV2",
    "ListBuckets",
    "ListMultipartUploads",
    "GetBucketVersioning",
}


class SteppingClock:
    """Advances a millisecond whenever it is read, so that no two things happen at the same time."""

    def __init__(self, start: datetime = datetime(2025, 4, 5, 1, tzinfo=UTC)) -> None:
        self._now = start

    def now(self) -> datetime:
        self._now += timedelta(milliseconds=1)
        return self._now

    def advance(self, **delta: float) -> None:
        self._now += timedelta(**delta)


@dataclass(frozen=True, slots=True)
class Stored:
    """A log object as AWS delivered it."""

    source: LogObject
    data: bytes
    metadata: Mapping[str, str] = field(default_factory=dict)
    content_type: str | None = None


@dataclass(slots=True)
class World:
    """A store, its clock, the rules of its runs, and every log object that was ever put into it."""

    store: MemoryStore
    clock: SteppingClock
    rules: RunRules
    targets: tuple[Target, ...]
    originals: list[Stored] = field(default_factory=list)

    def put(
        self,
        bucket: str,
        key: str,
        data: bytes,
        *,
        metadata: Mapping[str, str] | None = None,
        **more: Any,
    ) -> LogObject:
        source = self.store.put(bucket, key, data, metadata=metadata, **more)
        self.originals.append(Stored(source, data, dict(metadata or {}), more.get("content_type")))
        return source

    def job(
        self,
        store: ObjectStore | None = None,
        workers: Workers | None = None,
        rules: RunRules | None = None,
    ) -> Job:
        """What the steps work with; by default the world's own, and one thread."""
        return Job(store or self.store, workers or SerialWorkers(), rules or self.rules, self.clock)

    def run(self, store: ObjectStore | None = None, rules: RunRules | None = None) -> RunResult:
        return run(self.job(store, rules=rules), Progress())

    def run_faulty(
        self, decide: Decide, rules: RunRules | None = None
    ) -> tuple[RunResult, list[Call]]:
        store = FaultyStore(self.store, decide)
        return self.run(store, rules), store.calls


def make_rules(
    window: DateWindow = WINDOW, limits: PackLimits | None = None, **settings: Any
) -> RunRules:
    """The rules made from settings, for a run that deletes unless they say otherwise; `limits` may
    be lower than settings allow.
    """
    rules = make_run_rules(read_settings(None, {"delete_originals": True} | settings), window)
    if limits is None:
        return rules
    return replace(
        rules, group=replace(rules.group, combine=replace(rules.group.combine, limits=limits))
    )


def make_world(
    *,
    versioning: str | None = "Enabled",
    limits: PackLimits | None = None,
    has_kms: bool = False,
    store: MemoryStore | None = None,
    clock: SteppingClock | None = None,
    **settings: Any,
) -> World:
    """One auxiliary bucket `logs` and a versioned destination `dest`; more through `settings`."""
    clock = clock or SteppingClock()
    store = store or MemoryStore(clock=clock)
    store.create_bucket("logs", versioning=versioning, has_kms=has_kms)
    store.create_bucket("dest", versioning="Enabled")
    wanted = {"other_buckets": "logs", "destination_bucket": "dest"} | settings
    return World(store, clock, make_rules(limits=limits, **wanted), (Target("dest"),))


def job_over(
    store: ObjectStore,
    workers: Workers | None = None,
    **settings: Any,
) -> Job:
    """A job without a world; without settings it packs `logs` into `dest`."""
    wanted = settings or {"other_buckets": "logs", "destination_bucket": "dest"}
    return Job(store, workers or SerialWorkers(), make_rules(**wanted), SteppingClock())


def list_whole(store: ObjectStore, area: Area, rules: Rules) -> Selection:
    """Everything in an area that the rules want, in one piece."""
    whole = Selection()
    for chunk in list_in_chunks(store, area, rules):
        whole.merge(chunk)
    return whole


def trail_key(
    number: int,
    *,
    account: str = ACCOUNT,
    region: str = "eu-west-1",
    service: str = "CloudTrail",
    day: date = DAY,
) -> str:
    name = f"{account}_{service}_{region}_{day:%Y%m%d}T{number % 24:02}00Z_{number:016d}.json.gz"
    return f"o-abcd1234/AWSLogs/o-abcd1234/{account}/{service}/{region}/{day:%Y/%m/%d}/{name}"


def access_key(number: int, *, day: date = DAY) -> str:
    return f"{day:%Y-%m-%d}-{number % 24:02}-00-00-{number:016X}"


def flow_key(name: str, *, account: str = ACCOUNT, day: date = DAY) -> str:
    return f"AWSLogs/{account}/vpcflowlogs/eu-west-1/{day:%Y/%m/%d}/{name}"


def document(number: int) -> bytes:
    """A CloudTrail file: gzip of one JSON document without a final newline."""
    return pack_gzip(json.dumps({"Records": [{"n": number}]}).encode())


def pack_gzip(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def kill_at(call_number: int, *, after: bool) -> Decide:
    """The process dies at that call, before or after it took effect."""

    def decide(number: int, call: Call) -> Fault | None:
        if number != call_number:
            return None
        return Fault(after=Killed()) if after else Fault(before=Killed())

    return decide


def fail_on(wanted: Callable[[Call], bool], error: RequestFailed, times: int = 1_000_000) -> Decide:
    """The first `times` calls that are `wanted` fail."""
    left = [times]

    def decide(number: int, call: Call) -> Fault | None:
        if left[0] and wanted(call):
            left[0] -= 1
            return Fault(before=error)
        return None

    return decide


def nothing(number: int, call: Call) -> Fault | None:
    return None


def writes_of(calls: list[Call]) -> list[Call]:
    return [call for call in calls if call.operation not in READS]


def read_indexes(store: ObjectStore, target: Target) -> dict[str, Index]:
    """The index of every pack of a target. Each pack is also read back, byte for byte."""
    found = {}
    for entry in list(list_all(store, target.bucket, f"{target.root}indexes/")):
        key = target.pack_key(entry.key)
        found[key] = verify_pack(store, target, key, Level.READ_BACK).index
    return found


def find_members(
    store: ObjectStore, targets: tuple[Target, ...]
) -> Iterator[tuple[str, Member, bytes, str]]:
    """(source bucket, member, its bytes from the pack, the pack's key) for every pack."""
    for target in targets:
        for key, index in read_indexes(store, target).items():
            data = store.get_object(target.bucket, key).data
            for member in index.members:
                stored = data[member.offset : member.offset + member.length_bytes]
                yield index.group.bucket, member, unpack_member(member, stored), key


def find_losses(world: World) -> list[str]:
    """Log objects that are neither in place, as exactly their version, nor in a verified pack with
    bytes and metadata.
    """
    packed: dict[tuple[object, ...], list[tuple[Member, bytes]]] = {}
    for bucket, member, data, _ in find_members(world.store, world.targets):
        # Without its time: an object rewritten between listing and reading is read by its ETag.
        packed.setdefault((bucket, member.identity[:4]), []).append((member, data))
    return [problem for stored in world.originals if (problem := _find_loss(world, stored, packed))]


def _find_loss(
    world: World, stored: Stored, packed: Mapping[tuple[object, ...], list[tuple[Member, bytes]]]
) -> str | None:
    source = stored.source
    if is_in_place(world.store, source):
        return None
    found = packed.get((source.bucket, source.identity[:4]))
    if found is None:
        return f"{source.key} {source.version_id}: neither in its bucket nor in a pack"
    if not any(
        data == stored.data
        and dict(member.metadata) == dict(stored.metadata)
        and member.content_type == stored.content_type
        for member, data in found
    ):
        return f"{source.key} {source.version_id}: in a pack, but not as it was"
    return None


def is_in_place(store: ObjectStore, source: LogObject) -> bool:
    """Uses the listing, which also has objects that cannot be read."""
    page = store.list_object_versions(source.bucket, prefix=source.key)
    ids = {source.version_id} if source.version_id is not None else {"null"}
    return any(
        (found.key, found.etag) == (source.key, source.etag) and found.version_id in ids
        for found in page.objects
    )


def left_in_place(world: World) -> list[LogObject]:
    return [stored.source for stored in world.originals if is_in_place(world.store, stored.source)]


def count_copies(world: World) -> dict[tuple[object, ...], int]:
    """The number of packs that contain each log object."""
    counts: dict[tuple[object, ...], int] = {}
    for bucket, member, _, _ in find_members(world.store, world.targets):
        counts[bucket, member.identity] = counts.get((bucket, member.identity), 0) + 1
    return counts
