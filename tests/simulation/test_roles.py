"""Every function under its role in the template: the whole job works, and no role allows more than
the job needs.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest
from tests.infra.access import statements_of
from tests.infra.stack import OTHER_KEY, Stack, deploy, load_template
from tests.simulation.test_custody_chain import findings, lies
from tests.simulation.test_history_by_inventory import main_logs_with_inventory
from tests.simulation.test_statemachine import MakeCloud, contents, run_all
from tests.support.cloud import Cloud, make_cloud
from tests.support.roles import NAMES, KeyedRoleStore, RoleStore
from tests.support.scenarios import SCENARIOS, Scenario
from tests.support.statemachine import StateError
from tests.support.world import World, find_losses, kill_at, left_in_place

from log_aggregator.ports.store import Deletion
from log_aggregator_lab.stores.faults import Killed

pytestmark = pytest.mark.usefixtures("small_parts")

FOREIGN = "444455556666"

_MISSING = "so that S3 says of a missing object that it is missing"
_INVENTORY = "history by an inventory"
_PACKED_BEFORE = "an original with a null version that an earlier run packed"
_DEAD_RUN = "what a run left behind that died"
NOT_USED_UNDISTURBED = {
    ("CombineFunction", "s3:ListBucketVersions"): _INVENTORY,
    ("DeleteFunction", "s3:ListBucketVersions"): _INVENTORY,
    ("PrepareFunction", "s3:AbortMultipartUpload"): "uploads of a run that died a day ago",
    ("CombineFunction", "s3:AbortMultipartUpload"): "an upload that fails",
    ("PlanFunction", "s3:ListBucket"): _MISSING,
    ("FinishFunction", "s3:ListBucket"): _MISSING,
    ("VerifyFunction", "s3:ListBucket"): _MISSING,
    ("DeleteFunction", "s3:ListBucket"): _MISSING,
    ("DeleteFunction", "s3:GetObjectVersion"): _PACKED_BEFORE,
    ("FinishFunction", "s3:ListBucketVersions"): _DEAD_RUN,
    ("FinishFunction", "s3:GetBucketVersioning"): _DEAD_RUN,
}


@pytest.fixture
def clouds(monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeCloud]:
    with ExitStack() as stack:
        yield lambda world: stack.enter_context(make_cloud(world, monkeypatch))


def parameters_of(world: World) -> dict[str, str]:
    rules = world.rules
    return {
        "ControlTowerBucket": ",".join(rules.main_buckets),
        "OtherBuckets": ",".join(rules.other_buckets),
        "UseCommonDestinationBucket": "Yes" if rules.destination_bucket else "No",
        "FinalAggregationPrefix": rules.final_aggregation_prefix,
    }


def deploy_for(world: World, template: dict[str, Any] | None = None) -> Stack:
    return deploy(template or load_template(), parameters_of(world))


def put_in_roles(
    cloud: Cloud, stack: Stack, accounts: Mapping[str, str] | None = None
) -> set[tuple[str, str]]:
    """Returns the permissions used, as (function, action). `accounts`: owners of buckets outside
    the stack's account.
    """
    used: set[tuple[str, str]] = set()
    cloud.view = lambda function, store: RoleStore(store, stack, function, used, accounts)
    return used


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_every_function_works_under_its_own_role(scenario: Scenario, clouds: MakeCloud) -> None:
    """Each function does the same under its own role as without any restrictions."""
    free, world = scenario.build(), scenario.build()
    expected = run_all(clouds(free))
    cloud = clouds(world)
    put_in_roles(cloud, deploy_for(world))
    assert run_all(cloud) == expected
    assert contents(world) == contents(free)


@pytest.mark.parametrize(
    "scenario",
    [found for found in SCENARIOS if found.name in ("unversioned", "in_place", "copied_alone")],
    ids=str,
)
def test_missing_objects_are_not_taken_for_refusals(scenario: Scenario, clouds: MakeCloud) -> None:
    """Under its role a function also recovers where a task died: S3 tells it that something is
    missing.
    """
    world = scenario.build()
    cloud, stack = clouds(world), deploy_for(world)
    put_in_roles(cloud, stack)
    expected = run_all(cloud)
    for number in range(len(cloud.calls)):
        killed = scenario.build()
        again = clouds(killed)
        put_in_roles(again, stack)
        again.decide = kill_at(number, after=True)
        assert run_all(again) == expected, cloud.calls[number]
        assert find_losses(killed) == []


@pytest.mark.parametrize(
    "scenario", [found for found in SCENARIOS if found.name != "in_place"], ids=str
)
def test_a_key_policy_for_the_output_roles_is_sufficient(
    scenario: Scenario, clouds: MakeCloud
) -> None:
    """Whoever reads or writes packs, indexes or records is in `TargetKeyRoleArns` and may use the
    key. Twice, so that existing ones are read too.
    """
    world = scenario.build()
    cloud = clouds(world)
    stack = deploy(load_template(), parameters_of(world) | {"DestinationKmsKeyArn": OTHER_KEY})
    cloud.view = lambda function, store: KeyedRoleStore(store, stack, function, set())
    assert [run_all(cloud) for _ in range(2)] == [run_all(clouds(scenario.build()))] * 2
    assert find_losses(world) == []


def test_history_by_inventory_works_under_the_templates_roles(clouds: MakeCloud) -> None:
    """If the inventory is named in the parameters, the functions that use it may read it; if not,
    they may not, and nothing is begun.
    """
    for named in ("inventories", ""):
        world, given = main_logs_with_inventory()
        cloud = clouds(world)
        stack = deploy(load_template(), parameters_of(world) | {"InventoryBuckets": named})
        used = put_in_roles(cloud, stack)
        if named:
            cloud.run(given, "ProcessHistoricalMainLogsSM")
            assert left_in_place(world) == []
            cloud.run(given, "ProcessHistoricalMainLogsSM")
            asked = {
                (function, action)
                for function, action in NOT_USED_UNDISTURBED
                if NOT_USED_UNDISTURBED[function, action] is _INVENTORY
            }
            assert asked <= used
        else:
            with pytest.raises(StateError, match="cannot be read"):
                cloud.run(given, "ProcessHistoricalMainLogsSM")
            assert len(left_in_place(world)) == 12
        assert find_losses(world) == []


@pytest.mark.parametrize("dies_in", ["DeleteFunction", "FinishFunction"])
@pytest.mark.parametrize("name", ["versioned", "unversioned", "in_place", "discarding"])
def test_the_next_run_records_a_dead_run_under_the_templates_roles(
    name: str, dies_in: str, clouds: MakeCloud
) -> None:
    """Its execution was aborted, and it has no closing record."""
    (scenario,) = (found for found in SCENARIOS if found.name == name)
    world = scenario.build()
    cloud = clouds(world)
    put_in_roles(cloud, deploy_for(world))

    def abort(function: str, _payload: Any) -> None:
        if function in {dies_in, "FinishFunction"}:
            raise Killed

    cloud.break_function = abort
    with pytest.raises(Killed):
        cloud.run()
    cloud.break_function = lambda _function, _payload: None
    assert run_all(cloud) == ""
    assert (findings(world), lies(world), left_in_place(world)) == ([], [], [])


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_a_bucket_of_another_account_is_not_touched(scenario: Scenario, clouds: MakeCloud) -> None:
    """Whichever bucket it is: a bucket name may belong to someone else by now. Nothing is written
    there, and no original is deleted.
    """
    rules = scenario.build().rules
    for bucket in (*rules.main_buckets, *rules.other_buckets, rules.destination_bucket):
        if bucket is None:
            continue
        world = scenario.build()
        before, cloud = contents(world), clouds(world)
        put_in_roles(cloud, deploy_for(world), {NAMES.get(bucket, bucket): FOREIGN})
        assert run_all(cloud) != ""
        assert find_losses(world) == []
        after = contents(world)
        assert [row for row in after if row[0] == bucket] == [
            row for row in before if row[0] == bucket
        ]
        if bucket == rules.destination_bucket:
            assert after == before


def test_a_named_bucket_of_another_account_is_used(clouds: MakeCloud) -> None:
    """Exactly like one in the stack's own account."""
    world = SCENARIOS[0].build()
    source = [*world.rules.main_buckets, *world.rules.other_buckets][0]
    named = {"BucketAccounts": f"{source}={FOREIGN}"}
    cloud = clouds(world)
    put_in_roles(cloud, deploy(load_template(), parameters_of(world) | named), {source: FOREIGN})
    assert run_all(cloud) == ""
    assert find_losses(world) == []


