"""Which account this is, and whether it is the right one: the buckets that the parameters name are
there, in this account and region.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from deployment.errors import DENIED, MISSING, DeploymentFailed, aws_errors, error_code
from log_aggregator.adapters.s3.regions import is_aws
from log_aggregator.errors import CannotStart, SettingsError


@dataclass(frozen=True, slots=True)
class Account:
    """A session, and who it is. `region` is where the stack goes."""

    session: boto3.Session = field(repr=False)
    region: str
    account_id: str
    arn: str

    def client(self, service: str) -> Any:
        """boto3's, with its own retries. Other servers than AWS's know buckets by path only."""
        client = self.session.client(service, region_name=self.region, config=CONFIG)
        if service == "s3" and not is_aws(client.meta.endpoint_url):
            client = self.session.client(
                "s3",
                region_name=self.region,
                config=CONFIG.merge(Config(s3={"addressing_style": "path"})),
            )
        return client


CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=10, read_timeout=60
)
REGION_IF_NONE = "us-east-1"
"""Only to ask who we are and what buckets there are, before a region is known; S3 and STS answer
everywhere.
"""


class WrongAccount(CannotStart):
    """A bucket that must be this account's is another one's."""

    advice = "Nothing was touched. Log in to the Log Archive account (--profile), and start again."


@dataclass(frozen=True, slots=True)
class Bucket:
    """`region` is None where the server does not say."""

    name: str
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a bucket, and whether another account would put it right."""

    text: str
    other_account: bool = False


def connect(profile: str | None, region: str | None, *, need_region: bool = True) -> Account:
    """Asks AWS who we are. Raises NoCredentials, CannotStart, SettingsError."""
    with aws_errors("credentials"):
        session = boto3.Session(profile_name=profile, region_name=region)
        found = session.region_name
        if found is None and need_region:
            raise SettingsError("region: none is named; give --region, or region in samconfig.toml")
        sts = session.client("sts", region_name=found or REGION_IF_NONE, config=CONFIG)
        identity = sts.get_caller_identity()
    return Account(session, found or REGION_IF_NONE, identity["Account"], identity["Arn"])


def list_buckets(s3: Any) -> list[Bucket] | None:
    """All of the account's. None where that is not allowed."""
    try:
        with aws_errors("buckets"):
            pages = s3.get_paginator("list_buckets").paginate(PaginationConfig={"PageSize": 1000})
            return [
                Bucket(item["Name"], item.get("BucketRegion"))
                for page in pages
                for item in page.get("Buckets", ())
            ]
    except CannotStart as error:
        if isinstance(error.__cause__, ClientError) and error_code(error.__cause__) in DENIED:
            return None
        raise


def check_buckets(account: Account, parameters: Mapping[str, str]) -> None:
    """Raises WrongAccount for a bucket of another account, SettingsError for one that there is not
    or that is in another region.
    """
    s3 = account.client("s3")
    listed = list_buckets(s3)
    mine = {bucket.name: bucket for bucket in listed or ()}
    problems: list[Problem] = []
    for parameter in ("ControlTowerBucket", "OtherBuckets", "ControlTowerBucketAccessLogBucket"):
        for name in split_names(parameters.get(parameter, "")):
            problem = _find_problem(s3, account, name, mine, complete=listed is not None)
            problems += (
                [Problem(f"{parameter}: {problem.text}", problem.other_account)] if problem else []
            )
    _raise(account, problems)


def split_names(text: str) -> list[str]:
    return [name for name in (part.strip() for part in text.split(",")) if name]


def _find_problem(
    s3: Any, account: Account, name: str, mine: Mapping[str, Bucket], *, complete: bool
) -> Problem | None:
    if name.endswith("*"):
        if complete and not _starting(mine, name[:-1]):
            return Problem(f"no bucket of account {account.account_id} begins with {name[:-1]}")
        return None
    bucket = mine.get(name)
    if bucket is None:
        found = _look_at(s3, account, name, complete=complete)
        if isinstance(found, Problem):
            return found
        bucket = found
    if bucket.region is not None and bucket.region != account.region:
        return Problem(
            f"{name} is in {bucket.region}, and the stack would go to {account.region}; "
            f"deploy it there: --region {bucket.region}"
        )
    return None


def _starting(mine: Iterable[str], beginning: str) -> list[str]:
    return [name for name in mine if name.startswith(beginning)]


def _look_at(s3: Any, account: Account, name: str, *, complete: bool) -> Bucket | Problem:
    """A bucket that is not in the list: is there one at all? `complete` says that the list holds
    all of this account's.
    """
    try:
        with aws_errors(name):
            found = s3.head_bucket(Bucket=name, ExpectedBucketOwner=account.account_id)
    except (CannotStart, DeploymentFailed) as error:
        code = error_code(error.__cause__) if isinstance(error.__cause__, ClientError) else ""
        if code in MISSING:
            return Problem(f"{name}: there is no such bucket")
        if code in DENIED:
            sure = (
                "belongs to another account"
                if complete
                else "belongs to another account, or these credentials may not look at it"
            )
            return Problem(f"{name} {sure}{_owner_in_name(name, account)}", other_account=True)
        raise
    return Bucket(name, found.get("BucketRegion"))


def _owner_in_name(name: str, account: Account) -> str:
    """Control Tower puts the account's id into the name."""
    found = re.search(r"(?<!\d)(\d{12})(?!\d)", name)
    return f" ({found[1]}, as its name says)" if found and found[1] != account.account_id else ""


def _raise(account: Account, problems: list[Problem]) -> None:
    if not problems:
        return
    first, *more = (problem.text for problem in problems)
    if any(problem.other_account for problem in problems):
        raise WrongAccount(
            f"you are in account {account.account_id} ({account.arn}); "
            f"the Log Archive account, which owns the buckets, is another one:",
            lines=[f"  {text}" for text in (first, *more)],
        )
    raise SettingsError(first, lines=[f"  {text}" for text in more])
