"""`keep-public-keys`: CloudTrail's public keys of a Region that a run cannot ask."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from log_aggregator.cli.lasting import require_room
from log_aggregator.cli.options import (
    connection_options,
    make_connection,
    target_writing_options,
)
from log_aggregator.cli.printing import print_line
from log_aggregator.errors import SettingsError
from log_aggregator.model import Target
from log_aggregator.ports.trail_keys import TrailKey
from log_aggregator.reports.numbers import format_count
from log_aggregator.settings import Settings
from log_aggregator.steps.cloudtrail.key_answers import parse_key_answer
from log_aggregator.steps.cloudtrail.public_keys import OPTIONS, archive_prefix, write_keys
from log_aggregator.steps.job import Job
from log_aggregator.wiring import open_job

ANSWER_BYTES_MAX = 10_000_000
_REGION = re.compile(r"[a-z0-9-]{1,64}")


@click.command("keep-public-keys")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--log-region", required=True, metavar="REGION", help="Region that CloudTrail was asked in."
)
@target_writing_options
@connection_options
def keep_public_keys(
    settings: Settings,
    file: Path,
    log_region: str,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
) -> None:
    """Store CloudTrail's public keys of a Region next to the packs, where the role of a run cannot
    fetch them.

    FILE is the JSON output of `aws cloudtrail list-public-keys --region REGION`, run by someone
    who is allowed to. Keys that are stored already are never overwritten.
    """
    if not _REGION.fullmatch(log_region):
        raise SettingsError(f"--log-region {log_region}: expected a Region, such as eu-west-1")
    require_room()
    keys = _read_answer(file)
    with open_job(make_connection(profile, region, endpoint_url), settings) as job:
        for target in _find_targets(job):
            print_line(_keep(job, target, log_region, keys))


def _read_answer(file: Path) -> list[TrailKey]:
    """Raises SettingsError."""
    try:
        with file.open("rb") as opened:
            return parse_key_answer(opened.read(ANSWER_BYTES_MAX))
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(
            f"{file}: {error}: expected the JSON of `aws cloudtrail list-public-keys --output json`"
        ) from error


def _find_targets(job: Job) -> list[Target]:
    """Where CloudTrail's digests are packed to."""
    mains = [job.rules.target(bucket) for bucket in job.rules.main_buckets]
    return list(dict.fromkeys(mains or job.list_targets()))


def _keep(job: Job, target: Target, region: str, keys: Sequence[TrailKey]) -> str:
    options = replace(job.rules.group.combine.index, content_type=OPTIONS.content_type)
    written = write_keys(job.store, target, region, keys, options)
    where = f"s3://{target.bucket}/{archive_prefix(target, region)}"
    return f"{format_count(len(keys), 'public key')}, {written:,} of them new, in {where}"