def test_a_vanished_log_object_is_not_a_refusal(clouds: MakeCloud) -> None:
    """Gone between listing and reading, or between verifying and deleting: neither is an error
    under the roles.
    """
    for name in ("CombineFunction", "DeleteFunction"):
        for scenario in [
            found for found in SCENARIOS if found.name in ("versioned", "unversioned")
        ]:
            world = scenario.build()
            cloud = clouds(world)
            put_in_roles(cloud, deploy_for(world))

            def vanish(called: str, _payload: Any, world: World = world, name: str = name) -> None:
                if called == name and len(world.originals) > 1:
                    source = world.originals.pop(0).source
                    world.store.delete_objects(
                        source.bucket, [Deletion(source.key, source.version_id, source.etag)]
                    )

            cloud.break_function = vanish
            assert run_all(cloud) == "", (name, scenario.name)
            assert left_in_place(world) == []


def test_every_permission_of_a_role_is_used(clouds: MakeCloud) -> None:
    """All scenarios together use every S3 action of every function of a run, except those that need
    a disturbance.
    """
    used: set[tuple[str, str]] = set()
    granted: set[tuple[str, str]] = set()
    for scenario in SCENARIOS:
        world = scenario.build()
        stack = deploy_for(world)
        cloud = clouds(world)
        asked = put_in_roles(cloud, stack)
        run_all(cloud)
        used |= asked
        functions = {function for function, _ in asked}
        allowing = [
            found
            for found in statements_of(stack)
            if found.effect == "Allow" and found.owner in functions
        ]
        granted |= {
            (found.owner, action)
            for found in allowing
            for action in found.actions
            if action.startswith("s3:")
        }
    by_the_inspector = {need for need in granted if need[0] == "ExamineFunction"}
    assert granted - used - by_the_inspector - set(NOT_USED_UNDISTURBED) == set()


@pytest.mark.parametrize(
    ("function", "action"),
    [
        ("CombineFunction", "s3:PutObject"),
        ("VerifyFunction", "s3:GetObject"),
        ("DeleteFunction", "s3:DeleteObjectVersion"),
        ("ListFunction", "s3:ListBucketVersions"),
        ("ListFunction", "s3:ListBucket"),
    ],
)
def test_a_missing_permission_fails_the_run(function: str, action: str, clouds: MakeCloud) -> None:
    """Without one action of one role the run fails: the simulation really uses the template.
    Nothing is lost.
    """
    template = copy.deepcopy(load_template())
    for policy in template["Resources"][function]["Properties"]["Policies"]:
        for statement in policy.get("Statement", []) if isinstance(policy, dict) else []:
            statements = statement["Fn::If"][1:] if "Fn::If" in statement else [statement]
            for found in statements:
                if action in found.get("Action", []):
                    found["Action"] = [other for other in found["Action"] if other != action] or [
                        "s3:GetObjectTagging"
                    ]
    world = SCENARIOS[0].build()
    cloud = clouds(world)
    put_in_roles(cloud, deploy_for(world, template))
    assert run_all(cloud) == "RunFailed"
    assert find_losses(world) == []
