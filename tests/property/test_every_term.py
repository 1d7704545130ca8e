"""No term is missing: what an independent, slow reading of the same documents finds is what was
collected, with the same counts, times and members.
"""

from __future__ import annotations

import gzip
import json
import shlex
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from log_aggregator.core.layouts import Dated, parse_key
from log_aggregator.core.terms import tally
from log_aggregator.core.terms.collect import Collector
from log_aggregator.core.terms.model import Field, Sighting, Term
from log_aggregator.core.terms.normalise import normalise, term_of
from log_aggregator.core.terms.packterms import decode_terms
from log_aggregator.core.terms.readers.parameters import kind_of
from log_aggregator.core.terms.table import ROWS, has_terms
from log_aggregator_lab.organisation.generate import (
    AuxiliaryCounts,
    OrganisationSpec,
    Purpose,
    generate,
)

Event = tuple[set[tuple[Field, str]], int | None]
"""What one event holds, and its time."""


def seconds(text: object) -> int | None:
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except ValueError:
        return None


def pairs(field: Field, *values: object) -> set[tuple[Field, str]]:
    return {(field, value) for value in values if isinstance(value, str) and value not in ("", "-")}


def session(arn: str) -> str:
    return arn.rsplit("/", 1)[-1] if ":assumed-role/" in arn else ""


def walk(value: Any) -> Iterator[tuple[Field, str]]:
    """Recursive, where the reader has a stack."""
    if isinstance(value, list):
        for each in value:
            yield from walk(each)
    elif isinstance(value, dict):
        for key, below in value.items():
            kind = kind_of(key)
            for each in below if isinstance(below, list) else [below]:
                if isinstance(each, str) and each and isinstance(kind, Field):
                    yield (kind, each)
            if kind is None or isinstance(kind, Field):
                yield from walk(below)


PARAMETERS_OF_EVENTS = (
    *("requestParameters", "responseElements", "additionalEventData", "serviceEventDetails"),
)


def scan_cloudtrail(text: str) -> Iterator[Event]:
    for event in json.loads(text)["Records"]:
        identity = event.get("userIdentity") or {}
        issuer = (identity.get("sessionContext") or {}).get("sessionIssuer") or {}
        arn, known_as = identity.get("arn") or "", identity.get("principalId") or ""
        found = pairs(
            Field.PRINCIPAL,
            arn or known_as.split(":")[0],
            identity.get("userName"),
            identity.get("invokedBy"),
            issuer.get("arn"),
            issuer.get("userName"),
            (identity.get("sessionContext") or {}).get("sourceIdentity"),
            (identity.get("onBehalfOf") or {}).get("userId"),
        )
        found |= pairs(Field.SESSION, session(arn) if arn else ":".join(known_as.split(":")[1:]))
        found |= pairs(Field.ACCESS_KEY, identity.get("accessKeyId"))
        found |= pairs(Field.ADDRESS, event.get("sourceIPAddress"))
        found |= pairs(Field.ERROR, event.get("errorCode"))
        if event.get("eventName"):
            found |= pairs(Field.EVENT, f"{event['eventSource']}:{event['eventName']}")
        for resource in event.get("resources") or ():
            found |= pairs(Field.RESOURCE, resource.get("ARN"))
        for name in PARAMETERS_OF_EVENTS:
            found |= set(walk(event.get(name)))
        yield found, seconds(event.get("eventTime"))


def scan_insights(text: str) -> Iterator[Event]:
    for record in json.loads(text)["Records"]:
        details = record["insightDetails"]
        found = pairs(Field.EVENT, f"{details['eventSource']}:{details['eventName']}")
        for attribution in details["insightContext"]["attributions"]:
            found |= pairs(Field.PRINCIPAL, *(each["value"] for each in attribution["insight"]))
        yield found, seconds(record["eventTime"])


def scan_config(text: str) -> Iterator[Event]:
    for item in json.loads(text)["configurationItems"]:
        related = [each["resourceId"] for each in item["relationships"]]
        found = pairs(Field.RESOURCE, item["ARN"], item["resourceId"], *related)
        yield found, seconds(item["configurationItemCaptureTime"])


def scan_flows(text: str) -> Iterator[Event]:
    header, *lines = text.splitlines()
    for line in lines:
        row = dict(zip(header.split(), line.split(), strict=True))
        found = pairs(Field.ADDRESS, row["srcaddr"], row["dstaddr"])
        yield found | pairs(Field.INTERFACE, row["interface-id"]), int(row["start"])


def scan_balancers(text: str) -> Iterator[Event]:
    for line in text.splitlines():
        words = shlex.split(line)
        is_application = words[0] == "https"
        client, request = (words[3], words[12]) if is_application else (words[2], words[11])
        host = request.split("//")[1].split(":")[0]
        found = pairs(Field.ADDRESS, client.split(":")[0]) | pairs(Field.HOST, host)
        found |= pairs(Field.HOST, words[18] if is_application else "")
        yield found, seconds(words[1] if is_application else words[0])


def scan_cloudfront(text: str) -> Iterator[Event]:
    for line in text.splitlines():
        if not line.startswith("#"):
            row = line.split("\t")
            found = pairs(Field.ADDRESS, row[4]) | pairs(Field.HOST, row[6])
            yield found, seconds(f"{row[0]}T{row[1]}Z")


def scan_access(text: str) -> Iterator[Event]:
    for line in text.splitlines():
        words = shlex.split(line)
        moment = datetime.strptime(f"{words[2]} {words[3]}", "[%d/%b/%Y:%H:%M:%S %z]")
        found = pairs(Field.NAME, words[1]) | pairs(Field.ADDRESS, words[4])
        found |= pairs(Field.PRINCIPAL, words[5]) | pairs(Field.HOST, words[23])
        yield found | pairs(Field.ERROR, words[11]), int(moment.timestamp())


def scan_waf(text: str) -> Iterator[Event]:
    for line in map(json.loads, text.splitlines()):
        request = line["httpRequest"]
        found = pairs(Field.ADDRESS, request["clientIp"])
        found |= pairs(Field.HOST, *(each["value"] for each in request["headers"]))
        yield found | pairs(Field.RULE, line["terminatingRuleId"]), line["timestamp"] // 1000


def scan_queries(text: str) -> Iterator[Event]:
    for line in map(json.loads, text.splitlines()):
        found = pairs(Field.HOST, line["query_name"]) | pairs(Field.ADDRESS, line["srcaddr"])
        found |= pairs(Field.RESOURCE, line["srcids"]["instance"])
        yield found, seconds(line["query_timestamp"])


def scan_findings(text: str) -> Iterator[Event]:
    for line in map(json.loads, text.splitlines()):
        yield pairs(Field.FINDING, line["type"]), seconds(line["createdAt"])


SCANS: Mapping[str, Callable[[str], Iterator[Event]]] = {
    "CloudTrail": scan_cloudtrail,
    "CloudTrail-Insight": scan_insights,
    "Config": scan_config,
    "vpcflowlogs": scan_flows,
    "elasticloadbalancing": scan_balancers,
    "CloudFront": scan_cloudfront,
    "S3AccessLogs": scan_access,
    "WAFLogs": scan_waf,
    "vpcdnsquerylogs": scan_queries,
    "GuardDuty": scan_findings,
}


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
    """Numbers that `add` is given are not places: here they are the other way round."""
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
    """Of every log type that has terms, also where little memory is allowed."""
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
