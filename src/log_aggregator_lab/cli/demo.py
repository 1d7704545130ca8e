"""`demo`: packs, verifies and deletes a day of a synthetic organisation on a real S3 server that
runs on this machine.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import click

from log_aggregator.cli.output import check_file
from log_aggregator.cli.printing import print_heading, print_line, print_lines
from log_aggregator.cli.progress.counting import show_bar
from log_aggregator.cli.run import measure_run
from log_aggregator.core.windows import DateWindow
from log_aggregator.model import Target
from log_aggregator.ports.store import ObjectStore
from log_aggregator.reports.numbers import format_bytes, format_count
from log_aggregator.reports.run import render_run
from log_aggregator.settings import Settings, read_settings
from log_aggregator.steps.packs.pages import list_all
from log_aggregator.wiring import Connection, connect, make_workers
from log_aggregator_lab.check import check_originals, list_current
from log_aggregator_lab.cli.leak import show_leak
from log_aggregator_lab.cli.losses import show_losses
from log_aggregator_lab.organisation.generate import demo as demo_spec
from log_aggregator_lab.organisation.generate import generate, late
from log_aggregator_lab.organisation.leak import LEAKED_KEY
from log_aggregator_lab.organisation.specification import OrganisationSpec
from log_aggregator_lab.organisation.synthetic import ManifestEntry
from log_aggregator_lab.servers.s3 import EmbeddedS3
from log_aggregator_lab.servers.trail_api import LabTrailKeys
from log_aggregator_lab.upload import create_bucket, create_buckets, upload


@click.command()
@click.option(
    "--seed",
    type=int,
    default=1,
    show_default=True,
    help="A different seed makes a different organisation.",
)
@click.option(
    "--keep", is_flag=True, help="Leave the server running until ctrl-C, to look at the packs."
)
@click.option(
    "--page",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where to write the page for auditors. Left out: a new temporary folder, which is printed "
    "and stays.",
)
def demo(seed: int, keep: bool, page: Path | None) -> int:
    """Watch a day of a synthetic AWS organisation being packed, verified and deleted on an S3
    server that runs on this machine only; then see a digest, a log object and a pack get lost, and
    the loss being found. Touches nothing else. Takes about a minute.

    Exit code 1 if an original did not come back, or if a loss was not found.
    """
    if page is not None:
        check_file(page, "--page")
    return demonstrate(seed, page, keep=keep)


DESTINATION = "all-aggregated-logs-111122223333-eu-west-1"


def demonstrate(seed: int, page: Path | None = None, *, keep: bool) -> int:
    """Runs the demo, and gives the exit code."""
    spec = demo_spec(seed)
    print_heading("1. An S3 server on this machine, and a synthetic organisation")
    with EmbeddedS3() as server:
        connection = Connection(
            None, server.region, server.endpoint_url, server.access_key, server.secret_key
        )
        settings = _make_settings(spec)
        entries = _put_logs(spec, server)
        store = connect(connection)
        before = _count(store, [*spec.buckets])
        print_heading(f"2. The nightly job for {spec.first_day}: list, pack, verify, delete")
        first = _run(settings, spec, connection)
        arrived = _put_late_logs(spec, server)
        print_heading(f"3. {len(arrived)} logs arrive late; the next run packs them too")
        entries += arrived
        second = _run(settings, spec, connection)
        print_heading("4. What the buckets held before, and what they hold now")
        _show_counts(before, _count(store, [*spec.buckets, DESTINATION]))
        print_heading("5. Can every original be read back, byte for byte?")
        problems = _check(settings, store, spec, entries)
        print_heading("6. An access key leaked a month ago. Where was it used?")
        is_found = show_leak(settings, spec, server, connection, Target(DESTINATION))
        print_heading("7. A digest, a log object and a pack get lost. Is it noticed?")
        page = page or Path(tempfile.mkdtemp(prefix="log-aggregator-demo-")) / "report.html"
        is_noticed = show_losses(spec, server, connection, page)
        print_heading("What to try next")
        _show_next(store, spec, server, entries, keep=keep)
        if keep:
            _wait()
    is_good = is_found and is_noticed and not problems
    return 0 if is_good and not (first["failures"] or second["failures"]) else 1


def _make_settings(spec: OrganisationSpec) -> Settings:
    return read_settings(
        None,
        {
            "control_tower_bucket": [spec.control_tower_bucket],
            "other_buckets": [name for name in spec.buckets if name != spec.control_tower_bucket],
            "aggregation_regions": list(spec.regions),
            "destination_bucket": DESTINATION,
            "delete_originals": True,
            "layouts": spec.layouts,
        },
    )


def _put_logs(spec: OrganisationSpec, server: EmbeddedS3) -> list[ManifestEntry]:
    create_buckets(spec, server)
    create_bucket(DESTINATION, server, is_versioned=True)
    with show_bar("uploading", None) as show:
        report = upload(generate(spec), server, progress=show)
    print_line(
        f"  {format_count(report.object_count, 'object')}, {format_bytes(report.size_bytes)},"
        f" from {format_count(spec.accounts, 'account')} in "
        f"{format_count(len(spec.regions), 'region')}:"
        " CloudTrail with signed digests, Config, flow logs, access logs, ..."
    )
    print_line(
        "  and what real buckets have too: old versions, delete markers, damaged gzip, parquet, "
        "inventories, tables, query results"
    )
    return list(report.entries)


def _put_late_logs(spec: OrganisationSpec, server: EmbeddedS3) -> list[ManifestEntry]:
    return list(upload(late(spec), server).entries)


def _run(settings: Settings, spec: OrganisationSpec, connection: Connection) -> dict[str, Any]:
    window, keys = DateWindow(spec.first_day, spec.first_day), partial(LabTrailKeys, spec)
    described = measure_run(
        settings, window, connection, is_quiet=not sys.stderr.isatty(), connect_keys=keys
    )
    print_lines(f"  {line}" for line in render_run(described))
    return described


def _count(store: ObjectStore, buckets: Iterable[str]) -> dict[str, Counter[str]]:
    counts = {}
    for bucket in buckets:
        sizes = [found.size_bytes for found in list_current(store, bucket)]
        counts[bucket] = Counter(objects=len(sizes), bytes=sum(sizes))
    return counts


def _show_counts(before: dict[str, Counter[str]], after: dict[str, Counter[str]]) -> None:
    print_line(f"  {'bucket':<56}{'before':>20}{'now':>20}")
    for bucket, now in after.items():
        then = before.get(bucket, Counter())
        print_line(f"  {bucket:<56}{_show(then):>20}{_show(now):>20}")
    print_line(
        "  Left in the log buckets: logs of other days and regions, deleted keys, and objects that "
        "are not logs or whose layout is not declared."
    )


def _show(counts: Counter[str]) -> str:
    return f"{counts['objects']:,} / {format_bytes(counts['bytes'])}"


def _check(
    settings: Settings, store: ObjectStore, spec: OrganisationSpec, entries: list[ManifestEntry]
) -> list[str]:
    began = time.perf_counter()
    with make_workers(settings) as workers:
        result = check_originals(
            store, workers, [Target(DESTINATION)], entries, spec.first_day, spec.first_day
        )
    print_line(
        f"  {format_count(result.found_in_packs, 'original')} "
        f"({format_bytes(result.found_bytes)}) read back from the packs,"
        " and compared with what was uploaded: "
        f"{'all the same' if not result.problems else 'NOT all the same'}"
    )
    print_line(
        f"  {format_count(result.still_there, 'other object')} had to stay, and did "
        f"({time.perf_counter() - began:.1f} s)"
    )
    for problem in result.problems[:20]:
        print_line(f"  PROBLEM: {problem}")
    return result.problems


def _show_next(
    store: ObjectStore,
    spec: OrganisationSpec,
    server: EmbeddedS3,
    entries: list[ManifestEntry],
    *,
    keep: bool,
) -> None:
    packs = [found.key for found in list_all(store, DESTINATION, "packs/")]
    digest = next(entry for entry in entries if entry.source == "digest" and entry.purpose == "log")
    program = sys.argv[0] if sys.argv[0].startswith(".") else "log-aggregator"
    print_line(f"  One of the {len(packs)} packs: s3://{DESTINATION}/{packs[0]}")
    print_line(
        "  `zcat` shows its logs, one document per line; docs/internals/pack-format.md describes "
        "the format."
    )
    if keep:
        packed = f"--destination-bucket {DESTINATION}"
        day = f"--date {spec.first_day} {packed}"
        sources = f"--control-tower-bucket {spec.control_tower_bucket} {packed}"
        account = digest.key.partition("/CloudTrail")[0].rpartition("/")[2]
        print_line("  The server stays up. In another terminal, in this folder:")
        print_line(f"    export AWS_ENDPOINT_URL={server.endpoint_url} AWS_REGION={server.region}")
        print_line(
            f"    export AWS_ACCESS_KEY_ID={server.access_key} "
            f"AWS_SECRET_ACCESS_KEY={server.secret_key}"
        )
        for command in (
            f"find --account {account} --log-type CloudTrail --count {day}",
            f"extract --account {account} --log-type CloudTrail --directory logs-back {day}",
            f"search {LEAKED_KEY} {packed}",
            f"verify {day}",
            f"validate-cloudtrail {day}",
            f"custody verify {packed}",
            f"coverage --date {spec.first_day} {sources}",
            f"drill --sample 50 {packed}",
            f"report --from {spec.first_day} --to {spec.first_day} {sources}",
        ):
            print_line(f"    {program} {command}")
    else:
        print_line(
            f"  `{program} demo --keep` leaves the server running, and prints commands to try on "
            "it: find, extract, search, verify, validate-cloudtrail, custody, coverage, drill, "
            "report."
        )
    print_line(
        f"  For your own buckets start with `{program} init`, which looks at your account, changes "
        "nothing in it, and writes a settings file."
    )


def _wait() -> None:
    print_lines(["", "ctrl-C stops the server, and removes everything on it."])
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        print_line("stopped")
