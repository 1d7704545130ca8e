"""The terms of a pack, collected while it is written."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable

import pytest

from log_aggregator.core.terms import tally
from log_aggregator.core.terms.collect import Collector
from log_aggregator.core.terms.model import Field, Sighting, Term, TermsHead, Unsearched
from log_aggregator.core.terms.normalise import normalise
from log_aggregator.core.terms.packterms import decode_terms

NOON = 1_775_044_800  # 2026-04-01T12:00:00Z


def event(second: int = 0, **changed: object) -> dict[str, object]:
    return {
        "eventTime": f"2026-04-01T12:00:{second:02}Z",
        "eventSource": "s3.amazonaws.com",
        "eventName": "PutObject",
        "sourceIPAddress": "192.0.2.1",
        "eventID": "never-this",
        **changed,
    }


def log(*events: object) -> bytes:
    return json.dumps({"Records": events}).encode()


def finish(
    collector: Collector, place_of: Callable[[int], int] = int
) -> tuple[TermsHead, dict[Term, Sighting]]:
    head, sightings = decode_terms(collector.finish("packs/a", place_of))
    return head, {sighting.term: sighting for sighting in sightings}


def test_a_term_has_its_count_times_and_members() -> None:
    collector = Collector("CloudTrail")
    collector.add(1, log(event(9), event(3)))
    collector.add(0, log(event(5)))
    collector.add(3, log())
    head, seen = finish(collector, {0: 2, 1: 1, 3: 0}.__getitem__)
    term = Term(Field.ADDRESS, "192.0.2.1")
    assert seen[term] == Sighting(term, 3, NOON + 3, NOON + 9, (1, 2))
    assert head == TermsHead("packs/a", 3, {})


def test_a_role_is_found_in_all_its_sessions() -> None:
    """Callers are counted as a whole, and their sessions are added up."""
    collector = Collector("CloudTrail")
    for place, session in enumerate("aabb"):
        arn = f"arn:aws:sts::1:assumed-role/role/{session}"
        issuer = {"sessionIssuer": {"userName": "role"}}
        identity = {"arn": arn, "sessionContext": issuer}
        collector.add(place, log(event(place, userIdentity=identity)))
    _, seen = finish(collector)
    role = Term(Field.PRINCIPAL, "role")
    assert seen[role] == Sighting(role, 4, NOON, NOON + 3, (0, 1, 2, 3))
    assert seen[Term(Field.SESSION, "b")].members == (2, 3)


def test_unreadable_members_are_unsearched_and_the_rest_is_kept() -> None:
    collector = Collector("CloudTrail")
    collector.add(0, b"no JSON")
    collector.add(1, log(event(sourceIPAddress=["odd"]), event(errorCode="AccessDenied")))
    collector.skip(2, Unsearched.COPIED)
    head, seen = finish(collector)
    assert head.unsearched == {Unsearched.UNPARSABLE: 2, Unsearched.COPIED: 1}
    assert head.searched == 0
    assert seen[Term(Field.ERROR, "accessdenied")].members == (1,)


def test_a_log_type_without_terms_is_unsearched() -> None:
    collector = Collector("unheard-of")
    collector.add(0, log(event()))
    assert finish(collector) == (TermsHead("packs/a", 1, {Unsearched.LOG_TYPE: 1}), {})


def test_an_empty_log_was_searched() -> None:
    collector = Collector("vpcflowlogs")
    collector.add(0, b"")
    assert finish(collector) == (TermsHead("packs/a", 1, {}), {})


def test_a_log_with_too_many_terms_is_unsearched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tally, "MEMBER_TERMS_MAX", 10)
    many = [event(sourceIPAddress=f"10.0.0.{number}") for number in range(20)]
    collector = Collector("CloudTrail")
    collector.add(0, log(*many))
    collector.add(1, log(event(errorCode="AccessDenied")))
    head, seen = finish(collector)
    assert head.unsearched == {Unsearched.TOO_MANY: 1}
    assert seen[Term(Field.ERROR, "accessdenied")].members == (1,)


def test_a_pack_names_the_logs_whose_terms_did_not_fit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Terms frozen by then are found, and no term is half counted."""
    monkeypatch.setattr(tally, "WEIGHT_MAX", 2_000)
    monkeypatch.setattr(tally, "FROZEN_BYTES_MAX", 1_000)
    collector = Collector("CloudTrail")
    for place in range(100):
        collector.add(place, log(event(sourceIPAddress=f"10.0.0.{place}")))
    head, seen = finish(collector)
    assert 0 < head.searched < 100
    assert head.unsearched == {Unsearched.TOO_MANY: 100 - head.searched}
    for place in range(head.searched):
        assert seen[Term(Field.ADDRESS, f"10.0.0.{place}")].members == (place,)
    assert len(seen[Term(Field.EVENT, "s3:putobject")].members) >= head.searched


def test_memory_does_not_grow_with_the_terms(monkeypatch: pytest.MonkeyPatch) -> None:
    """The values alone would take half the limit, and their counts 2 MB."""
    monkeypatch.setattr(tally, "WEIGHT_MAX", 200_000)
    collector = Collector("CloudTrail")
    tracemalloc.start()
    try:
        for place in range(20):
            values = [f"arn:aws:iam::{place:012}:role/{number:064}" for number in range(200)]
            collector.add(place, log(*({"userIdentity": {"arn": value}} for value in values)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000
    head, seen = finish(collector)
    assert head.searched == 20
    assert len(seen) == 4_000


def test_callers_keep_their_count_when_memory_is_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No call of one busy caller among many in a log is lost, wherever in the log memory is
    full.
    """

    def call(number: int) -> dict[str, object]:
        name = f"once-{number}" if number % 4 == 0 else "busy"
        return event(number, userIdentity={"arn": f"arn:aws:iam::1:user/{name}", "userName": name})

    text = log(*map(call, range(40)))
    for weight in range(600, 6_000, 200):
        monkeypatch.setattr(tally, "WEIGHT_MAX", weight)
        collector = Collector("CloudTrail")
        collector.add(0, text)
        _, seen = finish(collector)
        assert seen[Term(Field.PRINCIPAL, "busy")].count == 30, weight


def test_long_values_are_cut_like_typed_values() -> None:
    collector = Collector("CloudTrail")
    collector.add(0, log(event(userIdentity={"arn": "a" * 5_000}), event(errorCode="b" * 513)))
    collector.add(1, log(event(userIdentity={"arn": "a" * 5_000})))
    _, seen = finish(collector)
    arn = Term(Field.PRINCIPAL, normalise(Field.PRINCIPAL, "a" * 5_000))
    assert (seen[arn].count, seen[arn].members) == (2, (0, 1))
    assert Term(Field.ERROR, "b" * 512) in seen


def test_an_event_without_a_time_does_not_erase_times() -> None:
    for events in ((event(5), {"errorCode": "a"}), ({"errorCode": "a"}, event(5, errorCode="a"))):
        collector = Collector("CloudTrail")
        collector.add(0, log(*events))
        collector.add(1, log(event(7, errorCode="a")))
        seen = finish(collector)[1][Term(Field.ERROR, "a")]
        assert seen.last == NOON + 7
        assert seen.first in (NOON + 5, NOON + 7)
