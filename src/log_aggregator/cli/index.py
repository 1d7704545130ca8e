"""`index rebuild` and `index adopt`: indexes for packs that lost theirs, and for aggregates that
other tools made. `index terms` and `index tables` have their own modules.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, TypeVar

import click

from log_aggregator.cli.groups import Group
from log_aggregator.cli.index_tables import tables
from log_aggregator.cli.index_terms import terms
from log_aggregator.cli.lasting import require_room
from log_aggregator.cli.options import (
    connection_options,
    json_option,
    make_connection,
    target_writing_options,
)
from log_aggregator.cli.pack_options import PackChoice, find_places, pack_options
from log_aggregator.cli.printing import print_report
from log_aggregator.cli.progress.counting import show_bar
from log_aggregator.cli.query_options import make_query
from log_aggregator.core.adopted import Adopted, Aggregate, Said
from log_aggregator.core.query import Query
from log_aggregator.errors import (
    BadPack,
    Failure,
    GroupFailed,
    LogAggregatorError,
    ObjectFrozen,
    SettingsError,
    VerificationError,
)
from log_aggregator.model import LogObject, Target
from log_aggregator.reports.index import (
    describe_adopt,
    describe_rebuild,
    render_adopt,
    render_rebuild,
)
from log_aggregator.settings import Settings
from log_aggregator.steps.job import Job
from log_aggregator.steps.retrieval.catalog import CatalogEntry, entry_of, iter_packs
from log_aggregator.steps.upkeep.adopt import adopt as adopt_one
from log_aggregator.steps.upkeep.adopt import describe_aggregate, list_aggregates
from log_aggregator.steps.upkeep.rebuild import Rebuilt, rebuild_index
from log_aggregator.steps.workers import Workers
from log_aggregator.wiring import open_job

T = TypeVar("T")
ADVICE: dict[type[LogAggregatorError], str] = {
    ObjectFrozen: "Thaw it first, and start again.",
    VerificationError: "Nothing was deleted. Look at the named object.",
    BadPack: "Nothing was changed. See docs/internals/pack-format.md.",
}


@click.group(cls=Group)
def index() -> None:
    """Make indexes: for packs that lost theirs, for other tools' aggregates, and for searching."""


index.add_command(terms)
index.add_command(tables)


@index.command()
@pack_options
@target_writing_options
@connection_options
@json_option
@click.option("--dry-run", is_flag=True, help="Only show which packs have no index.")
def rebuild(
    settings: Settings,
    choice: PackChoice,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
    dry_run: bool,
) -> int:
    """Make lost indexes again, each from its pack.

    PACK is the key of a pack, or s3://bucket/key. Left out: all packs of the dates that have no
    index. An existing index is never overwritten; if it is damaged, remove it first.
    """
    query = choice.query(settings) if not choice.keys else Query()
    if not dry_run:
        require_room()
    rebuilt: list[tuple[Target, Rebuilt]] = []
    failures: list[Failure] = []
    with open_job(make_connection(profile, region, endpoint_url), settings) as job:
        entries, options = _choose_entries(job, choice, query), job.rules.group.combine.index

        def work(item: tuple[Target, CatalogEntry]) -> tuple[Target, Rebuilt] | Failure:
            target, entry = item
            where = f"s3://{target.bucket}/{entry.pack_key}"
            return _try(
                where,
                lambda: (target, rebuild_index(job.store, target, entry, options)),
            )

        for found in _each(job.workers, work, [] if dry_run else entries, "rebuilding"):
            if isinstance(found, Failure):
                failures.append(found)
            else:
                rebuilt.append(found)
    described = describe_rebuild(
        [(target, entry.pack_key) for target, entry in entries], rebuilt, failures, dry_run=dry_run
    )
    print_report(
        described,
        render_rebuild(described, "as named" if choice.keys else choice.describe(query)),
        as_json=as_json,
    )
    return 1 if failures else 0


