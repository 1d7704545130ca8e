"""`verify`: are the packs of a day what their indexes say?"""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from log_aggregator.cli.options import connection_options, date_options, json_option, make_cli_window, make_connection, target_options
from log_aggregator.core.query import Query
from log_aggregator.errors import GroupFailed
from log_aggregator.model import Target
from log_aggregator.reports.numbers import format_bytes, format_count
from log_aggregator.reports.run import render_failures
from log_aggregator.settings import Settings
from log_aggregator.steps.catalog import list_packs
from log_aggregator.steps.group import Failure
from log_aggregator.steps.verify import Level, verify_pack
from log_aggregator.wiring import connect, make_targets, make_workers


@click.command()
@date_options
@target_options
@connection_options
@json_option
@click.option(
    "--level",
    type=click.Choice([level.value for level in Level]),
    default=Level.READ_BACK.value,
    show_default=True,
    help="read-back reads every pack and compares every member's hash; checksum asks S3 for its checksum and reads no pack.",
)
def verify(
    settings: Settings,
    date_: str | None,
    from_: str | None,
    to_: str | None,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
    level: str,
) -> int:
    """Check the packs of a day against their indexes. Changes nothing.

    Exit code 1 where any pack is not what its index says.
    """
    window = make_cli_window(date_, from_, to_, settings.look_back_days)
    store = connect(make_connection(profile, region, endpoint_url), settings.readers)
    failures: list[Failure] = []
    verified: list[tuple[str, int, int]] = []

    def check(place: tuple[Target, str]) -> None:
        target, key = place
        try:
            pack = verify_pack(store, target, key, Level(level))
        except GroupFailed as error:
            failures.append(Failure.of(f"s3://{target.bucket}/{key}", error))
        else:
            verified.append((key, len(pack.index.members), pack.stored.size_bytes))

    with make_workers(settings) as workers:
        query = Query.of_days(window.first, window.last)
        places = [
            (target, entry.pack_key) for target in make_targets(store, settings) for entry in list_packs(store, workers, target, query)
        ]
        for _ in workers.each(check, places):
            pass
    if as_json:
        packs = [{"key": key, "members": members, "bytes": size} for key, members, size in sorted(verified)]
        click.echo(json.dumps({"level": level, "packs": packs, "failures": [asdict(failure) for failure in failures]}, indent=2))
    else:
        members, size = sum(row[1] for row in verified), sum(row[2] for row in verified)
        click.echo(
            f"{format_count(len(verified), 'pack')} verified ({level}): {format_count(members, 'member')}, {format_bytes(size)};"
            f" {window.first} to {window.last}"
        )
        if failures:
            click.echo("\n".join(render_failures([asdict(failure) for failure in failures])))
    return 1 if failures else 0
