"""`iam-policy` allows exactly what the code asks for, derived from the calls of whole runs and of
the commands that read.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import pytest
from click.testing import CliRunner
from tests.infra.stack import DESTINATION
from tests.simulation.test_doctor_asks import Recorder
from tests.support.account import FakeAccount, FakeBucket
from tests.support.at_rest import CONNECTION, ROLE
from tests.support.policies import Policies, Use
from tests.support.roles import KEY_USES, Need, bucket_arn
from tests.support.scenarios import (
    build_discarding,
    build_in_place,
    build_multipart,
    build_unversioned,
    build_versioned,
)
from tests.support.signing import ARN, make_signer
from tests.support.trails import Trails
from tests.support.world import (
    World,
    access_key,
    document,
    fail_on,
    flow_key,
    make_world,
    pack_gzip,
    trail_key,
)
from tests.unit.cli.calls import ASKS_NOBODY, every_command

from log_aggregator import wiring
from log_aggregator.adapters.forwarding import Call
from log_aggregator.cli import commands
from log_aggregator.core.adopted import Said
from log_aggregator.core.backfill.entries import BackfillPlan
from log_aggregator.core.policies import make_documents
from log_aggregator.core.query import Query
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import LogAggregatorError, StoreError
from log_aggregator.ports.account import BucketVersioning
from log_aggregator.ports.signing import Signing
from log_aggregator.ports.store import Deletion, WriteOptions
from log_aggregator.ports.trail_keys import TrailKeys
from log_aggregator.steps.backfill.ledger import choose_target, open_backfill
from log_aggregator.steps.cloudtrail.run_keys import archive_run_keys
from log_aggregator.steps.custody.keep import CustodyKeeper
from log_aggregator.steps.custody.sign import sign_after_run
from log_aggregator.steps.doctor.findings import Notebook
from log_aggregator.steps.doctor.grants import Scope, Stage, look_at_buckets, plan_statements
from log_aggregator.steps.doctor.permissions import (
    LOOK_AT_ACCESS,
    LOOK_AT_ACCOUNT,
    LOOK_AT_CONFIGURATION,
    LOOK_AT_SOURCE,
)
from log_aggregator.steps.packing.listing import Progress
from log_aggregator.steps.packing.plan import plan_run
from log_aggregator.steps.packing.run import run
from log_aggregator.steps.search.after_run import make_merging
from log_aggregator.steps.search.merge import list_terms, merge_terms
from log_aggregator.steps.upkeep.adopt import adopt, describe_aggregate, list_aggregates
from log_aggregator.wiring import connect_hash_jobs
from log_aggregator_lab.servers.batch_operations import BatchOperations
from log_aggregator_lab.stores.at_rest import StoreAtRest
from log_aggregator_lab.stores.faults import FaultyStore

pytestmark = pytest.mark.usefixtures("small_parts")

T = TypeVar("T")
Label = tuple[str, str, str]
"""A statement's name, an action, and the kind of place."""

DOCTORS = frozenset((*LOOK_AT_CONFIGURATION, *LOOK_AT_SOURCE, *LOOK_AT_ACCESS, *LOOK_AT_ACCOUNT))
TYPED: dict[Stage, tuple[str, ...]] = {
    Stage.SURVEY: ("plan", "survey"),
    Stage.PACK: ("run", "backfill", "index terms", "index tables"),
    Stage.DELETE: ("delete",),
    Stage.READ: (
        *("find", "extract", "verify", "thaw", "custody verify", "custody show", "custody trace"),
        *("validate-cloudtrail", "stats", "status", "evidence"),
    ),
    Stage.SEARCH: ("search",),
    Stage.DRILL: ("drill",),
    Stage.PROVE: (),  # `verify --at-rest`
    Stage.HASH: (),  # S3's own role
}
"""The commands of each stage, all of which are run here."""
NO_STAGE = {
    "doctor": "asks what no store is asked: another test's; its actions are in the first stage",
    "init": "there are no settings yet that a policy could be made of",
    "layouts suggest": "lists any bucket",
    "coverage": "lists sources as `survey` does and reads packs as `verify` does: two stages",
    "report": "looks as `coverage` does, and asks for the configuration of the packs' bucket",
    "put-back": "writes where no other command does; the page of the policies has a sentence of it",
    "index rebuild": "the same",
    "index adopt": "the same",
    "keep-public-keys": "the same",
    "custody sign": "signs as a run does, and walks as who reads: it needs both stages",
    "rehearse": "buckets of its own",
    "generate": "buckets of its own",
    "demo": "a server of its own",
}
NOT_RECORDED = {
    ("AskForPublicKeys", "cloudtrail:ListPublicKeys", ""),
    # the user guide requires it for reading a manifest; ours is named without its version
    ("HashPacks", "s3:GetObjectVersion", "/at-rest/*"),
    ("UseSigningKey", "kms:GetPublicKey", ""),
    ("UseSigningKey", "kms:Sign", ""),
}
ROOT = Path(__file__).parents[2]
AGGREGATE = "older.gz"
"""Made by another tool: no stage names it, and the command says so."""

