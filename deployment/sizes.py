"""Checks two limits that AWS would otherwise report after making half of a stack: the size of a
role's policies, and of a function's environment.

Both grow with the names that the parameters list. The estimates are a little below what AWS counts,
so that nothing that fits is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from log_aggregator.errors import SettingsError

POLICIES_CHARS_MAX = 10_240
"""The most characters in all inline policies of one role, without whitespace.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

ENVIRONMENT_BYTES_MAX = 4096
"""https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

IN_ENVIRONMENT = (
    "LogLevel",
    "ControlTowerBucket",
    "OtherBuckets",
    "OrganizationId",
    "AggregationRegions",
    "OtherRegions",
    "BucketAccounts",
    "FinalAggregationPrefix",
    "StorageClass",
    "DestinationKmsKeyArn",
    "Search",
    "SearchKmsKeyArn",
    "Verify",
    "DeleteOriginals",
    "KeepOriginalsDays",
    "LookBackDays",
    "ObjectsMax",
    "Holds",
)
"""The parameters that every function gets unchanged."""

_NAMES_OF_VARIABLES_BYTES = 670
_STATEMENTS_CHARS = 2_500
_STATEMENTS_IN_PLACE_CHARS = 1_800
_ADVICE = "list fewer, or replace several names by a beginning that ends in *"


def check_sizes(parameters: Mapping[str, str]) -> None:
    """Raises SettingsError where a role or a function could not be made."""
    chars = estimate_policies(parameters)
    if chars > POLICIES_CHARS_MAX:
        raise SettingsError(
            "OtherBuckets, SourceKmsKeyArns, BucketAccounts: the policies of DeleteFunction's role "
            f"would have about {chars:,} characters; expected at most {POLICIES_CHARS_MAX:,} "
            f"(IAM): {_ADVICE}"
        )
    size_bytes = estimate_environment(parameters)
    if size_bytes > ENVIRONMENT_BYTES_MAX:
        raise SettingsError(
            f"OtherBuckets, Holds, BucketAccounts: the functions' environment would have about "
            f"{size_bytes:,} bytes; expected at most {ENVIRONMENT_BYTES_MAX:,} (Lambda): {_ADVICE}"
        )


def estimate_policies(parameters: Mapping[str, str]) -> int:
    """Characters of the policies of the largest role, DeleteFunction's. They name every source
    twice, as a bucket and as its objects.
    """
    sources = _entries(parameters, "ControlTowerBucket") + _entries(parameters, "OtherBuckets")
    keys, target = _entries(parameters, "SourceKmsKeyArns"), parameters["DestinationKmsKeyArn"]
    in_place = parameters["UseCommonDestinationBucket"] == "No"
    accounts = re.findall(r"[^,=]+", parameters["BucketAccounts"])
    target_keys = [target] if target else keys if in_place else []
    return (
        (_STATEMENTS_IN_PLACE_CHARS if in_place else _STATEMENTS_CHARS)
        + _chars(sources, around=len('"arn:*:s3:::",'))
        + _chars(sources, around=len('"arn:*:s3:::/*",'))
        + _chars([*keys, *target_keys], around=len('"",'))
        + _chars(accounts, around=len('"",')) * (4 if in_place else 2)
    )


def estimate_environment(parameters: Mapping[str, str]) -> int:
    """Bytes of names and values that every function gets."""
    return _NAMES_OF_VARIABLES_BYTES + sum(
        len(parameters[name].encode()) for name in IN_ENVIRONMENT
    )


def _entries(parameters: Mapping[str, str], name: str) -> list[str]:
    return [entry for entry in parameters[name].split(",") if entry]


def _chars(entries: Iterable[str], *, around: int) -> int:
    return sum(len(entry) + around for entry in entries)
