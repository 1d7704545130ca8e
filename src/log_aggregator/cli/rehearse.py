"""`rehearse`: tests with synthetic logs whether logs are safe on this S3."""

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
"""The exit code where the user declined: nothing was tested, so 0 would be wrong."""


@click.command("rehearse", epilog=EXAMPLES)
@click.option(
    "--bucket",
    metavar="NAME",
    help="Rehearse in this bucket, under a prefix made for it, and touch nothing else in it. It "
    "must not be a bucket that logs are taken from. Left out: makes two buckets, and removes them "
    "again.",
)
@click.option("--yes", "is_agreed", is_flag=True, help="Begin without asking.")
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
    """Rehearse the whole life of a few synthetic logs on this S3, and test every guarantee that the
    safety of your own logs depends on. None of your logs is touched.

    Shows what it will do and what it costs, one to three cents, and asks. Whatever happens, it
    removes what it made, and names what it could not remove.

    Exit code 1 if a guarantee that safety depends on does not hold, if a step went wrong, or if
    something is left behind. A missing guarantee that only costs requests, or makes a command
    refuse its work, is shown, but is not a failure.
    """
    if bucket is not None and (not bucket or "/" in bucket):
        raise SettingsError(f"--bucket {bucket!r}: expected the name of a bucket")
    if not is_agreed and not sys.stdin.isatty():
        raise SettingsError(
            "--yes: expected it without a terminal, because this writes to S3 and cannot ask"
        )
    require_room()
    connection = make_connection(profile, region, endpoint_url)
    store, hands = connect(connection), connect_hands(connection)
    venue = Venue.plan(bucket)
    check_venue(store, hands, venue)
    print_lines([*render_intention(venue), ""], err=True)
    if not is_agreed and not click.confirm("Continue?", err=True):
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
        raise Interrupted("stopped; what was tested so far is shown above")
    return 0 if result.is_kept else 1


@contextmanager
def _show_steps(total: int) -> Iterator[Callable[[str], None]]:
    """A bar of the guarantees and steps that were begun."""
    done = 0
    with show_bar("rehearsing", total) as show:

        def watch(_: str) -> None:
            nonlocal done
            done += 1
            show(done)

        yield watch
