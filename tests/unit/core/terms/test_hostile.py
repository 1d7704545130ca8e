"""Logs made to break their readers: no error is raised, little memory is taken, and whatever was
not completely read is unsearched.
"""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable

import pytest

from log_aggregator.core.terms.collect import Collector
from log_aggregator.core.terms.model import Unsearched
from log_aggregator.core.terms.packterms import decode_terms
from log_aggregator.core.terms.readers import parameters
from log_aggregator.core.terms.table import ROWS
from log_aggregator.limits import KIB, MIB

LARGE = 4 * MIB
Filled = Callable[[int], bytes]


def filled(head: bytes, unit: bytes, tail: bytes = b"") -> Filled:
    return lambda size: head + unit * (size // len(unit)) + tail


def unsearched(log_type: str, data: bytes) -> list[Unsearched]:
    collector = Collector(log_type)
    collector.add(0, data)
    head, sightings = decode_terms(collector.finish("packs/a", int))
    for _ in sightings:
        pass
    return list(head.unsearched)


EVENT = b'{"Records":[{"requestParameters":['
CROWDED: list[tuple[str, Filled]] = [
    ("CloudTrail", filled(b'{"Records":[', b"{},", b"{}]}")),
    ("CloudTrail", filled(b'{"Records":[', b"1,", b"1]}")),
    ("CloudTrail", filled(EVENT, b"[],", b"[]]}]}")),
    ("CloudTrail", filled(EVENT, b'{"name":"a"},', b"{}]}]}")),
    ("CloudTrail", filled(b'{"Records":[{"resources":[', b'{"ARN":"a"},', b"{}]}]}")),
    ("CloudTrail-Insight", filled(b'{"Records":[', b"{},", b"{}]}")),
    ("Config", filled(b'{"configurationItems":[', b"{},", b"{}]}")),
    ("Config", filled(b'{"configurationItems":[{"relationships":[', b"{},", b"{}]}]}")),
    ("vpcflowlogs", filled(b"srcaddr\n", b"a ")),
    ("vpcflowlogs", filled(b"", b"srcaddr ", b"\na\n")),
    ("elasticloadbalancing", filled(b"", b"http ")),
    ("CloudFront", filled(b"#Fields: ", b"c-ip ")),
    ("S3AccessLogs", filled(b"", b'"a" ')),
    ("WAFLogs", filled(b'{"ruleGroupList":[', b"{},", b"{}]}")),
    ("GuardDuty", filled(b'{"resource":[', b"[],", b"[]]}")),
    ("vpcdnsquerylogs", filled(b'{"query_name":[', b"[],", b"[]]}")),
]
"""(log type, a log of any size of which one value, or one line, has as many parts as fit)"""


@pytest.mark.parametrize(("log_type", "make"), CROWDED)
def test_a_crowded_log_is_unsearched_and_takes_little_memory(log_type: str, make: Filled) -> None:
    """Decoded, these logs are 30 to 100 times as large."""
    data = make(LARGE)
    tracemalloc.start()
    try:
        reasons = unsearched(log_type, data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(reasons) == 1
    assert peak < 2 * LARGE + 8 * MIB


@pytest.mark.parametrize(("log_type", "make"), [CROWDED[0], CROWDED[3], CROWDED[6], CROWDED[-2]])
def test_a_small_crowded_log_takes_little_memory(log_type: str, make: Filled) -> None:
    """It is decoded in one go, as are logs up to four times its size."""
    data = make(30 * KIB)
    tracemalloc.start()
    try:
        unsearched(log_type, data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 5 * MIB


def test_memory_kept_between_logs_is_limited() -> None:
    """The test uses long keys and long times, more than a cache may keep."""
    text = "x" * 10_000
    before = len(parameters._KINDS)
    tracemalloc.start()
    try:
        for number in range(300):
            event = {
                "eventTime": f"{number}{text}",
                "userIdentity": {"arn": f"{number}{text}"},
                "requestParameters": {f"{number}{text}": "a"},
            }
            data = json.dumps({"Records": [event]}).encode()
            collector = Collector("CloudTrail")
            collector.add(0, data)
            del collector, data, event
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000
    assert len(parameters._KINDS) - before < 10


def test_a_large_log_is_read_by_event() -> None:
    """One crowded event among many loses only this event, and is reported."""
    event = {"errorCode": "AccessDenied", "requestParameters": {"value": "x" * 2_000}}
    crowded = {"errorCode": "Other", "requestParameters": [[]] * 300_000}
    logs = {"Records": [*[event] * 1_200, crowded, event]}
    collector = Collector("CloudTrail")
    collector.add(0, json.dumps(logs, separators=(",", ":")).encode())
    head, sightings = decode_terms(collector.finish("packs/a", int))
    assert head.unsearched == {Unsearched.TOO_LARGE: 1}
    assert [(s.term.value, s.count) for s in sightings] == [("accessdenied", 1_201)]


HEADED = b"srcaddr dstaddr\n10.0.0.1 10.0.0.2\n"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("log_type", ["CloudTrail", "Config", "vpcflowlogs", "WAFLogs"])
def test_other_encodings_are_unsearched(log_type: str, encoding: str) -> None:
    """A byte order mark would hide the first column of flow logs."""
    texts = {
        "CloudTrail": '{"Records":[]}',
        "Config": '{"configurationItems":[]}',
        "vpcflowlogs": HEADED.decode(),
        "WAFLogs": '{"terminatingRuleId":"a"}\n',
    }
    assert unsearched(log_type, texts[log_type].encode()) == []
    assert unsearched(log_type, texts[log_type].encode(encoding)) == [Unsearched.UNPARSABLE]


ODD = (
    b"\xff\xfe\x00",
    b'"\\ud800"',
    b"9" * 5_000,
    b"-1e999999",
    b'{"":{"":null}}',
    b"[" * 50_000 + b"]" * 50_000,
    b"NaN",
    b"\x00" * 100,
)


@pytest.mark.parametrize("log_type", ROWS)
def test_odd_values_raise_no_error(log_type: str) -> None:
    collector = Collector(log_type)
    documents = [b'{"Records":[%s]}', b'{"configurationItems":[%s]}', b"srcaddr start\n%s 1\n"]
    events = [b"%s", b'{"eventTime":%s}', b'{"requestParameters":{"name":[%s]}}', b'{"type":%s}']
    count = 0
    for document in (*documents, b"%s\n"):
        for event in events:
            for odd in ODD:
                collector.add(count, document.replace(b"%s", event.replace(b"%s", odd)))
                count += 1
    head, sightings = decode_terms(collector.finish("packs/a", int))
    assert head.members == count
    for sighting in sightings:
        sighting.term.value.encode()
