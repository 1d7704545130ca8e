"""What `put-back` would write, and the result."""

from __future__ import annotations

from typing import Any

from tests.support.world import World, access_key, document, make_world, trail_key

from log_aggregator.core.costs import estimate_dollars
from log_aggregator.core.query import Query
from log_aggregator.errors import Failure, IncompleteSearch, KeyTaken
from log_aggregator.model import Target
from log_aggregator.reports.numbers import format_dollars
from log_aggregator.reports.put_back import (
    WARNING,
    describe_put_back,
    describe_put_back_plan,
    render_put_back,
    render_put_back_plan,
)
from log_aggregator.steps.retrieval.fetch import FetchProgress, VersionChoice, Wanted, choose
from log_aggregator.steps.retrieval.find import find
from log_aggregator.steps.retrieval.put_back import PutBackResult, ReturnAddress, put_back
from log_aggregator.steps.workers import SerialWorkers

REQUESTS = {"GetObject": 2, "PutObject": 3}
AUDIT = ReturnAddress("audit", "case-7/")


def packed(count: int) -> tuple[World, list[Wanted]]:
    """A pack with this many access logs, and another with a CloudTrail log."""
    world = make_world()
    for number in range(count):
        world.put("logs", access_key(number), f"line {number}\n".encode())
    world.put("logs", trail_key(1), document(1))
    world.run()
    world.store.create_bucket("audit")
    packs = find(world.store, SerialWorkers(), [Target("dest")], Query())
    return world, list(choose(packs, VersionChoice(newest_only=True)))


def put(world: World, wanted: list[Wanted]) -> tuple[dict[str, Any], list[str]]:
    result = put_back(world.store, SerialWorkers(), wanted, AUDIT, FetchProgress())
    described = describe_put_back(result, REQUESTS, [])
    return described, list(render_put_back(described))


def test_the_run_writes_what_the_dry_run_showed() -> None:
    """Originals, bytes and keys are those of the plan."""
    world, wanted = packed(3)
    planned = describe_put_back_plan(wanted, AUDIT, [], [])
    lines = list(render_put_back_plan(planned))
    done, told = put(world, wanted)
    size = sum(len(stored.data) for stored in world.originals)
    assert (len(planned["originals"]), planned["bytes"], planned["packs"]) == (4, size, 2)
    assert (done["written"], done["written_bytes"]) == (4, size)
    assert lines[0] == f"4 originals, {size} bytes, from 2 packs, would be written:"
    keys = {found.key for found in world.store.list_objects("audit").objects}
    assert keys == {original["key"] for original in planned["originals"]}
    assert {f"s3://audit/{key}" for key in keys} == {line.strip() for line in lines[1:]}
    (line,) = told
    assert line == (
        f"4 originals put back, {size} bytes; 5 requests, "
        f"{format_dollars(estimate_dollars(REQUESTS))}"
    )


def test_a_long_plan_is_cut_with_a_count() -> None:
    """Twenty are named, then the number of the rest; JSON names all."""
    _, wanted = packed(24)
    planned = describe_put_back_plan(wanted, AUDIT, [], [])
    lines = list(render_put_back_plan(planned))
    assert len(planned["originals"]) == 25
    assert sum(line.startswith("  s3://") for line in lines) == 20
    assert lines[-1] == "  ... and 5 more; --json names all"
    twenty = planned | {"originals": planned["originals"][:20]}
    assert not any("more" in line for line in render_put_back_plan(twenty))


def test_the_warning_is_in_the_plan_and_in_the_result() -> None:
    """An original put back among the logs is packed again: the dry run and the run both say so."""
    _, wanted = packed(1)
    planned = describe_put_back_plan(wanted, ReturnAddress(), [], [WARNING])
    done = describe_put_back(PutBackResult(), {}, [WARNING])
    assert planned["warnings"] == done["warnings"] == [WARNING]
    assert next(render_put_back_plan(planned)) == f"Warning: {WARNING}."
    assert not [line for line in render_put_back(done) if "Warning" in line]  # it came before


def test_existing_originals_are_not_written() -> None:
    """A second run puts nothing back, and says why."""
    world, wanted = packed(1)
    _, told = put(world, wanted)
    assert "there already" not in told[0]
    done, told = put(world, wanted)
    assert (done["written"], done["written_bytes"], done["there"]) == (0, 0, 2)
    assert told[0].startswith("0 originals put back, 0 bytes, 2 were there already; ")
    one = describe_put_back(PutBackResult(there=1), {}, [])
    assert ", 1 was there already; 0 requests, $0" in next(render_put_back(one))


def test_a_conflicting_key_is_reported() -> None:
    """A key that another object occupies is named with advice, and is not counted as put back."""
    world, wanted = packed(1)
    world.store.put("audit", f"case-7/{trail_key(1)}", b"something else")
    done, told = put(world, wanted)
    assert (done["written"], done["there"], done["lost"]) == (1, 0, 1)
    assert told[0].startswith("1 original put back, ")
    assert told[1] == "1 original could not be put back:"
    assert trail_key(1) in told[2]
    assert told[3:] == [f"    {KeyTaken.advice}"]


def test_an_incomplete_search_is_mentioned() -> None:
    """A plan that may be incomplete says so, with what to do."""
    _, wanted = packed(1)
    gap = Failure.of("indexes", IncompleteSearch("1 was not searched"))
    planned = describe_put_back_plan(wanted, AUDIT, [gap], [])
    assert [failure["error"] for failure in planned["failures"]] == ["IncompleteSearch"]
    assert list(render_put_back_plan(planned))[-3:] == [
        "not everything could be searched:",
        "  indexes: IncompleteSearch: 1 was not searched",
        f"    {IncompleteSearch.advice}",
    ]
