"""`stats`: what is packed so far, by log type, account and month, and what that saves."""

from __future__ import annotations

import click

from log_aggregator.cli.custody import nothing_in
from log_aggregator.cli.options import (
    connection_options,
    json_option,
    make_connection,
    target_options,
)
from log_aggregator.cli.paging import page_report
from log_aggregator.cli.progress.counting import show_bar
from log_aggregator.reports.stats import describe_stats, render_stats
from log_aggregator.settings import Settings
from log_aggregator.steps.custody.totals import sum_records
from log_aggregator.wiring import open_job


@click.command()
@target_options
@connection_options
@json_option
def stats(
    settings: Settings,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
) -> int:
    """Show what is packed so far: log objects, packs and bytes by log type, account, month and
    bucket, and what that saves. Changes nothing.

    The figures are the sum of the custody records, so no pack or index is read or listed. They
    include packs that lifecycle rules have deleted since, and leave out packs from before there
    were records.

    Exit code 1 if there is no record, or if one cannot be read.
    """
    with open_job(make_connection(profile, region, endpoint_url), settings) as job:
        targets = job.list_targets()
        with show_bar("records", None) as show:
            totals = sum_records(job, targets, show)
    if not totals.records:
        raise nothing_in(targets)
    described = describe_stats(totals)
    page_report(described, render_stats(described), as_json=as_json)
    return 1 if totals.unread else 0
