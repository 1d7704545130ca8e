"""The doctor simulates exactly what the steps need, derived from the calls of whole runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import timedelta
from typing import TypeVar

import pytest
from tests.simulation.test_statemachine import MakeCloud, run_all
from tests.support.account import FakeAccount, FakeBucket
from tests.support.cloud import make_cloud
from tests.support.roles import Need, bucket_arn, needs_of
from tests.support.scenarios import SCENARIOS, Scenario
from tests.support.trails import SPEC, TARGET, Trails
from tests.support.world import World

from log_aggregator.adapters.forwarding import Call, ForwardingStore
from log_aggregator.ports.account import BucketVersioning
from log_aggregator.ports.store import Deletion, DeletionFailure, ObjectStore
from log_aggregator.steps.cloudtrail.public_keys import archive_keys
from log_aggregator.steps.doctor.examine import examine

pytestmark = pytest.mark.usefixtures("small_parts")

T = TypeVar("T")
Place = tuple[str, str, str]
"""An action, the bucket, and the folder in it: a folder of a target, or empty for logs."""

IN_THE_WORK_BUCKET = "work"
SPECIAL = {"discarding": ("discards/",), "unversioned": ("probes/",)}
"""Written only in some scenarios, to notice if one no longer does what it is for."""


class Recorder(ForwardingStore):
    """Records the permission that each call needs."""

    def __init__(self, inner: ObjectStore, needs: set[Need]) -> None:
        super().__init__(inner)
        self._needs = needs

    def delete_objects(self, bucket: str, deletions: Sequence[Deletion]) -> list[DeletionFailure]:
        for deletion in deletions:
            action = "DeleteObject" if deletion.version_id is None else "DeleteObjectVersion"
            self._needs.add((f"s3:{action}", f"{bucket_arn(bucket)}/{deletion.key}"))
        return self.inner.delete_objects(bucket, deletions)

    def _call(self, call: Call, run: Callable[[], T]) -> T:
        self._needs.update(needs_of(call))
        return run()


def places_of(world: World, needs: set[Need]) -> set[Place]:
    """Without the stack's work bucket, which the doctor's settings do not name."""
    own = {bucket_arn(target.bucket): target for target in world.targets}
    places = set()
    for action, arn in needs:
        bucket, slash, key = arn.partition("/")
        if bucket == bucket_arn(IN_THE_WORK_BUCKET):
            continue
        folder = ""
        if slash and bucket in own:
            prefixes = own[bucket].own_prefixes
            folder = next((prefix for prefix in prefixes if key.startswith(prefix)), "")
        places.add((action, bucket, folder))
    return places


def simulated_places(world: World) -> set[Place]:
    """What the doctor has simulated, in an account with the world's buckets."""
    names = {*world.rules.main_buckets, *world.rules.other_buckets}
    account = FakeAccount(
        {
            name: FakeBucket(versioning=BucketVersioning(world.store.get_bucket_versioning(name)))
            for name in names | {target.bucket for target in world.targets}
        }
    )
    examine(account, world.store, world.clock, world.rules)
    return places_of(world, {(action, in_stack(arn)) for _, action, arn in account.simulated})


def in_stack(arn: str) -> str:
    """With the stack's name for the bucket."""
    bucket, slash, key = arn.partition(":::")[2].partition("/")
    return f"{bucket_arn(bucket)}{slash}{key}"


@pytest.fixture
def clouds(monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeCloud]:
    with ExitStack() as stack:
        yield lambda world: stack.enter_context(make_cloud(world, monkeypatch))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_every_permission_that_a_run_needs_is_simulated(
    scenario: Scenario, clouds: MakeCloud
) -> None:
    """By the same action, on the same bucket and folder."""
    world = scenario.build()
    expected = simulated_places(world)
    cloud, needs = clouds(world), set[Need]()
    cloud.view = lambda _, store: Recorder(store, needs)
    run_all(cloud)
    asked = places_of(world, needs)
    assert asked - expected == set()
    folders = {folder for action, _, folder in asked if action == "s3:PutObject"}
    wanted = {"custody/", "packs/", "indexes/", *SPECIAL.get(scenario.name, ())}
    assert {f"{target.root}{folder}" for target in world.targets for folder in wanted} <= folders


def test_permissions_for_keeping_public_keys_are_simulated() -> None:
    """Where they are written, and read if they already exist."""
    trails, needs = Trails(), set[Need]()
    world, last = trails.world, trails.world.clock.now()
    assert trails.keys is not None
    expected = simulated_places(world)
    store = Recorder(world.store, needs)
    for _ in range(2):
        archive_keys(store, TARGET, trails.keys, SPEC.regions[0], last - timedelta(days=30), last)
    asked = places_of(world, needs)
    assert ("s3:PutObject", bucket_arn(TARGET.bucket), "keys/") in asked
    assert asked - expected == set()
