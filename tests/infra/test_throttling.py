"""A Lambda quota of ten, simulated with the Retry blocks of the state machines."""

import heapq
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.statemachine import DEFINITIONS, load_definition

THROTTLED = "Lambda.TooManyRequestsException"
ITEMS, AT_ONCE, QUOTA = 300, 40, 10


def retriers(node: Any) -> Iterator[dict[str, Any]]:
    """For each task the retrier that catches a throttled call, if any."""
    if isinstance(node, dict):
        matching = [rule for rule in node.get("Retry", ()) if THROTTLED in rule["ErrorEquals"]]
        yield from matching[:1]
    if isinstance(node, dict | list):
        for child in node.values() if isinstance(node, dict) else node:
            yield from retriers(child)


def lost(rule: dict[str, Any], call_seconds: float) -> int:
    """The number of items that run out of attempts when more start together than the quota
    allows.
    """
    rnd = random.Random(0)
    waiting, running, failed = ITEMS - AT_ONCE, 0, 0
    # (time, tie breaker, attempts so far; -1 is the end of a call)
    events = [(0.0, rnd.random(), 0) for _ in range(AT_ONCE)]
    heapq.heapify(events)
    while events:
        now, _, attempts = heapq.heappop(events)
        if attempts >= 0 and running < QUOTA:
            running += 1
            heapq.heappush(events, (now + call_seconds * rnd.uniform(0.5, 1.5), rnd.random(), -1))
            continue
        if 0 <= attempts < rule["MaxAttempts"]:
            longest = rule["IntervalSeconds"] * rule["BackoffRate"] ** min(attempts, 30)
            delay = rnd.uniform(0, min(longest, rule["MaxDelaySeconds"]))
            heapq.heappush(events, (now + delay, rnd.random(), attempts + 1))
            continue
        running, failed = (running - 1, failed) if attempts < 0 else (running, failed + 1)
        if waiting:
            waiting -= 1
            heapq.heappush(events, (now, rnd.random(), 0))
    return failed


@pytest.mark.parametrize(("call_seconds", "lost_max"), [(60, 0), (300, ITEMS * 2 // 100)])
def test_a_quota_of_ten_loses_no_items(call_seconds: int, lost_max: int) -> None:
    """Every retrier for throttling outlasts 300 items, 40 in parallel, on a quota of ten."""
    rules = [
        r
        for p in sorted(DEFINITIONS.glob("*.json"))
        for r in retriers(load_definition(p.name.split(".")[0]))
    ]
    assert len(rules) == 18
    for rule in {json.dumps(rule, sort_keys=True) for rule in rules}:
        assert lost(json.loads(rule), call_seconds) <= lost_max
