"""A drill recovers members, and reports those that it could not recover."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.support.custody import run_recorded, walk
from tests.support.trails import TARGET, Trails
from tests.support.world import World, document, fail_on, flow_key, make_world, pack_gzip, trail_key

from log_aggregator.adapters.counting import CountingStore
from log_aggregator.adapters.forwarding import Call
from log_aggregator.core.custody import RecordKind
from log_aggregator.core.digests import parse_digest_key
from log_aggregator.core.evidence.samples import SAMPLE, decode_sample, drill_key
from log_aggregator.core.packformat.index import encode_index
from log_aggregator.errors import AccessDenied, LimitExceeded, SettingsError, StoreError
from log_aggregator.model import StoredObject, Target
from log_aggregator.ports.store import ObjectStore, WriteOptions
from log_aggregator.steps.cloudtrail.public_keys import archive_keys
from log_aggregator.steps.custody.chain import find_end
from log_aggregator.steps.custody.walk import list_records, read_records
from log_aggregator.steps.evidence.drills.draw import DrawRules
from log_aggregator.steps.evidence.drills.drill import (
    DrillOutcome,
    DrillRules,
    DrillWatch,
    advance_drill,
    find_last_drill,
)
from log_aggregator.steps.evidence.drills.folder import DrillFolder
from log_aggregator.steps.evidence.drills.thawing import ThawRules
from log_aggregator.steps.packs.index import read_index
from log_aggregator.steps.retrieval.thaw import Patience
from log_aggregator.steps.workers import SerialWorkers
from log_aggregator_lab.stores.faults import Decide, Fault, FaultyStore

DEST = Target("dest")


def packed(storage_class: str = "STANDARD", logs: int = 6) -> World:
    """Two packs, one of them with a single member, and the record of the run that wrote them."""
    world = make_world(storage_class=storage_class)
    for number in range(logs):
        world.put("logs", trail_key(number), document(number))
    world.put("logs", flow_key("a.log.gz"), pack_gzip(b"flow\n"))
    assert run_recorded(world, "nightly").failures == []
    return world


def drill(
    world: World, store: ObjectStore | None = None, *, seed: int = 7, **rules: Any
) -> DrillOutcome:
    draw = DrawRules(seed, rules.pop("members", 299))
    job = world.job(store)
    outcome = advance_drill(job, DEST, DrillRules(draw, **rules), DrillWatch())
    assert outcome is not None
    return outcome


def pack_keys(world: World) -> list[str]:
    return [found.key for found in world.store.list_objects("dest", prefix="packs/").objects]


def replace_pack(world: World, key: str, change: Callable[[bytes], bytes]) -> None:
    data = world.store.get_object("dest", key).data
    world.store.put("dest", key, change(data), with_checksum=True)


def damage_first_member(world: World, key: str) -> None:
    """Change a byte, and let S3 have the checksum of the changed bytes."""
    (member, *_) = read_index(world.store, DEST, key).decode().members
    place = member.offset + member.length_bytes // 2
    replace_pack(
        world, key, lambda data: data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
    )


def test_all_members_of_a_small_archive_come_back() -> None:
    world = packed()
    outcome = drill(world)
    found = outcome.drill
    assert found is not None
    assert found.is_sound
    assert (found.members, found.bad, found.packs, found.packs_frozen) == (7, 0, 2, 0)
    assert (found.population, found.is_counted, found.population_packs) == (7, True, 2)
    assert found.warm is not None
    assert found.warm.members == 7
    assert found.warm.p95_seconds > 0
    assert found.frozen is None
    assert found.proof == "all 7 members were read back; 0 of them are bad"
    assert outcome.failures == []


def test_the_result_is_a_record_of_the_chain() -> None:
    """`custody verify` finds the chain unbroken, and the record says what the drill reported."""
    world = packed()
    outcome = drill(world)
    (walked,) = walk(world)
    assert walked.findings == []
    newest = find_end(world.store, DEST).newest
    assert newest is not None
    assert (newest.record.kind, newest.record.drill) == (RecordKind.DRILL, outcome.drill)
    assert outcome.written == newest.written
    assert drill(world, seed=8).written is not None  # and the next one follows it
    (walked,) = walk(world)
    assert (walked.findings, walked.records) == ([], 4)


def test_a_run_continues_a_chain_with_drills() -> None:
    world = packed()
    drill(world)
    world.put("logs", trail_key(50), document(50))
    assert run_recorded(world, "late").failures == []
    (walked,) = walk(world)
    assert (walked.findings, walked.records) == ([], 5)


def test_the_sample_can_be_repeated() -> None:
    """The same seed and packs give the same members; another seed gives others."""
    world = packed(logs=40)
    samples = [drill(world, seed=seed, members=5).sample.members for seed in (1, 2)]
    world.clock.advance(seconds=5)
    again = drill(world, seed=1, members=5).sample.members
    assert again == samples[0] != samples[1]
    assert len({each.member.key for each in again}) == 5


def test_a_changed_byte_is_found_and_recorded() -> None:
    world = packed()
    damage_first_member(world, pack_keys(world)[0])
    outcome = drill(world)
    found = outcome.drill
    assert found is not None
    assert (found.is_sound, found.bad, found.packs_bad) == (False, 1, 1)
    assert {failure.error for failure in outcome.failures} == {"VerificationError"}
    assert outcome.record is not None
    assert len(outcome.record.failures) == len(outcome.failures) == 2
    assert find_end(world.store, DEST).newest is not None


def test_a_missing_pack_is_found() -> None:
    world = packed()
    key = pack_keys(world)[0]
    count = len(read_index(world.store, DEST, key).decode().members)
    world.store.delete("dest", key)
    found = drill(world).drill
    assert found is not None
    assert (found.bad, found.packs_bad, found.members) == (count, 1, 7)


def test_a_truncated_pack_is_found() -> None:
    world = packed()
    replace_pack(world, pack_keys(world)[0], lambda data: data[:-10])
    found = drill(world).drill
    assert found is not None
    assert (found.packs_bad, found.is_sound) == (1, False)


@pytest.mark.parametrize(
    ("keeps", "members", "bad"), [(20, 1, 0), (1000, 31, 30)], ids=["no beginning", "no end"]
)
def test_members_missing_from_the_index_are_bad(keeps: int, members: int, bad: int) -> None:
    """An index that is damaged at its beginning has no members to draw; at its end, the drawn ones
    are lost. Both are found.
    """
    world = packed(logs=30)
    key = DEST.index_key(pack_keys(world)[0])
    world.store.put("dest", key, world.store.get_object("dest", key).data[:keeps])
    outcome = drill(world)
    found = outcome.drill
    assert found is not None
    assert (found.packs_bad, found.is_sound) == (1, False)
    assert (found.members, found.bad) == (members, bad)
    assert outcome.record is not None
    assert outcome.record.failures[0][1] == "BadPack"


def test_an_index_line_changed_after_the_draw_is_found() -> None:
    """While a drill waits for its packs, someone makes the index say what the pack says."""
    world = packed("DEEP_ARCHIVE")
    assert drill(world).waiting == 2
    key = pack_keys(world)[0]
    world.clock.advance(hours=50)
    index = read_index(world.store, DEST, key)
    members = index.decode().members
    other = replace(members[0], sha256="0" * 64)
    changed = encode_index(replace(index.decode(), members=(other, *members[1:])))
    world.store.put("dest", DEST.index_key(key), changed)
    outcome = drill(world)
    assert outcome.drill is not None
    assert outcome.drill.bad == 1
    assert any(
        "describes this member differently" in failure.message for failure in outcome.failures
    )


def test_a_waiting_drill_is_resumed_days_later() -> None:
    """Its sample and requests are written down; the next drill thaws nothing again, and measures
    from the first request.
    """
    world = packed("DEEP_ARCHIVE")
    store = CountingStore(world.store)
    first = drill(world, store)
    assert (first.waiting, first.record, store.requests["RestoreObject"]) == (2, None, 2)
    world.clock.advance(hours=5)
    still = drill(world, store, seed=99)
    assert (still.waiting, still.has_gone_on, still.sample.seed) == (2, True, 7)
    world.clock.advance(hours=45)
    done = drill(world, store, seed=99)
    assert store.requests["RestoreObject"] == 2
    found = done.drill
    assert found is not None
    assert (found.is_sound, found.packs_frozen, found.seed, found.warm) == (True, 2, 7, None)
    assert found.frozen is not None
    assert found.frozen.p50_seconds == pytest.approx(50 * 3600, abs=60)
    assert found.dollars == pytest.approx(first.dollars, abs=1e-6)
    assert found.dollars > 0
    fresh = drill(world, store, seed=99)  # that one is over
    assert (fresh.has_gone_on, fresh.sample.seed) == (False, 99)


def test_waiting_measures_when_each_pack_is_ready() -> None:
    world = packed("DEEP_ARCHIVE")

    def pause(seconds: float) -> None:
        world.clock.advance(seconds=seconds)

    found = drill(world, patience=Patience(pause, 3600, 72)).drill
    assert found is not None
    assert found.frozen is not None
    assert 40 * 3600 < found.frozen.p50_seconds < 50 * 3600


def test_nothing_is_thawed_above_the_price_limit() -> None:
    """Nothing is written either: the drill has not begun."""
    world = packed("DEEP_ARCHIVE")
    before = world.store.snapshot()
    with pytest.raises(LimitExceeded, match=r"--dollars-max of \$0"):
        drill(world, thaw=ThawRules(dollars_max=0.0))
    with pytest.raises(SettingsError, match="--tier Expedited"):
        drill(world, thaw=ThawRules(tier="Expedited"))
    dry = drill(world, is_dry=True)
    assert (dry.dollars > 0, dry.waiting, dry.record) == (True, 0, None)
    assert world.store.snapshot() == before


def test_the_limit_applies_to_the_whole_drill() -> None:
    """Copies that expired before the drill resumed are paid for twice, and the limit counts
    both.
    """
    world = packed("DEEP_ARCHIVE")
    first = drill(world)
    world.clock.advance(days=30)
    with pytest.raises(LimitExceeded, match="on top of"):
        drill(world, thaw=ThawRules(dollars_max=1.5 * first.dollars))
    again = drill(world)
    assert again.dollars == pytest.approx(2 * first.dollars)
    world.clock.advance(hours=49)
    found = drill(world).drill
    assert found is not None
    assert found.is_sound
    assert found.dollars == pytest.approx(2 * first.dollars, abs=1e-6)


@pytest.mark.parametrize(
    ("operation", "part"),
    [
        ("PutObject", "/sample.jsonl.gz"),
        ("PutObject", "/thaw-0000.json"),
        ("RestoreObject", "packs/"),
        ("PutObject", "custody/"),
        ("PutObject", "/end.json"),
    ],
    ids=["sample", "request", "thawing", "record", "end"],
)
@pytest.mark.parametrize("is_done", [False, True], ids=["refused", "answer lost"])
def test_an_interrupted_drill_is_resumed(operation: str, part: str, is_done: bool) -> None:
    """Whatever write or request fails, in the end there is one record of every drill, and its chain
    is whole.
    """
    world = packed("GLACIER")
    broken = FaultyStore(world.store, break_once(operation, part, is_done=is_done))
    for _ in range(4):
        with contextlib.suppress(StoreError):
            drill(world, broken)
        world.clock.advance(hours=13)
    (walked,) = walk(world)
    assert walked.findings == []
    listed = list_records(world.store, DEST)
    found = [each.record for each in read_records(world.store, SerialWorkers(), DEST, listed)]
    names = [each.run for each in found if each is not None and each.kind is RecordKind.DRILL]
    assert len(names) == len(set(names)) > 0


def break_once(operation: str, part: str, *, is_done: bool) -> Decide:
    left = [Fault(after=StoreError("lost")) if is_done else Fault(before=StoreError("no"))]

    def decide(_: int, call: Call) -> Fault | None:
        is_meant = call.operation == operation and part in call.key
        return left.pop() if left and is_meant else None

    return decide


def test_a_refused_thaw_is_not_evidence() -> None:
    """A refused thaw is reported, nothing is recorded, and the next drill asks again."""
    world = packed("DEEP_ARCHIVE")
    refusing = FaultyStore(
        world.store,
        fail_on(lambda call: call.operation == "RestoreObject", AccessDenied("no"), times=1),
    )
    refused = drill(world, refusing)
    assert (len(refused.failures), refused.record, refused.waiting) == (1, None, 0)
    assert drill(world).waiting == 2


def test_a_missing_permission_is_not_evidence() -> None:
    """If a missing permission blocks all reading, no record says that logs are bad; if it blocks
    one pack, its members were not recovered.
    """
    world = packed()
    for key in pack_keys(world):
        world.store.deny_reading("dest", key)
    outcome = drill(world)
    assert outcome.record is None
    assert {failure.error for failure in outcome.failures} == {"AccessDenied"}
    other = packed()
    other.store.deny_reading("dest", pack_keys(other)[0])
    found = drill(other).drill
    assert found is not None
    assert (found.bad > 0, found.packs_bad) == (True, 0)


def test_a_pack_that_is_never_thawed_counts_as_lost() -> None:
    """The member was not recovered."""
    world = packed("DEEP_ARCHIVE")
    drill(world)

    class Stuck(FaultyStore):
        def head_object(self, *args: Any, **more: Any) -> StoredObject:
            found = super().head_object(*args, **more)
            restore = found.restore
            if restore is None or restore.is_ongoing:
                return found
            return replace(found, restore=replace(restore, is_ongoing=True))

    stuck = Stuck(world.store, lambda call, number: None)
    world.clock.advance(hours=60)
    assert drill(world, stuck).waiting == 2
    world.clock.advance(hours=13)
    found = drill(world, stuck).drill
    assert found is not None
    assert (found.bad, found.packs_bad) == (7, 0)


def keep_keys(trails: Trails) -> None:
    """Keep the keys of all Regions with the packs."""
    now, keys = trails.world.clock.now(), trails.keys
    assert keys is not None
    names = filter(None, (parse_digest_key("", key) for key in trails.objects))
    for region in {name.chain.region for name in names}:
        archive_keys(
            trails.store, TARGET, keys, region, now - timedelta(days=30), now, WriteOptions()
        )


def test_digests_are_validated_with_archived_keys() -> None:
    """A digest without its key is not called invalid, but is reported."""
    trails = Trails()
    trails.pack()
    outcome = drill(trails.world)
    unvouched = outcome.drill
    assert unvouched is not None
    assert unvouched.digests_unvouched == len(outcome.warnings) > 0
    assert (unvouched.digests_valid, unvouched.is_sound) == (0, True)
    keep_keys(trails)
    trails.world.clock.advance(seconds=1)
    vouched = drill(trails.world).drill
    assert vouched is not None
    assert (vouched.digests_valid, vouched.digests_unvouched) == (unvouched.digests_unvouched, 0)
    assert vouched.digests_invalid == 0


def test_a_digest_with_a_false_signature_is_found() -> None:
    """A forged digest is as it was packed, but was false before."""
    trails = Trails()
    trails.rewrite(trails.digest_keys[3], lambda fields: fields["logFiles"].clear())
    trails.pack()
    keep_keys(trails)
    outcome = drill(trails.world)
    found = outcome.drill
    assert found is not None
    assert (found.digests_invalid, found.bad, found.is_sound) == (1, 0, False)
    assert "signature verification failed" in outcome.failures[0].message


def test_without_packs_there_is_no_drill() -> None:
    world = make_world()
    assert advance_drill(world.job(), DEST, DrillRules(DrawRules(1)), DrillWatch()) is None


def test_a_sample_of_another_place_is_not_resumed() -> None:
    """Someone who can write to the target cannot redirect a drill."""
    world = packed("DEEP_ARCHIVE")
    outcome = drill(world)
    key = drill_key(DEST, outcome.sample.name, SAMPLE)
    data = world.store.get_object("dest", key).data
    assert decode_sample(data, DEST, outcome.sample.name) == outcome.sample
    world.store.put("dest", drill_key(DEST, "20200101T000000Z-1", SAMPLE), data)
    folder = DrillFolder(world.store, DEST, WriteOptions())
    with pytest.raises(Exception, match="drill's sample"):
        folder.find_begun()


def test_a_finished_drill_is_remembered() -> None:
    """The last drill is known by when it was drawn; an unfinished one is continued at any time."""
    world = packed()
    job = world.job()
    assert find_last_drill(job, DEST) is None
    first = drill(world)
    assert find_last_drill(job, DEST) == first.sample.drawn
    world.clock.advance(days=40)
    second = drill(world, seed=2)
    assert find_last_drill(job, DEST) == second.sample.drawn
    frozen = packed("DEEP_ARCHIVE")
    drill(frozen)
    assert find_last_drill(frozen.job(), DEST) is None
