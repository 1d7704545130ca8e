"""`search`: which events in packs mention a value, by the terms that are kept beside the packs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from typing import Any

import click

from log_aggregator.cli.options import (
    connection_options,
    json_option,
    make_connection,
    target_options,
)
from log_aggregator.cli.printing import print_json, print_json_lines, print_lines
from log_aggregator.cli.query_options import make_query
from log_aggregator.cli.thaw import check_price
from log_aggregator.core.query import Query
from log_aggregator.core.tables.wanted import Wanted, parse_wanted
from log_aggregator.core.terms.hashing import SearchKey
from log_aggregator.core.terms.model import Field
from log_aggregator.errors import NotAllSearched, NothingFound, SettingsError
from log_aggregator.reports.failures import render_failed
from log_aggregator.reports.numbers import format_count
from log_aggregator.reports.search import (
    describe_answer,
    describe_gaps,
    render_answer,
    render_coverage,
    render_pack_list,
)
from log_aggregator.reports.thaw import describe_failures, render_outcome
from log_aggregator.settings import Settings
from log_aggregator.steps.job import Job
from log_aggregator.steps.retrieval.thaw import TIERS, price_tiers, start_thawing
from log_aggregator.steps.search.answers import Answer, Coverage
from log_aggregator.steps.search.events import EventsResult, FoundEvent, find_events, look_at
from log_aggregator.steps.search.look_up import Asked, look_up
from log_aggregator.wiring import find_search_key, open_job


@dataclass(frozen=True, slots=True)
class Thawing:
    """How the packs that were found are to be thawed."""

    tier: str
    days: int
    dollars_max: float
    is_agreed: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """How an answer is shown."""

    only_packs: bool
    as_json: bool
    values: Sequence[str]


DAYS_DEFAULT = 7


@click.command()
@click.argument("values", metavar="VALUE...", nargs=-1, required=True)
@click.option("--prefix", "is_prefix", is_flag=True, help="All values that begin so.")
@click.option(
    "--field",
    "fields",
    multiple=True,
    type=click.Choice([field.value for field in Field]),
    help="Only values of this kind; may be repeated. Left out: all kinds.",
)
@click.option(
    "--account",
    "accounts",
    multiple=True,
    metavar="ID",
    help="Account, twelve digits; 'none' for logs without one. Left out: any.",
)
@click.option(
    "--log-type",
    "log_types",
    multiple=True,
    metavar="NAME",
    help="Log type, such as CloudTrail. Left out: any.",
)
@click.option(
    "--bucket",
    "buckets",
    multiple=True,
    metavar="NAME",
    help="Bucket that the log objects were in. Left out: any.",
)
@click.option("--date", "date_", metavar="YYYY-MM-DD", help="One log date (UTC). Left out: any.")
@click.option(
    "--from", "from_", metavar="YYYY-MM-DD", help="First log date. Left out: no beginning."
)
@click.option("--to", "to_", metavar="YYYY-MM-DD", help="Last log date. Left out: no end.")
@click.option(
    "--quick",
    is_flag=True,
    help=(
        "Only look into the tables, and do not list the packs: what no table covers is not known "
        "then."
    ),
)
@click.option("--packs", "only_packs", is_flag=True, help="Only the packs: what would be thawed.")
@click.option(
    "--events",
    is_flag=True,
    help="Read the log objects, and print the events that match as JSON Lines.",
)
@click.option("--thaw", is_flag=True, help="Start thawing what is frozen of the packs found.")
@click.option(
    "--tier",
    type=click.Choice(TIERS),
    default="Bulk",
    show_default=True,
    help="With --thaw: how fast, and how dear.",
)
@click.option(
    "--days",
    type=click.IntRange(1, 365),
    default=DAYS_DEFAULT,
    show_default=True,
    help="With --thaw: how long the copies can be read.",
)
@click.option(
    "--dollars-max",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="With --thaw: nothing dearer is started without --yes.",
)
@click.option("--yes", "is_agreed", is_flag=True, help="With --thaw: start whatever it costs.")
@target_options
@connection_options
@json_option
def search(
    values: Sequence[str],
    settings: Settings,
    is_prefix: bool,
    fields: Sequence[str],
    accounts: Sequence[str],
    log_types: Sequence[str],
    buckets: Sequence[str],
    date_: str | None,
    from_: str | None,
    to_: str | None,
    quick: bool,
    only_packs: bool,
    events: bool,
    thaw: bool,
    tier: str,
    days: int,
    dollars_max: float,
    is_agreed: bool,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
) -> int:
    """Search the events in packs, frozen ones too, for an access key, an address, a role, a
    resource, an event name.

    A VALUE is looked up in the terms that are kept beside the packs, so nothing is thawed. It is
    what events have, such as AKIAIOSFODNN7EXAMPLE, s3:PutObject or 203.0.113.7, or a network,
    10.0.0.0/8; access keys, event names, addresses and host names may be in any case. Several
    values are alternatives. Dates are log dates, as in `find`.

    Says what was found, and always what was not looked at, and why. Exit code 0 where something was
    found, 1 where nothing was found and everything was looked at, 4 where nothing was found in what
    was looked at.
    """
    if sum((only_packs, events, thaw)) > 1:
        raise SettingsError("--packs, --events, --thaw: expected one of them")
    if quick and thaw:
        raise SettingsError("--quick: without --thaw, which wants the packs listed")
    query = make_query(
        accounts=accounts, log_types=log_types, buckets=buckets, date_=date_, from_=from_, to_=to_
    )
    _check_days(query)
    key = find_search_key(settings)
    chosen = tuple(Field(name) for name in fields)
    wanted = [_parse_value(value, chosen, key, is_prefix=is_prefix) for value in values]
    asked = Asked(wanted, query, is_quick=quick, search_key_id=key.id if key else "")
    shown = Shown(only_packs, as_json, values)
    with open_job(make_connection(profile, region, endpoint_url), settings) as job:
        answer = look_up(job.store, job.workers, job.list_targets(), asked)
        if events:
            failed = _print_events(job, answer, asked, as_json=as_json)
        else:
            thawing = Thawing(tier, days, dollars_max, is_agreed) if thaw else None
            failed = _print_answer(job, answer, shown, thawing)
    print_lines(render_coverage(answer.coverage), err=True)
    _check_found(answer)
    return 1 if failed else 0


def _print_answer(job: Job, answer: Answer, shown: Shown, thawing: Thawing | None) -> bool:
    """What was found, and what reading it costs. Whether something failed."""
    listed = [pack for pack in answer.packs if pack.storage_class is not None]
    states, failures = look_at(job.store, job.workers, listed)
    tiers = price_tiers(states, thawing.days if thawing else DAYS_DEFAULT)
    described = describe_answer(answer, shown.values, tiers)
    described["started"] = 0
    if not shown.as_json:
        print_lines(render_pack_list(described) if shown.only_packs else render_answer(described))
    if thawing is not None:
        check_price(states, tiers, thawing.tier, thawing.dollars_max, is_agreed=thawing.is_agreed)
        started, refused = start_thawing(
            job.store, job.workers, states, days=thawing.days, tier=thawing.tier
        )
        described["started"] = len(started)
        failures += refused
    described["failures"] = describe_failures(failures)
    if shown.as_json:
        print_json(described)
    else:
        print_lines(render_outcome({**described, "thawed": 0}, waited=False))
    return bool(failures)


def _parse_value(
    text: str, fields: tuple[Field, ...], key: SearchKey | None, *, is_prefix: bool
) -> Wanted:
    try:
        return parse_wanted(text, fields, is_prefix=is_prefix, key=key)
    except ValueError as error:
        raise SettingsError(f"VALUE {text!r}: expected something to look for; {error}") from None


def _check_days(query: Query) -> None:
    """Packs are of days. Raises SettingsError."""
    begins = query.first is None or query.first.time() == time.min
    ends = query.last is None or query.last.time() == time.max
    if not (begins and ends):
        raise SettingsError("--from, --to: expected dates such as 2026-01-31; packs are of days")


def _print_events(job: Job, answer: Answer, asked: Asked, *, as_json: bool) -> bool:
    """Each as it is found. Whether something could not be read."""
    result = EventsResult()
    found = find_events(job.store, job.workers, answer.packs, asked, result)
    print_json_lines(_lines(found, as_json=as_json))
    lines = [
        f"{format_count(result.events, 'event')} in {format_count(result.members, 'log object')}"
    ]
    if result.frozen:
        lines.append(
            f"{format_count(len(result.frozen), 'pack')} cannot be read before it is thawed: the "
            "same command with --thaw in place of --events starts that, and says what it costs"
        )
    lines += render_failed(describe_failures(result.failures), "could not be read:")
    print_lines(lines, err=True)
    return bool(result.frozen or result.failures)


def _lines(events: Iterable[FoundEvent], *, as_json: bool) -> Iterable[str]:
    for found in events:
        text = found.event.text if found.event.is_json else json.dumps({"line": found.event.text})
        yield _with_place(found, text) if as_json else text


def _with_place(found: FoundEvent, text: str) -> str:
    """With --json also where the event was delivered."""
    place: Mapping[str, Any] = {
        "bucket": found.group.bucket,
        "key": found.member.key,
        "log_type": found.group.log_type,
        "account": found.group.account,
        "date": found.group.date.isoformat(),
    }
    return f'{json.dumps(place, ensure_ascii=False)[:-1]}, "event": {text}}}'


def _check_found(answer: Answer) -> None:
    """Raises NothingFound, NotAllSearched."""
    coverage: Coverage = answer.coverage
    if answer.sighted:
        return
    if coverage.is_whole:
        raise NothingFound(
            f"nothing found in {format_count(coverage.members, 'log object')} in "
            f"{format_count(coverage.packs, 'pack')}, which is everything"
        )
    gaps = describe_gaps(coverage) or ["packs were not listed (--quick)"]
    raise NotAllSearched(f"nothing found, but not everything was searched: {'; '.join(gaps)}")
