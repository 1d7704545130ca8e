"""`find`: packed log objects and the packs that hold them, from the indexes alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from itertools import islice

import click

from log_aggregator.cli.options import connection_options, make_connection, target_options
from log_aggregator.cli.printing import print_json_lines, print_line, print_lines
from log_aggregator.cli.progress.counting import shares_terminal, show_bar
from log_aggregator.cli.query_options import query_options, require_condition
from log_aggregator.core.layouts.declared import Layouts
from log_aggregator.core.query import Query
from log_aggregator.errors import IncompleteSearch, NoSuchOriginal, SettingsError
from log_aggregator.reports.find import (
    Tally,
    describe_members,
    describe_pack,
    render_members,
    render_pack,
)
from log_aggregator.reports.numbers import format_count
from log_aggregator.settings import Settings
from log_aggregator.steps.job import Job
from log_aggregator.steps.retrieval.find import FoundPack
from log_aggregator.steps.retrieval.find import find as find_packs
from log_aggregator.wiring import open_job

_LINES_AT_ONCE = 1000


@click.command()
@query_options(key_arguments=True)
@click.option(
    "--packs", "only_packs", is_flag=True, help="Show only the packs: what would have to be thawed."
)
@click.option(
    "--count", "only_count", is_flag=True, help="Show only how many log objects, bytes and packs."
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print JSON Lines: an object for each log object, for each pack, or for the count.",
)
@target_options
@connection_options
def find(
    query: Query,
    settings: Settings,
    only_packs: bool,
    only_count: bool,
    as_json: bool,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
) -> int:
    """Find packed log objects, and show which packs they are in.

    KEY is an original key, s3://bucket/key, or a glob of either, in quotes. The values of an option
    that is repeated, or given once with commas, are alternatives; different options must all match;
    at least one is needed. Only indexes that can match are read, and no pack is touched.

    Prints a row for each pack, and under it a row for each log object found in it. Exit code 1 if
    nothing was found, or if an index could not be read, which is named after all the others have
    been searched.
    """
    if only_packs and only_count:
        raise SettingsError("--packs, --count: expected one of them")
    require_condition(query)
    tally = Tally()
    incomplete: IncompleteSearch | None = None
    with open_job(make_connection(profile, region, endpoint_url), settings) as job:
        packs = find_packs(job.store, job.workers, job.list_targets(), query)
        try:
            for found in _show_progress(packs, job, is_shown=only_count or not shares_terminal()):
                tally.add(found)
                if not only_count:
                    lines = _lines(found, query.layouts, only_packs=only_packs, as_json=as_json)
                    _print(lines, as_json=as_json)
        except IncompleteSearch as error:
            incomplete = error
    if only_count:
        if as_json:
            print_json_lines([json.dumps(tally.describe())])
        else:
            print_line(tally.render())
    indexes = format_count(job.requests.get("GetObject", 0), "index read", "indexes read")
    if incomplete is not None:
        print_line(f"{tally.render()}; {indexes}", err=True)
        raise incomplete
    if not tally.members:
        raise NoSuchOriginal(f"nothing found; {indexes}")
    print_line(indexes if only_count else f"{tally.render()}; {indexes}", err=True)
    return 0


def _show_progress(packs: Iterable[FoundPack], job: Job, *, is_shown: bool) -> Iterator[FoundPack]:
    with show_bar("indexes", None) if is_shown else nullcontext(_show_nothing) as show:
        for found in packs:
            show(job.requests.get("GetObject", 0))
            yield found


def _show_nothing(done: int, size_bytes: int | None = None, /) -> None:
    """In place of a bar."""


def _lines(found: FoundPack, layouts: Layouts, *, only_packs: bool, as_json: bool) -> Iterator[str]:
    if as_json:
        yield from [describe_pack(found)] if only_packs else describe_members(found, layouts)
        return
    yield render_pack(found)
    if not only_packs:
        yield from render_members(found)


def _print(lines: Iterator[str], *, as_json: bool) -> None:
    while some := list(islice(lines, _LINES_AT_ONCE)):
        if as_json:
            print_json_lines(some)
        else:
            print_lines(some)
