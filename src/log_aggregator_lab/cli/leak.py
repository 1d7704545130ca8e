"""The demo's sixth part: an access key leaked, and the packs show what was done with it."""

from __future__ import annotations

import json
from functools import partial

from log_aggregator.cli.printing import print_line, print_lines
from log_aggregator.cli.run import measure_run
from log_aggregator.core.tables.wanted import parse_wanted
from log_aggregator.core.windows import DateWindow
from log_aggregator.model import Target
from log_aggregator.reports.numbers import format_count
from log_aggregator.reports.search import (
    describe_answer,
    render_answer,
    render_coverage,
    render_gaps,
)
from log_aggregator.settings import Settings
from log_aggregator.steps.search.events import EventsResult, FoundEvent, find_events
from log_aggregator.steps.search.look_up import Asked, look_up
from log_aggregator.wiring import Connection, connect, make_workers
from log_aggregator_lab.organisation.leak import LEAKED_KEY, leak_days, list_leak
from log_aggregator_lab.organisation.specification import OrganisationSpec
from log_aggregator_lab.servers.s3 import EmbeddedS3
from log_aggregator_lab.servers.trail_api import LabTrailKeys
from log_aggregator_lab.upload import upload

EVENTS = 7
"""Events that were made with the leaked key."""


def show_leak(
    settings: Settings,
    spec: OrganisationSpec,
    server: EmbeddedS3,
    connection: Connection,
    target: Target,
) -> bool:
    """Packs the days of the leak, searches, and prints the events. Gives whether all were found."""
    upload(list_leak(spec), server)
    first, last = leak_days(spec)
    window = DateWindow(first, last)
    keys = partial(LabTrailKeys, spec)
    described = measure_run(settings, window, connection, is_quiet=True, connect_keys=keys)
    packed = format_count(described["objects"]["packed"], "log object")
    packs = format_count(len(described["packs"]), "pack")
    print_line(f"  {first} to {last}: {packed} in {packs}, originals deleted.")
    print_line(f"  Where was {LEAKED_KEY} used?")
    store = connect(connection)
    asked = Asked([parse_wanted(LEAKED_KEY)])
    result = EventsResult()
    with make_workers(settings) as workers:
        answer = look_up(store, workers, [target], asked)
        print_lines(
            f"    {line}" for line in render_answer(describe_answer(answer, [LEAKED_KEY], [], []))
        )
        said = [render_coverage(answer.coverage), *render_gaps(answer.coverage)]
        print_lines(f"    {line}" for line in said)
        print_line("  What was done with it (only these log objects are read):")
        events = list(find_events(store, workers, answer.packs, asked, result))
    print_lines(f"    {_tell(found)}" for found in events)
    return len(events) == EVENTS and not result.failures and not described["failures"]


def _tell(found: FoundEvent) -> str:
    event = json.loads(found.event.text)
    source = event["eventSource"].removesuffix(".amazonaws.com")
    return (
        f"{event['eventTime']}  {event['recipientAccountId']}  {event['sourceIPAddress']}  "
        f"{source}:{event['eventName']}"
    )
