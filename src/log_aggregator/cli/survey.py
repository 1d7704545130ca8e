"""`survey`: what there is, what it costs, and what packing it would save. Reads listings only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import date
from pathlib import Path

import click

from log_aggregator.cli.lasting import require_room
from log_aggregator.cli.options import (
    connection_options,
    json_option,
    make_connection,
    settings_options,
)
from log_aggregator.cli.output import check_file, write_file
from log_aggregator.cli.prices import read_prices
from log_aggregator.cli.printing import print_report
from log_aggregator.cli.progress.counting import show_bar
from log_aggregator.core.costs import Prices
from log_aggregator.core.costs.estate import PackingCosts
from log_aggregator.core.layouts.grammar import YEAR_MAX, YEAR_MIN
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import SettingsError
from log_aggregator.reports.estate.figures import Question, describe_estate
from log_aggregator.reports.estate.lines import render_estate
from log_aggregator.reports.estate.page import render_page
from log_aggregator.reports.ways import YEARS_DEFAULT
from log_aggregator.settings import Settings
from log_aggregator.steps.estate.survey import REQUESTS_MAX, Extent, Way, find_yards
from log_aggregator.steps.estate.survey import survey as survey_estate
from log_aggregator.steps.inventory import Inventory, find_inventory
from log_aggregator.steps.job import Job
from log_aggregator.wiring import connect_inspector, open_job

ALL_DAYS = DateWindow(date(YEAR_MIN, 1, 1), date(YEAR_MAX, 12, 31))


@click.command()
@settings_options
@connection_options
@json_option
@click.option(
    "--inventory",
    "inventories",
    multiple=True,
    metavar="S3_URL",
    help="Take a bucket's figures from an S3 Inventory: its manifest.json, or its configuration's "
    "folder for the newest. Give it once for each bucket; the others are listed. Left out: all are "
    "listed.",
)
@click.option(
    "--requests-max",
    type=click.IntRange(20, 10_000_000),
    default=REQUESTS_MAX,
    show_default=True,
    metavar="COUNT",
    help="Most listing requests to make, at $0.005 per 1,000. More requests make the figures more "
    "certain.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    metavar="NUMBER",
    help="A different number draws a different sample.",
)
@click.option(
    "--years",
    type=click.IntRange(1, 100),
    default=YEARS_DEFAULT,
    show_default=True,
    help="Years that logs are kept, to tell whether packing pays.",
)
@click.option(
    "--prices",
    "prices_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="TOML file with prices that replace built-in ones. Left out: the built-in prices.",
)
@click.option(
    "--html",
    "html_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also write a page with plots, one self-contained file. Left out: no page.",
)
def survey(
    settings: Settings,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
    inventories: tuple[str, ...],
    requests_max: int,
    seed: int,
    years: int,
    prices_file: Path | None,
    html_file: Path | None,
) -> int:
    """Estimate what log objects cost, and what packing them would save, by log type and account,
    from a sample of the listing. Changes nothing.

    Small buckets are counted to the last key. Large ones are sampled, and each figure shows how
    sure it is. The report shows what packing costs, where it does not pay, what the lifecycle of
    the source buckets deletes before that, and what a run would leave alone. Exit code 1 if
    --requests-max was too low to see a bucket.
    """
    prices = read_prices(prices_file)
    require_room()
    if html_file is not None:  # before the work: a page may only replace a file
        check_file(html_file, "--html")
    connection = make_connection(profile, region, endpoint_url)
    with open_job(connection, settings, ALL_DAYS) as job:
        extent = Extent(requests_max, seed)
        found = _find_inventories(job, inventories)
        yards = find_yards(job, connect_inspector(connection, settings.bucket_owners))
        with _show_progress(requests_max, is_quiet=as_json) as show:
            estate = survey_estate(job, yards, found, extent, show)
        costs = _costs_of(job, prices)
    described = describe_estate(estate, Question(costs, settings.storage_class, years))
    print_report(described, render_estate(described), as_json=as_json)
    if html_file is not None:  # last, so that a full disk does not cost the figures
        write_file(html_file, [render_page(described)], None)
    return 1 if any(each.way is Way.NOT_SEEN for each in estate.buckets) else 0


def _costs_of(job: Job, prices: Prices) -> PackingCosts:
    options = job.rules.group.combine
    return PackingCosts(options.limits, prices, has_terms=options.terms is not None)


def _find_inventories(job: Job, locations: Sequence[str]) -> dict[str, Inventory]:
    """By the buckets that they are of. Raises SettingsError, CannotStart."""
    named = job.list_source_buckets() if locations else []
    found: dict[str, Inventory] = {}
    for location in locations:
        inventory = find_inventory(job.store, location)
        bucket = inventory.manifest.source_bucket
        if bucket not in named:
            raise SettingsError(
                f"--inventory {location}: expected one of a bucket in control_tower_bucket or "
                f"other_buckets; this is of {bucket!r}"
            )
        if bucket in found:
            raise SettingsError(
                f"--inventory {location}: expected one for each bucket; there is another of "
                f"{bucket!r}"
            )
        found[bucket] = inventory
    return found


def _show_progress(
    requests_max: int, *, is_quiet: bool
) -> AbstractContextManager[Callable[[int], None]]:
    return nullcontext(lambda _: None) if is_quiet else show_bar("surveying", requests_max)
