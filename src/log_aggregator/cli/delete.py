"""`delete`: originals of verified packs, once a person has seen how many there are."""

from __future__ import annotations

import re
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import click

from log_aggregator.cli.lasting import require_room
from log_aggregator.cli.options import (
    connection_options,
    date_options,
    json_option,
    make_cli_window,
    make_connection,
    settings_options,
)
from log_aggregator.cli.printing import print_lines, print_report
from log_aggregator.cli.progress.run import DELETING, PLANNING, make_progress
from log_aggregator.cli.run import name_run, print_run
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import CannotStart, Interrupted, SettingsError
from log_aggregator.model import Stage
from log_aggregator.reports.deletion import describe_deletion, render_deletion
from log_aggregator.reports.run import Measured, describe_run
from log_aggregator.settings import Settings
from log_aggregator.steps.cloudtrail.run_keys import archive_run_keys
from log_aggregator.steps.custody.keep import CustodyKeeper
from log_aggregator.steps.custody.sign import sign_after_run
from log_aggregator.steps.job import Job
from log_aggregator.steps.packing.plan import plan_run
from log_aggregator.steps.packing.run import run as run_job
from log_aggregator.steps.retrieval.days import find_packed_days
from log_aggregator.telemetry.memory import peak_memory_bytes
from log_aggregator.wiring import connect_signing, connect_trail_keys, open_job

_DAYS = re.compile(r"(\d{1,4})d")


@click.command()
@click.option(
    "--verified",
    "is_verified",
    is_flag=True,
    help="Required: confirms that only originals whose pack is verified are deleted. There is no "
    "other way to delete.",
)
@click.option(
    "--older-than",
    "older_than",
    metavar="DAYS",
    required=True,
    help="Only originals whose pack was written at least this long ago: 30d, or 0d for all.",
)
@date_options
@click.option("--yes", "is_agreed", is_flag=True, help="Do not ask. For scripts.")
@settings_options
@connection_options
@json_option
def delete(
    settings: Settings,
    is_verified: bool,
    older_than: str,
    date_: str | None,
    from_: str | None,
    to_: str | None,
    is_agreed: bool,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
) -> int:
    """Delete originals that are packed, after showing how many, in which buckets and of which log
    types, and having that number typed. Packs nothing.

    Each pack is verified again before its originals are deleted. An original is deleted only as the
    very version that is in the pack, or, in a bucket without versions, only while its ETag is the
    one in the pack. Without dates it takes all days that have packs.
    """
    days = _read_days(older_than)
    if not is_verified:
        raise SettingsError(
            "delete: expected --verified, because only originals of verified packs are deleted"
        )
    require_room()
    began = time.perf_counter()
    connection = make_connection(profile, region, endpoint_url)
    asked = (
        None if (date_, from_, to_) == (None, None, None) else make_cli_window(date_, from_, to_, 0)
    )
    today = datetime.now(UTC).date()
    with open_job(connection, settings, asked or DateWindow(today, today)) as opened:
        window = asked or find_packed_days(opened)
        if window is None:
            raise CannotStart("there are no packs, so no originals can be deleted").with_remedy(
                "Check the bucket that packs go to, or pack with `log-aggregator run`."
            )
        job = _narrow(opened.for_days(window), days)
        with make_progress(is_quiet=as_json, doing=PLANNING) as progress:
            planned = describe_deletion(plan_run(job, progress), days)
        if not planned["originals"] or planned["failures"]:
            print_report(planned, render_deletion(planned), as_json=as_json)
            return 1 if planned["failures"] else 0
        if not is_agreed:
            print_lines(render_deletion(planned), err=True)
            _ask(planned["originals"])
        archive_keys = partial(archive_run_keys, job, partial(connect_trail_keys, connection))
        keeper = CustodyKeeper(job, name_run(job.clock.now()), archive_keys)
        with make_progress(is_quiet=as_json, doing=DELETING) as progress:
            result = run_job(job, progress, None, keeper)
            sign_after_run(job, result, partial(connect_signing, connection, settings))
        measured = Measured(job.requests, time.perf_counter() - began, peak_memory_bytes())
    described = describe_run(result, measured)
    print_run(described, as_json=as_json)
    if described["stopped"]:
        raise Interrupted("stopped; what was done is shown above")
    return 1 if described["failures"] else 0


def _read_days(text: str) -> int:
    """Raises SettingsError."""
    found = _DAYS.fullmatch(text)
    if found is None:
        raise SettingsError(f"--older-than {text!r}: expected a number of days, such as 30d")
    return int(found[1])


def _narrow(job: Job, days: int) -> Job:
    """The same job, set to delete and to pack nothing."""
    group = replace(job.rules.group, stage=Stage.DELETE, keep_originals_days=days, packs_new=False)
    return replace(job, rules=replace(job.rules, group=group))


def _ask(originals: int) -> None:
    """Raises SettingsError where standard input is no terminal, CannotStart where the answer is
    another number.
    """
    if not sys.stdin.isatty():
        raise SettingsError(
            "--yes: expected it without a terminal, because this deletes and cannot ask"
        )
    typed = click.prompt(
        "Type that number to delete them", err=True, default="", show_default=False
    )
    if typed.replace(",", "").strip() != str(originals):
        raise CannotStart(f"{typed!r} is not {originals:,}").with_remedy(
            "Start again, and type the number that is shown above."
        )