@index.command()
@click.argument("where", metavar="S3://BUCKET/KEY")
@click.option(
    "--bucket",
    metavar="NAME",
    help="Bucket that the logs were in. Left out: the one that the key names, or the aggregate's.",
)
@click.option(
    "--log-type", metavar="NAME", help="Log type, such as CloudTrail. Left out: as in the key."
)
@click.option(
    "--account",
    metavar="ID",
    help="Account, twelve digits; 'none' for logs without one. Left out: as in the key.",
)
@click.option("--date", "date_", metavar="YYYY-MM-DD", help="Log date. Left out: as in the key.")
@target_writing_options
@connection_options
@json_option
@click.option(
    "--dry-run", is_flag=True, help="Only show what would be read, and as what it would be adopted."
)
def adopt(
    settings: Settings,
    where: str,
    bucket: str | None,
    log_type: str | None,
    account: str | None,
    date_: str | None,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
    dry_run: bool,
) -> int:
    """Make an index of an aggregate that another tool made, so that find and extract work on it.

    The aggregate must be a plain concatenation of gzip files. It is read once, from end to end, and
    stays as it is. A key that ends in a slash means everything under it.
    """
    said = _parse_said(bucket, log_type, account, date_)
    place = re.fullmatch("s3://([^/]+)/(.*)", where, re.DOTALL)
    if place is None:
        raise SettingsError(f"{where!r}: expected s3://bucket/key, or s3://bucket/prefix/")
    if not dry_run:
        require_room()
    done: list[Adopted] = []
    known: list[Aggregate] = []
    planned: list[Aggregate] = []
    failures: list[Failure] = []

    with open_job(make_connection(profile, region, endpoint_url), settings) as job:
        store, options = job.store, job.rules.group.combine.index
        target = _target_for(job.list_targets(), place[1])

        def work(found: LogObject) -> tuple[Aggregate, Adopted | None] | Failure:
            def read() -> tuple[Aggregate, Adopted | None]:
                aggregate = describe_aggregate(found, said)
                return aggregate, None if dry_run else adopt_one(store, target, aggregate, options)

            return _try(f"s3://{found.bucket}/{found.key}", read)

        aggregates = list(list_aggregates(store, target, place[1], place[2]))
        for result in _each(job.workers, work, aggregates, "adopting"):
            if isinstance(result, Failure):
                failures.append(result)
            elif result[1] is not None:
                done.append(result[1])
            else:
                (planned if dry_run else known).append(result[0])
    described = describe_adopt(done, planned, known, failures, target)
    print_report(described, render_adopt(described), as_json=as_json)
    return 1 if failures else 0


def _choose_entries(
    job: Job, choice: PackChoice, query: Query
) -> list[tuple[Target, CatalogEntry]]:
    targets = job.list_targets()
    if not choice.keys:
        return [
            (target, entry)
            for target in targets
            for entry in iter_packs(job.store, job.workers, target, query)
            if entry.index_bytes is None and entry.pack_bytes is not None
        ]
    places = find_places(choice.keys, targets)
    if any(place.is_adopted for place in places):
        raise SettingsError(
            "PACK: an adopted aggregate is not a pack; remove its index and adopt it again"
        )
    return [(place.target, entry_of(place.target, place.key)) for place in places]


def _target_for(targets: list[Target], bucket: str) -> Target:
    """Where the index goes: the only target, or the one in the aggregate's own bucket."""
    own = [target for target in targets if len(targets) == 1 or target.bucket == bucket]
    if not own:
        raise SettingsError(
            f"destination_bucket: expected the bucket that the index is to go to; packs are in "
            f"{len(targets)} buckets, and none of them is {bucket}"
        )
    return own[0]


def _parse_said(
    bucket: str | None, log_type: str | None, account: str | None, date_: str | None
) -> Said:
    query = make_query(
        buckets=[bucket] if bucket else [],
        log_types=[log_type] if log_type else [],
        accounts=[account] if account else [],
        date_=date_,
    )
    return Said(_one(query.buckets), _one(query.log_types), _one(query.accounts), _day(query.first))


def _one(values: frozenset[str]) -> str | None:
    if len(values) > 1:
        raise SettingsError(f"{', '.join(sorted(values))}: expected only one of them")
    return next(iter(values), None)


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.astimezone(UTC).date()


def _try(where: str, work: Callable[[], T]) -> T | Failure:
    """A failure does not stop the others. If S3 cannot be reached, everything stops."""
    try:
        return work()
    except (GroupFailed, SettingsError) as error:
        advice = next((text for kind, text in ADVICE.items() if isinstance(error, kind)), "")
        return Failure.of(where, error, advice)


def _each(workers: Workers, work: Callable[[Any], T], items: list[Any], what: str) -> list[T]:
    results: list[T] = []
    with show_bar(what, len(items)) as show:
        for result in workers.each(work, items):
            results.append(result)
            show(len(results))
    return results
