"""`run` and `plan`: the nightly job, and what it would do."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import click

from log_aggregator.cli.lasting import name_records, print_lasting_report, require_room
from log_aggregator.cli.options import (
    connection_options,
    date_options,
    json_option,
    make_cli_window,
    make_connection,
    settings_options,
)
from log_aggregator.cli.paging import page_report
from log_aggregator.cli.prices import read_prices
from log_aggregator.cli.progress.run import PLANNING, ProgressView, make_progress
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import Interrupted, SettingsError
from log_aggregator.ports.trail_keys import TrailKeys
from log_aggregator.reports.plan import describe_plan, render_plan
from log_aggregator.reports.run import Measured, describe_run, render_run
from log_aggregator.reports.ways import YEARS_DEFAULT, Comparison
from log_aggregator.settings import Settings
from log_aggregator.steps.cloudtrail.run_keys import archive_run_keys
from log_aggregator.steps.custody.keep import CustodyKeeper
from log_aggregator.steps.custody.sign import sign_after_run
from log_aggregator.steps.inventory import Inventory, InventoryListing, find_inventory, narrow_job
from log_aggregator.steps.job import Job
from log_aggregator.steps.packing.listing import Listing, Progress
from log_aggregator.steps.packing.plan import plan_run
from log_aggregator.steps.packing.run import run as run_job
from log_aggregator.steps.search.after_run import merge_after_run
from log_aggregator.telemetry.memory import peak_memory_bytes
from log_aggregator.wiring import Connection, connect_signing, connect_trail_keys, open_job

inventory_option = click.option(
    "--inventory",
    "inventories",
    multiple=True,
    metavar="S3_URL",
    help="Take the listing from an S3 Inventory: its manifest.json, or its configuration's folder "
    "for the newest. Give it once for each bucket;"
    " no other buckets are worked on. Left out: the buckets are listed.",
)


@click.command()
@date_options
@inventory_option
@settings_options
@connection_options
@json_option
@click.option(
    "--dry-run", is_flag=True, help="Only print the plan; the same as `log-aggregator plan`."
)
def run(
    settings: Settings,
    date_: str | None,
    from_: str | None,
    to_: str | None,
    inventories: tuple[str, ...],
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
    dry_run: bool,
) -> int:
    """Pack a day's log objects and verify the packs; delete the originals only if told to.

    Originals are deleted only with --delete-originals. Without a date it takes yesterday (UTC) and
    the look_back_days before it, for late logs. It may be stopped at any time, and resumes where it
    stopped when started again.
    """
    _require_days(inventories, date_, from_)
    window = make_cli_window(date_, from_, to_, settings.look_back_days, settings.days_kept)
    connection = make_connection(profile, region, endpoint_url)
    if dry_run:
        return show_plan(
            settings,
            window,
            connection,
            Comparison(settings.storage_class),
            inventories,
            as_json=as_json,
        )
    return do_run(settings, window, connection, inventories, as_json=as_json)


@click.command()
@date_options
@inventory_option
@settings_options
@connection_options
@json_option
@click.option(
    "--years",
    type=click.IntRange(1, 100),
    default=YEARS_DEFAULT,
    show_default=True,
    help="Years that logs are kept, for the comparison of costs.",
)
@click.option(
    "--prices",
    "prices_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="TOML file with prices that replace built-in ones. Left out: the built-in prices.",
)
@click.option(
    "--groups",
    "with_groups",
    is_flag=True,
    help="Show every group and every pack, not only the summary; --json always has them.",
)
def plan(
    settings: Settings,
    date_: str | None,
    from_: str | None,
    to_: str | None,
    inventories: tuple[str, ...],
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
    years: int,
    prices_file: Path | None,
    with_groups: bool,
) -> int:
    """Show what `run` would do: which log objects it would take, by log type and bucket, and what
    it would leave alone and why. Changes nothing.

    Also compares what these log objects cost over the years: left where they are, each archived by
    itself, or packed.
    """
    _require_days(inventories, date_, from_)
    prices = read_prices(prices_file)
    window = make_cli_window(date_, from_, to_, settings.look_back_days, settings.days_kept)
    comparison = Comparison(settings.storage_class, years, prices)
    return show_plan(
        settings,
        window,
        make_connection(profile, region, endpoint_url),
        comparison,
        inventories,
        as_json=as_json,
        with_groups=with_groups,
    )


def do_run(
    settings: Settings,
    window: DateWindow,
    connection: Connection,
    inventories: Sequence[str] = (),
    *,
    as_json: bool,
) -> int:
    """Runs, prints, and gives the exit code."""
    require_room()
    described = measure_run(settings, window, connection, inventories, is_quiet=as_json)
    print_run(described, as_json=as_json)
    if described["stopped"]:
        raise Interrupted("stopped; what was done is shown above")
    return 1 if described["failures"] else 0


def print_run(described: dict[str, Any], *, as_json: bool) -> None:
    """Raises OutputFailed."""
    print_lasting_report(
        described,
        list(render_run(described)),
        "the run",
        as_json=as_json,
        advice=name_records(described["custody"]),
    )


def measure_run(
    settings: Settings,
    window: DateWindow,
    connection: Connection,
    inventories: Sequence[str] = (),
    *,
    is_quiet: bool,
    connect_keys: Callable[[], TrailKeys | None] | None = None,
    progress: ProgressView | None = None,
    recovers: bool = True,
) -> dict[str, Any]:
    """Runs, and describes what was done. `connect_keys` replaces the connection to CloudTrail;
    `progress`, if given, is on the screen already; `recovers` is `CustodyKeeper`'s.
    """
    shown = make_progress(is_quiet=is_quiet) if progress is None else nullcontext(progress)
    began = time.perf_counter()
    with open_job(connection, settings, window) as opened:
        job, found = _narrow(opened, inventories)
        connect = connect_keys or partial(connect_trail_keys, connection)
        archive_keys = partial(archive_run_keys, job, connect)
        keeper = CustodyKeeper(job, name_run(job.clock.now()), archive_keys, recovers)
        with shown as view:
            result = run_job(job, view, _make_listing(job, found, view), keeper)
            merge_after_run(job, result)
            sign_after_run(job, result, partial(connect_signing, connection, settings))
        result.inventories = [inventory.location for inventory in found]
        measured = Measured(job.requests, time.perf_counter() - began, peak_memory_bytes())
    return describe_run(result, measured)


def name_run(began: datetime) -> str:
    """A day and a unique name, in the form of the names of the stack's executions."""
    return f"{began:%Y-%m-%d}/shell-{began:%H%M%S}-{uuid.uuid4().hex[:12]}"


