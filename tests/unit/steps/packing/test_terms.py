"""Terms are written together with packs; nothing else ever depends on them."""

from __future__ import annotations

import gzip
import json
import lzma
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from tests.support.world import (
    World,
    access_key,
    fail_on,
    find_losses,
    flow_key,
    kill_at,
    left_in_place,
    make_rules,
    make_world,
    pack_gzip,
    trail_key,
    writes_of,
)

from log_aggregator.adapters.forwarding import Call
from log_aggregator.core.planning import PackLimits
from log_aggregator.core.terms.collect import Collector
from log_aggregator.core.terms.hashing import SearchKey
from log_aggregator.core.terms.model import Field, Sighting, Term, TermsHead, Unsearched
from log_aggregator.errors import (
    AccessDenied,
    NotAuthenticated,
    RequestFailed,
    StoreError,
    Unreachable,
)
from log_aggregator.limits import KIB, MIB
from log_aggregator.model import Target
from log_aggregator.reports.run import Measured, describe_run
from log_aggregator.steps.packing import terms as packing_terms
from log_aggregator.steps.packing.results import RunResult
from log_aggregator.steps.packs.terms import read_terms
from log_aggregator.steps.rules import RunRules, TermsOptions
from log_aggregator_lab.stores.faults import Killed

DEST = Target("dest")
LEAKED = "AKIAIOSFODNN7EXAMPLE"
KEY = SearchKey(b"0123456789abcdef0123456789abcdef")


def trail(*access_keys: str, **more: Any) -> bytes:
    """A CloudTrail file with an event for each access key."""
    records = [
        {
            "eventTime": "2025-04-03T01:02:03Z",
            "eventSource": "s3.amazonaws.com",
            "eventName": "GetObject",
            "sourceIPAddress": "192.0.2.7",
            "userIdentity": {"type": "IAMUser", "accessKeyId": each},
        }
        for each in access_keys
    ]
    return pack_gzip(json.dumps({"Records": records, **more}).encode())


def make_trail_world(count: int = 5, **settings: Any) -> World:
    """The odd-numbered log objects have the key that leaked."""
    world = make_world(**settings)
    for number in reversed(range(count)):
        keys = [LEAKED] if number % 2 else ["AKIAOTHER"]
        world.put("logs", trail_key(number), trail(*keys, f"AKIA{number}"))
    return world


def with_terms(rules: RunRules, options: TermsOptions | None) -> RunRules:
    combine = replace(rules.group.combine, terms=options)
    return replace(rules, group=replace(rules.group, combine=combine))


def find_terms(world: World) -> list[str]:
    return [found.key for found in world.store.list_objects("dest", prefix="terms/").objects]


def read_all(world: World) -> tuple[TermsHead, dict[Term, Sighting]]:
    """Read the only pack that has terms."""
    (key,) = find_terms(world)
    head, sightings = read_terms(world.store, DEST, DEST.pack_key_of_terms(key))
    return head, {each.term: each for each in sightings}


def index_keys(world: World, pack_key: str) -> list[str]:
    """The keys of a pack's members by their places in the stored index, read without our code."""
    data = gzip.decompress(world.store.get_object("dest", DEST.index_key(pack_key)).data)
    return [json.loads(line)["key"] for line in data.splitlines()[1:]]


def warnings_of(result: RunResult) -> list[dict[str, str]]:
    warnings: list[dict[str, str]] = describe_run(result, Measured({}, 0, 0))["warnings"]
    return warnings


def is_terms_write(call: Call) -> bool:
    return call.operation == "PutObject" and call.key.startswith("terms/")


def test_terms_name_members_by_their_place_in_the_index() -> None:
    """Terms name members by their places in the index, whatever order they were read in."""
    world = make_trail_world()
    result = world.run()
    head, sightings = read_all(world)
    keys = index_keys(world, head.pack_key)
    leaked = sightings[Term(Field.ACCESS_KEY, LEAKED)]
    assert [keys[place] for place in leaked.members] == [trail_key(1), trail_key(3)]
    assert (leaked.count, head.members, head.unsearched) == (2, 5, {})
    for number in range(5):
        (place,) = sightings[Term(Field.ACCESS_KEY, f"AKIA{number}")].members
        assert keys[place] == trail_key(number)
    assert (result.failures, warnings_of(result), left_in_place(world)) == ([], [], [])


