"""The first time: a few questions instead of samconfig.toml. It looks at the account to propose
answers, and changes nothing in it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from deployment.account import REGION_IF_NONE, Account, Bucket, list_buckets, split_names
from deployment.configuration import render_samconfig
from deployment.errors import aws_errors
from log_aggregator.cli.printing import print_line, print_lines
from log_aggregator.errors import CannotStart, LogAggregatorError

CONTROL_TOWER_BEGINNINGS = (
    "aws-controltower-logs-",
    "aws-controltower-cloudtrail-logs-",
    "aws-controltower-config-logs-",
)
"""The second since landing zone 4.0, where CloudTrail and Config have a bucket each.
https://docs.aws.amazon.com/controltower/latest/userguide/about-logging.html"""

NEVER_PROPOSED = (
    "aws-controltower-",
    "all-aggregated-logs-",
    "aws-sam-cli-",
    "cdk-",
    "cf-templates-",
)
KEEP_ORIGINALS_DAYS = 30


@dataclass(frozen=True, slots=True)
class Findings:
    """What the account has. `regions` of buckets are None where the server does not say."""

    account_id: str
    region: str
    main: tuple[Bucket, ...]
    others: tuple[Bucket, ...]
    organization_id: str = ""


@dataclass(frozen=True, slots=True)
class Answers:
    """What goes into samconfig.toml."""

    region: str
    control_tower_bucket: str
    other_buckets: str
    organization_id: str
    common_bucket: bool
    keep_originals_days: int
    alarm_email: str

    def parameters(self) -> dict[str, str]:
        return {
            "ControlTowerBucket": self.control_tower_bucket,
            "OtherBuckets": self.other_buckets,
            "OrganizationId": self.organization_id,
            "UseCommonDestinationBucket": "Yes" if self.common_bucket else "No",
            "KeepOriginalsDays": str(self.keep_originals_days),
            "AlarmEmail": self.alarm_email,
        }


def guide(account: Account, example: Path, target: Path) -> None:
    """Asks, and writes the file. Nothing is written when it is left half-way."""
    print_line(
        f"There is no {target} yet. A few questions; Enter takes what is in [brackets], "
        "ctrl-C leaves everything as it is.",
        err=True,
    )
    print_line("", err=True)
    answers = ask(look_around(account))
    try:
        text = render_samconfig(
            example.read_text(encoding="utf-8"), answers.region, answers.parameters()
        )
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CannotStart(f"{error.filename}: {error.strerror}") from None
    text = f"written: {target}; every other parameter has a line there, with its default"
    print_lines(["", text], err=True)


def look_around(account: Account) -> Findings:
    """What can be proposed. What these credentials may not look at is not proposed, and the
    questions are asked all the same.
    """
    s3 = account.client("s3")
    buckets = list_buckets(s3) or []
    main = tuple(bucket for bucket in buckets if bucket.name.startswith(CONTROL_TOWER_BEGINNINGS))
    return Findings(
        account.account_id,
        account.region,
        main,
        tuple(filter(is_proposed, buckets)),
        find_organization_id(account, s3, main),
    )


def is_proposed(bucket: Bucket) -> bool:
    """Its name sounds of logs, and it is not one that we or Control Tower write to."""
    return bool(
        re.search(r"log|trail|audit|waf|firehose", bucket.name)
    ) and not bucket.name.startswith(NEVER_PROPOSED)


def find_organization_id(account: Account, s3: Any, main: Sequence[Bucket]) -> str:
    """From AWS Organizations, which members may ask too, or from the first folder in the bucket.
    Empty where neither says.
    """
    try:
        with aws_errors("organisation"):
            return str(
                account.client("organizations").describe_organization()["Organization"]["Id"]
            )
    except LogAggregatorError:
        pass  # it is a proposal only: the bucket may know
    for bucket in main:
        try:
            with aws_errors(bucket.name):
                folders = s3.list_objects_v2(Bucket=bucket.name, Delimiter="/").get(
                    "CommonPrefixes", ()
                )
        except LogAggregatorError:
            continue
        for folder in folders:
            if found := re.fullmatch(r"(o-[a-z0-9]{4,32})/", folder["Prefix"]):
                return found[1]
    return ""


