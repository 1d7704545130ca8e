"""`report`: one page for auditors: whether all is there, unaltered, and can be recovered."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import click

from log_aggregator.cli.coverage import Bar
from log_aggregator.cli.options import (
    connection_options,
    json_option,
    make_cli_window,
    make_connection,
    settings_options,
)
from log_aggregator.cli.output import check_file, write_file
from log_aggregator.cli.printing import print_report
from log_aggregator.cli.progress.counting import show_bar
from log_aggregator.cli.query_options import make_query
from log_aggregator.cli.trust import Trusted, trust_options
from log_aggregator.core.evidence.calendar import By
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import SettingsError
from log_aggregator.reports.evidence.page import render_page
from log_aggregator.reports.evidence.report import describe_report, has_wrong, render_report
from log_aggregator.settings import Settings
from log_aggregator.steps.evidence.coverage import cover
from log_aggregator.steps.evidence.presence import Asked
from log_aggregator.steps.evidence.report import collect_report
from log_aggregator.wiring import SystemClock, connect_inspector, open_job

DAYS = 365


@click.command()
@click.option(
    "--from",
    "from_",
    metavar="YYYY-MM-DD",
    help=f"First log date. Left out: {DAYS} days, counted back from --to.",
)
@click.option("--to", "to_", metavar="YYYY-MM-DD", help="Last log date. Left out: yesterday (UTC).")
@click.option(
    "--account",
    "accounts",
    multiple=True,
    metavar="ID",
    help="Account whose days are shown, twelve digits. Left out: all.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("report.html"),
    show_default=True,
    metavar="FILE",
    help="The page to write, one self-contained file. An older page is replaced.",
)
@click.option(
    "--every-digest",
    is_flag=True,
    help="Read all of CloudTrail's digests, which finds single missing files and hours. Left out: "
    "only those of days without a log are read.",
)
@click.option(
    "--without-coverage",
    is_flag=True,
    help="Do not list what each day has. The page says that this was not checked.",
)
@trust_options
@settings_options
@connection_options
@json_option
def report(
    settings: Settings,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
    from_: str | None,
    to_: str | None,
    accounts: tuple[str, ...],
    output: Path,
    every_digest: bool,
    without_coverage: bool,
    trusted: Trusted,
) -> int:
    """Write a page that shows an auditor what is there, that it is unaltered, and that it can be
    recovered. Changes nothing in any bucket.

    The page shows a calendar of all accounts and days, custody records, Object Lock and lifecycle
    of the packs' bucket, checks of packs at rest, drills, and what packing saved. Next to each is
    what PCI DSS, NIS2, SEC 17a-4 and SOC 2 ask for. What could not be read is shown as unknown.

    Exit code 1 if something is wrong.
    """
    window = _make_window(from_, to_, SystemClock().now().date())
    query = make_query(accounts=accounts)
    check_file(output, "--output")
    named = trusted.read_files()
    connection = make_connection(profile, region, endpoint_url)
    inspector = connect_inspector(connection, settings.bucket_owners)
    with open_job(connection, settings, None if without_coverage else window) as job:
        calendar = None
        if not without_coverage:
            with show_bar("log objects and packs", None) as show:
                asked = Asked(window, By.ACCOUNT, query.accounts, every_digest=every_digest)
                calendar = cover(job, asked, Bar(show))
        with show_bar("records", None) as show:
            trust = trusted.read_keys(connection, named)
            found = collect_report(job.for_days(window), inspector, trust, calendar, show)
            found = replace(found, accounts=tuple(sorted(query.accounts)))
    described = describe_report(found)
    print_report(described, render_report(described), as_json=as_json)
    write_file(output, [render_page(found)], None)
    return 1 if has_wrong(described) else 0


def _make_window(from_: str | None, to_: str | None, today: date) -> DateWindow:
    """Raises SettingsError."""
    last = _parse_day("--to", to_) if to_ else today - timedelta(days=1)
    first = from_ or f"{last - timedelta(days=DAYS - 1)}"
    return make_cli_window(None, first, f"{last}", 0)


def _parse_day(option: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{option} {text!r}: expected a date, YYYY-MM-DD") from None