def test_versions_and_large_members_keep_their_places() -> None:
    """A large member is written after the small ones, and has its place in the index by key."""
    world = make_trail_world(limits=PackLimits(copy_size_bytes_min=10 * MIB))
    world.put("logs", trail_key(1), trail("AKIANEWER"))
    large = gzip.compress(Random(1).randbytes(11 * MIB), compresslevel=0)
    world.put("logs", trail_key(2, region="af-south-1"), large)
    assert world.run().failures == []
    head, sightings = read_all(world)
    keys = index_keys(world, head.pack_key)
    assert keys[0] == trail_key(2, region="af-south-1")
    assert head.unsearched == {Unsearched.COPIED: 1}
    for value, number in ((LEAKED, 1), ("AKIANEWER", 1), ("AKIA4", 4)):
        places = sightings[Term(Field.ACCESS_KEY, value)].members
        assert keys[places[0]] == trail_key(number)


def test_unsearched_members_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unsearched members are counted by reason: damaged gzip, not a CloudTrail document, inflating
    to too much, large and not gzip.
    """
    monkeypatch.setattr(packing_terms, "SEARCHED_MEMBER_BYTES_MAX", 3 * MIB)
    world = make_world(limits=PackLimits(copy_size_bytes_min=5 * MIB, part_size_bytes=8 * MIB))
    world.put("logs", trail_key(0), trail(LEAKED))
    world.put("logs", trail_key(1), trail(LEAKED)[:-3])
    world.put("logs", trail_key(2), pack_gzip(b"not JSON"))
    world.put("logs", trail_key(3), trail(LEAKED, pad=" " * 3 * MIB))
    world.put("logs", trail_key(4), b"text " * MIB)
    result = world.run()
    head, sightings = read_all(world)
    reasons = {Unsearched.UNPARSABLE: 2, Unsearched.TOO_LARGE: 2}
    assert (head.members, head.unsearched) == (5, reasons)
    assert sightings[Term(Field.ACCESS_KEY, LEAKED)].count == 1
    assert (result.failures, left_in_place(world), find_losses(world)) == ([], [], [])


@pytest.mark.parametrize("size_bytes", [100 * KIB, 300 * KIB, 2 * MIB, 2 * MIB + 1])
def test_members_of_every_size_are_searched(size_bytes: int) -> None:
    """Terms are found in members inflated in one piece, in several, and a second time."""
    world = make_world()
    world.put("logs", trail_key(0), trail(LEAKED, pad="a" * (size_bytes - 300)))
    world.put("logs", trail_key(1), trail("AKIA1", pad=" " * size_bytes))
    world.run()
    head, sightings = read_all(world)
    assert (head.unsearched, len(find_terms(world))) == ({}, 1)
    assert {LEAKED, "AKIA1"} <= {term.value for term in sightings}


def test_small_members_are_inflated_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The result of the packing's own inflating is examined."""

    def inflate(*_: object) -> bytes:
        raise AssertionError

    monkeypatch.setattr(packing_terms, "inflate_whole", inflate)
    world = make_trail_world()
    world.put("logs", trail_key(9), trail("AKIA9", pad="a" * MIB))
    assert warnings_of(world.run()) == []
    assert read_all(world)[0].unsearched == {}


def test_hashed_terms_contain_no_value() -> None:
    """Terms are found by their hashes, and name the key that made them."""
    world = make_trail_world()
    world.run(rules=with_terms(world.rules, TermsOptions(is_hashed=True, key=KEY)))
    head, sightings = read_all(world)
    data = lzma.decompress(world.store.get_object("dest", find_terms(world)[0]).data)
    assert head.search_key == KEY.id
    for text in (b"AKIA", b"192.0.2", b"GetObject", KEY.secret):
        assert text not in data
    assert len(sightings[KEY.hash(Term(Field.ACCESS_KEY, LEAKED))].members) == 2


def test_without_the_key_no_values_are_stored() -> None:
    """The values themselves are never written, and the lack of terms is reported."""
    world = make_trail_world()
    result = world.run(rules=with_terms(world.rules, TermsOptions(is_hashed=True)))
    assert (find_terms(world), left_in_place(world), result.failures) == ([], [], [])
    assert ["there is no key" in warning["message"] for warning in warnings_of(result)] == [True]


def test_some_packs_have_no_terms() -> None:
    """Search is off; log types without terms; objects copied alone."""
    off = make_trail_world(search="off")
    other = make_world()
    other.put("logs", "app/2025/04/03/x", b"text")
    other.put("logs", f"AWSLogs/111111111111/networkmanager/eu-west-1/2025/04/03/{'a.gz'}", b"x")
    copies = make_trail_world(limits=PackLimits(copy_alone_bytes_min=1))
    for world in (off, other, copies):
        result = world.run()
        assert (find_terms(world), warnings_of(result), left_in_place(off)) == ([], [], [])
        assert result.groups[0].packs


