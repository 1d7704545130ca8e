"""What `generate` does. Apart from the command, because it needs the lab, which is an extra."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import date

import click

from log_aggregator.lab import organisation
from log_aggregator.lab.specification import OrganisationSpec
from log_aggregator.lab.upload import create_buckets, find_endpoint, upload
from log_aggregator.reports.numbers import format_bytes, format_count
from log_aggregator.reports.progress import show_bar


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user wants of the organisation; None: as in the preset."""

    preset: str
    objects: int | None
    accounts: int | None
    days: int
    first_day: date
    seed: int
    bucket: str | None
    bucket_prefix: str


def generate_into_buckets(
    wishes: Wishes,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    *,
    as_json: bool,
) -> int:
    """Generates, uploads, and says what to do next."""
    spec = _make_spec(wishes)
    endpoint = find_endpoint(profile, region, endpoint_url)
    create_buckets(spec, endpoint)
    with show_bar("uploading", None) as show:
        report = upload(
            organisation.generate(spec),
            endpoint,
            keep_entries=False,
            progress=lambda done, _: show(done),
        )
    if as_json:
        result = {
            "objects": report.object_count,
            "bytes": report.size_bytes,
            "buckets": spec.buckets,
            "seconds": round(report.seconds, 3),
        }
        click.echo(json.dumps(result, indent=2))
        return 0
    click.echo(
        f"{format_count(report.object_count, 'object')}, {format_bytes(report.size_bytes)}, "
        f"in {format_count(len(spec.buckets), 'bucket')}:"
    )
    for name in spec.buckets:
        click.echo(f"  {name}")
    click.echo(
        f"Next:\n  log-aggregator plan --date {spec.first_day} "
        f"{_source_options(spec, wishes.bucket)}"
    )
    return 0


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
