"""How another aggregator lost logs, row by row; each docstring quotes what was done and the
result.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import tracemalloc
from typing import Any

import pytest
from tests.support.world import (
    DAY,
    SteppingClock,
    World,
    access_key,
    count_copies,
    document,
    fail_on,
    find_losses,
    find_members,
    flow_key,
    kill_at,
    left_in_place,
    make_rules,
    make_world,
    nothing,
    pack_gzip,
    trail_key,
    writes_of,
)

from log_aggregator.adapters.forwarding import Call
from log_aggregator.core.planning import PackLimits
from log_aggregator.errors import AccessDenied, CannotStart, StoreError
from log_aggregator.model import Target
from log_aggregator.ports.store import DeletionFailure
from log_aggregator.steps.packing.results import RunResult
from log_aggregator_lab.stores.faults import Fault, FaultyStore, Killed
from log_aggregator_lab.stores.memory import MemoryStore


def trail_world(count: int, **more: Any) -> World:
    world = make_world(**more)
    for number in range(count):
        world.put("logs", trail_key(number), document(number))
    return world


def packs_of(world: World) -> dict[str, bytes]:
    found = world.store.list_objects("dest", prefix="packs/").objects
    return {each.key: world.store.get_object("dest", each.key).data for each in found}


def errors_of(result: RunResult) -> list[str]:
    return [failure.error for failure in result.failures]


@pytest.mark.parametrize("storage_class", ["STANDARD", "GLACIER_IR"])
def test_one_of_five_copies_fails(storage_class: str) -> None:
    """One copy of five fails (over 5 GiB, Glacier class, KMS, tags, expired meanwhile): the other
    aggregator returned an error status and then deleted all five originals. Here the one stays and
    is reported, and the other four are safe.
    """
    world = trail_world(4)
    world.put("logs", trail_key(4), document(4), storage_class=storage_class)
    world.store.deny_reading("logs", trail_key(4))
    result = world.run()
    assert errors_of(result) == ["UnreadableSources"]
    assert [source.key for source in left_in_place(world)] == [trail_key(4)]
    assert find_losses(world) == []


def test_same_base_names() -> None:
    """`2025-04-03/task-1/{app,db,web}/000000.gz`: the other aggregator copied by base name,
    overwrote two of three, and deleted the originals. Here all three are members under their full
    keys, whether packed or copied alone.
    """
    for limits in (PackLimits(), PackLimits(copy_alone_bytes_min=1)):
        world = make_world(
            limits=limits,
            layouts=[{"name": "export", "pattern": "{YYYY-MM-DD}/{task}/{stream}/{*}.gz"}],
        )
        for name in ("app", "db", "web"):
            world.put("logs", f"2025-04-03/task-1/{name}/000000.gz", pack_gzip(name.encode()))
        assert errors_of(world.run()) == []
        assert (find_losses(world), left_in_place(world), len(count_copies(world))) == ([], [], 3)


def test_late_files_for_a_day_that_is_done() -> None:
    """Two late files for a finished day, date run again: with the same target key, they replaced
    the day's pack. Here they make a second pack, and the first is untouched.
    """
    world = trail_world(5)
    world.run()
    before = world.store.list_object_versions("dest").objects
    for number in (10, 11):
        world.put("logs", trail_key(number), document(number))
    assert errors_of(world.run()) == []
    after = world.store.list_object_versions("dest").objects
    assert {found.key: found.version_id for found in before}.items() <= {
        found.key: found.version_id for found in after
    }.items()
    assert (find_losses(world), left_in_place(world), len(packs_of(world))) == ([], [], 2)


def test_an_interrupted_deletion_is_finished() -> None:
    """Deletion interrupted after 27 of 40, date run again: the pack went from 40 records to 13, and
    the source was empty. Here the pack keeps its 40 records, and the second run only deletes the
    other 13.
    """
    world = trail_world(40)

    class Interrupting(FaultyStore):
        def delete_objects(self, bucket: str, deletions: Any) -> list[DeletionFailure]:
            self.inner.delete_objects(bucket, deletions[:27])
            raise Killed

    with pytest.raises(Killed):
        world.run(Interrupting(world.store, nothing))
    assert len(left_in_place(world)) == 13
    before = packs_of(world)
    result = world.run()
    assert sum(group.deleted for group in result.groups) == 13
    assert packs_of(world) == before
    assert (find_losses(world), left_in_place(world), len(count_copies(world))) == ([], [], 40)


def test_combine_started_twice_packs_once() -> None:
    """Combine started twice 50 ms apart (a retry while the first still runs): a shared scratch key
    lost and doubled records. Here the second finds the pack, and every record is in it once.
    """
    world = trail_world(5)

    def decide(number: int, call: Call) -> Fault | None:
        if call.operation == "PutObject" and call.key.startswith("packs/") and not packs_of(world):
            assert errors_of(world.run()) == []
        return None

    assert errors_of(world.run_faulty(decide)[0]) == []
    assert (find_losses(world), left_in_place(world), set(count_copies(world).values())) == (
        [],
        [],
        {1},
    )


def test_a_dead_combine_is_retried() -> None:
    """The combine step dies and is retried from its marker: records doubled, no error. Here there
    is no marker, and a retry from any point has every record once.
    """
    _, calls = trail_world(5).run_faulty(nothing)
    for at in range(len(calls)):
        world = trail_world(5)
        with pytest.raises(Killed):
            world.run_faulty(kill_at(at, after=True))
        assert errors_of(world.run()) == []
        lines = gzip.decompress(next(iter(packs_of(world).values()))).splitlines()
        assert (len(lines), len(set(lines)), len(packs_of(world))) == (5, 5, 1)


def test_a_new_version_between_combine_and_delete() -> None:
    """A new version of a source key written between combine and delete: all versions deleted, only
    one archived. Here the new version stays, and the next run packs it.
    """
    world = trail_world(3)

    def decide(number: int, call: Call) -> Fault | None:
        if call.operation == "DeleteObjects" and len(world.originals) == 3:
            world.put("logs", trail_key(1), document(100))
        return None

    assert errors_of(world.run_faulty(decide)[0]) == []
    assert left_in_place(world) == [world.originals[-1].source]
    world.run()
    assert (find_losses(world), len(count_copies(world))) == ([], 4)


def test_plain_text_beside_gzip() -> None:
    """Plain text next to gzip, and a text file without a final newline: the result was not gzip,
    readers stopped at the first member, and two lines fused. Here the pack inflates to whole lines
    of all of them.
    """
    world = make_world()
    for number, data in enumerate(
        [
            b"plain one",
            pack_gzip(b"zipped two"),
            b"plain three\n",
            pack_gzip(b"zipped four\n"),
            b"plain five",
        ]
    ):
        world.put("logs", flow_key(f"{number}.log"), data)
    world.run()
    (pack,) = packs_of(world).values()
    assert sorted(gzip.decompress(pack).splitlines()) == [
        b"plain five",
        b"plain one",
        b"plain three",
        b"zipped four",
        b"zipped two",
    ]
    assert find_losses(world) == []


def test_four_parquet_files() -> None:
    """Four parquet files: they became one file in which readers see 10 of 40 rows, wrong ones. Here
    each is a separate file in a tar.
    """
    world = make_world()
    files = {
        flow_key(f"{number}.parquet"): b"PAR1" + bytes([number]) * 100 + b"PAR1"
        for number in range(4)
    }
    for key, data in files.items():
        world.put("logs", key, data)
    world.run()
    (pack,) = packs_of(world).values()
    with tarfile.open(fileobj=io.BytesIO(pack)) as tar:
        found = {
            info.name: member.read()
            for info in tar.getmembers()[:-1]
            if (member := tar.extractfile(info))
        }
    assert found == files


def test_digests_keep_their_signatures() -> None:
    """CloudTrail digests: the user metadata with the signature was lost, and validation impossible
    forever. Here it is in the index.
    """
    world = make_world()
    metadata = {"signature": "ab" * 256, "signature-algorithm": "SHA256withRSA"}
    world.put("logs", trail_key(1, service="CloudTrail-Digest"), document(1), metadata=metadata)
    world.run()
    ((_, member, data, _),) = find_members(world.store, world.targets)
    assert (dict(member.metadata), data, left_in_place(world)) == (metadata, document(1), [])


def test_an_account_with_logs_only_in_an_unwanted_region() -> None:
    """An account with logs only in an unwanted region: an empty final range stopped the whole day,
    with later accounts and all auxiliary buckets unprocessed. Here it is skipped.
    """
    clock = SteppingClock()
    store = MemoryStore(clock=clock)
    for bucket in ("trail", "aux", "dest"):
        store.create_bucket(bucket)
    rules = make_rules(
        control_tower_bucket="trail",
        other_buckets="aux",
        destination_bucket="dest",
        aggregation_regions="eu-west-1",
    )
    world = World(store, clock, rules, (Target("dest"),))
    world.put("trail", trail_key(1, region="us-east-1"), document(1))
    world.put("trail", trail_key(2, account="222222222222"), document(2))
    world.put("aux", access_key(1), b"line\n")
    assert errors_of(world.run()) == []
    assert [source.key for source in left_in_place(world)] == [trail_key(1, region="us-east-1")]


def test_a_failed_group_does_not_stop_the_others() -> None:
    """One group's copy fails: no other group was processed, and the next day did not return to
    them. Here the others are done, and the next run (whose window reaches back) finishes the one.
    """
    world = trail_world(2)
    for account in ("222222222222", "333333333333"):
        world.put("logs", trail_key(1, account=account), document(1))
    wanted = fail_on(
        lambda call: call.operation == "PutObject" and "/222222222222/" in call.key,
        StoreError("500", code="InternalError"),
    )
    result, _ = world.run_faulty(wanted)
    assert (errors_of(result), [source.key for source in left_in_place(world)]) == (
        ["StoreError"],
        [trail_key(1, account="222222222222")],
    )
    world.clock.advance(days=1)
    assert errors_of(world.run()) == []
    assert (find_losses(world), left_in_place(world)) == ([], [])


@pytest.mark.parametrize("what", ["listing", "deleting", "per key"])
def test_access_denied_fails_the_run(what: str) -> None:
    """AccessDenied on listing versions or on deleting, and per-key delete errors: they were printed
    and counted as success, and originals stayed forever. Here the run fails, says so, and returns
    to them.
    """
    world = trail_world(2)
    denied = AccessDenied("no", code="AccessDenied")
    if what == "listing":
        with pytest.raises(CannotStart):
            world.run_faulty(fail_on(lambda call: call.operation == "ListObjectVersions", denied))
    elif what == "deleting":
        assert errors_of(
            world.run_faulty(fail_on(lambda call: call.operation == "DeleteObjects", denied))[0]
        ) == ["AccessDenied"]
    else:

        class Refusing(FaultyStore):
            def delete_objects(self, bucket: str, deletions: Any) -> list[DeletionFailure]:
                return [DeletionFailure(deletion, "AccessDenied") for deletion in deletions]

        result = world.run(Refusing(world.store, nothing))
        assert (errors_of(result), sum(group.deleted for group in result.groups)) == (
            ["RetainedObjects"],
            0,
        )
    assert len(left_in_place(world)) == 2
    assert errors_of(world.run()) == []
    assert left_in_place(world) == []


def test_a_repeatedly_killed_delete_makes_progress() -> None:
    """Delete killed after 400 of 500 list calls, retried twice: it started over each time and
    deleted nothing. Here each attempt deletes a batch before it dies, and the next continues after
    it.
    """
    world = trail_world(2500)

    def attempt() -> None:
        deletes: list[int] = []

        def decide(number: int, call: Call) -> Fault | None:
            if call.operation == "DeleteObjects":
                deletes.append(number)
            return Fault(before=Killed()) if len(deletes) > 1 else None

        world.run_faulty(decide)

    for left in (1500, 500):
        with pytest.raises(Killed):
            attempt()
        assert len(world.store.list_object_versions("logs", prefix="").objects[:1000]) == min(
            left, 1000
        )
    attempt()
    assert world.store.list_objects("logs").objects == ()
    assert len(packs_of(world)) == 1


def test_no_common_destination_bucket() -> None:
    """No common destination bucket (in place): the other aggregator crashed immediately, and its
    own packs would match the date filter and be consumed. Here packs stay apart, and a second run
    finds nothing to do.
    """
    clock = SteppingClock()
    store = MemoryStore(clock=clock)
    store.create_bucket("aux")
    world = World(store, clock, make_rules(other_buckets="aux"), (Target("aux", "aggregated/"),))
    world.put("aux", access_key(1), b"line\n")
    assert errors_of(world.run()) == []
    assert (find_losses(world), left_in_place(world)) == ([], [])
    again, calls = world.run_faulty(nothing)
    assert (again.groups, writes_of(calls)) == ([], [])


def test_a_late_log_is_picked_up() -> None:
    """A log that arrives after the nightly run was never touched again. Here the next night's
    window reaches back to it.
    """
    world = trail_world(2)
    world.run()
    world.put("logs", trail_key(9), document(9))
    world.clock.advance(days=1)
    assert errors_of(world.run()) == []
    assert (find_losses(world), left_in_place(world)) == ([], [])


def test_keys_of_other_days_take_no_memory() -> None:
    """200,000 keys in a bucket, any dates: all were listed into memory (1.6 KB a key), which ran
    out at 256 MB. Here keys of other days are neither listed nor held.
    """
    store = MemoryStore(page_size=100)
    world = make_world(store=store, versioning=None)
    for day in range(1, 29):
        for number in range(300):
            store.put(
                "logs",
                f"2024-{1 + day % 12:02}-{day:02}-{number % 24:02}-00-00-{number:016X}",
                b"x",
            )
    world.put("logs", access_key(1), b"line\n")
    tracemalloc.start()
    result, calls = world.run_faulty(nothing)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (errors_of(result), left_in_place(world)) == ([], [])
    assert (
        len([call for call in calls if call.operation == "ListObjectsV2" and call.bucket == "logs"])
        < 10
    )
    assert peak < 1_600 * 28 * 300 / 4


def test_the_folder_of_a_days_packs_can_be_computed() -> None:
    """The name of the day's pack differed with the set of files (`..T0.gz`, `.._CloudTrail_eu.gz`,
    a full file name): readers could not compute it. Here folder and beginning follow from bucket,
    log type, account and day.
    """
    for numbers in ((1,), (1, 2), (5,)):
        world = make_world()
        for number in numbers:
            world.put("logs", trail_key(number), document(number))
        world.run()
        (key,) = packs_of(world)
        assert key.startswith(
            f"packs/logs/CloudTrail/111111111111/{DAY:%Y/%m/%d}/111111111111_CloudTrail_{DAY:%Y%m%d}-"
        )
        assert key.endswith(".json.gz")
