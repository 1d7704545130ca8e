"""What `init` prints, and writes as JSON: what was found, how to make the packs' bucket, and what
to do next.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from log_aggregator.core.destination import (
    Destination,
    make_commands,
    make_template,
    make_terraform,
)
from log_aggregator.reports.doctor import group_findings
from log_aggregator.reports.init.buckets import describe_bucket, wrap
from log_aggregator.reports.init.ladder import Way, list_steps
from log_aggregator.reports.init.settings_file import Choices
from log_aggregator.reports.numbers import format_count
from log_aggregator.steps.doctor.grants import is_key_arn
from log_aggregator.steps.doctor.prospect import FoundBucket, Prospect


@dataclass(frozen=True, slots=True)
class Written:
    """The file that was written, and how to continue. `connection` are the options that commands
    need to reach the same account. `form` is cli, cloudformation or terraform.
    """

    path: str
    form: str
    yesterday: date
    connection: tuple[str, ...] = ()
    answers: Sequence[Mapping[str, Any]] = ()


def describe_init(prospect: Prospect, choices: Choices | None, written: Written) -> dict[str, Any]:
    """The names are documented in docs/reference/json.md. Without choices there was nothing to
    choose from, and nothing was written.
    """
    return {
        "settings_file": written.path if choices else None,
        "account": prospect.account or None,
        "region": prospect.region,
        "organization": prospect.organization,
        "buckets": [
            describe_bucket(bucket, is_taken=choices is not None and bucket.name in choices.sources)
            for bucket in prospect.buckets
        ],
        "buckets_not_looked_at": prospect.left_out,
        "elsewhere": [
            {"bucket": bucket, "service": service} for bucket, service in prospect.elsewhere.items()
        ],
        "answers": list(written.answers),
        "destination": _describe_destination(choices, written) if choices else None,
        "not_known": [
            {"where": where, "check": each.check, "seen": each.seen, "advice": each.advice}
            for each, where in group_findings(prospect.notebook.findings)
        ],
        "next": list(list_steps(_plan_way(prospect, choices, written))) if choices else [],
    }


def render_init(described: Mapping[str, Any]) -> Iterator[str]:
    """What follows the table of buckets."""
    if described["buckets_not_looked_at"]:
        count = format_count(described["buckets_not_looked_at"], "more bucket")
        yield f"{count} not checked; name those that matter with --bucket"
    for each in described["elsewhere"]:
        text = (
            f"{each['service']} of this account writes to {each['bucket']}, a bucket of another "
            "account. Pack its logs from the account that owns the bucket; in a landing zone that "
            "is the Log Archive account."
        )
        yield ""
        yield from wrap(text, "")
    if described["not_known"]:
        yield ""
        yield "Could not be checked:"
        for each in described["not_known"]:
            places = ", ".join(each["where"])
            yield from wrap(f"{places}, {each['check']}: {each['seen']}. {each['advice']}", "  ")
    if described["destination"] is None:
        yield ""
        yield "No bucket with logs was found, and no settings file was written."
        yield "Name one with --bucket, or try another account or Region with --profile, --region."
        return
    yield ""
    yield f"Written: {described['settings_file']}"
    for answer in described["answers"]:
        if answer["from"] == "default":
            value = "none" if answer["value"] == "" else answer["value"]
            yield f"  {answer['name']}: {value} (default)"
    yield '  search: "plain", which keeps access keys, addresses, names and ARNs next to the packs,'
    yield '  so that `search` finds them; the alternatives are "hashed" and "off"'
    yield ""
    yield from _render_destination(described["destination"])
    yield ""
    yield "Next:"
    for number, step in enumerate(described["next"], 1):
        first, *more = wrap(f"{number:>4}. {step['what']}", "")
        yield first
        yield from wrap(" ".join(more), "      ")
        yield f"      {step['command']}"


def _describe_destination(choices: Choices, written: Written) -> dict[str, Any]:
    return {
        "bucket": choices.destination.bucket,
        "is_made": choices.is_made,
        "form": written.form,
        "runner": choices.destination.runner or None,
        "commands": [] if choices.is_made else _make_lines(choices.destination, written.form),
    }


def _make_lines(destination: Destination, form: str) -> list[str]:
    match form:
        case "cloudformation":
            return json.dumps(make_template(destination), indent=2).splitlines()
        case "terraform":
            return list(make_terraform(destination))
        case _:
            return list(make_commands(destination))


def _render_destination(destination: Mapping[str, Any]) -> Iterator[str]:
    bucket = destination["bucket"]
    if destination["is_made"]:
        yield f"The bucket for the packs, {bucket}, exists already; nothing in it is changed."
        yield "`log-aggregator doctor` checks its versions, rules and public access."
        return
    how = {
        "cli": "with these commands",
        "cloudformation": "with CloudFormation and this template",
        "terraform": "with Terraform",
    }[destination["form"]]
    yield f"Make the bucket for the packs, {bucket}, {how};"
    yield "or deploy the stack (docs/how-to/deploy.md), which makes it and runs every night."
    yield ""
    yield from destination["commands"]
    if destination["runner"] is None:
        yield ""
        yield "To forbid the role or user that will run the program to delete packs, name it with"
        yield "--runner-arn."


def _plan_way(prospect: Prospect, choices: Choices, written: Written) -> Way:
    config = [] if written.path == "aggregator.toml" else ["--config", written.path]
    keys = dict.fromkeys(
        filter(None, (_source_key(prospect.find(name)) for name in choices.sources))
    )
    return Way(config, written.connection, [*keys], written.yesterday, choices.keep_originals_days)


def _source_key(found: FoundBucket | None) -> str | None:
    key = found.encryption.kms_key_id if found and found.encryption else None
    return key if key and is_key_arn(key) else None
