"""The caller: its account, Region, organisation and quotas."""

from __future__ import annotations

import re
from collections.abc import Sequence

from log_aggregator.core.concurrency import fit_branches
from log_aggregator.errors import CannotStart, NotAuthenticated, RequestFailed
from log_aggregator.ports.account import AccountInspector, Caller
from log_aggregator.steps.doctor.findings import Notebook, advise

WHERE = "account"
CREDENTIAL_CODES = frozenset(
    {
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "InvalidAccessKeyId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "ExpiredToken",
        "ExpiredTokenException",
        "NoCredentialsError",
        "PartialCredentialsError",
        "TokenRetrievalError",
        "UnauthorizedSSOTokenError",
    }
)
"""With these no other question would be answered either
(https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html)."""

ROOMY_CONCURRENCY = 50
"""Enough for the stack with its default parameters: 20 functions in each half of a run, and a fifth
left for other functions of the account.
"""

NO_ORGANIZATION = "AWSOrganizationsNotInUseException"


def examine_caller(inspector: AccountInspector, notebook: Notebook) -> Caller | None:
    """The caller's identity, or None if the server does not tell. Raises CannotStart if the
    credentials are not accepted.
    """
    try:
        caller = inspector.get_caller_identity()
    except RequestFailed as error:
        if isinstance(error, NotAuthenticated) or error.code in CREDENTIAL_CODES:
            raise CannotStart(
                f"the credentials are not accepted; log in again, or name another profile: {error}"
            ) from error
        notebook.warn(
            WHERE,
            "credentials",
            f"could not be checked: {error}",
            advise(error, "sts:GetCallerIdentity"),
        )
        return None
    notebook.ok(
        WHERE,
        "credentials",
        f"account {caller.account}, region {inspector.region}, as {caller.arn}",
    )
    return caller


def examine_organization(
    inspector: AccountInspector, notebook: Notebook, organization_id: str | None
) -> None:
    """Does the setting name the organisation that this account belongs to?"""
    try:
        found = inspector.describe_organization()
    except RequestFailed as error:
        if error.code == NO_ORGANIZATION:
            notebook.note(
                WHERE,
                "organization",
                "the account belongs to no organisation",
                "Check --profile: it should lead to the Log Archive account.",
            )
        else:
            notebook.warn(
                WHERE,
                "organization",
                f"could not be checked: {error}",
                advise(error, "organizations:DescribeOrganization"),
            )
        return
    if organization_id is None or organization_id == found.id:
        notebook.ok(
            WHERE,
            "organization",
            f"organisation {found.id}, management account {found.management_account}",
        )
        return
    seen = (
        f"the account belongs to organisation {found.id}, but organization_id is "
        f"{organization_id}: logs of {found.id} are left alone"
    )
    notebook.problem(
        WHERE, "organization", seen, f"Set organization_id to {found.id}, or leave it out."
    )


def examine_lambda_quota(inspector: AccountInspector, notebook: Notebook) -> None:
    """Is there room for the stack's functions? A run limits itself to what is available."""
    check = "lambda-quota"
    found = notebook.ask(
        WHERE, check, "lambda:GetAccountSettings", inspector.get_lambda_concurrency
    )
    if found is None:
        return
    seen = (
        f"{found.account} functions can run at the same time in this account and Region, "
        f"{found.unreserved} of them without a reservation"
    )
    if found.unreserved >= ROOMY_CONCURRENCY:
        notebook.ok(WHERE, check, seen)
        return
    # New accounts start with a reduced quota; Log Archive accounts with 10 were seen. Throttled
    # invocations would use up the retries of Step Functions, so the run asks for fewer.
    at_once = fit_branches({"pack": found.unreserved}, found.unreserved)["pack"]
    notebook.note(
        WHERE,
        check,
        f"{seen}: each half of a run packs {at_once} work items at a time, and takes longer than "
        "it could",
        'Request more in Service Quotas, AWS Lambda, "Concurrent executions"; it costs nothing.',
    )


def find_principals(
    inspector: AccountInspector, notebook: Notebook, caller: Caller | None, role_arns: Sequence[str]
) -> list[str]:
    """ARNs of the principals to simulate: the given roles, or the caller. An assumed role is
    simulated as the role itself.

    The ARN of an assumed role lacks the role's path, and roles of single sign-on have one. So the
    role is looked up (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html).
    """
    if role_arns:
        return list(dict.fromkeys(role_arns))
    if caller is None:
        seen, advice = (
            "the permissions could not be checked: the caller's identity is unknown",
            "Name a role with --role-arn.",
        )
        notebook.warn(WHERE, "permissions", seen, advice)
        return []
    found = re.fullmatch(
        r"arn:([a-z-]+):(iam|sts)::(\d{12}):(root|user|assumed-role)(?:/([^/]+).*)?", caller.arn
    )
    kind = found[4] if found else ""
    if found and kind == "assumed-role":
        return [_find_role(inspector, found[1], found[3], found[5])]
    if kind == "user":
        return [caller.arn]
    seen = f"the permissions of {caller.arn} cannot be simulated: it is neither a user nor a role"
    notebook.warn(
        WHERE,
        "permissions",
        seen,
        "Run this as the role that runs the program, or name that role with --role-arn.",
    )
    return []


def _find_role(inspector: AccountInspector, partition: str, account: str, name: str) -> str:
    try:
        return inspector.get_role(name)
    except RequestFailed:
        return f"arn:{partition}:iam::{account}:role/{name}"


def find_partition(caller: Caller | None) -> str:
    """aws, aws-cn, aws-us-gov ..."""
    return caller.arn.split(":")[1] if caller is not None else "aws"