def ask(found: Findings) -> Answers:
    """The questions, on standard error."""
    main = ask_main(found)
    region = _ask(
        "Region of the stack, the same as the buckets'",
        propose_region(found, main),
        r"[a-z]{2,4}(-[a-z]+)+-\d",
    )
    others = ask_others([bucket for bucket in found.others if bucket.name not in split_names(main)])
    organization_id = _ask(
        "Organisation id (empty: found out later)", found.organization_id, r"(o-[a-z0-9]{4,32})?"
    )
    common = click.confirm(
        "Packs into one bucket of their own, "
        f"all-aggregated-logs-{found.account_id}-{region}? (no: each bucket keeps its own "
        "packs)",
        default=True,
        err=True,
    )
    days = click.prompt(
        "Days that originals are kept after they were packed; 0 deletes them at once",
        default=KEEP_ORIGINALS_DAYS,
        type=click.IntRange(0, 3660),
        err=True,
    )
    email = _ask(
        "Who is told when a run fails (mail address, empty: nobody by mail)",
        "",
        r"([^@\s]+@[^@\s]+\.[^@\s]+)?",
    )
    return Answers(region, main, others, organization_id, common, days, email)


def ask_main(found: Findings) -> str:
    if found.main:
        print_line(
            "Control Tower's buckets in this account: "
            + ", ".join(bucket.name for bucket in found.main),
            err=True,
        )
    else:
        print_line(
            f"Account {found.account_id} has no bucket of Control Tower's. Is it the Log "
            "Archive account?",
            err=True,
        )
    return _ask(
        "Control Tower's bucket (several with commas)",
        found.main[0].name if found.main else None,
        _BUCKETS,
    )


def ask_others(proposed: Sequence[Bucket]) -> str:
    """None unless named: what is named is packed, and its originals are deleted."""
    if proposed:
        print_line("Other buckets that sound of logs:", err=True)
        for number, bucket in enumerate(proposed, start=1):
            print_line(f"  {number}  {bucket.name}", err=True)
    question = (
        "Other buckets whose logs are to be packed: numbers, names, or beginnings ending in *, "
        "with commas; `all`, or empty for none"
    )
    while True:
        answer = click.prompt(question, default="", show_default=False, err=True).strip()
        names = choose(answer, proposed)
        if names is not None:
            return ",".join(names)
        print_line(
            f"  {answer!r}: expected numbers of the list, bucket names, and beginnings ending in *",
            err=True,
        )


def choose(answer: str, proposed: Sequence[Bucket]) -> list[str] | None:
    """Bucket names; None where a part of the answer is neither a number of the list nor a name."""
    if answer == "all":
        return [bucket.name for bucket in proposed]
    names: list[str] = []
    for part in split_names(answer.replace(" ", ",")):
        if part.isdigit() and 1 <= int(part) <= len(proposed):
            names.append(proposed[int(part) - 1].name)
        elif re.fullmatch(r"[a-z0-9][a-z0-9.-]{2,62}\*?", part) and not part.isdigit():
            names.append(part)
        else:
            return None
    return list(dict.fromkeys(names))


def propose_region(found: Findings, main: str) -> str:
    """The bucket's own, which its name says too where S3 does not."""
    first = split_names(main)[0]
    known = {bucket.name: bucket.region for bucket in found.main}.get(first)
    in_name = re.search(r"-\d{12}-((?:[a-z]{2,4})(?:-[a-z]+)+-\d)$", first)
    return known or (in_name[1] if in_name else found.region or REGION_IF_NONE)


_BUCKETS = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](,[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])*"


def _ask(question: str, default: str | None, allowed: str) -> str:
    """Until the answer fits; ctrl-C and the end of the input leave."""
    while True:
        answer = (
            str(click.prompt(question, default=default, show_default=bool(default), err=True))
            .strip()
            .replace(", ", ",")
        )
        if re.fullmatch(allowed, answer):
            return answer
        print_line(f"  {answer!r} does not look like it", err=True)
