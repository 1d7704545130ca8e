"""What a newer release has written is never passed over, and never a reason to delete. Each message
names it.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import replace

import pytest
from tests.golden.golden_formats import make_newer
from tests.support.backfilling import backfill, three_windows
from tests.support.custody import run_recorded, walk
from tests.support.world import World, document, make_rules, make_world, trail_key

from log_aggregator.core.custody import decode_place, encode_record, hash_record, record_key
from log_aggregator.core.packformat.deflate import encode_gzip
from log_aggregator.core.query import Query
from log_aggregator.errors import CannotStart, IncompleteSearch, NewerFormat
from log_aggregator.model import Target
from log_aggregator.ports.store import Deletion
from log_aggregator.steps.custody.chain import find_end
from log_aggregator.steps.evidence.drills.draw import DrawRules, draw_sample
from log_aggregator.steps.retrieval.find import find
from log_aggregator.steps.rules import Level
from log_aggregator.steps.upkeep.check import Unchecked, check_places, list_places
from log_aggregator.steps.workers import SerialWorkers

DEST = Target("dest")


def make_newer_at(world: World, key: str) -> None:
    """What lies there is of the next version."""
    stored = world.store.head_object("dest", key)
    newer = make_newer(world.store.get_object("dest", key).data)
    world.store.delete_objects("dest", [Deletion(key, stored.version_id, stored.etag)])
    world.store.put("dest", key, newer)


def keys_of(world: World, bucket: str, prefix: str = "") -> list[str]:
    return [each.key for each in world.store.list_objects(bucket, prefix=prefix).objects]


def one_ending(world: World, end: str) -> str:
    return next(key for key in keys_of(world, "dest") if key.endswith(end))


def chain_of_a_newer_release() -> World:
    """Its newest record is of version 2; another log object has arrived since."""
    world = make_world()
    world.put("logs", trail_key(1), document(1))
    assert run_recorded(world, "first").failures == []
    newest = find_end(world.store, DEST).newest
    assert newest is not None
    make_newer_at(world, record_key(DEST, newest.sequence))
    world.put("logs", trail_key(2), document(2))
    return world


def test_an_older_run_writes_no_second_chain_beside_it() -> None:
    """It ends with an error that names the record, and its originals are where they were."""
    world = chain_of_a_newer_release()
    before = keys_of(world, "dest")
    with pytest.raises(NewerFormat, match=r"s3://dest/custody/.*has version 2 of its format"):
        run_recorded(world, "second")
    assert keys_of(world, "dest") == before
    assert keys_of(world, "logs") == [trail_key(2)]


def plant_newer(world: World, sequence: int, previous: str) -> str:
    """A made-up record of version 2, by somebody who can write under custody/."""
    newest = find_end(world.store, DEST).newest
    assert newest is not None
    record = replace(newest.record, sequence=sequence, previous=previous)
    data = make_newer(encode_record(record))
    world.store.put("dest", record.key, data)
    return hash_record(data)


def test_a_made_up_record_of_a_newer_version_stops_no_run() -> None:
    """It follows no record of the chain; nor does a second one that follows only the first."""
    world = make_world()
    world.put("logs", trail_key(1), document(1))
    assert run_recorded(world, "first").failures == []
    newest = find_end(world.store, DEST).newest
    assert newest is not None
    first = plant_newer(world, newest.sequence + 1, "0" * 64)
    plant_newer(world, newest.sequence + 2, first)
    world.put("logs", trail_key(2), document(2))
    assert run_recorded(world, "second").failures == []
    end = find_end(world.store, DEST)
    assert end.newest is not None
    assert end.newest.sequence > newest.sequence + 2


def test_several_records_of_a_newer_release_stop_an_older_run() -> None:
    """The newest of them follows another that this release cannot read, and so on down."""
    world = chain_of_a_newer_release()
    (last,) = keys_of(world, "dest", "custody/")[-1:]
    data = world.store.get_object("dest", last).data
    (target, sequence, _) = decode_place(data)
    head, _, rest = gzip.decompress(data).partition(b"\n")
    following = json.loads(head) | {"sequence": sequence + 1, "previous": hash_record(data)}
    lines = json.dumps(following).encode() + b"\n" + rest
    world.store.put("dest", record_key(target, sequence + 1), encode_gzip(lines))
    with pytest.raises(NewerFormat, match="has version 2 of its format"):
        find_end(world.store, DEST)


def test_custody_verify_names_it() -> None:
    """It is said of this record, and the others are looked at all the same."""
    (walked,) = walk(chain_of_a_newer_release())
    assert any("has version 2 of its format" in found.what for found in walked.findings)
    assert walked.records >= 1


def test_what_only_looks_like_one_ends_no_chain() -> None:
    """What says no version of a custody record is passed over, as ever."""
    world = chain_of_a_newer_release()
    (last,) = [each.key for each in world.store.list_objects("dest", prefix="custody/").objects][
        -1:
    ]
    data = gzip.decompress(world.store.get_object("dest", last).data)
    stored = world.store.head_object("dest", last)
    world.store.delete_objects("dest", [Deletion(last, stored.version_id, stored.etag)])
    world.store.put("dest", last, gzip.compress(data.replace(b"log-aggregator-custody", b"other")))
    assert run_recorded(world, "second").failures == []


def test_a_group_with_a_newer_index_is_left_alone() -> None:
    """Its originals stay, those of other groups go, and the failure says what to do."""
    world = make_world(delete_originals=False)
    world.put("logs", trail_key(1), document(1))
    assert world.run().failures == []
    make_newer_at(world, keys_of(world, "dest", "indexes/")[0])
    world.put("logs", trail_key(2, account="222222222222"), document(2))
    result = world.run(rules=make_rules(other_buckets="logs", destination_bucket="dest"))
    (failure,) = result.failures
    assert (failure.error, "has version 2" in failure.message) == ("NewerFormat", True)
    assert "Install the newer release" in failure.advice
    assert keys_of(world, "logs") == [trail_key(1)]


def test_a_search_names_a_newer_index_and_finds_all_else() -> None:
    world = two_packs_one_newer()
    found = find(world.store, SerialWorkers(), world.targets, Query())
    assert next(found).group.account == "222222222222"
    with pytest.raises(IncompleteSearch, match="the index has version 2 of its format"):
        next(found)


def test_a_backfill_minds_a_newer_ledger() -> None:
    """It may say that a window is done: nothing is done beside it."""
    world = three_windows()
    backfill(world, "first")
    make_newer_at(world, one_ending(world, "done.json"))
    with pytest.raises(NewerFormat, match=r"done\.json: the entry .* has version 2"):
        backfill(world, "second")


def test_a_backfill_of_a_newer_release_is_not_joined() -> None:
    world = three_windows()
    backfill(world, "first")
    make_newer_at(world, one_ending(world, "plan.json"))
    with pytest.raises(CannotStart, match="has version 2 of its format"):
        backfill(world, "second")


def two_packs_one_newer() -> World:
    world = make_world()
    for account in ("111111111111", "222222222222"):
        world.put("logs", trail_key(1, account=account), document(1))
    assert world.run().failures == []
    make_newer_at(world, keys_of(world, "dest", "indexes/")[0])
    return world


def test_a_check_does_not_call_a_newer_pack_damaged() -> None:
    """It says that it was not checked, and what to do."""
    world = two_packs_one_newer()
    places = list(list_places(world.store, SerialWorkers(), world.targets, Query()))
    found = list(check_places(world.store, SerialWorkers(), places, Level.CHECKSUM))
    assert sorted(type(each).__name__ for each in found) == ["Sound", "Unchecked"]
    (unchecked,) = (each for each in found if isinstance(each, Unchecked))
    assert (unchecked.failure.error, unchecked.failure.advice) == (
        "NewerFormat",
        NewerFormat.advice,
    )


def test_a_drill_does_not_call_a_newer_pack_bad() -> None:
    """Its record would say so for ever."""
    with pytest.raises(NewerFormat, match="the index has version 2"):
        draw_sample(two_packs_one_newer().job(), DEST, DrawRules(1))