SOURCE_KEY = "arn:aws:kms:eu-west-1:111122223333:key/source"
TARGET_KEY = "arn:aws:kms:eu-west-1:111122223333:key/target"


@dataclass
class Case:
    """A world, the keys of its trails, and the options that name its buckets."""

    name: str
    world: World
    keys: TrailKeys | None = None

    @property
    def scope(self) -> Scope:
        return Scope(
            replace(self.world.rules, sign_with=f"kms:{ARN}"),
            source_keys=(SOURCE_KEY,),
            target_keys=(TARGET_KEY,),
            roles=(ROLE,),
        )

    @property
    def options(self) -> list[str]:
        rules = self.world.rules
        named = {
            "--control-tower-bucket": ",".join(rules.main_buckets),
            "--other-buckets": ",".join(rules.other_buckets),
            "--destination-bucket": rules.destination_bucket or "",
        }
        return [word for name, value in named.items() if value for word in (name, value)]

    def run(self, store: Any, *, keeps: bool) -> list[str]:
        """As on the command line: with custody records and public keys. Returns the failures."""
        group = replace(self.world.rules.group, keep_originals_days=14 if keeps else 0)
        job = self.world.job(store, rules=replace(self.world.rules, group=group))
        archive = partial(archive_run_keys, job, lambda: self.keys)
        result = run(job, Progress(), None, CustodyKeeper(job, f"run-{id(store)}", archive))
        sign_after_run(job, result, lambda: Signing(make_signer()))
        return [str(failure) for failure in result.failures]


def build_suspended() -> World:
    """Null versions are compared byte for byte."""
    world = make_world(versioning="Enabled")
    world.store.set_versioning("logs", "Suspended")
    world.put("logs", flow_key("a.log.gz"), pack_gzip(b"a\n"))
    return world


def build_beginnings() -> World:
    world = make_world(other_buckets="lo*")
    world.put("logs", flow_key("a.log.gz"), pack_gzip(b"a\n"))
    return world


def build_in_place_by_beginnings() -> World:
    world = build_in_place()
    rules = replace(world.rules, other_buckets=("au*",))
    return replace(world, rules=rules)


def make_trails() -> Case:
    trails = Trails()
    return Case("trails", trails.world, trails.keys)


BUILDERS: tuple[Callable[[], Case], ...] = (
    *(
        partial(lambda build: Case(build.__name__, build()), build)
        for build in (
            build_versioned,
            build_unversioned,
            build_suspended,
            build_in_place,
            build_in_place_by_beginnings,
            build_multipart,
            build_discarding,
            build_beginnings,
        )
    ),
    make_trails,
)


INSPECTOR_ACTIONS = {"get_bucket_lifecycle_configuration": "s3:GetLifecycleConfiguration"}


class RecordingAccount(FakeAccount):
    """What commands other than `doctor` ask apart from the store: each needs a row above."""

    def bind(self, needs: set[Need]) -> None:
        self.needs = needs

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if not name.startswith(("get_", "head_", "list_", "describe_", "simulate_")):
            return found

        def ask(bucket: str) -> Any:
            self.needs.add((INSPECTOR_ACTIONS[name], bucket_arn(bucket)))
            return found(bucket)

        return ask


