"""`search --events`: the events that match, each as it was delivered, as JSON Lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from log_aggregator.cli.printing import print_json_lines, print_lines
from log_aggregator.reports.failures import render_failed
from log_aggregator.reports.numbers import format_count
from log_aggregator.reports.thaw import describe_failures
from log_aggregator.steps.job import Job
from log_aggregator.steps.search.answers import Answer
from log_aggregator.steps.search.events import EventsResult, FoundEvent, find_events
from log_aggregator.steps.search.look_up import Asked


def print_events(job: Job, answer: Answer, asked: Asked, *, as_json: bool) -> bool:
    """Prints each as it is found. Gives whether something could not be read."""
    result = EventsResult()
    for found in find_events(job.store, job.workers, answer.packs, asked, result):
        print_json_lines([_encode(found, as_json=as_json)])
    if answer.sighted:
        print_lines([_summarise(result)], err=True)
    print_lines(_render_left(result), err=True, urgent=True)
    return bool(result.frozen or result.failures)


def _encode(found: FoundEvent, *, as_json: bool) -> str:
    text = found.event.text if found.event.is_json else json.dumps({"line": found.event.text})
    return _with_place(found, text) if as_json else text


def _with_place(found: FoundEvent, text: str) -> str:
    """For --json: the event and where it was delivered."""
    place: Mapping[str, Any] = {
        "bucket": found.group.bucket,
        "key": found.member.key,
        "log_type": found.group.log_type,
        "account": found.group.account,
        "date": found.group.date.isoformat(),
    }
    return f'{json.dumps(place, ensure_ascii=False)[:-1]}, "event": {text}}}'


def _summarise(result: EventsResult) -> str:
    events, members = (
        format_count(result.events, "event"),
        format_count(result.members, "log object"),
    )
    return f"{events} in {members}"


def _render_left(result: EventsResult) -> Iterator[str]:
    """What could not be read, and what to do about it."""
    if result.frozen:
        yield (
            f"{format_count(len(result.frozen), 'pack')} must be thawed before reading: the same "
            "command with --thaw in place of --events shows the price, and starts it"
        )
    yield from render_failed(describe_failures(result.failures), "could not be read")