REFUSALS = [
    AccessDenied("PutObject s3://dest/terms/x: Access Denied", code="AccessDenied"),
    StoreError("InternalError", code="InternalError"),
    Unreachable("no answer"),
]


@pytest.mark.parametrize("error", REFUSALS, ids=lambda error: type(error).__name__)
def test_a_failed_write_of_terms_is_not_a_failure(error: RequestFailed) -> None:
    """The pack is verified, its originals are deleted, and the failure is reported once."""
    world = make_trail_world()
    for number in range(3):
        world.put("logs", trail_key(number, account="222222222222"), trail(LEAKED))
    result, _ = world.run_faulty(fail_on(is_terms_write, error))
    assert (result.failures, left_in_place(world), find_terms(world)) == ([], [], [])
    (warning,) = warnings_of(result)
    assert warning["error"] == type(error).__name__
    assert "2 new packs cannot be searched" in warning["message"]
    assert "index terms" in warning["advice"]
    assert describe_run(result, Measured({}, 0, 0))["packs_without_terms"] == 2


def test_credentials_expiring_at_the_terms_end_the_run() -> None:
    """No other request would succeed either."""
    world = make_trail_world()
    result, calls = world.run_faulty(fail_on(is_terms_write, NotAuthenticated("expired")))
    assert "NotAuthenticated" in [failure.error for failure in result.failures]
    assert [call.operation for call in calls if "Delete" in call.operation] == []


@pytest.mark.parametrize("method", ["add", "skip", "finish", "__init__"])
def test_a_bug_in_collecting_costs_only_the_terms(
    monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """The error's own text is not reported, because it may quote a log."""

    def fail(*_: object) -> None:
        raise KeyError(LEAKED)

    monkeypatch.setattr(Collector, method, fail)
    world = make_trail_world()
    world.put("logs", trail_key(9), trail(LEAKED)[:-3])
    result = world.run()
    assert (result.failures, left_in_place(world), find_terms(world)) == ([], [], [])
    (warning,) = warnings_of(result)
    assert "KeyError at log_aggregator/steps/pack" in warning["message"]
    assert LEAKED not in str(warning)


def test_a_run_that_died_before_its_terms_is_finished_without_them() -> None:
    """The next run reads nothing again: the pack is in the ledger, and its originals are
    deleted.
    """
    world = make_trail_world()
    _, calls = make_trail_world().run_faulty(lambda *_: None)
    (number,) = [number for number, call in enumerate(calls) if is_terms_write(call)]
    with pytest.raises(Killed):
        world.run_faulty(kill_at(number, after=False))
    result, calls = world.run_faulty(lambda *_: None)
    assert (left_in_place(world), find_terms(world), result.failures) == ([], [], [])
    assert not [call for call in calls if call.operation == "GetObject" and call.bucket == "logs"]


def test_terms_are_written_between_index_and_deletion() -> None:
    world = make_trail_world()
    _, calls = world.run_faulty(lambda *_: None)
    written = [
        call.key.split("/")[0] if call.operation == "PutObject" else call.operation
        for call in writes_of(calls)
    ]
    assert [each for each in written if each != "probes"][:4] == [
        "packs",
        "indexes",
        "terms",
        "DeleteObjects",
    ]


def test_an_adopted_pack_gets_its_terms() -> None:
    """Its members were all read; terms that someone else wrote are replaced."""
    world = make_trail_world()
    twin = make_trail_world()
    twin.run(rules=make_rules(other_buckets="logs", destination_bucket="dest", search="off"))
    (pack,) = twin.store.list_objects("dest", prefix="packs/").objects
    key = DEST.terms_key(pack.key)
    pack_data = twin.store.get_object("dest", pack.key).data
    world.store.put("dest", key, b"forged")

    def be_first(number: int, call: Call) -> None:
        """Let another process write the pack first."""
        if call.operation == "PutObject" and call.key == pack.key:
            world.store.put("dest", pack.key, pack_data)

    world.run_faulty(be_first)
    head, sightings = read_all(world)
    assert head.pack_key == pack.key
    assert Term(Field.ACCESS_KEY, LEAKED) in sightings


def test_access_logs_in_text_blocks_are_searched() -> None:
    """Text members are examined although many of them share a gzip block of the pack."""
    world = make_world()
    world.put("logs", access_key(1), b"line\n")
    world.put("logs", flow_key("a.log.gz"), pack_gzip(b"version account-id\n2 1\n"))
    result = world.run()
    assert (result.failures, left_in_place(world)) == ([], [])