@dataclass
class Shell:
    """Runs commands in a world, and records what they ask for."""

    case: Case
    needs: set[Need]
    monkeypatch: pytest.MonkeyPatch
    typed: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        world, keys = self.case.world, self.case.keys
        account = RecordingAccount({name: FakeBucket() for name in world.store.list_buckets()})
        account.bind(self.needs)
        self.monkeypatch.setattr(wiring, "connect", lambda *_: KeyedRecorder(world, self.needs))
        for name in ("run", "backfill", "delete", "validate_cloudtrail"):
            module = import_module(f"log_aggregator.cli.{name}")
            self.monkeypatch.setattr(module, "connect_trail_keys", lambda *_: keys)
        for name in ("survey", "backfill"):
            module = import_module(f"log_aggregator.cli.{name}")
            self.monkeypatch.setattr(module, "connect_inspector", lambda *_: account)

    @property
    def days(self) -> tuple[str, ...]:
        window = self.case.world.rules.selection.window
        return "--from", str(window.first), "--to", str(window.last)

    def type_in(self, name: str, *more: str, codes: tuple[int, ...] = (0,)) -> None:
        self.invoke(name, *more, codes=codes)
        self.typed.add(name)

    def invoke(self, name: str, *more: str, codes: tuple[int, ...] = (0,)) -> None:
        words = [*name.split(), *more, *self.case.options]
        done = CliRunner().invoke(commands, words, standalone_mode=False)
        if isinstance(done.exception, LogAggregatorError):
            code = done.exception.exit_code
        else:
            assert done.exception is None, done.exception
            code = done.return_value or 0
        assert code in codes, (name, done.exception, done.output)


class KeyedRecorder(Recorder):
    """As if every bucket were encrypted with a key."""

    def __init__(self, world: World, needs: set[Need]) -> None:
        super().__init__(world.store, needs)
        self._targets = {target.bucket: target for target in world.targets}

    def _call(self, call: Call, run: Callable[[], T]) -> T:
        if action := KEY_USES.get(call.operation):
            self._needs.add((action, self._key_of(call)))
        if call.operation == "UploadPartCopy":
            self._needs.add((KEY_USES["GetObject"], SOURCE_KEY))
        return super()._call(call, run)

    def _key_of(self, call: Call) -> str:
        """In place, both are in one bucket."""
        target = self._targets.get(call.bucket)
        own = (*target.own_prefixes, AGGREGATE) if target is not None else ()
        is_own = call.key.startswith(own)
        return TARGET_KEY if is_own else SOURCE_KEY


def survey(shell: Shell) -> None:
    """Plans before anything is packed, and after."""
    case, needs = shell.case, shell.needs
    for name, words in (("plan", shell.days), ("survey", ())):
        shell.type_in(name, *words)
    plan_run(case.world.job(KeyedRecorder(case.world, needs)), Progress())
    assert case.run(case.world.store, keeps=True) == []
    late(case.world)
    lose_an_index(case.world)
    plan_run(case.world.job(KeyedRecorder(case.world, needs)), Progress())


def pack(shell: Shell) -> None:
    """A run that aborts an upload, one that succeeds, and another."""
    case, needs = shell.case, shell.needs
    refused = fail_on(
        lambda call: call.operation == "CompleteMultipartUpload", StoreError("no"), times=1
    )
    case.run(FaultyStore(KeyedRecorder(case.world, needs), refused), keeps=True)
    assert case.run(KeyedRecorder(case.world, needs), keeps=True) == []
    lose_an_index(case.world)
    assert case.run(KeyedRecorder(case.world, needs), keeps=True) == []
    late(case.world)
    shell.type_in("run", *shell.days, codes=(0, 1))
    for _ in range(2):
        shell.type_in("backfill", *shell.days, codes=(0, 1))
    shell.type_in("index terms", *shell.days, "--again", codes=(0, 1))
    shell.type_in("index tables", "--rebuild", codes=(0, 1))


def search(shell: Shell) -> None:
    """In the tables, and in the terms of packs that no table covers."""
    case = shell.case
    assert case.run(case.world.store, keeps=False) == []
    merge_all(case.world)
    late(case.world)
    assert case.run(case.world.store, keeps=False) == []
    shell.type_in("search", "192.0.2.1", *shell.days, codes=(0, 1, 4))


def prove(shell: Shell) -> None:
    """Begins, continues and ends; what S3 does for it belongs to another stage."""
    needs = shell.needs

    def note(model: Any, **_: object) -> None:
        needs.add((f"s3:{model.name}", "*"))
        if model.name == "CreateJob":
            needs.add(("iam:PassRole", ROLE))

    hash_packs(shell, shell.case.world.store, note)


def hash_by_role(shell: Shell) -> None:
    """What S3 Batch Operations does with its role."""
    needs, shell.needs = shell.needs, set()  # the caller's are another stage's
    hash_packs(shell, KeyedRecorder(shell.case.world, needs), lambda **_: None)
    shell.needs = needs


