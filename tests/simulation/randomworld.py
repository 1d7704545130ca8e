"""A small organisation drawn from a seed, and the outside world that keeps writing, deleting and
locking during runs.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from awscrt.checksums import crc64nvme as compute_crc64nvme
from tests.simulation.freekeys import DECLARATIONS, FREE_KINDS, is_dated_when_put
from tests.simulation.truth import Fate, Original, Truth
from tests.support.world import (
    ACCOUNT,
    DAY,
    SteppingClock,
    access_key,
    document,
    flow_key,
    make_rules,
    pack_gzip,
    trail_key,
)

from log_aggregator.adapters.forwarding import Call
from log_aggregator.core.custody import record_key
from log_aggregator.core.planning import PackLimits
from log_aggregator.limits import GIB, PART_SIZE_BYTES_MIN
from log_aggregator.model import LogObject, Target
from log_aggregator.ports.store import Deletion
from log_aggregator.steps.rules import RunRules
from log_aggregator_lab.stores.memory import MemoryStore

ACCOUNTS = (ACCOUNT, "222222222222")
HISTORIES: dict[str, tuple[str | None, ...]] = {
    "Enabled": ("Enabled",),
    "None": (None,),
    "Suspended": ("Suspended",),
    "Enabled, then suspended": ("Enabled", "Suspended"),
    "None, then enabled": (None, "Enabled"),
    "Changing": (None, "Enabled", "Suspended", "Enabled", "Suspended"),
}
"""The source bucket's versioning over time; the last state applies during the runs. In between,
keys are overwritten or deleted.
"""

HELD_PREFIX = f"AWSLogs/{ACCOUNT}/vpcflowlogs/eu-west-1/{DAY:%Y/%m/%d}/held-"
LARGE_BYTES = 900
"""In some worlds large enough to be copied alone."""

HUGE_BYTES = 2 * PART_SIZE_BYTES_MIN
"""Large enough to be copied by S3 into a pack. Takes time, so it is rare."""


@dataclass(slots=True)
class RandomWorld:
    """A store, its contents, and the settings of its runs."""

    seed: int
    random: random.Random
    store: MemoryStore
    clock: SteppingClock
    rules: RunRules
    truth: Truth
    versioning: str
    """One of HISTORIES."""
    has_kms: bool
    keep_days: int
    is_main: bool
    """`logs` is a Control Tower bucket: objects that are not its logs stay."""
    discards: bool
    declares: bool
    """The settings declare the layouts of free logs."""
    happened: list[str] = field(default_factory=list)
    rotten: set[str] = field(default_factory=set)
    """Packs that S3 stored with other bytes than were sent: a person has to look at them, and their
    groups keep failing.
    """
    twins: set[str] = field(default_factory=set)
    """Keys that were overwritten with other bytes of the same ETag in the same second: they stay,
    and a person has to look at them.
    """
    locked: set[str] = field(default_factory=set)
    swapped: set[str] = field(default_factory=set)
    runs: int = 0
    _number: int = 0

    @property
    def fate_of_free_logs(self) -> Fate:
        return Fate.GO if self.declares else Fate.STAY

    def deliver(self) -> LogObject:
        """One more object: usually a log, sometimes something that has to stay."""
        self._number += 1
        kind = self.random.choices(tuple(KINDS), [weight for weight, _ in KINDS.values()])[0]
        return KINDS[kind][1](self, self._number)

    def put(self, key: str, data: bytes, fate: Fate = Fate.GO, **more: object) -> LogObject:
        if self.is_main and fate is Fate.GO and "/CloudTrail/" not in key:
            fate = Fate.STAY
        headers = self._draw_headers()
        with_checksum = self.random.random() < 0.3
        source = self.store.put("logs", key, data, **headers, with_checksum=with_checksum, **more)  # type: ignore[arg-type]
        self.truth.add(Original(source, data, **headers, fate=fate))
        return source

    def _draw_headers(self) -> dict[str, Any]:
        return {
            "metadata": {"signature": f"{self._number:04x}"} if self.random.random() < 0.3 else {},
            "content_type": self.random.choice((None, "application/json", "application/x-gzip")),
            "content_encoding": self.random.choice((None, None, "gzip")),
        }

    def disturb(self) -> None:
        """Something happens outside."""
        event = self.random.choice(
            (
                self._arrive,
                self._arrive,
                self._write_over,
                self._deliver_again,
                self._delete,
                self._expire,
                self._lock,
            )
        )
        event()

    def swap(self) -> None:
        """Between two runs: replaces a log without a version id by other bytes with the same ETag
        and size. Usually later; or in the same second, which only the bytes reveal.
        """
        log = self._some_log()
        is_fixed = self.store.get_bucket_versioning("logs") == "Enabled"
        if log is None or is_fixed or log.source.version_id not in (None, "null"):
            return
        key, etag = log.source.key, log.source.etag
        entry = self.store._find_bucket("PutObject", "logs").find_current(key)
        is_other = entry is None or entry.etag != etag or key in self.swapped
        if entry is None or is_other or is_dated_when_put(key) or self._is_hidden(key):
            return
        self.swapped.add(key)
        data = (log.data[:-1] + bytes([log.data[-1] ^ 1])) if log.data else b""
        written = entry.last_modified
        source = self.store.put("logs", key, data)
        entry = self.store._find_bucket("PutObject", "logs").find_current(key)
        assert entry is not None
        entry.etag, entry.has_opaque_etag = etag, True
        is_at_once = self.random.random() < 0.3
        if is_at_once:
            entry.last_modified = written
            self.twins.add(key)
        source = replace(source, etag=etag, last_modified=entry.last_modified)
        fate = Fate.OPEN if is_at_once else Fate.GO
        self.truth.add(Original(source, data, {}, None, None, fate=fate))
        self.happened.append(f"swapped {key}{' in the same second' if is_at_once else ''}")

    def poison(self) -> None:
        """Someone puts an object at the highest number of a chain."""
        for target in self.truth.targets:
            self.store.put(target.bucket, record_key(target, 9_999_999_999), b"poison")
        self.happened.append("poisoned the custody records")

    def rot(self, call: Call) -> None:
        """The stored bytes are no longer those that were written; S3's checksum matches what is
        stored.
        """
        entry = self.store._find_bucket("PutObject", call.bucket).find_current(call.key)
        if entry is None or entry.data is None:
            return
        at = self.random.randrange(len(entry.data))
        entry.data = entry.data[:at] + bytes([entry.data[at] ^ 4]) + entry.data[at + 1 :]
        entry.crc64nvme = None if entry.crc64nvme is None else compute_crc64nvme(entry.data)
        self.rotten.add(call.key)

    def _arrive(self) -> None:
        self.happened.append(f"delivered {self.deliver().key}")

    def _some_log(self, *fates: Fate) -> Original | None:
        logs = [
            each for each in self.truth.originals.values() if each.fate in (fates or (Fate.GO,))
        ]
        return self.random.choice(sorted(logs, key=str)) if logs else None

    def _write_over(self) -> None:
        """Writes the same key once more: another version, or a replacement; or a key that was
        deleted.
        """
        if (log := self._some_log(Fate.GO, Fate.OPEN)) is not None:
            self._number += 1
            if any(
                each.fate not in (Fate.GO, Fate.OPEN)
                for each in self.truth.of_key("logs", log.source.key)
            ):
                return
            # If a version is locked, even one deleted since, it waits until that is gone.
            fate = Fate.OPEN if log.source.key in self.locked else Fate.GO
            self.put(log.source.key, _other_bytes(log.data, self._number), fate)
            self._open_if_dated_anew(log.source.key)
            self.happened.append(f"wrote over {log.source.key}")

    def _deliver_again(self) -> None:
        """Delivers the very same object again, like a service that did not hear that it had
        arrived. With versions it is another one with the same ETag; without, only its time tells
        them apart.
        """
        if (log := self._some_log()) is None or self._is_hidden(log.source.key):
            return
        headers = {
            "metadata": log.metadata,
            "content_type": log.content_type,
            "content_encoding": log.content_encoding,
        }
        source = self.store.put("logs", log.source.key, log.data, **headers)  # type: ignore[arg-type]
        self.truth.add(Original(source, log.data, **headers, fate=Fate.GO))  # type: ignore[arg-type]
        self._open_if_dated_anew(log.source.key)
        self.happened.append(f"delivered again {log.source.key}")

    def _open_if_dated_anew(self, key: str) -> None:
        """A key dated by LastModified now belongs to another day. Whether the old versions were
        packed before depends on timing.
        """
        if is_dated_when_put(key):
            for each in self.truth.of_key("logs", key):
                each.fate = Fate.OPEN

    def _expire(self) -> None:
        """A lifecycle rule removes a version that is not the newest, permanently."""
        older = [
            entry
            for entry in self.truth.data_versions("logs")
            if not entry.is_latest and entry.version_id is not None
        ]
        if not older:
            return
        gone = self.random.choice(older)
        self.truth.forget("logs", gone.key, (gone.version_id,))
        self.store.delete_objects("logs", [Deletion(gone.key, version_id=gone.version_id)])
        self.happened.append(f"expired {gone.key} {gone.version_id}")

    def _delete(self) -> None:
        """A plain delete of the key: a delete marker if there are versions."""
        if (log := self._some_log()) is None:
            return
        key = log.source.key
        self.happened.append(f"deleted {key}")
        if self.store.get_bucket_versioning("logs") != "Enabled":
            self.truth.forget("logs", key)
        self.store.delete("logs", key)
        for each in self.truth.of_key("logs", key):
            each.fate = Fate.OPEN

    def _lock(self) -> None:
        """Object Lock on every version of a key."""
        log = self._some_log()
        if (
            log is None or self.versioning != "Enabled"
        ):  # Object Lock never lets versioning be suspended
            return
        there = {
            entry.identity
            for entry in self.truth.data_versions("logs")
            if entry.key == log.source.key
        }
        if not there:
            return
        self.store.retain("logs", log.source.key)
        self.locked.add(log.source.key)
        self.happened.append(f"locked {log.source.key}")
        for each in self.truth.of_key("logs", log.source.key):
            if each.source.identity in there and each.fate is Fate.GO:
                each.fate = Fate.LOCKED

    def _is_hidden(self, key: str) -> bool:
        return any(each.fate is not Fate.GO for each in self.truth.of_key("logs", key))


def build_world(seed: int) -> RandomWorld:
    """The same seed gives the same world."""
    rng = random.Random(seed)
    versioning = rng.choice(tuple(HISTORIES))
    has_kms = rng.random() < 0.3
    clock = SteppingClock()
    store = MemoryStore(
        clock=clock,
        page_size=rng.choice((2, 3, 5, 1000)),
        reports_object_checksums=rng.random() < 0.8,
    )
    first, *later = HISTORIES[versioning]
    store.create_bucket("logs", versioning=first, has_kms=has_kms)
    store.create_bucket("dest", versioning=rng.choice(("Enabled", None)))
    in_place = rng.random() < 0.25
    keep_days = rng.choice((0, 0, 0, 2))
    other_regions = rng.choice(("keep", "keep", "delete"))
    is_main = rng.random() < 0.3
    declares = rng.random() < 0.8
    settings: dict[str, Any] = {
        "control_tower_bucket" if is_main else "other_buckets": "logs",
        "aggregation_regions": "eu-west-1",
        "other_regions": other_regions,
        "keep_originals_days": keep_days,
    }
    if declares:
        settings["layouts"] = DECLARATIONS
    settings["holds"] = {"prefixes": [HELD_PREFIX]}
    settings["verify"] = rng.choice(("checksum", "checksum", "read-back"))
    if not in_place:
        settings["destination_bucket"] = "dest"
    target = Target("logs", "aggregated/") if in_place else Target("dest")
    rules = make_rules(limits=_draw_limits(rng), **settings)
    world = RandomWorld(
        seed,
        rng,
        store,
        clock,
        rules,
        Truth(store, ("logs",), (target,)),
        versioning,
        has_kms,
        keep_days,
        is_main,
        is_main and other_regions == "delete",
        declares,
    )
    for status in (None, *later):
        if status is not None:
            store.set_versioning("logs", status)
            world.truth.name_versions()
        for _ in range(rng.randrange(1, 9)):
            world.deliver()
            if later and rng.random() < 0.5:
                rng.choice((world._write_over, world._delete))()
    return world


def _draw_limits(rng: random.Random) -> PackLimits:
    return PackLimits(
        members_max=rng.choice((2, 3, 200_000)),
        copy_alone_bytes_min=rng.choice((LARGE_BYTES, GIB)),
        copy_size_bytes_min=HUGE_BYTES,
        part_size_bytes=PART_SIZE_BYTES_MIN,
    )


def _other_bytes(data: bytes, number: int) -> bytes:
    """Different bytes of the same kind."""
    return (
        document(1000 + number)
        if data.startswith(b"\x1f\x8b")
        else f"written over {number}\n".encode()
    )


def _trail(world: RandomWorld, number: int) -> LogObject:
    return world.put(trail_key(number, account=world.random.choice(ACCOUNTS)), document(number))


def _flow(world: RandomWorld, number: int) -> LogObject:
    text = b"flow " * world.random.randrange(1, 9) + (b"\n" if world.random.random() < 0.5 else b"")
    return world.put(flow_key(f"{number}.log.gz"), pack_gzip(text))


def _text(world: RandomWorld, number: int) -> LogObject:
    return world.put(access_key(number), f"line {number}\n".encode() * world.random.randrange(1, 5))


def _large(world: RandomWorld, number: int) -> LogObject:
    return world.put(
        flow_key(f"{number}.log.gz"), pack_gzip(world.random.randbytes(LARGE_BYTES + number))
    )


def _huge(world: RandomWorld, number: int) -> LogObject:
    name, head = world.random.choice(
        ((f"{number}.parquet", b"PAR1"), (f"{number}.log.gz", b"\x1f\x8b\x08"))
    )
    return world.put(flow_key(name), head + _noise() + bytes([number % 256]))


@functools.cache
def _noise() -> bytes:
    return random.Random(0).randbytes(HUGE_BYTES)


def _parquet(world: RandomWorld, number: int) -> LogObject:
    return world.put(flow_key(f"{number}.parquet"), b"PAR1" + world.random.randbytes(40) + b"PAR1")


def _damaged(world: RandomWorld, number: int) -> LogObject:
    return world.put(flow_key(f"{number}.log.gz"), pack_gzip(b"damaged" * 9)[:-3])


def _versions(world: RandomWorld, number: int) -> LogObject:
    """A key with an old version, and sometimes a delete marker between them."""
    key = trail_key(number)
    first = world.put(key, document(number))
    if world.store.get_bucket_versioning("logs") == "Enabled" and world.random.random() < 0.5:
        world.store.delete("logs", key)
    world.put(key, document(number + 500))
    return first


def _deleted(world: RandomWorld, number: int) -> LogObject:
    """A key that someone has deleted: its old versions stay."""
    if world.store.get_bucket_versioning("logs") != "Enabled":
        return _trail(world, number)
    source = world.put(trail_key(number), document(number), Fate.STAY)
    world.store.delete("logs", source.key)
    return source


def _other_region(world: RandomWorld, number: int) -> LogObject:
    """Sometimes in two versions."""
    key, fate = trail_key(number, region="us-east-1"), Fate.DISCARD if world.discards else Fate.STAY
    if world.random.random() < 0.5:
        world.put(key, document(number), fate)
    return world.put(key, document(number + 500), fate)


def _stays(
    key: Callable[[int], str], data: bytes = b"left alone\n", **more: object
) -> Callable[[RandomWorld, int], LogObject]:
    return lambda world, number: world.put(key(number), data, Fate.STAY, **more)


KINDS: dict[str, tuple[float, Callable[[RandomWorld, int], LogObject]]] = {
    "trail": (8, _trail),
    "flow logs": (5, _flow),
    "text": (5, _text),
    "large": (2, _large),
    "huge": (0.05, _huge),
    "parquet": (2, _parquet),
    "damaged gzip": (1, _damaged),
    "versions": (3, _versions),
    "deleted key": (1, _deleted),
    "unknown": (1, _stays(lambda number: f"readme-{number}.txt")),
    "empty": (1, _stays(access_key, b"")),
    "held": (1, _stays(lambda number: f"{HELD_PREFIX}{number}.log.gz", pack_gzip(b"held\n"))),
    "other region": (1, _other_region),
    "other day": (
        1,
        _stays(lambda number: trail_key(number, day=DAY - timedelta(days=40)), document(8)),
    ),
    "frozen": (
        1,
        _stays(
            lambda number: flow_key(f"frozen-{number}.log.gz"),
            pack_gzip(b"cold\n"),
            storage_class="GLACIER",
        ),
    ),
    **FREE_KINDS,
}
"""Name -> (how often, how it is delivered)."""
