"""`thaw`: restores packs from archive classes, at a price that is shown before."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from log_aggregator.cli.extract import Destination, extract_to
from log_aggregator.cli.lasting import print_lasting_report, require_room
from log_aggregator.cli.options import (
    connection_options,
    json_option,
    make_connection,
    target_options,
)
from log_aggregator.cli.output import prepare_folder
from log_aggregator.cli.printing import print_lines
from log_aggregator.cli.progress.thawing import show_waiting
from log_aggregator.cli.query_options import query_options, require_condition
from log_aggregator.core.costs import RETRIEVALS
from log_aggregator.core.query import Query
from log_aggregator.errors import (
    Failure,
    LimitExceeded,
    NoSuchOriginal,
    RequestFailed,
    SettingsError,
)
from log_aggregator.reports.fetch import describe_fetch, render_fetch
from log_aggregator.reports.numbers import format_dollars
from log_aggregator.reports.thaw import (
    describe_failures,
    describe_thaw,
    render_outcome,
    render_thaw,
)
from log_aggregator.settings import Settings
from log_aggregator.steps.job import Job
from log_aggregator.steps.retrieval.fetch import VersionChoice, choose, tolerate_gaps
from log_aggregator.steps.retrieval.find import find
from log_aggregator.steps.retrieval.thaw import (
    TIERS,
    PackState,
    Patience,
    State,
    TierOption,
    look_at_packs,
    price_tiers,
    start_thawing,
    wait_until_thawed,
)
from log_aggregator.steps.upkeep.terms import find_lack
from log_aggregator.wiring import open_job

_FOLDER_OPTION = "--then-extract"
_HOURS_UNKNOWN = 48.0
"""For a restore that was under way already: HeadObject does not report its tier
(https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html).
"""


@click.command()
@query_options(key_arguments=True)
@click.option(
    "--tier",
    type=click.Choice(TIERS),
    default="Bulk",
    show_default=True,
    help="Retrieval tier: the faster, the more it costs.",
)
@click.option(
    "--days",
    type=click.IntRange(1, 365),
    default=7,
    show_default=True,
    help="Days for which thawed copies can be read.",
)
@click.option(
    "--dollars-max",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="Start nothing that costs more US dollars than this, unless --yes is given.",
)
@click.option("--yes", "is_agreed", is_flag=True, help="Start, whatever it costs.")
@click.option(
    "--dry-run",
    is_flag=True,
    help="Only show what there is, and what it would cost. Starts nothing.",
)
@click.option("--wait", "waits", is_flag=True, help="Wait until all packs can be read.")
@click.option(
    "--interval",
    type=click.IntRange(1, 3600),
    default=300,
    show_default=True,
    help="With --wait: seconds between two looks.",
)
@click.option(
    "--then-extract",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Wait, and then extract the log objects into this folder. Left out: nothing is extracted.",
)
@click.option(
    "--force",
    is_flag=True,
    help="With --then-extract: write into a folder that is not empty, and overwrite files of the "
    "same name.",
)
@target_options
@connection_options
@json_option
def thaw(
    query: Query,
    settings: Settings,
    tier: str,
    days: int,
    dollars_max: float,
    is_agreed: bool,
    dry_run: bool,
    waits: bool,
    interval: int,
    folder: Path | None,
    force: bool,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
) -> int:
    """Thaw the packs that hold the log objects you look for: show the price, start the restores,
    and wait for them.

    The conditions are those of `find`. Only packs in GLACIER and DEEP_ARCHIVE need thawing. Packs
    that are thawed or under way are not started again, so the command may be stopped, and started
    again to continue waiting.
    """
    require_condition(query)
    if not dry_run:
        require_room()
    destination = choose_destination(folder, force=force, dry_run=dry_run, as_json=as_json)
    gaps: list[Failure] = []
    with open_job(make_connection(profile, region, endpoint_url), settings) as job:
        store, workers = job.store, job.workers
        packs = find(store, workers, job.list_targets(), query)
        states, failures = look_at_packs(store, workers, tolerate_gaps(packs, gaps))
        failures += gaps
        if not states and not failures:
            raise NoSuchOriginal("nothing found: no pack holds a matching log object")
        options = price_tiers(states, days)
        described = describe_thaw(states, options, days)
        if not as_json:
            print_lines(render_thaw(described))
        if not dry_run:
            check_price(states, options, tier, dollars_max, is_agreed=is_agreed)
            asked, refused = start_thawing(store, workers, states, days=days, tier=tier)
            described["started"] = len(asked)
            failures += refused
            if waits or folder is not None:
                thawing = [*asked, *(each for each in states if each.state is State.THAWING)]
                failures += (
                    wait(job, thawing, options, tier, interval, is_quiet=as_json) if thawing else []
                )
            thawed = find_thawed(states, asked, failures, waited=waits or folder is not None)
            described["thawed"] = len(thawed)
            described["without_terms"] = count_without_terms(job, query, thawed)
        described["failures"] = describe_failures(failures)
        if not as_json:
            print_lines(render_outcome(described, waited=waits or folder is not None))
        if destination is not None:
            extracted = extract_found(job, query, destination)
            described["extracted"] = extracted
            failures += [Failure(**each) for each in extracted["failures"]]
    if as_json:
        print_lasting_report(described, [], "the thawing", as_json=True)
    return 1 if failures else 0


def choose_destination(
    folder: Path | None, *, force: bool, dry_run: bool, as_json: bool
) -> Destination | None:
    """Where to extract to, if at all. Checked before anything costs money. Raises SettingsError."""
    if folder is None:
        if force:
            raise SettingsError("--force: allowed only with --then-extract")
        return None
    if dry_run:
        return None
    prepare_folder(folder, _FOLDER_OPTION, force=force)
    return Destination(directory=folder, force=force, as_json=as_json, folder_option=_FOLDER_OPTION)


def check_price(
    states: Sequence[PackState],
    options: Sequence[TierOption],
    tier: str,
    dollars_max: float,
    *,
    is_agreed: bool,
) -> None:
    """Raises SettingsError where the tier does not exist for a pack's storage class, LimitExceeded
    where the price is neither within --dollars-max nor agreed to.
    """
    option = next(each for each in options if each.tier == tier)
    if option.dollars is None:
        classes = sorted(
            {
                each.storage_class
                for each in states
                if each.state is State.FROZEN and (each.storage_class, tier) not in RETRIEVALS
            }
        )
        raise SettingsError(
            f"--tier {tier}: expected another tier, because {', '.join(classes)} does not have it"
        )
    if option.dollars > dollars_max and not is_agreed:
        raise LimitExceeded(
            f"thawing costs {format_dollars(option.dollars)}, and --dollars-max is "
            f"{format_dollars(dollars_max)};"
            " to start it, raise that or add --yes"
        )


def wait(
    job: Job,
    thawing: Sequence[PackState],
    options: Sequence[TierOption],
    tier: str,
    interval: int,
    *,
    is_quiet: bool,
) -> list[Failure]:
    """Waits until all can be read. Gives those that failed to thaw."""
    hours = max(_HOURS_UNKNOWN, *(each.hours_max for each in options if each.tier == tier))
    with show_waiting(is_quiet=is_quiet) as progress:
        return wait_until_thawed(
            job.store, thawing, job.clock, Patience(time.sleep, interval, 1.5 * hours), progress
        )


def find_thawed(
    states: Sequence[PackState],
    asked: Sequence[PackState],
    failures: Sequence[Failure],
    *,
    waited: bool,
) -> list[PackState]:
    """Packs in archive classes that can be read now."""
    failed = {failure.where for failure in failures}
    thawed = [each for each in states if each.state is State.THAWED]
    if waited:
        thawed += [*asked, *(each for each in states if each.state is State.THAWING)]
    return [each for each in thawed if f"s3://{each.bucket}/{each.key}" not in failed]


def count_without_terms(job: Job, query: Query, thawed: Sequence[PackState]) -> int:
    """Packs that `search` cannot look into: once they are frozen again, making their terms costs
    another thaw. It is only advice, so it is left out where listing terms is not permitted.
    """
    if not thawed or job.rules.group.combine.terms is None:
        return 0
    places = {(each.bucket, each.key) for each in thawed}
    try:
        lack = find_lack(job, query, again=False)
    except RequestFailed:
        return 0
    return sum((pack.target.bucket, pack.pack_key) in places for pack in lack.packs)


def extract_found(job: Job, query: Query, destination: Destination) -> dict[str, Any]:
    """Does what `extract --directory` does, with the same conditions."""
    gaps: list[Failure] = []
    packs = find(job.store, job.workers, job.list_targets(), query)
    found = tolerate_gaps(packs, gaps)
    result, name = extract_to(destination, job, choose(found, VersionChoice()))
    result.failures += gaps
    described = describe_fetch(result, name, job.requests)
    if not destination.as_json:
        print_lines(render_fetch(described), err=True)
    return described