def hash_packs(shell: Shell, store: Any, note: Callable[..., None]) -> None:
    case = shell.case
    assert case.run(case.world.store, keeps=False) == []
    shell.monkeypatch.setattr(time, "sleep", lambda _: None)
    asked = KeyedRecorder(case.world, shell.needs)
    shell.monkeypatch.setattr(wiring, "connect", lambda *_: asked)
    with BatchOperations(StoreAtRest(store)) as server:
        for name, value in server.environment.items():
            shell.monkeypatch.setenv(name, value)
        jobs = connect_hash_jobs(CONNECTION)
        jobs._client.meta.events.register("before-call.s3-control", note)
        shell.monkeypatch.setattr(wiring, "connect_hash_jobs", lambda _: jobs)
        shell.invoke("verify", "--at-rest", "--all", "--role-arn", ROLE, "--yes", codes=(4,))
        shell.invoke("verify", "--at-rest", "--all", "--wait", "--interval", "1")


def merge_all(world: World) -> None:
    job = world.job()
    for target in world.targets:
        keys = list(list_terms(job.store, job.workers, target, Query()))
        merge_terms(make_merging(job, target), keys)


def delete(shell: Shell) -> None:
    """An explicit deletion, a run whose deletions are refused, and another."""
    case, needs = shell.case, shell.needs
    assert case.run(case.world.store, keeps=True) == []
    refused = fail_on(lambda call: call.operation == "DeleteObjects", StoreError("no"))
    case.run(FaultyStore(KeyedRecorder(case.world, needs), refused), keeps=False)
    assert case.run(KeyedRecorder(case.world, needs), keeps=False) == []
    late(case.world)
    assert case.run(case.world.store, keeps=True) == []
    shell.type_in("delete", "--verified", "--older-than", "0d", "--yes", *shell.days, codes=(0, 1))


def read(shell: Shell) -> None:
    """Everything that can be read from packs."""
    case = shell.case
    assert case.run(case.world.store, keeps=False) == []
    adopt_one(case.world)
    freeze(case.world)
    begin_backfill(case.world)
    validate = "validate-cloudtrail"
    for name, words, codes in (
        ("find", shell.days, (0,)),
        ("extract", (*shell.days, "--output", "-"), (0, 1)),
        ("verify", ("--all",), (0, 1)),
        ("thaw", (*shell.days, "--tier", "Bulk", "--yes"), (0, 1)),
        ("custody verify", (), (0,)),
        ("custody show", (), (0,)),
        ("custody trace", ("s3://logs/any",), (0, 1)),
        ("stats", (), (0, 1)),
        ("status", (), (0,)),
        (validate, (*shell.days, "--read-from", "packs"), (0, 1)),
        (validate, (*shell.days, "--read-from", "packs", "--public-keys", "archive"), (0, 1)),
    ):
        shell.type_in(name, *words, codes=codes)
    with TemporaryDirectory() as folder:
        words = (*shell.days, "--account", "111111111111", "--originals")
        shell.type_in("evidence", *words, "--output", f"{folder}/evidence.zip", codes=(0, 1))


def drill(shell: Shell) -> None:
    """One that waits, with the last pack of each target frozen, and one that recovers
    everything.
    """
    case = shell.case
    assert case.run(case.world.store, keeps=False) == []
    freeze(case.world)
    shell.type_in("drill", codes=(0, 4))
    warm_up(case.world)
    shell.type_in("drill", codes=(0, 1))


def begin_backfill(world: World) -> None:
    job = world.job()
    window = DateWindow(date(2025, 1, 1), date(2025, 1, 7))
    sources = tuple(sorted((*world.rules.main_buckets, *world.rules.other_buckets)))
    plan = BackfillPlan("january", window, 7, sources, world.clock.now())
    open_backfill(job, choose_target(job), plan)


def late(world: World) -> None:
    """A log that arrives after the first run, in a group that has packs."""
    for bucket in {*world.rules.main_buckets, *world.rules.other_buckets}:
        if not bucket.endswith("*"):
            key = access_key(77) if bucket == "aux" else trail_key(77)
            world.put(bucket, key, document(77))


def lose_an_index(world: World) -> None:
    target = world.targets[0]
    found = world.store.list_objects(target.bucket, prefix=f"{target.root}indexes/").objects[0]
    (version,) = world.store.list_object_versions(target.bucket, prefix=found.key).objects
    assert not world.store.delete_objects(
        target.bucket, [Deletion(found.key, version.version_id, version.etag)]
    )


