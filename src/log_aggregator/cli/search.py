"""`search`: finds events in packs that mention a value, by the terms kept next to the packs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import time

import click

from log_aggregator.cli.lasting import require_room
from log_aggregator.cli.options import (
    connection_options,
    json_option,
    make_connection,
    target_options,
)
from log_aggregator.cli.printing import print_lines
from log_aggregator.cli.progress.counting import show_bar
from log_aggregator.cli.query_options import make_query
from log_aggregator.cli.search_answer import DAYS_DEFAULT, Shown, Thawing, print_answer
from log_aggregator.cli.search_events import print_events
from log_aggregator.core.query import Query
from log_aggregator.core.tables.wanted import Wanted, parse_wanted
from log_aggregator.core.terms.hashing import SearchKey
from log_aggregator.core.terms.model import Field
from log_aggregator.errors import (
    LogAggregatorError,
    NotAllSearched,
    NothingFound,
    SettingsError,
)
from log_aggregator.reports.search import describe_unsearched, render_coverage, render_gaps
from log_aggregator.settings import Settings
from log_aggregator.steps.job import Job
from log_aggregator.steps.retrieval.thaw import TIERS
from log_aggregator.steps.search.answers import Answer
from log_aggregator.steps.search.look_up import Asked, look_up
from log_aggregator.wiring import find_search_key, open_job


@click.command()
@click.argument("values", metavar="VALUE...", nargs=-1, required=True)
@click.option("--prefix", "is_prefix", is_flag=True, help="Find all values that begin with VALUE.")
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
@click.option("--from", "from_", metavar="YYYY-MM-DD", help="First log date. Left out: no limit.")
@click.option("--to", "to_", metavar="YYYY-MM-DD", help="Last log date. Left out: no limit.")
@click.option(
    "--quick",
    is_flag=True,
    help=(
        "Look only into the tables, and do not list the packs. It then cannot tell which packs no "
        "table covers."
    ),
)
@click.option(
    "--packs", "only_packs", is_flag=True, help="Show only the packs: what would be thawed."
)
@click.option(
    "--events",
    is_flag=True,
    help="Read the log objects, and print the events that match as JSON Lines.",
)
@click.option("--thaw", is_flag=True, help="Start thawing the packs found that are frozen.")
@click.option(
    "--tier",
    type=click.Choice(TIERS),
    default="Bulk",
    show_default=True,
    help="With --thaw: retrieval tier; the faster, the more it costs.",
)
@click.option(
    "--days",
    type=click.IntRange(1, 365),
    default=DAYS_DEFAULT,
    show_default=True,
    help="With --thaw: days for which thawed copies can be read.",
)
@click.option(
    "--dollars-max",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="With --thaw: start nothing that costs more US dollars than this, unless --yes is given.",
)
@click.option("--yes", "is_agreed", is_flag=True, help="With --thaw: start, whatever it costs.")
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
    resource or an event name.

    VALUE is looked up in the terms that are kept next to the packs, so nothing is thawed. It is a
    value as events have it, such as AKIAIOSFODNN7EXAMPLE, s3:PutObject or 203.0.113.7, or a
    network, 10.0.0.0/8; access keys, event names, addresses and host names may be in any case.
    Several values are alternatives. Dates are log dates, as in `find`.

    Always shows what was not searched, why, and what helps. Exit code 0 if something was found, 1
    if nothing was found and everything was searched, 4 if nothing was found but not everything was
    searched.
    """
    if sum((only_packs, events, thaw)) > 1:
        raise SettingsError("--packs, --events, --thaw: expected one of them")
    if quick and thaw:
        raise SettingsError("--quick: not allowed with --thaw, which has to list the packs")
    query = make_query(
        accounts=accounts, log_types=log_types, buckets=buckets, date_=date_, from_=from_, to_=to_
    )
    _check_days(query)
    key = find_search_key(settings)
    chosen = tuple(Field(name) for name in fields)
    wanted = [_parse_value(value, chosen, key, is_prefix=is_prefix) for value in values]
    asked = Asked(wanted, query, is_quick=quick, search_key_id=key.id if key else "")
    shown = Shown(only_packs, as_json, values)
    thawing = Thawing(tier, days, dollars_max, is_agreed) if thaw else None
    if thawing is not None:
        require_room()
    with open_job(make_connection(profile, region, endpoint_url), settings) as job:
        answer = _look_up(job, asked)
        if events:
            failed = print_events(job, answer, asked, as_json=as_json)
        else:
            failed = print_answer(job, answer, shown, thawing)
    print_lines([render_coverage(answer.coverage)], err=True)
    print_lines(render_gaps(answer.coverage), err=True, urgent=True)
    _check_found(answer, values)
    return 1 if failed else 0


def _look_up(job: Job, asked: Asked) -> Answer:
    """Shows a bar where terms have to be read one pack at a time, which may take minutes."""
    with show_bar("reading terms", None) as show:
        return look_up(job.store, job.workers, job.list_targets(), replace(asked, progress=show))


def _parse_value(
    text: str, fields: tuple[Field, ...], key: SearchKey | None, *, is_prefix: bool
) -> Wanted:
    try:
        return parse_wanted(text, fields, is_prefix=is_prefix, key=key)
    except ValueError as error:
        raise SettingsError(f"VALUE {text!r}: expected {error}") from None


def _check_days(query: Query) -> None:
    """A pack holds whole days, so times of day are refused. Raises SettingsError."""
    begins = query.first is None or query.first.time() == time.min
    ends = query.last is None or query.last.time() == time.max
    if not (begins and ends):
        raise SettingsError(
            "--from, --to: expected dates such as 2026-01-31, because packs hold whole days"
        )


def _check_found(answer: Answer, values: Sequence[str]) -> None:
    """Raises NothingFound, NotAllSearched."""
    coverage = answer.coverage
    if answer.sighted:
        return
    if coverage.is_whole and not coverage.packs:
        raise NothingFound("no packs match these dates, accounts and log types")
    starred = [value for value in values if value.endswith("*")]
    hint = (
        f" {starred[0]}: * is taken literally; for beginnings of values use --prefix."
        if starred
        else ""
    )
    error: LogAggregatorError
    if coverage.is_whole:
        searched = render_coverage(coverage).removeprefix("searched: ")
        error = NothingFound(f"nothing found; everything was searched: {searched}")
        error.advice = f"Logs that are not packed yet were not searched.{hint}"
    else:
        error = NotAllSearched(
            f"nothing found in what was searched; {describe_unsearched(coverage)} may hold it"
        )
        error.advice = f"The lines above say, for each reason, what helps.{hint}"
    raise error
