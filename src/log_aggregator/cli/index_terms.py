"""`index terms`: makes the terms that `search` needs, for packs that were written without them."""

from __future__ import annotations

import click

from log_aggregator.cli.lasting import require_room
from log_aggregator.cli.options import (
    connection_options,
    json_option,
    make_connection,
    terms_options,
)
from log_aggregator.cli.pack_options import PackChoice, find_places, pack_options
from log_aggregator.cli.printing import print_report
from log_aggregator.cli.progress.counting import show_bar
from log_aggregator.core.query import Query
from log_aggregator.errors import (
    BadPack,
    Failure,
    GroupFailed,
    LogAggregatorError,
    SettingsError,
    VerificationError,
)
from log_aggregator.reports.index_terms import TermsDone, describe_terms, render_terms
from log_aggregator.settings import Settings
from log_aggregator.steps.job import Job
from log_aggregator.steps.retrieval.find import FoundPack
from log_aggregator.steps.retrieval.thaw import look_at_packs, price_tiers
from log_aggregator.steps.rules import TermsOptions
from log_aggregator.steps.upkeep.terms import (
    Lack,
    TermsMade,
    find_lack,
    find_named_lack,
    make_terms,
)
from log_aggregator.wiring import open_job, require_search_key

_ADVICE: dict[type[LogAggregatorError], str] = {
    VerificationError: "Nothing was written. `log-aggregator verify` says more about the pack.",
    BadPack: "Nothing was written. `log-aggregator verify` says more about the pack.",
}
_COPY_DAYS = 7
"""How long thawed copies stay, for the price of thawing that is shown; the default of `thaw`."""


@click.command()
@pack_options
@terms_options
@connection_options
@json_option
@click.option(
    "--again", is_flag=True, help="Also for packs that have terms already, which are replaced."
)
@click.option("--dry-run", is_flag=True, help="Only show which packs would be read.")
def terms(
    settings: Settings,
    choice: PackChoice,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
    again: bool,
    dry_run: bool,
) -> int:
    """Make the terms of packs that have none, so that `search` can look into them.

    PACK is the key of a pack, or s3://bucket/key. Left out: all packs of the dates. Each is read
    once. Frozen packs are left as they are, and the command shows what thawing them costs: thaw
    them, and start it again.

    Exit code 1 if any pack failed; frozen ones do not count as failed.
    """
    query = choice.query(settings) if not choice.keys else Query()
    if not dry_run:
        require_room()
    with open_job(make_connection(profile, region, endpoint_url), settings) as job:
        options = _require_terms(job, settings)
        lack = _find(job, choice, query, again=again)
        states, failures = look_at_packs(job.store, job.workers, lack.packs)
        done = TermsDone(states, price_tiers(states, _COPY_DAYS), lack, failures)
        if not dry_run:
            _make(job, done, options)
    described = describe_terms(done, dry_run=dry_run)
    days = "as named" if choice.keys else choice.describe(query)
    print_report(described, render_terms(described, days), as_json=as_json)
    return 1 if done.failures else 0


def _require_terms(job: Job, settings: Settings) -> TermsOptions:
    """Raises SettingsError where the settings turn terms off."""
    require_search_key(settings)
    options = job.rules.group.combine.terms
    if options is None:
        raise SettingsError('search = "off": expected "plain" or "hashed" to make terms')
    return options


def _find(job: Job, choice: PackChoice, query: Query, *, again: bool) -> Lack:
    if not choice.keys:
        return find_lack(job, query, again=again)
    places = find_places(choice.keys, job.list_targets())
    if any(place.is_adopted for place in places):
        raise SettingsError("PACK: an adopted aggregate is not a pack, and has no terms")
    return find_named_lack(job, [(place.target, place.key) for place in places], again=again)


def _make(job: Job, done: TermsDone, options: TermsOptions) -> None:
    """For all packs that can be read now. A failure does not stop the others; if S3 cannot be
    reached, everything stops.
    """

    def make(pack: FoundPack) -> TermsMade | Failure:
        try:
            return make_terms(job.store, pack, options)
        except GroupFailed as error:
            advice = next((text for kind, text in _ADVICE.items() if isinstance(error, kind)), None)
            return Failure.of(pack.where, error, advice)

    readable = done.readable
    with show_bar("making terms", len(readable)) as show:
        for count, made in enumerate(job.workers.each(make, readable), 1):
            if isinstance(made, Failure):
                done.failures.append(made)
            else:
                done.made.append(made)
            show(count)
