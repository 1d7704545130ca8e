"""`generate`: fills buckets with a synthetic organisation's logs, to try things out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import click

from log_aggregator.cli.lasting import require_room
from log_aggregator.cli.options import connection_options, json_option
from log_aggregator.cli.printing import print_json, print_lines
from log_aggregator.cli.progress.counting import show_bar
from log_aggregator.core.times import parse_date
from log_aggregator.model import Target
from log_aggregator.ports.store import ObjectStore
from log_aggregator.reports.numbers import format_bytes, format_count
from log_aggregator.settings import Settings
from log_aggregator.steps.cloudtrail.public_keys import archive_keys
from log_aggregator.wiring import Connection, connect
from log_aggregator_lab.organisation import generate as organisation
from log_aggregator_lab.organisation.specification import OrganisationSpec
from log_aggregator_lab.servers.trail_api import LabTrailKeys
from log_aggregator_lab.upload import create_bucket, create_buckets, find_endpoint, upload

PRESETS = ("small", "demo")


@click.command()
@click.option(
    "--preset",
    type=click.Choice(PRESETS),
    default="small",
    show_default=True,
    help="small makes about 200 objects, demo about 5,000.",
)
@click.option(
    "--objects",
    type=click.IntRange(1, 10_000_000),
    help="Number of CloudTrail logs. Left out: the preset's.",
)
@click.option(
    "--accounts",
    type=click.IntRange(1, 5_000),
    help="Number of member accounts. Left out: the preset's.",
)
@click.option(
    "--days", type=click.IntRange(1, 366), default=1, show_default=True, help="Number of days."
)
@click.option(
    "--date",
    "date_",
    metavar="YYYY-MM-DD",
    help="The first day. Left out: the last day is yesterday.",
)
@click.option(
    "--seed", type=int, default=1, show_default=True, help="The same seed gives the same bytes."
)
@click.option(
    "--bucket",
    help="Put everything into this one bucket. Left out: into the organisation's buckets.",
)
@click.option(
    "--bucket-prefix",
    default="",
    help="Prefix for the names of the organisation's buckets. Left out: none.",
)
@click.option(
    "--destination-bucket",
    "destination",
    metavar="NAME",
    help="The bucket that packs will go to. It is created too, and gets the public keys of the "
    "digests. Left out: packs and keys go to the source buckets.",
)
@connection_options
@json_option
def generate(
    preset: str,
    objects: int | None,
    accounts: int | None,
    days: int,
    date_: str | None,
    seed: int,
    bucket: str | None,
    bucket_prefix: str,
    destination: str | None,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
) -> int:
    """Fill buckets with a synthetic organisation's logs, to try things out.

    Buckets that do not exist are created. Use it on a test account or a local S3 server, never on a
    bucket with real logs: the generated logs look real, including signed digests.
    """
    require_room()
    first = _first_day(date_, days)
    wishes = Wishes(
        preset, objects, accounts, days, first, seed, bucket, bucket_prefix, destination
    )
    return generate_into_buckets(wishes, profile, region, endpoint_url, as_json=as_json)


def _first_day(text: str | None, days: int) -> date:
    if text is None:
        return datetime.now(UTC).date() - timedelta(days=days)
    return parse_date("--date", text)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the organisation is to be like; None: as in the preset."""

    preset: str
    objects: int | None
    accounts: int | None
    days: int
    first_day: date
    seed: int
    bucket: str | None
    bucket_prefix: str
    destination: str | None = None


def generate_into_buckets(
    wishes: Wishes,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    *,
    as_json: bool,
) -> int:
    """Generates, uploads, and prints what to do next."""
    spec = _make_spec(wishes)
    endpoint = find_endpoint(profile, region, endpoint_url)
    create_buckets(spec, endpoint)
    if wishes.destination:
        create_bucket(wishes.destination, endpoint, is_versioned=True)
    with show_bar("uploading", None) as show:
        report = upload(
            organisation.generate(spec),
            endpoint,
            keep_entries=False,
            progress=show,
        )
    leave_public_keys(spec, connect(Connection(profile, region, endpoint_url)), wishes.destination)
    if as_json:
        result = {
            "objects": report.object_count,
            "bytes": report.size_bytes,
            "buckets": spec.buckets,
            "seconds": round(report.seconds, 3),
        }
        print_json(result)
        return 0
    size = format_bytes(report.size_bytes)
    buckets = format_count(len(spec.buckets), "bucket")
    options = _source_options(spec, wishes.bucket)
    if wishes.destination:
        options += f" --destination-bucket {wishes.destination}"
    lines = [
        f"{format_count(report.object_count, 'object')}, {size}, in {buckets}:",
        *(f"  {name}" for name in spec.buckets),
        "Next:",
        f"  log-aggregator plan --date {spec.first_day} {options}",
    ]
    print_lines(lines)
    return 0


def leave_public_keys(spec: OrganisationSpec, store: ObjectStore, destination: str | None) -> None:
    """Stores CloudTrail's public keys where a run would keep them: with a local server there is no
    CloudTrail to ask. `validate-cloudtrail` checks digests with them.
    """
    target = (
        Target(destination)
        if destination
        else Target(spec.control_tower_bucket, f"{Settings().final_aggregation_prefix}/")
    )
    keys = LabTrailKeys(spec)
    for region in spec.regions:
        archive_keys(store, target, keys, region, *keys.period)


def _make_spec(wishes: Wishes) -> OrganisationSpec:
    preset = {"small": organisation.small, "demo": organisation.demo}[wishes.preset](wishes.seed)
    spec = replace(
        preset,
        first_day=wishes.first_day,
        days=wishes.days,
        objects=wishes.objects or preset.objects,
        accounts=wishes.accounts or preset.accounts,
        accounts_before_landing_zone_3=min(
            preset.accounts_before_landing_zone_3, wishes.accounts or preset.accounts
        ),
        digest_chains=-1,  # validate-cloudtrail reports a hole where a Region has logs, no digests
    )
    return (
        spec.with_one_bucket(wishes.bucket)
        if wishes.bucket
        else spec.with_bucket_prefix(wishes.bucket_prefix)
    )


def _source_options(spec: OrganisationSpec, bucket: str | None) -> str:
    if bucket:
        return f"--other-buckets {bucket}"
    others = ",".join(name for name in spec.buckets if name != spec.control_tower_bucket)
    return f"--control-tower-bucket {spec.control_tower_bucket} --other-buckets {others}"
