"""The settings file that `init` writes, with its comments."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from log_aggregator.core.destination import Destination
from log_aggregator.core.layouts.declarations import render_declarations
from log_aggregator.escapes import escape
from log_aggregator.reports.init.buckets import describe_bucket, render_facts
from log_aggregator.reports.numbers import format_count
from log_aggregator.steps.doctor.prospect import FoundBucket, Prospect, Use


@dataclass(frozen=True, slots=True)
class Choices:
    """What was decided, by an option, an answer or a default."""

    main_buckets: tuple[str, ...]
    other_buckets: tuple[str, ...]
    destination: Destination
    keep_originals_days: int
    bucket_accounts: tuple[tuple[str, str], ...] = ()
    is_made: bool = False
    """The destination exists already."""

    @property
    def sources(self) -> tuple[str, ...]:
        return (*self.main_buckets, *self.other_buckets)


def make_settings_text(prospect: Prospect, choices: Choices, today: date) -> str:
    """A settings file with comments. Text from outside is put into TOML strings, or escaped in
    comments.
    """
    lines = [
        f"# Settings of log-aggregator, written by `log-aggregator init` on {today}, for account",
        f"# {prospect.account or '(not known)'} in {prospect.region}.",
        "# All settings: docs/reference/settings.md.",
        "",
        *_write_sources(prospect, choices),
        *_write_destination(choices),
        *_write_caution(choices),
        *_write_candidates(prospect, choices),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _write_sources(prospect: Prospect, choices: Choices) -> Iterator[str]:
    yield "# Where logs are taken from. Control Tower's buckets are listed by account and service,"
    yield "# others by the dates in their keys; a name in other_buckets may end in *."
    yield from _write_list("control_tower_bucket", choices.main_buckets, prospect)
    yield from _write_list("other_buckets", choices.other_buckets, prospect)
    if prospect.organization:
        yield f'# organization_id = "{escape(prospect.organization)}"  # left out: detected'
    yield "# aggregation_regions = []  # left out: logs of all regions are packed"
    yield ""


def _write_list(name: str, buckets: Sequence[str], prospect: Prospect) -> Iterator[str]:
    if not buckets:
        return
    yield f"{name} = ["
    for bucket in buckets:
        found = prospect.find(bucket)
        comment = f"  # {escape(_comment(found))}" if found else ""
        yield f"  {json.dumps(bucket)},{comment}"
    yield "]"


def _write_destination(choices: Choices) -> Iterator[str]:
    destination = choices.destination
    yield "# Where packs, indexes and custody records go: a bucket for nothing else."
    yield f"destination_bucket = {json.dumps(destination.bucket)}"
    if destination.account:
        yield "# S3 refuses every request if the bucket belongs to another account."
        yield f"destination_account = {json.dumps(destination.account)}"
    if choices.bucket_accounts:
        pairs = [
            f"{json.dumps(name)} = {json.dumps(each)}" for name, each in choices.bucket_accounts
        ]
        yield f"bucket_accounts = {{ {', '.join(pairs)} }}"
    if destination.kms_key_arn:
        yield f"kms_key_id = {json.dumps(destination.kms_key_arn)}"
    yield "# Next to the packs a run keeps what `search` looks up: access keys, addresses, names"
    yield '# and ARNs, as they are in the logs. "hashed" keeps keyed hashes of them, "off" nothing.'
    yield '# search = "plain"'
    yield ""


def _write_caution(choices: Choices) -> Iterator[str]:
    days = choices.keep_originals_days
    yield "# Caution. A run packs and verifies, and keeps the originals. With delete_originals, a"
    yield "# later run deletes them once their pack is keep_originals_days old (0: the same run)."
    yield "delete_originals = false"
    yield f"keep_originals_days = {days}"
    yield '# verify = "checksum"  # "read-back" reads every pack again, and compares every log'
    yield "# look_back_days = 2  # days before yesterday that a run checks again for late logs"
    yield "# objects_max = 50000000  # a run that would touch more log objects touches none"
    yield ""
    yield "# What is never touched, neither packed nor deleted."
    yield "# [holds]"
    yield '# accounts = []  # "123456789012"'
    yield '# prefixes = []  # "legal/"'
    yield '# dates = []  # "2026-03-01..2026-03-14"'
    yield ""


def _write_candidates(prospect: Prospect, choices: Choices) -> Iterator[str]:
    """Layouts to declare in the buckets that were taken; and the buckets that were not taken."""
    for name in choices.other_buckets:
        found = prospect.find(name)
        suggestions = found.sample.suggestions if found and found.sample else []
        for suggestion in suggestions:
            count = format_count(suggestion.objects, "object")
            yield f"# {count} in {name}, left alone unless this is declared."
            yield "# Read it before you keep it: what it matches is packed and then deleted."
            row = {"name": suggestion.name, "buckets": [name], "pattern": suggestion.pattern}
            yield from (f"# {escape(line)}" for line in render_declarations([row]).splitlines())
            yield ""
    rest = [
        bucket
        for bucket in prospect.of(Use.MAIN, Use.OTHER, Use.FREE, Use.UNKNOWN)
        if bucket.name not in choices.sources
    ]
    if rest:
        yield "# Found and not taken:"
        yield from (f"# {each.name}: {escape(each.reason)}" for each in rest)


def _comment(found: FoundBucket) -> str:
    described = describe_bucket(found, is_taken=True)
    return f"{found.reason}{render_facts(described)}"
