"""The checks before the build.

`CHECKS` lists them. Each takes what is about to be deployed, and gives findings, like the checks of
`log-aggregator doctor`. Problems end ./deploy; warnings are printed, and it continues.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.exceptions import ClientError

from deployment.configuration import Configuration
from deployment.errors import CheckFailed
from deployment.sizes import check_sizes
from deployment.stack import Stack, list_open
from log_aggregator.errors import CannotStart, NoSuchBucket, RequestFailed, SettingsError
from log_aggregator.ports.account import AccountInspector, Caller
from log_aggregator.steps.doctor.account import examine_caller, examine_lambda_quota
from log_aggregator.steps.doctor.buckets import locate
from log_aggregator.steps.doctor.findings import Finding, Level, Notebook
from log_aggregator.steps.job import expand_names
from log_aggregator.wiring import Connection, connect, connect_inspector

BUCKETS = ("ControlTowerBucket", "OtherBuckets", "ControlTowerBucketAccessLogBucket")
SETTINGS = frozenset({"sizes", "find-buckets", "exists"})
"""Checks whose problems are corrected in samconfig.toml."""

NOBODYS = "log-aggregator-checks-permissions"
"""The name of a change set that never exists."""


@dataclass(frozen=True, slots=True)
class Account:
    """The caller, the account and the region."""

    connection: Connection
    session: boto3.Session = field(repr=False)
    inspector: AccountInspector
    caller: Caller

    @property
    def region(self) -> str:
        return str(self.session.region_name)

    def client(self, service: str) -> Any:
        return self.session.client(service)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is about to be deployed. `parameters` has a value for each parameter of the template."""

    account: Account
    stack: Stack
    parameters: Mapping[str, str]

    def split(self, parameter: str) -> list[str]:
        return [part.strip() for part in self.parameters[parameter].split(",") if part.strip()]


Check = Callable[[Plan], Iterable[Finding]]


def connect_account(configuration: Configuration) -> Account:
    """Asks AWS who we are. Raises CannotStart, SettingsError."""
    connection = Connection(configuration.profile, configuration.region)
    inspector, notebook = connect_inspector(connection), Notebook()
    caller = examine_caller(inspector, notebook)
    if caller is None:
        raise CannotStart(notebook.findings[-1].seen)
    session = boto3.Session(profile_name=configuration.profile, region_name=configuration.region)
    if session.region_name is None:
        raise SettingsError("region: expected one; name it with --region or in samconfig.toml")
    return Account(connection, session, inspector, caller)


def run_checks(plan: Plan) -> list[Finding]:
    """The findings that are not problems and not OK. Raises SettingsError or CheckFailed with all
    problems.
    """
    findings = [finding for check in CHECKS for finding in check(plan)]
    problems = [each for each in findings if each.level is Level.PROBLEM]
    if problems:
        kind = SettingsError if {each.check for each in problems} <= SETTINGS else CheckFailed
        told = [(f"  {each.where}: {each.seen}", f"    {each.advice}") for each in problems]
        raise kind(
            f"stack {plan.stack.name} cannot be deployed to account "
            f"{plan.account.caller.account}, region {plan.account.region}:",
            lines=[line for lines in told for line in lines],
        )
    return [each for each in findings if each.level is not Level.OK]


def check_limits(plan: Plan) -> Iterator[Finding]:
    """Sizes that AWS would refuse when half of the stack is made."""
    try:
        check_sizes(plan.parameters)
    except SettingsError as error:
        advice = 'See "How many buckets" in docs/how-to/deploy.md.'
        yield Finding(Level.PROBLEM, "samconfig.toml", "sizes", str(error), advice)


def check_permission(plan: Plan) -> Iterator[Finding]:
    """Asks to delete a change set that does not exist, which is harmless: so a user without
    permission to deploy learns it before the build.
    """
    cloudformation, name = plan.account.client("cloudformation"), plan.stack.name
    try:
        list_open(cloudformation, plan.stack)
        cloudformation.delete_change_set(StackName=name, ChangeSetName=NOBODYS)
    except ClientError as error:
        if "AccessDenied" in str(error):
            actions = "CreateChangeSet, DescribeChangeSet, ListChangeSets and DeleteChangeSet"
            advice = f"Grant cloudformation:{actions}; a dry run needs them too."
            yield Finding(Level.PROBLEM, f"stack {name}", "permissions", str(error), advice)


def check_buckets(plan: Plan) -> Iterator[Finding]:
    """Every named bucket exists, in the stack's region, and belongs to the account that the
    functions will expect.
    """
    connection, own = plan.account.connection, plan.account.caller.account
    pairs = [pair.partition("=") for pair in plan.split("BucketAccounts")]
    owners = {"*": own, **{name: account for name, _, account in pairs}}
    inspector, store = connect_inspector(connection, tuple(owners.items())), connect(connection)
    for name in (name for parameter in BUCKETS for name in plan.split(parameter)):
        try:
            for bucket in expand_names(store, [name]):
                yield from _check_bucket(inspector, bucket)
        except CannotStart as error:
            advice = "Correct the name, or grant s3:ListAllMyBuckets; no run would start."
            yield Finding(Level.PROBLEM, "account", "find-buckets", str(error), advice)


def _check_bucket(inspector: AccountInspector, bucket: str) -> Iterator[Finding]:
    where, owner = locate(bucket), inspector.expected_owner(bucket)
    try:
        region = inspector.head_bucket(bucket, owner=owner)
    except NoSuchBucket:
        yield Finding(
            Level.PROBLEM, where, "exists", "there is no such bucket", "Correct its name."
        )
    except RequestFailed as error:
        seen = f"it does not belong to account {owner}, or access to it is denied: {error}"
        advice = (
            "Log in to the Log Archive account, or name the bucket's account in BucketAccounts."
        )
        yield Finding(Level.PROBLEM, where, "owner", seen, advice)
    else:
        if region not in ("", inspector.region):
            seen = f"it is in {region}, but the stack would be in {inspector.region}"
            yield Finding(Level.PROBLEM, where, "exists", seen, f"Deploy there: --region {region}.")


def check_destination(plan: Plan) -> Iterator[Finding]:
    """A new stack cannot make a bucket that an older stack left behind. CloudFormation would fail,
    and sam would not show which bucket it is.
    """
    if not plan.stack.is_new or plan.parameters["UseCommonDestinationBucket"] != "Yes":
        return
    default = f"all-aggregated-logs-{plan.account.caller.account}-{plan.account.region}"
    bucket = plan.parameters["DestinationBucketName"] or default
    try:
        plan.account.inspector.head_bucket(bucket)
    except RequestFailed:
        return  # it does not exist, or CloudFormation says what is wrong with the name
    yield Finding(
        Level.PROBLEM,
        locate(bucket),
        "destination",
        "a new stack makes this bucket, but it exists already",
        "Delete it if it is empty; otherwise import it "
        "(https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resource-import.html), or "
        "name another bucket in DestinationBucketName.",
    )


def check_quota(plan: Plan) -> Iterator[Finding]:
    """How much room Lambda has for a run's functions."""
    notebook = Notebook()
    examine_lambda_quota(plan.account.inspector, notebook)
    yield from notebook.findings


CHECKS: tuple[Check, ...] = (
    check_limits,
    check_permission,
    check_buckets,
    check_destination,
    check_quota,
)
