"""`evidence`: a bundle for an auditor, and the program that verifies it."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import click

from log_aggregator import verifier as bundle_verifier
from log_aggregator.cli.lasting import require_room
from log_aggregator.cli.options import (
    connection_options,
    json_option,
    make_connection,
    target_options,
)
from log_aggregator.cli.output import check_free, name_partial, open_new, writing
from log_aggregator.cli.printing import print_lines, print_report
from log_aggregator.cli.progress.fetching import show_fetching
from log_aggregator.cli.query_options import make_query
from log_aggregator.core.evidence.manifest import About
from log_aggregator.core.query import Query
from log_aggregator.errors import NothingFound, SettingsError
from log_aggregator.limits import GIB
from log_aggregator.reports.evidence.bundle import Verdict, describe_bundle, render_bundle
from log_aggregator.settings import Settings
from log_aggregator.steps.evidence.bundle import Bundle, BundleResult
from log_aggregator.wiring import open_job

BYTES_MAX = 50 * GIB
PAGE_BYTES_MAX = 100_000_000


@click.command()
@click.option(
    "--account",
    "accounts",
    multiple=True,
    metavar="ID",
    help="Account, twelve digits; may be repeated. Required, unless --verifier is given.",
)
@click.option(
    "--from",
    "from_",
    metavar="YYYY-MM-DD",
    help="First log date (UTC). Required, unless --verifier is given.",
)
@click.option(
    "--to",
    "to_",
    metavar="YYYY-MM-DD",
    help="Last log date, to its end (UTC). Required, unless --verifier is given.",
)
@click.option(
    "--log-type",
    "log_types",
    multiple=True,
    metavar="NAME",
    help="Log type, such as CloudTrail. Left out: any.",
)
@click.option(
    "--originals/--list",
    "has_originals",
    default=False,
    help="Put the originals in, or only a list of them. CloudTrail's digests are always in.",
    show_default=True,
)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    default=Path("evidence.zip"),
    show_default=True,
    metavar="FILE",
    help="The bundle, a zip file.",
)
@click.option(
    "--page",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A page to put into the bundle, such as the one that `report` writes. Left out: none.",
)
@click.option(
    "--bytes-max",
    type=click.IntRange(min=1),
    default=BYTES_MAX,
    show_default=True,
    metavar="N",
    help="Make no bundle that is larger than this many bytes.",
)
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
@click.option(
    "--verifier", "prints_verifier", is_flag=True, help="Print verify.py, and do nothing else."
)
@target_options
@connection_options
@json_option
def evidence(
    settings: Settings,
    accounts: tuple[str, ...],
    from_: str | None,
    to_: str | None,
    log_types: tuple[str, ...],
    has_originals: bool,
    output: Path,
    page: Path | None,
    bytes_max: int,
    force: bool,
    prints_verifier: bool,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
) -> int:
    """Make a bundle for an auditor: originals or a list of them, digests, keys, indexes, custody
    records, signatures, and a verifier that runs offline.

    It is a zip; the digests and public keys are CloudTrail's. It holds only what is packed, and
    names everything else that is missing, with the reason. The bundle is verified once it is made.

    Exit code 1 if something could not be read, or if the verifier finds anything wrong.
    """
    source = Path(bundle_verifier.__file__).read_bytes()
    if prints_verifier:
        print_lines(source.decode().splitlines())
        return 0
    about = _make_about(accounts, from_, to_, log_types, has_originals=has_originals)
    check_free(output, force=force)
    content = _read_page(page)
    require_room()
    partial = name_partial(output)
    try:
        with open_job(make_connection(profile, region, endpoint_url), settings) as job:
            with (
                writing(output),
                open_new(partial) as file,
                show_fetching("bundling", is_quiet=as_json) as progress,
            ):
                bundle = Bundle(job, about, file, bytes_max, source, content, progress)
                result = bundle.make()
            if not result.indexes and not result.failures:
                raise NothingFound("no pack holds logs of this account and time")
            verdict = _verify(partial)
            with writing(output):
                partial.replace(output)
            described = describe_bundle(str(output), about, result, verdict, job.requests)
    finally:
        partial.unlink(missing_ok=True)
    print_report(described, list(render_bundle(described)), as_json=as_json)
    return 1 if _is_wrong(result, verdict) else 0


def _is_wrong(result: BundleResult, verdict: Verdict) -> bool:
    return bool(result.failures or verdict.problems)


def _make_about(
    accounts: tuple[str, ...],
    from_: str | None,
    to_: str | None,
    log_types: tuple[str, ...],
    *,
    has_originals: bool,
) -> About:
    """Raises SettingsError."""
    if not accounts or from_ is None or to_ is None:
        raise SettingsError("evidence: expected --account, --from and --to")
    query: Query = make_query(accounts=accounts, log_types=log_types, from_=from_, to_=to_)
    first, last = _parse_day("--from", from_), _parse_day("--to", to_)
    return About(
        tuple(sorted(query.accounts)),
        first,
        last,
        last + timedelta(days=1),
        tuple(sorted(query.log_types)),
        has_originals,
    )


def _parse_day(name: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{name} {text!r}: expected a date such as 2026-01-31") from None


def _read_page(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            data = file.read(PAGE_BYTES_MAX + 1)
    except OSError as error:
        raise SettingsError(f"--page {path}: cannot be read: {error.strerror}") from None
    if len(data) > PAGE_BYTES_MAX:
        raise SettingsError(f"--page {path}: expected at most {PAGE_BYTES_MAX:,} bytes")
    return data


def _verify(path: Path) -> Verdict:
    """What the verifier in the bundle finds."""
    found = bundle_verifier.verify(str(path))
    return Verdict(
        found.sha256,
        path.stat().st_size,
        tuple(found.proved),
        tuple(found.unproved),
        tuple(found.problems),
    )
