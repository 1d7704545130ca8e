"""`coverage`: what each day has, and what is missing that must be there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import click

from log_aggregator.cli.options import (
    connection_options,
    json_option,
    make_connection,
    settings_options,
)
from log_aggregator.cli.paging import page_report
from log_aggregator.cli.printing import terminal_width
from log_aggregator.cli.progress.counting import Show, show_bar
from log_aggregator.cli.query_options import make_query
from log_aggregator.core.evidence.calendar import By, Calendar
from log_aggregator.core.windows import DateWindow, Days, make_window
from log_aggregator.reports.evidence.calendar import describe_calendar, render_calendar
from log_aggregator.settings import Settings
from log_aggregator.steps.evidence.coverage import cover
from log_aggregator.steps.evidence.presence import Asked
from log_aggregator.wiring import open_job

DAYS_DEFAULT = 31


@click.command()
@click.option("--date", "date_", metavar="YYYY-MM-DD", help="One log date. Left out: see --from.")
@click.option(
    "--from",
    "from_",
    metavar="YYYY-MM-DD",
    help=f"First log date. Left out: {DAYS_DEFAULT} days, counted back from --to.",
)
@click.option("--to", "to_", metavar="YYYY-MM-DD", help="Last log date. Left out: yesterday (UTC).")
@click.option(
    "--account",
    "accounts",
    multiple=True,
    metavar="ID",
    help="Account, twelve digits. Left out: all.",
)
@click.option(
    "--log-type", "log_types", multiple=True, metavar="NAME", help="Log type. Left out: all."
)
@click.option(
    "--by",
    type=click.Choice([by.value for by in By]),
    default=By.ACCOUNT.value,
    show_default=True,
    help="A row for each account, or for each of its Regions. The latter reads every index.",
)
@click.option(
    "--every-digest",
    is_flag=True,
    help="Read all of CloudTrail's digests, which finds single missing files and hours. Left out: "
    "only those of days without a log are read.",
)
@settings_options
@connection_options
@json_option
def coverage(
    settings: Settings,
    date_: str | None,
    from_: str | None,
    to_: str | None,
    accounts: tuple[str, ...],
    log_types: tuple[str, ...],
    by: str,
    every_digest: bool,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
) -> int:
    """Show what each day has, by log type and account: originals, packs, both or nothing; and what
    is missing that must be there. Changes nothing.

    Packs and originals are listed, not read. For CloudTrail the digests decide: a log file that a
    digest names and that is nowhere is missing, and a day (with --every-digest an hour) without a
    digest is a hole. For other log types nothing says what must be there, so a day without logs is
    unknown.

    Exit code 1 if something is missing that must be there, if a digest or listing that decides this
    could not be read, or if there is nothing at all.
    """
    query = make_query(accounts=accounts, log_types=log_types)
    today = datetime.now(UTC).date()
    window = choose_window(date_, from_, to_, today)
    asked = Asked(window, By(by), query.accounts, query.log_types, every_digest)
    connection = make_connection(profile, region, endpoint_url)
    with (
        open_job(connection, settings, window) as job,
        show_bar("log objects and packs", None) as show,
    ):
        calendar = cover(job, asked, Bar(show))
    lines = [*render_calendar(calendar, terminal_width()), *_say_unread(calendar)]
    page_report(describe_calendar(calendar) if as_json else None, lines, as_json=as_json)
    return 0 if calendar.is_complete else 1


def _say_unread(calendar: Calendar) -> Iterator[str]:
    """A day with some logs looks whole as long as its digests are not read."""
    if not calendar.has_every_digest:
        yield (
            "Digests of days with logs were not read. Add --every-digest to find single files and "
            "hours that are missing."
        )


def choose_window(date_: str | None, from_: str | None, to_: str | None, today: date) -> DateWindow:
    """Raises SettingsError."""
    yesterday = today - timedelta(days=1)
    if date_ is None and (from_ is None or to_ is None):
        to_ = to_ or yesterday.isoformat()
        last = make_window(Days(to_, names=("--to", "--from", "--to")), today, 0).last
        from_ = from_ or (last - timedelta(days=DAYS_DEFAULT - 1)).isoformat()
    return make_window(Days(date_, from_, to_, names=("--date", "--from", "--to")), today, 0)


class Bar:
    """Counts the keys listed, and then the accounts whose digests are read."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self._listed = 0

    def listed(self, count: int) -> None:
        self._listed = count
        self._show(count)

    def checked(self, accounts: int, total: int) -> None:
        self._show(self._listed + accounts)
