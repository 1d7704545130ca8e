"""`put-back`: writes originals under their own keys again, for tools that look for them there."""

from __future__ import annotations

from collections.abc import Sequence

import click

from log_aggregator.cli.lasting import print_lasting_report, require_room
from log_aggregator.cli.options import (
    connection_options,
    json_option,
    make_connection,
    target_options,
)
from log_aggregator.cli.printing import print_lines, print_report
from log_aggregator.cli.progress.fetching import show_fetching
from log_aggregator.cli.query_options import query_options, require_condition
from log_aggregator.core.query import Query
from log_aggregator.errors import Failure, NoSuchOriginal, SettingsError
from log_aggregator.reports.put_back import (
    WARNING,
    describe_put_back,
    describe_put_back_plan,
    render_put_back,
    render_put_back_plan,
    render_warnings,
)
from log_aggregator.settings import Settings
from log_aggregator.steps.job import Job
from log_aggregator.steps.retrieval.catalog import list_source_buckets
from log_aggregator.steps.retrieval.fetch import VersionChoice, Wanted, choose, tolerate_gaps
from log_aggregator.steps.retrieval.find import find
from log_aggregator.steps.retrieval.put_back import (
    ReturnAddress,
    check_buckets,
    check_keys,
    limit_originals,
    put_back,
)
from log_aggregator.wiring import PUT_BACK_WRITERS, open_job


@click.command("put-back")
@query_options(key_arguments=True)
@click.option(
    "--version-id", metavar="ID", help="This version of a key. Left out: the newest that is packed."
)
@click.option(
    "--to-bucket",
    metavar="NAME",
    help="Another bucket for all of them. Left out: the bucket that each one was in.",
)
@click.option(
    "--prefix",
    metavar="TEXT",
    default="",
    help="Prefix to put in front of every key, such as 'audit-2026/'. Left out: none.",
)
@click.option(
    "--objects-max",
    type=click.IntRange(min=1),
    default=10_000,
    show_default=True,
    help="If there are more originals than this, nothing is written.",
)
@click.option("--dry-run", is_flag=True, help="Only show what would be written where.")
@target_options
@connection_options
@json_option
def put_back_command(
    query: Query,
    settings: Settings,
    version_id: str | None,
    to_bucket: str | None,
    prefix: str,
    objects_max: int,
    dry_run: bool,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
) -> int:
    """Put originals back under their own keys: bytes, user metadata, content type and encoding.
    Overwrites nothing.

    The conditions are those of `find`; the newest version of each key is taken. If the key holds an
    equal object already, that counts as put back; a different object is a failure, and stays. So
    the command may be stopped and started again.
    """
    require_condition(query)
    if not _is_text(prefix):
        raise SettingsError(f"--prefix {prefix!r}: expected text in the encoding of this terminal")
    if to_bucket is not None and (not to_bucket or "/" in to_bucket):
        raise SettingsError(f"--to-bucket {to_bucket!r}: expected the name of a bucket")
    address = ReturnAddress(to_bucket, prefix)
    if not dry_run:
        require_room()
    gaps: list[Failure] = []
    connection = make_connection(profile, region, endpoint_url)
    with open_job(connection, settings, writers=PUT_BACK_WRITERS) as job:
        store, workers, targets = job.store, job.workers, job.list_targets()
        found = tolerate_gaps(find(store, workers, targets, query), gaps)
        wanted = limit_originals(
            choose(found, VersionChoice(newest_only=True, version_id=version_id)), objects_max
        )
        check_keys(wanted, address, targets)
        if not wanted and not gaps:
            raise NoSuchOriginal("nothing found: no pack holds a matching log object")
        warnings = check_buckets(store, wanted, address)
        warnings += [WARNING] if goes_to_a_source(job, wanted, address) else []
        if dry_run:
            planned = describe_put_back_plan(wanted, address, gaps, warnings)
            print_report(planned, render_put_back_plan(planned), as_json=as_json)
            return 1 if gaps else 0
        if not as_json:  # before anything is written, when the user can still stop it
            print_lines(render_warnings(warnings), err=True, urgent=True)
        originals = sum(len(each.pack.members) for each in wanted)
        with show_fetching("putting back", is_quiet=as_json, total=originals) as progress:
            result = put_back(store, workers, wanted, address, progress)
    result.failures += gaps
    described = describe_put_back(result, job.requests, warnings)
    lines = list(render_put_back(described))
    print_lasting_report(described, lines, "the work", as_json=as_json)
    return 1 if result.failures else 0


def _is_text(words: str) -> bool:
    """Python reads bytes that are not text in the terminal's encoding as lone surrogates, which no
    key can hold.
    """
    try:
        words.encode()
    except UnicodeEncodeError:
        return False
    return True


def goes_to_a_source(job: Job, wanted: Sequence[Wanted], address: ReturnAddress) -> bool:
    """Whether a run would find them there: in a bucket that was packed from before, or that the
    settings name.
    """
    if address.bucket is None:
        return True
    packed = {
        name for target in job.list_targets() for name in list_source_buckets(job.store, target)
    } | {each.pack.group.bucket for each in wanted}
    others = job.rules.other_buckets
    names = {name for name in others if not name.endswith("*")}
    beginnings = tuple(name.rstrip("*") for name in others if name.endswith("*"))
    return address.bucket in {
        *packed,
        *names,
        *job.rules.main_buckets,
    } or address.bucket.startswith(beginnings or ("\n",))
