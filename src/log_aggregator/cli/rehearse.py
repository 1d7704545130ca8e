"""`rehearse`: is this S3 one on which logs are safe? Tried with logs that are nobody's."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import click

from log_aggregator.cli.lasting import require_room
from log_aggregator.cli.options import connection_options, json_option, make_connection
from log_aggregator.cli.printing import print_lines, print_report
from log_aggregator.cli.progress.counting import show_bar
from log_aggregator.errors import Interrupted, SettingsError
from log_aggregator.rehearsing import RehearsalRooms, make_rehearsal_settings
from log_aggregator.reports.rehearsal import (
    describe_rehearsal,
    render_intention,
    render_left,
    render_rehearsal,
)
from log_aggregator.steps.rehearsal.places import Venue, check_venue
from log_aggregator.steps.rehearsal.rehearse import Rehearsed, count_steps, rehearse
from log_aggregator.wiring import SystemClock, connect, connect_hands

EXAMPLES = """\b
Examples:
  log-aggregator rehearse
  log-aggregator rehearse --bucket my-scratch-bucket --yes --json
"""
DECLINED = 3
"""Nothing was tried, so nothing is known: no 0."""


@click.command("rehearse", epilog=EXAMPLES)
@click.option(
    "--bucket",
    metavar="NAME",
    help="Rehearse in this bucket, which no logs are taken from, under a prefix of its own, and "
    "touch nothing else in it. Left out: two buckets are made for it, and removed again.",
)
@click.option("--yes", "is_agreed", is_flag=True, help="Do not ask before it begins.")
@connection_options
@json_option
def rehearse_command(
    bucket: str | None,
    is_agreed: bool,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
) -> int:
    """Rehearse the whole life of a few synthetic logs on this S3, and probe every promise that the
    safety of your own logs rests on. None of your logs is touched.

    Says what it will do and what it costs, one to three cents, and asks. Whatever happens, it
    removes what it made, and names what it could not remove.

    Exit code 1 where a promise that safety rests on is not kept, where a step did not go as it
    should, and where something is left behind. What only costs requests or makes a command refuse
    its work is shown, and is no failure.
    """
    if bucket is not None and (not bucket or "/" in bucket):
        raise SettingsError(f"--bucket {bucket!r}: expected the name of a bucket")
    if not is_agreed and not sys.stdin.isatty():
        raise SettingsError("--yes: expected it where nobody can be asked, for this writes to S3")
    require_room()
    connection = make_connection(profile, region, endpoint_url)
    store, hands = connect(connection), connect_hands(connection)
    venue = Venue.plan(bucket)
    check_venue(store, hands, venue)
    print_lines([*render_intention(venue), ""], err=True)
    if not is_agreed and not click.confirm("Go on?", err=True):
        print_lines(["Nothing was written."], err=True)
        return DECLINED
    result = Rehearsed(venue)
    rooms = RehearsalRooms(store, make_rehearsal_settings())
    day = SystemClock().now().date() - timedelta(days=1)
    try:
        with _show_steps(count_steps(venue)) as watch:
            rehearse(store, hands, rooms, day, result, watch)
    except BaseException:
        print_lines(render_left(result.places.left), err=True)
        raise
    requests = Counter(store.requests) + hands.requests
    described = describe_rehearsal(result, requests)
    print_report(described, render_rehearsal(described), as_json=as_json)
    if result.is_stopped:
        raise Interrupted("stopped; what was seen stands above")
    return 0 if result.is_kept else 1


@contextmanager
def _show_steps(total: int) -> Iterator[Callable[[str], None]]:
    """A bar of the promises and steps that were begun."""
    done = 0
    with show_bar("rehearsing", total) as show:

        def watch(_: str) -> None:
            nonlocal done
            done += 1
            show(done)

        yield watch
