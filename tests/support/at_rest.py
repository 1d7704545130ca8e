"""Frozen packs, and a server that hashes them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from tests.support.custody import run_recorded
from tests.support.world import World, document, flow_key, make_world, pack_gzip, trail_key

from log_aggregator import wiring
from log_aggregator.adapters.s3.hash_jobs import BatchHashJobs
from log_aggregator.core.evidence.at_rest import PackAtRest
from log_aggregator.model import Target
from log_aggregator.ports.store import Deletion
from log_aggregator.steps.evidence.at_rest import Finished, States, finish, go_on, is_over, start
from log_aggregator.steps.evidence.at_rest_plan import plan_check
from log_aggregator.steps.job import Job
from log_aggregator.steps.packs.pages import list_all
from log_aggregator.steps.upkeep.check import PackPlace
from log_aggregator.wiring import Connection
from log_aggregator_lab.servers.batch_operations import BatchOperations
from log_aggregator_lab.stores.at_rest import MemoryAtRest

ROLE = "arn:aws:iam::111122223333:role/hash-packs"
TARGET = Target("dest")
CONNECTION = Connection(region="eu-west-1", access_key="AKIALAB", secret_key="secret")


@dataclass
class Vault:
    """Two packs in an archive class, and the server that hashes them."""

    world: World
    server: BatchOperations
    storage: MemoryAtRest
    jobs: BatchHashJobs
    keys: list[str] = field(default_factory=list)

    @property
    def job(self) -> Job:
        return self.world.job()

    @property
    def places(self) -> list[PackPlace]:
        return [PackPlace(TARGET, key) for key in self.keys]

    def check(self) -> Finished:
        """From the beginning to the end."""
        plan = plan_check(self.job, TARGET, self.places, ROLE)
        states: States = start(self.job, self.jobs, plan)
        for _ in range(10):
            if is_over(states):
                return finish(self.job, plan, states)
            states = go_on(self.job, self.jobs, plan)
        raise AssertionError("it does not end")

    def first(self, done: Finished) -> PackAtRest:
        """The result for the first pack."""
        return next(pack for pack in done.check.packs if pack.key == self.keys[0])

    def read(self, key: str) -> bytes:
        found = self.world.store.read_at_rest("dest", key, None)
        assert found is not None
        return found[0]

    def rot(self, key: str) -> None:
        """Flips one bit of it at rest."""
        data = bytearray(self.read(key))
        data[len(data) // 2] ^= 1
        self.world.store.rot("dest", key, bytes(data))

    def forget_sha256(self, key: str) -> None:
        """As after `index rebuild`."""
        index_key = TARGET.index_key(key)
        self.world.store.put("dest", index_key, self.read(index_key))

    def lose(self, key: str) -> None:
        stored = self.world.store.head_object("dest", key)
        self.world.store.delete_objects("dest", [Deletion(key, stored.version_id, stored.etag)])


def freeze(
    versioning: str | None = "Enabled", *, keeps_records: bool = False, has_kms: bool = False
) -> World:
    world = make_world(storage_class="DEEP_ARCHIVE", versioning=versioning)
    world.store._buckets["dest"].versioning = versioning
    world.store._buckets["dest"].has_kms = has_kms
    for number in (1, 2):
        world.put("logs", trail_key(number), document(number))
    world.put("logs", flow_key("a.log.gz"), pack_gzip(b"flow\n"))
    done = run_recorded(world, "night") if keeps_records else world.run()
    assert done.failures == []
    return world


@contextmanager
def open_vault(
    monkeypatch: pytest.MonkeyPatch,
    versioning: str | None = "Enabled",
    *,
    keeps_records: bool = False,
    has_kms: bool = False,
) -> Iterator[Vault]:
    world = freeze(versioning, keeps_records=keeps_records, has_kms=has_kms)
    storage = MemoryAtRest(world.store)
    with BatchOperations(storage) as server:
        for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
            monkeypatch.delenv(name, raising=False)
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        jobs = wiring.connect_hash_jobs(CONNECTION)
        keys = [found.key for found in list_all(world.store, "dest", "packs/")]
        yield Vault(world, server, storage, jobs, keys)
