"""`generate`: a synthetic organisation's logs, put into buckets to try things out."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import click

from log_aggregator.cli.options import connection_options, json_option, lab_extra
from log_aggregator.errors import SettingsError

PRESETS = ("small", "demo")


@click.command()
@click.option(
    "--preset",
    type=click.Choice(PRESETS),
    default="small",
    show_default=True,
    help="About 100 objects, or about 5,000.",
)
@click.option(
    "--objects",
    type=click.IntRange(1, 10_000_000),
    help="Number of CloudTrail logs, instead of the preset's.",
)
@click.option(
    "--accounts",
    type=click.IntRange(1, 5_000),
    help="Number of member accounts, instead of the preset's.",
)
@click.option(
    "--days", type=click.IntRange(1, 366), default=1, show_default=True, help="Number of days."
)
@click.option(
    "--date",
    "date_",
    metavar="YYYY-MM-DD",
    help="The first of them. Left out: so that the last is yesterday.",
)
@click.option(
    "--seed", type=int, default=1, show_default=True, help="The same seed gives the same bytes."
)
@click.option("--bucket", help="Put everything into this one bucket.")
@click.option(
    "--bucket-prefix", default="", help="In front of the names of the organisation's buckets."
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
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
) -> int:
    """Put a synthetic organisation's logs into buckets, to try things out.

    Buckets that do not exist are created. Meant for a test account or a local S3 server, never for
    a bucket with real logs: what is generated looks like the real thing, signed digests included.
    """
    first = _first_day(date_, days)
    with lab_extra():
        from log_aggregator.cli.generation import Wishes, generate_into_buckets  # noqa: PLC0415 - the lab is an extra
    wishes = Wishes(preset, objects, accounts, days, first, seed, bucket, bucket_prefix)
    return generate_into_buckets(wishes, profile, region, endpoint_url, as_json=as_json)


def _first_day(text: str | None, days: int) -> date:
    if text is None:
        return datetime.now(UTC).date() - timedelta(days=days)
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"--date {text!r}: allowed is a date such as 2026-01-31") from None
