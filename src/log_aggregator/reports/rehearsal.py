"""What `rehearse` prints: its intention, and a table of what was expected and what was seen."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from log_aggregator.core.costs import PRICES
from log_aggregator.reports.numbers import format_count, format_dollars
from log_aggregator.steps.promises import PROMISES, Answer, Promise, Rests, Seen
from log_aggregator.steps.rehearsal.places import Venue
from log_aggregator.steps.rehearsal.rehearse import Rehearsed, is_unsafe

WIDTHS = (6, 42, 19, 33)
HEADINGS = {
    Rests.SAFETY: "what safety depends on",
    Rests.COMMAND: "what commands need",
    Rests.COST: "what saves requests, or is good to have",
}
PROMISE_REQUESTS = 700
"""Counted on servers that keep nearly all promises, with a margin; so are the next two."""
LIFE_REQUESTS = 1_000
LIFE_BYTES = 80_000_000
"""Bytes sent and read."""
EGRESS_DOLLARS_PER_GB = 0.09
"""For reads from outside AWS; the first 100 GB of a month are free
(https://aws.amazon.com/s3/pricing/).
"""


def render_intention(venue: Venue) -> Iterator[str]:
    """What will be done, where, and what it costs."""
    yield "This rehearses the life of a few synthetic logs: they are packed, verified, deleted,"
    yield "found, extracted and put back, and some of the runs are killed on the way. It also tests"
    yield "each promise of this S3 that the safety of your logs depends on."
    yield ""
    if venue.named_bucket is not None:
        yield f"It writes and deletes under s3://{venue.named_bucket}/{venue.prefix}"
        yield "and lists, writes and deletes nothing else in this bucket."
    else:
        yield f"It makes {format_count(len(venue.new_buckets), 'bucket')}, and removes them again:"
        yield from (f"  {name}" for name in venue.new_buckets)
        yield "No other bucket is touched."
    yield ""
    lives = max(1, len(venue.new_buckets))
    requests, size_bytes = PROMISE_REQUESTS + LIFE_REQUESTS * lives, LIFE_BYTES * lives
    yield (
        f"Costs on AWS: about {requests:,} requests, at most "
        f"{format_dollars(estimate_dollars_max(requests))}; it sends and reads about "
        f"{size_bytes // 10**6} MB,"
    )
    egress = format_dollars(size_bytes / 1e9 * EGRESS_DOLLARS_PER_GB)
    yield f"which costs at most {egress} from outside AWS. It takes a few minutes."


def estimate_dollars_max(requests: int) -> float:
    """As if all were of the most expensive kind in Standard."""
    return requests * PRICES.standard.put_1000 / 1000


def describe_rehearsal(result: Rehearsed, requests: Mapping[str, int]) -> dict[str, Any]:
    """For `--json`."""
    count = sum(requests.values())
    return {
        "kept": result.is_kept,
        "stopped": result.is_stopped,
        "bucket": result.venue.named_bucket,
        "prefix": result.venue.prefix,
        "buckets_made": list(result.places.made),
        "promises": [
            _describe_promise(promise, result.answers[promise.name])
            for promise in PROMISES
            if promise.name in result.answers
        ],
        "lives": [
            {
                "bucket": kind,
                "steps": [
                    {
                        "name": row.name,
                        "step": row.text,
                        "expected": row.expected,
                        "seen": row.seen,
                        "kept": row.is_kept,
                    }
                    for row in rows
                ],
            }
            for kind, rows in result.lives.items()
        ],
        "left": list(result.places.left),
        "requests": dict(sorted(requests.items())),
        "dollars_max": estimate_dollars_max(count),
    }


def _describe_promise(promise: Promise, answer: Answer) -> dict[str, Any]:
    return {
        "name": promise.name,
        "promise": promise.text,
        "rests": str(promise.rests),
        "expected": str(Seen.KEPT),
        "seen": str(answer.seen),
        "what": answer.what,
        "unsafe": is_unsafe(promise, answer),
        "why": promise.why,
        "otherwise": promise.otherwise,
    }


def render_rehearsal(described: Mapping[str, Any]) -> Iterator[str]:
    """A table of promises, then one for each life, and the verdict."""
    for rests, heading in HEADINGS.items():
        promises = [each for each in described["promises"] if each["rests"] == rests]
        if promises:
            yield from _render_head(heading, "promise")
            for promise in promises:
                yield from _render_promise(promise)
            yield ""
    for life in described["lives"]:
        yield from _render_head(f"a day of logs in a bucket {life['bucket']}", "step")
        for step in life["steps"]:
            mark = "yes" if step["kept"] else "NO"
            yield from _render_row(mark, step["step"], step["expected"], step["seen"])
        yield ""
    yield from render_left(described["left"])
    if not described["left"]:
        yield "Everything that was made has been removed."
    requests = sum(described["requests"].values())
    dollars = format_dollars(described["dollars_max"])
    yield f"{format_count(requests, 'request')}, at most {dollars} on AWS."
    yield _give_verdict(described)


def _render_head(heading: str, first: str) -> Iterator[str]:
    yield heading
    yield from _render_row("", first, "expected", "seen")


def _render_promise(promise: Mapping[str, Any]) -> Iterator[str]:
    is_kept = promise["seen"] in (Seen.KEPT, Seen.NOT_ASKED)
    mark = {Seen.KEPT: "yes", Seen.NOT_ASKED: "-"}.get(promise["seen"], "no")
    seen = promise["seen"] if not promise["what"] else f"{promise['seen']}: {promise['what']}"
    yield from _render_row(
        "NO" if promise["unsafe"] else mark, promise["promise"], promise["expected"], seen
    )
    if not is_kept:
        yield from textwrap.wrap(
            f"-> {promise['otherwise']}",
            sum(WIDTHS),
            initial_indent=" " * WIDTHS[0],
            subsequent_indent=" " * (WIDTHS[0] + 3),
        )


def _render_row(*cells: str) -> Iterator[str]:
    wrapped = [textwrap.wrap(cell, width - 2) for cell, width in zip(cells, WIDTHS, strict=True)]
    for parts in zip_longest(*wrapped, fillvalue=""):
        line = "".join(f"{part:<{width}}" for part, width in zip(parts, WIDTHS, strict=True))
        yield line.rstrip()


def render_left(left: Sequence[str]) -> Iterator[str]:
    """What could not be removed, if anything."""
    if left:
        yield "These could not be removed. Remove them yourself:"
        yield from (f"  {each}" for each in left)


def _give_verdict(described: Mapping[str, Any]) -> str:
    if described["stopped"]:
        return "Stopped: only what is shown above was tested."
    if described["kept"]:
        return "This S3 keeps every promise that safety depends on, and every log came back."
    promises = [each["name"] for each in described["promises"] if each["unsafe"]]
    steps = [
        step["name"] for life in described["lives"] for step in life["steps"] if not step["kept"]
    ]
    names = ", ".join(dict.fromkeys([*promises, *steps])) or "the removal of what was made"
    return f"NOT SAFE: {names} failed. Do not let a run delete anything on this S3."
