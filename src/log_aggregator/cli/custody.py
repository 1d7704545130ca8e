"""`custody`: the chain of what runs did, its verification, and the life of one log object."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import click

from log_aggregator.cli.groups import Group
from log_aggregator.cli.lasting import print_lasting_report, require_room
from log_aggregator.cli.options import (
    connection_options,
    json_option,
    make_connection,
    signing_options,
    target_options,
)
from log_aggregator.cli.paging import page_report
from log_aggregator.cli.trust import Trusted, trust_options
from log_aggregator.core.custody import WrittenRecord, custody_prefix, record_key
from log_aggregator.errors import Failure, IncompleteSearch, NotFound, SettingsError
from log_aggregator.model import Target
from log_aggregator.reports.custody import (
    describe_life,
    describe_record,
    describe_walk,
    render_life,
    render_record,
    render_walk,
)
from log_aggregator.reports.signatures import describe_signing, render_signing
from log_aggregator.settings import Settings
from log_aggregator.steps.custody.prove import Trust, prove_chain
from log_aggregator.steps.custody.sign import sign_record
from log_aggregator.steps.custody.trace import Life, trace
from log_aggregator.steps.custody.walk import (
    StoredRecord,
    Walked,
    WalkRules,
    list_records,
    read_records,
)
from log_aggregator.steps.job import Job
from log_aggregator.wiring import (
    connect_signing,
    open_job,
)

_EXPECTED = re.compile(r"(?P<sequence>[0-9]{1,10}):(?P<sha256>[0-9a-f]{64})")


@click.group(cls=Group)
def custody() -> None:
    """Verify, sign and show the records that runs keep next to their packs, of what was found,
    packed, verified and deleted; each names the hash of the one before.
    """


@custody.command("verify")
@click.option(
    "--last",
    type=click.IntRange(min=1),
    help="Only this many of the newest records. Left out: all.",
)
@click.option(
    "--oldest",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Number of the oldest record that must still be there; older ones may be gone.",
)
@click.option(
    "--expect",
    multiple=True,
    metavar="NUMBER:SHA256",
    help="A record's hash that you kept elsewhere; may be repeated. The record must be there, "
    "unchanged. Left out: none.",
)
@click.option(
    "--indexes",
    "reads_indexes",
    is_flag=True,
    help="Read every index that a record names, and compare its hash.",
)
@trust_options
@target_options
@connection_options
@json_option
def verify_custody(
    settings: Settings,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
    last: int | None,
    oldest: int,
    expect: tuple[str, ...],
    reads_indexes: bool,
    trusted: Trusted,
) -> int:
    """Check the chain of custody records, newest to oldest, and their signatures. Changes nothing.

    Exit code 1 if a record was changed, removed, replaced or inserted, if one does not add up, if
    there are packs that no record can name, or if there is no record at all. It is 1, too, if a
    signature does not match its record, is by a key that was not named, or signs a record that is
    missing.
    """
    rules = WalkRules(last, oldest, dict(map(_parse_expected, expect)), reads_indexes)
    named = trusted.read_files()
    connection = make_connection(profile, region, endpoint_url)
    with open_job(connection, settings) as job:
        trust = trusted.read_keys(connection, named)
        targets = job.list_targets()
        chains = [prove_chain(job, target, rules, trust) for target in targets]
    if not any(chain.records or chain.findings for chain in chains):
        raise nothing_in(targets)
    described = describe_walk(chains)
    page_report(described, render_walk(described), as_json=as_json)
    return 1 if described["findings"] else 0


@custody.command("sign")
@click.option(
    "--oldest",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Number of the oldest record that must still be there; older ones may be gone.",
)
@signing_options
@connection_options
@json_option
def sign_custody(
    settings: Settings,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
    oldest: int,
) -> int:
    """Sign the newest record of the chain with the key of `sign_with`, and have the signature
    time-stamped if `time_stamp_url` is set. A record that is signed already is left as it is.

    The chain is checked first. If anything is wrong with it, nothing is signed and the exit code
    is 1.
    """
    if settings.sign_with is None:
        raise SettingsError(
            "--sign-with: expected kms: and the ARN of a key, or a file with a private key"
        )
    require_room()
    connection = make_connection(profile, region, endpoint_url)
    with open_job(connection, settings) as job:
        targets = job.list_targets()
        chains = [prove_chain(job, target, WalkRules(oldest=oldest), Trust()) for target in targets]
        if not any(chain.records or chain.findings for chain in chains):
            raise nothing_in(targets)
        walked = describe_walk(chains)
        signed, failures = [], list[Failure]()
        signing = None if walked["findings"] else connect_signing(connection, settings)
        if signing is not None:
            for written in _newest(chains):
                done, failed = sign_record(job, written, signing)
                signed.append(done)
                failures += failed
    described = {**describe_signing(signed, failures), **walked}
    lines = list(render_walk(walked) if walked["findings"] else render_signing(described))
    if walked["findings"]:
        lines.append("Nothing was signed. Look at what is WRONG first, with `custody show`.")
    print_lasting_report(
        described,
        lines,
        "what can be signed",
        as_json=as_json,
        advice="`log-aggregator custody verify` shows what is signed.",
    )
    return 1 if walked["findings"] or failures else 0


@custody.command("show")
@click.argument("run", required=False)
@click.option(
    "--last",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Show this many of the newest records.",
)
@target_options
@connection_options
@json_option
def show_custody(
    settings: Settings,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
    run: str | None,
    last: int,
) -> int:
    """Show the newest records, or everything that one run did.

    RUN is the name of a run, or the number of a record.
    """
    with open_job(make_connection(profile, region, endpoint_url), settings) as job:
        targets = job.list_targets()
        found = [
            describe_record(record)
            for target in targets
            for record in _select(job, target, run, last)
        ]
    if run is not None and not found:
        raise NotFound(
            f"{run!r}: no record has this number or run; `custody show` lists the newest"
        )
    if not found:
        raise nothing_in(targets)
    page_report(
        {"records": found},
        (line for record in found for line in render_record(record, in_full=run is not None)),
        as_json=as_json,
    )
    return 0


@custody.command("trace")
@click.argument("key", metavar="s3://BUCKET/KEY")
@target_options
@connection_options
@json_option
def trace_custody(
    settings: Settings,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
    key: str,
) -> int:
    """Show a log object's life: its pack and index, which runs verified them, and which one deleted
    the original.

    Exit code 1 if no pack holds it, if its index is not what the records say, or if an index could
    not be read; what was found is shown first.
    """
    bucket, slash, rest = key.removeprefix("s3://").partition("/")
    if not key.startswith("s3://") or not slash or not rest:
        raise SettingsError(f"{key!r}: expected s3://BUCKET/KEY")
    lives: list[Life] = []
    incomplete: IncompleteSearch | None = None
    with open_job(make_connection(profile, region, endpoint_url), settings) as job:
        try:
            lives.extend(trace(job, bucket, rest))
        except IncompleteSearch as error:
            incomplete = error
    described = [describe_life(life) for life in lives]
    if described:
        page_report(
            {"lives": described},
            (line for life in described for line in render_life(life)),
            as_json=as_json,
        )
    if incomplete is not None:
        raise incomplete
    return 0 if all(life.index_is_unchanged and not life.unread for life in lives) else 1


def _newest(chains: Iterable[Walked]) -> Iterator[WrittenRecord]:
    """The newest record of each chain that has any."""
    for chain in chains:
        if chain.newest is not None:
            sequence, sha256 = chain.newest
            target = chain.target
            yield WrittenRecord(target.bucket, record_key(target, sequence), sequence, sha256)


def nothing_in(targets: Iterable[Target]) -> NotFound:
    places = ", ".join(f"s3://{target.bucket}/{custody_prefix(target)}" for target in targets)
    return NotFound(f"{places}: no custody records; the first run that packs or deletes writes one")


def _select(job: Job, target: Target, run: str | None, last: int) -> Iterator[StoredRecord]:
    """The newest records, newest first; or those of one run, or the one with this number."""
    listed = list_records(job.store, target)
    if run is None:
        listed = {sequence: listed[sequence] for sequence in sorted(listed, reverse=True)[:last]}
    elif run.isdecimal():
        listed = {sequence: entry for sequence, entry in listed.items() if sequence == int(run)}
    for found in read_records(job.store, job.workers, target, listed):
        if run is None or run.isdecimal() or (found.record is not None and found.record.run == run):
            yield found


def _parse_expected(text: str) -> tuple[int, str]:
    found = _EXPECTED.fullmatch(text)
    if found is None:
        raise SettingsError(
            f"--expect {text!r}: expected NUMBER:SHA256, as `custody verify` shows it"
        )
    return int(found["sequence"]), found["sha256"]
