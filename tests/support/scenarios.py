"""The small organisations that the simulation kills, interrupts and runs twice."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.support.world import (
    DAY,
    SteppingClock,
    World,
    access_key,
    document,
    flow_key,
    make_rules,
    make_world,
    pack_gzip,
    trail_key,
)

from log_aggregator.core.planning import PackLimits
from log_aggregator.model import Target
from log_aggregator.steps.packing.pack_writer import bridge_bytes
from log_aggregator_lab.stores.memory import MemoryStore


@dataclass(frozen=True, slots=True)
class Scenario:
    name: str
    build: Callable[[], World]

    def __str__(self) -> str:
        return self.name


def build_versioned() -> World:
    world = make_world()
    for number in range(3):
        world.put(
            "logs",
            trail_key(number),
            document(number),
            metadata={"signature": f"s{number}"},
            content_type="application/json",
        )
    world.put("logs", trail_key(9, account="222222222222"), document(9))
    return world


def build_unversioned() -> World:
    world = make_world(versioning=None)
    for number in range(3):
        world.put("logs", access_key(number), f"line {number}".encode())
    world.put("logs", flow_key("a.log.gz"), pack_gzip(b"a\n"))
    return world


def build_in_place() -> World:
    clock = SteppingClock()
    store = MemoryStore(clock=clock)
    store.create_bucket("trail", versioning="Enabled")
    store.create_bucket("aux")
    rules = make_rules(control_tower_bucket="trail", other_buckets="aux")
    world = World(
        store, clock, rules, (Target("trail", "aggregated/"), Target("aux", "aggregated/"))
    )
    world.put("trail", trail_key(1), document(1), metadata={"signature": "s"})
    world.put("trail", trail_key(2), document(2))
    world.put("aux", access_key(1), b"one\n")
    return world


def build_versions_and_marker() -> World:
    """A key with three versions and an old delete marker between them; a second key; a
    deleted key.
    """
    world = make_world()
    key = trail_key(1)
    world.put("logs", key, document(1))
    world.store.delete("logs", key)
    world.put("logs", key, document(2), metadata={"signature": "two"})
    world.put("logs", key, b"")
    world.put("logs", key, document(3))
    world.put("logs", trail_key(2), document(4))
    world.put("logs", trail_key(3), document(5))
    world.store.delete("logs", trail_key(3))
    return world


def build_mixed() -> World:
    world = make_world()
    world.put("logs", flow_key("a.log.gz"), pack_gzip(b"lines without an end"))
    world.put("logs", flow_key("b.log"), b"plain text without an end")
    world.put("logs", flow_key("c.log.gz"), pack_gzip(b"damaged")[:-3])
    world.put("logs", flow_key("d.parquet"), b"PAR1" + bytes(50) + b"PAR1")
    world.put("logs", flow_key("e.log.gz"), pack_gzip(b"two") + pack_gzip(b" members\n"))
    world.put("logs", flow_key("f.log"), b"\x00binary")
    return world


def build_multipart() -> World:
    """A pack with a member that S3 copies after a bridge, and a parquet file that it copies into a
    tar. S3's smallest part is 5 MiB, unless a test has changed it.
    """
    part_bytes_min = bridge_bytes(1) + 1
    limits = PackLimits(copy_size_bytes_min=2 * part_bytes_min, part_size_bytes=part_bytes_min)
    clock = SteppingClock()
    store = MemoryStore(part_size_bytes_min=part_bytes_min, clock=clock)
    world = make_world(store=store, clock=clock, limits=limits)
    large = random.Random(1).randbytes(2 * part_bytes_min + 3)
    world.put("logs", flow_key("a.log.gz"), pack_gzip(b"small"))
    world.put("logs", flow_key("b.log.gz"), b"\x1f\x8b\x08" + large, metadata={"kept": "yes"})
    world.put("logs", flow_key("c.parquet"), b"PAR1" + large)
    return world


def build_copied_alone() -> World:
    world = make_world(limits=PackLimits(copy_alone_bytes_min=1000))
    world.put(
        "logs", flow_key("a.log.gz"), random.Random(2).randbytes(2000), metadata={"kept": "yes"}
    )
    world.put("logs", flow_key("b.log.gz"), pack_gzip(b"small\n"))
    return world


def build_discarding() -> World:
    world = make_world(
        control_tower_bucket="logs",
        other_buckets="",
        aggregation_regions="eu-west-1",
        other_regions="delete",
    )
    world.put("logs", trail_key(1), document(1))
    world.put("logs", trail_key(2), document(2))
    world.store.put("logs", trail_key(3, region="us-east-1"), document(3))
    return world


def build_several_packs() -> World:
    world = make_world(limits=PackLimits(members_max=2))
    for number in range(5):
        world.put("logs", trail_key(number), document(number))
    return world


def build_declared() -> World:
    """Free logs of two declared layouts, next to a manifest and a decoy, which stay."""
    layouts = [
        {"name": "app", "pattern": "app/{YYYY}/{MM}/{DD}/{**}"},
        {"name": "nginx", "pattern": "nginx/{host}/access.log-{YYYYMMDD}.gz", "kind": "gzip"},
    ]
    world = make_world(layouts=layouts)
    world.put("logs", f"app/{DAY:%Y/%m/%d}/app.out", b"a line\n")
    world.put("logs", f"nginx/web-1/access.log-{DAY:%Y%m%d}.gz", pack_gzip(b"a line\n"))
    for key in (f"app/{DAY:%Y/%m/%d}/manifest.json", f"app-04-03-{DAY}.log"):
        world.store.put("logs", key, b"left alone\n")
    return world


SCENARIOS = tuple(
    Scenario(build.__name__.removeprefix("build_"), build)
    for build in (
        build_versioned,
        build_unversioned,
        build_in_place,
        build_versions_and_marker,
        build_mixed,
        build_copied_alone,
        build_discarding,
        build_several_packs,
        build_declared,
        build_multipart,
    )
)
