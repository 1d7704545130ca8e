"""No term is missing: the collected terms equal those of an independent, slow reading of the same
documents, with the same counts, times and members.
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.term_scan import SCANS

from log_aggregator.core.layouts import Dated, parse_key
from log_aggregator.core.terms import tally
from log_aggregator.core.terms.collect import Collector
from log_aggregator.core.terms.model import Field, Sighting, Term
from log_aggregator.core.terms.normalise import normalise, term_of
from log_aggregator.core.terms.packterms import decode_terms
from log_aggregator.core.terms.table import ROWS, has_terms
from log_aggregator_lab.organisation.generate import (
    AuxiliaryCounts,
    OrganisationSpec,
    Purpose,
    generate,
)


def full_scan(log_type: str, members: Mapping[int, str]) -> dict[Term, Sighting]:
    counts: defaultdict[Term, int] = defaultdict(int)
    times: defaultdict[Term, set[int]] = defaultdict(set)
    places: defaultdict[Term, set[int]] = defaultdict(set)
    for place, text in members.items():
        for found, time in SCANS[log_type](text):
            for field, value in found:
                term = term_of(field, value)
                counts[term] += 1
                places[term].add(place)
                times[term] |= set() if time is None else {time}
    return {
        term: Sighting(
            term,
            counts[term],
            min(times[term], default=None),
            max(times[term], default=None),
            tuple(sorted(places[term])),
        )
        for term in counts
    }


def collect(log_type: str, members: Mapping[int, str]) -> dict[Term, Sighting]:
    """The numbers given to `add` are not places: here their order is reversed."""
    collector = Collector(log_type)
    for place, text in members.items():
        collector.add(1_000 - place, text.encode())
    head, sightings = decode_terms(collector.finish("packs/a", lambda number: 1_000 - number))
    assert head.members == len(members)
    assert head.unsearched == {}
    listed = list(sightings)
    assert len({sighting.term for sighting in listed}) == len(listed)
    return {sighting.term: sighting for sighting in listed}


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 10**6), is_tight=st.booleans())
def test_every_value_of_an_organisation_is_found(seed: int, is_tight: bool) -> None:
    """This covers every log type with terms, also with little memory."""
    counts = AuxiliaryCounts(
        flow=2, alb=3, clb=3, access=3, waf=3, dns=3, cloudfront=3, guardduty=3
    )
    spec = OrganisationSpec(
        seed=seed, accounts=2, objects=12, config_histories=1, insights=2, auxiliary=counts
    )
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for item in generate(spec):
        parsed = parse_key(item.key)
        if item.purpose is Purpose.LOG and isinstance(parsed, Dated):
            body = item.body
            text = gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
            groups[parsed.facts.log_type].append(text.decode())
    seen = {log_type for log_type in groups if has_terms(log_type)}
    assert seen == set(SCANS) == set(ROWS) - {"CloudTrail-NetworkActivity"}
    with pytest.MonkeyPatch.context() as patch:
        if is_tight:
            patch.setattr(tally, "WEIGHT_MAX", 20_000)
        for log_type in seen:
            members = dict(enumerate(groups[log_type]))
            assert collect(log_type, members) == full_scan(log_type, members)


NAMES = st.sampled_from(
    ["a", "A", "i-1", "AKIA1", "arn:aws:sts::1:assumed-role/r/s", "x" * 600, "x" * 601, ""]
)
ADDRESSES = st.sampled_from(
    [
        "10.0.0.1",
        "2001:DB8::1",
        "2001:db8:0::1",
        "::ffff:10.0.0.1",
        "AWS Internal",
        "S3.amazonaws.com",
    ]
)
KEYS = st.sampled_from(
    (
        *("bucketName", "instanceId", "instanceIds", "roleArn", "accessKeyId", "name", "items"),
        *("policyDocument", "tagSet", "versionId", "publicIp", "roleSessionName", "value", "names"),
    )
)
PARAMETERS = st.none() | st.dictionaries(
    KEYS,
    st.recursive(
        NAMES | ADDRESSES | st.integers() | st.none() | st.booleans(),
        lambda below: st.lists(below, max_size=3) | st.dictionaries(KEYS, below, max_size=3),
        max_leaves=6,
    ),
    max_size=3,
)


def some(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


IDENTITIES = st.fixed_dictionaries(
    {},
    optional={
        "arn": some(NAMES),
        "principalId": some(st.sampled_from(["AROA1:s", "AIDA1", "AROA2:t:u"])),
        "userName": some(NAMES),
        "invokedBy": some(ADDRESSES),
        "accessKeyId": some(NAMES),
        "onBehalfOf": some(st.fixed_dictionaries({}, optional={"userId": NAMES})),
        "sessionContext": some(
            st.fixed_dictionaries(
                {},
                optional={
                    "sessionIssuer": st.just({}) | st.just({"arn": "a", "userName": "A"}),
                    "sourceIdentity": NAMES,
                },
            )
        ),
    },
)
EVENTS = st.fixed_dictionaries(
    {
        "eventSource": st.sampled_from(["s3.amazonaws.com", "S3.amazonaws.com", "other"]),
        "eventName": st.sampled_from(["GetObject", "getobject", "a.amazonaws.com:b"]),
    },
    optional={
        "eventTime": some(
            st.sampled_from(["2026-04-01T12:00:00Z", "2026-04-01T11:00:00Z", "noon", "1970-01-01"])
        ),
        "userIdentity": some(IDENTITIES),
        "sourceIPAddress": some(ADDRESSES),
        "errorCode": some(NAMES),
        "requestParameters": PARAMETERS,
        "responseElements": PARAMETERS,
        "resources": some(st.lists(st.fixed_dictionaries({}, optional={"ARN": NAMES}), max_size=2)),
        "additionalEventData": PARAMETERS,
        "serviceEventDetails": PARAMETERS,
        "unheardOf": PARAMETERS,
    },
)


@settings(max_examples=150, deadline=None)
@given(logs=st.lists(st.lists(EVENTS, max_size=5), max_size=4), is_tight=st.booleans())
def test_every_value_of_any_cloudtrail_events_is_found(
    logs: Sequence[Sequence[object]], is_tight: bool
) -> None:
    members = {place: json.dumps({"Records": events}) for place, events in enumerate(logs)}
    with pytest.MonkeyPatch.context() as patch:
        if is_tight:
            patch.setattr(tally, "WEIGHT_MAX", 1_500)
        assert collect("CloudTrail", members) == full_scan("CloudTrail", members)


@given(field=st.sampled_from(Field), value=NAMES | ADDRESSES | st.text(max_size=30))
def test_normalising_twice_changes_nothing(field: Field, value: str) -> None:
    once = normalise(field, value)
    assert normalise(field, once) == once
