"""`validate-cloudtrail`: checks that logs, packed or not, are what CloudTrail delivered."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from log_aggregator.cli.options import (
    connection_options,
    json_option,
    make_connection,
    target_options,
)
from log_aggregator.cli.printing import print_json, print_line, print_lines
from log_aggregator.cli.progress.counting import show_bar
from log_aggregator.cli.query_options import make_query
from log_aggregator.core.query import Query
from log_aggregator.core.times import encode_time
from log_aggregator.errors import CannotStart, SettingsError
from log_aggregator.model import Target
from log_aggregator.reports.validate import describe_validation, render_findings, render_summary
from log_aggregator.settings import Settings
from log_aggregator.steps.cloudtrail.accounts import AccountPlaces, ReadFrom, find_accounts
from log_aggregator.steps.cloudtrail.findings import (
    FINDINGS_MAX,
    Finding,
    Request,
    State,
    Validation,
)
from log_aggregator.steps.cloudtrail.public_keys import KeyRing, KeySource
from log_aggregator.steps.cloudtrail.validate import validate
from log_aggregator.steps.job import Job
from log_aggregator.wiring import connect_trail_keys, open_job

BOTH = "both"

DELIVERY = timedelta(hours=2)
"""How long after its hour a digest may be delivered."""


@click.command("validate-cloudtrail")
@click.option(
    "--account",
    "accounts",
    multiple=True,
    metavar="ID",
    help="Account, twelve digits. Left out: all that have digests.",
)
@click.option(
    "--log-region",
    "log_regions",
    multiple=True,
    metavar="REGION",
    help="Region that the digests are of. Left out: all.",
)
@click.option("--trail-name", "trails", multiple=True, metavar="NAME", help="Trail. Left out: all.")
@click.option(
    "--bucket",
    "buckets",
    multiple=True,
    metavar="NAME",
    help=(
        "Bucket that CloudTrail delivered to. Left out: control_tower_bucket, and all buckets that "
        "packs were made from."
    ),
)
@click.option("--date", "date_", metavar="YYYY-MM-DD", help="One day (UTC). Left out: see --from.")
@click.option(
    "--from",
    "from_",
    metavar="DATE[TIME]",
    help="Start: 2026-01-31 or 2026-01-31T13:00 (UTC). Required, unless --date is given.",
)
@click.option("--to", "to_", metavar="DATE[TIME]", help="End (UTC). Left out: now.")
@click.option(
    "--read-from",
    type=click.Choice([choice.value for choice in ReadFrom]),
    default=ReadFrom.BOTH.value,
    show_default=True,
    help="Where to read logs. both reads the original if it is still there, or else the pack.",
)
@click.option(
    "--public-keys",
    "key_source",
    type=click.Choice([BOTH, *(source.value for source in KeySource)]),
    default=BOTH,
    show_default=True,
    help=(
        "Where to get CloudTrail's public keys. cloudtrail asks CloudTrail; archive reads those "
        "kept next to the packs; both asks first, and then reads those."
    ),
)
@click.option("--verbose", "-v", is_flag=True, help="List valid files too.")
@target_options
@connection_options
@json_option
def validate_cloudtrail(
    settings: Settings,
    accounts: tuple[str, ...],
    log_regions: tuple[str, ...],
    trails: tuple[str, ...],
    buckets: tuple[str, ...],
    date_: str | None,
    from_: str | None,
    to_: str | None,
    read_from: str,
    key_source: str,
    verbose: bool,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
) -> int:
    """Validate CloudTrail's digests and every log that they name, in packs, in their original
    buckets, or in both. Changes nothing.

    Checks what `aws cloudtrail validate-logs` checks, which cannot find originals once they are
    deleted: signatures, links from digest to digest, hashes of logs. Exit code 1 if anything is
    invalid, missing or could not be checked, or if there is no digest at all.
    """
    query = make_query(
        accounts=accounts,
        log_regions=log_regions,
        buckets=buckets,
        date_=date_,
        from_=from_,
        to_=to_,
    )
    request = make_request(query, trails, ReadFrom(read_from), datetime.now(UTC))
    connection = make_connection(profile, region, endpoint_url)
    trail_keys = connect_trail_keys(connection) if key_source != KeySource.ARCHIVE else None
    if key_source == KeySource.CLOUDTRAIL and trail_keys is None:
        raise CannotStart(
            "--public-keys cloudtrail: this S3 server has no CloudTrail; set "
            "AWS_ENDPOINT_URL_CLOUDTRAIL to name one"
        )
    with open_job(connection, settings) as job:
        targets = job.list_targets()
        archives = targets if key_source != KeySource.CLOUDTRAIL else ()
        keys = KeyRing(job.store, archives, trail_keys, request.first, request.last)
        places = _find_places(job, targets, query, request)
        watcher = Watcher(is_on=verbose, is_text=not as_json)
        if not as_json:
            text = (
                f"Validating log files of trails in {_name_accounts(places)} between "
                f"{encode_time(request.first, 'seconds')} and "
                f"{encode_time(request.last, 'seconds')}"
            )
            print_lines([text, ""])
        is_quiet = as_json or verbose
        with nullcontext() if is_quiet else show_bar("validating", None) as show:
            watcher.show = show
            result = validate(job.store, job.workers, targets, places, request, keys, watcher)
    return _report(result, request, keys, watcher, as_json=as_json)


def _find_places(
    job: Job, targets: Sequence[Target], query: Query, request: Request
) -> list[AccountPlaces]:
    """Those of the accounts that are asked for. Raises CannotStart."""
    found = find_accounts(
        job.store, targets, job.rules.main_buckets, query.buckets, request.read_from
    )
    return [place for place in found if not query.accounts or place.account in query.accounts]


def make_request(
    query: Query, trails: Sequence[str], read_from: ReadFrom, now: datetime
) -> Request:
    """Raises SettingsError where no range is named."""
    if query.first is None:
        raise SettingsError(
            "--date, --from: expected a day or a range, such as --date 2026-01-31 or --from "
            "2026-01-01 --to 2026-01-31"
        )
    last = min(now, query.last or now)
    return Request(
        query.first,
        max(query.first, last),
        query.regions,
        frozenset(trails),
        read_from,
        delivered=now - DELIVERY,
    )


class Watcher:
    """Reports progress: lines for valid files too, or a bar."""

    def __init__(self, *, is_on: bool, is_text: bool) -> None:
        self.valid: list[Finding] = []
        self.unlisted = 0
        """Number of valid files beyond those that are kept."""
        self.show: Any = None
        self._is_on = is_on
        self._is_text = is_text
        self._count = 0
        self._lock = threading.Lock()

    @property
    def is_printed(self) -> bool:
        """Every finding has been printed already."""
        return self._is_on and self._is_text

    def __call__(self, findings: Sequence[Finding]) -> None:
        with self._lock:
            self._count += len(findings)
            if self.is_printed:
                print_lines(render_findings(findings), tabbed=True)
            elif self._is_on:
                self._keep([finding for finding in findings if finding.state is State.VALID])
            elif self.show is not None:
                self.show(self._count)

    def _keep(self, valid: Sequence[Finding]) -> None:
        room = max(0, FINDINGS_MAX - len(self.valid))
        self.valid += valid[:room]
        self.unlisted += len(valid[room:])


def _report(
    result: Validation, request: Request, keys: KeyRing, watcher: Watcher, *, as_json: bool
) -> int:
    described = describe_validation(result, request, keys, watcher.valid, watcher.unlisted)
    if watcher.is_printed:
        described["unlisted"] = 0
    if as_json:
        print_json(described)
    else:
        if not watcher.is_printed:
            print_lines(render_findings(result.findings), tabbed=True)
        if watcher.is_printed or result.findings:
            print_line("")
        print_lines(render_summary(described))
    for region, error in sorted(keys.failures.items()):
        print_lines(
            [f"CloudTrail gave no public keys for {region}: {error}"], err=True, urgent=True
        )
    return 0 if result.is_sound else 1


def _name_accounts(places: Sequence[AccountPlaces]) -> str:
    return places[0].account if len(places) == 1 else f"{len(places):,} accounts"