def show_plan(
    settings: Settings,
    window: DateWindow,
    connection: Connection,
    comparison: Comparison,
    inventories: Sequence[str] = (),
    *,
    as_json: bool,
    with_groups: bool = False,
) -> int:
    """Plans and prints."""
    with open_job(connection, settings, window) as opened:
        job, found = _narrow(opened, inventories)
        with make_progress(is_quiet=as_json, doing=PLANNING) as progress:
            planned = plan_run(job, progress, _make_listing(job, found, progress))
        planned.inventories = [inventory.location for inventory in found]
        described = describe_plan(planned, job.requests, comparison)
    page_report(described, render_plan(described, with_groups=with_groups), as_json=as_json)
    return 1 if described["failures"] else 0


def _require_days(inventories: Sequence[str], date_: str | None, from_: str | None) -> None:
    """An inventory covers all of the past, so a run that goes by one must be told which days to
    take. Raises SettingsError.
    """
    if inventories and date_ is None and from_ is None:
        raise SettingsError(
            "--inventory: allowed only together with --date, or with --from and --to"
        )


def _narrow(job: Job, locations: Sequence[str]) -> tuple[Job, list[Inventory]]:
    """The job, narrowed to the buckets of the inventories, and the inventories."""
    found = [find_inventory(job.store, location) for location in locations]
    return (narrow_job(job, found) if found else job), found


def _make_listing(job: Job, inventories: Sequence[Inventory], progress: Progress) -> Listing | None:
    """None means that the buckets themselves are listed."""
    return InventoryListing(job, inventories, progress) if inventories else None
