"""`verify`: checks packs against their indexes."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import click

from log_aggregator import wiring
from log_aggregator.cli.at_rest import AtRestOptions, at_rest_options, check_at_rest
from log_aggregator.cli.options import (
    connection_options,
    json_option,
    make_connection,
    target_options,
)
from log_aggregator.cli.pack_options import PackChoice, find_places, pack_options
from log_aggregator.cli.printing import print_report
from log_aggregator.cli.progress.counting import show_bar
from log_aggregator.core.query import Query
from log_aggregator.core.sampling import choose_sample
from log_aggregator.errors import NoSuchOriginal, SettingsError
from log_aggregator.reports.verify import Sample, describe_verify, render_verify
from log_aggregator.settings import Settings
from log_aggregator.steps.job import Job
from log_aggregator.steps.rules import Level
from log_aggregator.steps.upkeep.check import Finding, PackPlace, Sound, check_places, list_places
from log_aggregator.wiring import open_job

SEED_MAX = 10**6


@click.command()
@pack_options
@target_options
@connection_options
@json_option
@click.option(
    "--level",
    type=click.Choice([level.value for level in Level]),
    default=Level.READ_BACK.value,
    show_default=True,
    help="read-back reads every pack and compares every member's hash; tail reads only the index "
    "in a pack's tail and compares it with the separate index; checksum asks S3 for the pack's "
    "checksum and reads no pack.",
)
@click.option(
    "--sample",
    metavar="N%",
    help="Check only this share of the packs, chosen at random, and at least one. Left out: all.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, SEED_MAX),
    help="With --sample: the seed that an earlier sample printed, to draw it again. Left out: "
    "random.",
)
@at_rest_options
def verify(
    settings: Settings,
    choice: PackChoice,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
    level: str,
    sample: str | None,
    seed: int | None,
    at_rest: AtRestOptions | None,
) -> int:
    """Check packs against their indexes. Changes no pack.

    PACK is the key of a pack, or s3://bucket/key. Left out: all packs of the dates, and adopted
    aggregates.

    Exit code 1 if any pack is not what its index says, has no index, is missing, or is frozen and
    has to be read; and if there is no pack at all. With --at-rest also if S3 did not hash a pack,
    and 4 while S3 is still at work.
    """
    percent = _parse_percent(sample)
    if seed is not None and percent is None:
        raise SettingsError("--seed: allowed only with --sample")
    query = choice.query(settings) if not choice.keys else Query()
    connection = make_connection(profile, region, endpoint_url)
    with open_job(connection, settings) as job:
        if at_rest is not None:
            jobs = wiring.connect_hash_jobs(connection)

            def choose() -> list[PackPlace]:
                return _choose(job, choice, query, percent, seed)[0]

            return check_at_rest(job, jobs, choose, at_rest, as_json=as_json)
        places, taken = _choose(job, choice, query, percent, seed)
        findings = _check_all(job, places, Level(level))
    described = describe_verify(findings, Level(level), taken)
    days = "as named" if choice.keys else choice.describe(query)
    print_report(described, render_verify(described, days), as_json=as_json)
    return 0 if all(isinstance(finding, Sound) for finding in findings) else 1


def _choose(
    job: Job, choice: PackChoice, query: Query, percent: float | None, seed: int | None
) -> tuple[list[PackPlace], Sample | None]:
    """Raises NoSuchOriginal where there are no packs."""
    targets = job.list_targets()
    places = (
        find_places(choice.keys, targets)
        if choice.keys
        else list(list_places(job.store, job.workers, targets, query))
    )
    if not places:
        raise NoSuchOriginal(f"no packs, so nothing was verified; {choice.describe(query)}")
    if percent is None:
        return places, None
    drawn = secrets.randbelow(SEED_MAX) if seed is None else seed
    chosen = choose_sample((place.name for place in places), percent, drawn)
    taken = Sample(percent, drawn, len(places), len(chosen))
    return [place for place in places if place.name in chosen], taken


def _check_all(job: Job, places: Sequence[PackPlace], level: Level) -> list[Finding]:
    findings = []
    with show_bar("verifying", len(places)) as show:
        for finding in check_places(job.store, job.workers, places, level):
            findings.append(finding)
            show(len(findings))
    return findings


def _parse_percent(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        percent = float(text.removesuffix("%"))
    except ValueError:
        percent = 0.0
    if not 0 < percent <= 100:
        raise SettingsError(
            f"--sample {text!r}: expected a share such as 5%, above 0% and at most 100%"
        )
    return percent
