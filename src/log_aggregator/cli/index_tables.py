"""`index tables`: merges the terms of packs into the tables that make searching quick."""

from __future__ import annotations

import calendar
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any

import click

from log_aggregator.cli.lasting import require_room
from log_aggregator.cli.options import (
    connection_options,
    json_option,
    make_connection,
    tables_options,
)
from log_aggregator.cli.printing import print_report
from log_aggregator.cli.progress.counting import show_bar
from log_aggregator.cli.query_options import make_query
from log_aggregator.core.query import Query
from log_aggregator.reports.failures import render_failed
from log_aggregator.reports.numbers import format_count
from log_aggregator.settings import Settings
from log_aggregator.steps.search.after_run import make_merging
from log_aggregator.steps.search.merge import MergeResult, list_terms, merge_terms
from log_aggregator.steps.search.tables import require_reader
from log_aggregator.wiring import open_job


@click.command("tables")
@click.option(
    "--log-type", "log_types", multiple=True, metavar="NAME", help="Log type. Left out: all."
)
@click.option("--from", "from_", metavar="YYYY-MM-DD", help="First log date. Left out: no limit.")
@click.option("--to", "to_", metavar="YYYY-MM-DD", help="Last log date. Left out: no limit.")
@click.option(
    "--rebuild",
    is_flag=True,
    help="Make the tables of whole months again from the terms, and replace existing ones.",
)
@tables_options
@connection_options
@json_option
def tables(
    settings: Settings,
    log_types: tuple[str, ...],
    from_: str | None,
    to_: str | None,
    rebuild: bool,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
) -> int:
    """Merge the terms of packs into tables, by month and log type.

    A run does this at its end for the packs that it wrote. Use this command for packs that no table
    covers yet: after `index terms`, or where a run could not do it. It may be stopped, started
    again, and run twice at the same time.
    """
    require_reader()
    require_room()
    query = make_query(log_types=log_types, from_=from_, to_=to_)
    if rebuild:
        query = _whole_months(query)
    total = MergeResult()
    with open_job(make_connection(profile, region, endpoint_url), settings) as job:
        for target in job.list_targets():
            keys = list(list_terms(job.store, job.workers, target, query))
            with show_bar("merging terms", len(keys)) as show:
                merging = replace(make_merging(job, target), is_rebuild=rebuild, progress=show)
                total.add(merge_terms(merging, keys))
        described = _describe(total, job.requests)
    print_report(described, _render(described), as_json=as_json)
    return 1 if total.failures else 0


def _whole_months(query: Query) -> Query:
    """A table that is made again replaces that of its whole month."""
    first, last = query.first, query.last
    if first is not None:
        first = first.replace(day=1)
    if last is not None:
        last = last.replace(day=calendar.monthrange(last.year, last.month)[1])
    return replace(query, first=first, last=last)


def _describe(result: MergeResult, requests: Mapping[str, int]) -> dict[str, Any]:
    return {
        "tables": result.tables,
        "packs": result.packs,
        "rows": result.rows,
        "replaced": result.compacted,
        "requests": dict(sorted(requests.items())),
        "failures": [asdict(failure) for failure in result.failures],
    }


def _render(described: Mapping[str, Any]) -> Iterator[str]:
    tables_ = described["tables"]
    yield (
        f"{format_count(described['packs'], 'pack')} merged: "
        f"{format_count(described['rows'], 'row')} in {format_count(len(tables_), 'new table')}"
    )
    if described["replaced"]:
        yield f"{format_count(described['replaced'], 'older table')} replaced"
    yield from render_failed(described["failures"], "could not be read")