def adopt_one(world: World) -> None:
    target = world.targets[0]
    world.store.put(target.bucket, AGGREGATE, document(1))
    (found,) = list_aggregates(world.store, target, target.bucket, AGGREGATE)
    day = world.rules.selection.window.first
    assert adopt(world.store, target, describe_aggregate(found, Said(date=day)), WriteOptions())


def freeze(world: World) -> None:
    """Freezes the last pack of each target."""
    for target in world.targets:
        found = world.store.list_objects(target.bucket, prefix=f"{target.root}packs/").objects
        if len(found) > 1:
            data = world.store.get_object(target.bucket, found[-1].key).data
            world.store.put(
                target.bucket, found[-1].key, data, storage_class="GLACIER", with_checksum=True
            )


def warm_up(world: World) -> None:
    """As if everything frozen had been thawed."""
    for target in world.targets:
        for found in world.store.list_objects(target.bucket, prefix=f"{target.root}packs/").objects:
            if found.storage_class == "GLACIER":
                world.store.thaw(target.bucket, found.key)
                data = world.store.get_object(target.bucket, found.key).data
                world.store.put(target.bucket, found.key, data, with_checksum=True)


def record(stage: Stage, case: Case, monkeypatch: pytest.MonkeyPatch) -> set[Need]:
    needs: set[Need] = set()
    shell = Shell(case, needs, monkeypatch)
    doing = {
        Stage.SURVEY: survey,
        Stage.PACK: pack,
        Stage.DELETE: delete,
        Stage.READ: read,
        Stage.SEARCH: search,
        Stage.DRILL: drill,
        Stage.PROVE: prove,
        Stage.HASH: hash_by_role,
    }
    doing[stage](shell)
    assert shell.typed == set(TYPED[stage])
    return {
        (action, arn.replace(DESTINATION, "dest"))
        for action, arn in needs
        if not arn.endswith(AGGREGATE)
    }


def policies_of(stage: Stage, case: Case, *, looks: bool = False) -> Policies:
    """`looks`: narrowed to the versioning of each bucket."""
    scope, store = case.scope, case.world.store
    if looks:
        account = FakeAccount(
            {
                name: FakeBucket(versioning=BucketVersioning(store.get_bucket_versioning(name)))
                for name in store.list_buckets()
            }
        )
        scope = look_at_buckets(scope, account, Notebook())
    return Policies(make_documents(plan_statements(scope, [stage])))


@pytest.mark.parametrize("stage", Stage)
def test_a_stage_has_exactly_the_permissions_it_needs(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No call of any world's run is refused under exactly the stage's policy, and every action in
    it is used, at exactly that kind of place, by the run of some world. Actions for services other
    than S3 are covered by the doctor's test.
    """
    granted, used = set[Label](), set[Label]()
    for build in BUILDERS:
        case = build()
        policies = policies_of(stage, case)
        needs = record(stage, case, monkeypatch)
        assert {need for need in needs if not policies.may(*need)} == set(), case.name
        narrowed = policies_of(stage, build(), looks=True)
        assert {need for need in needs if not narrowed.may(*need)} == set(), case.name
        granted |= {label(use) for use in policies.grants()}
        used |= {label(use) for use in policies.used}
    asked_elsewhere = {
        found for found in granted if found[0].startswith("LookAt") and found[1] in DOCTORS
    }
    assert granted - used - asked_elsewhere - NOT_RECORDED == set()


def test_every_command_has_a_stage() -> None:
    """Or a reason why it has none. A command that sends no request needs no permission."""
    named = [name for names in TYPED.values() for name in names]
    known = [*named, *NO_STAGE, *ASKS_NOBODY]
    assert sorted(known) == sorted(dict(every_command()))


@pytest.mark.parametrize("stage", Stage)
def test_the_page_says_which_commands_a_stage_is_for(stage: Stage) -> None:
    page = (ROOT / "docs" / "how-to" / "iam-permissions.md").read_text(encoding="utf-8")
    (row,) = (line for line in page.splitlines() if line.startswith(f"| `{stage.value}` |"))
    for name in TYPED[stage]:
        assert re.search(rf"`{name.split()[0]}[ `]", row), name


def label(use: Use) -> Label:
    """Equal for all buckets: the folder in it, and whether packs have a separate bucket."""
    sid, action, resource = use
    _, slash, below = resource.partition(":::")[2].partition("/")
    return sid, action, slash + below.removeprefix("aggregated/").removeprefix("aggregated_")
