"""The terms of a pack, collected while its members pass."""

from __future__ import annotations

import json
from collections.abc import Callable

from log_aggregator.core.terms.collect import Collector
from log_aggregator.core.terms.model import Field, Sighting, Term, TermsHead, Unsearched
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


def test_what_cannot_be_read_is_unsearched_and_the_rest_is_kept() -> None:
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
