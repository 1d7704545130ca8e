"""An access key that leaked: the few calls that someone made with it, in two accounts, on three
days a month before the demo's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from random import Random
from typing import Any

from log_aggregator_lab.organisation.cloudtrail import cloudtrail_key, midnight
from log_aggregator_lab.organisation.compression import gzip_member
from log_aggregator_lab.organisation.specification import OrganisationSpec
from log_aggregator_lab.organisation.synthetic import Purpose, SyntheticObject

LEAKED_KEY = "AKIAIOSFODNN7EXAMPLE"
"""AWS's own example of an access key."""
ADDRESS = "203.0.113.77"
"""From a range for documentation (RFC 5737)."""
_USER = "deployer-ci"


@dataclass(frozen=True, slots=True)
class _Call:
    """`days_before` the demo's first day, in one of the accounts."""

    days_before: int
    hour: int
    account: int
    source: str
    name: str
    parameters: dict[str, str] | None = None


_CALLS = (
    _Call(33, 2, 0, "sts", "GetCallerIdentity"),
    _Call(33, 2, 0, "s3", "ListBuckets"),
    _Call(33, 3, 0, "s3", "GetBucketAcl", {"bucketName": "billing-exports"}),
    _Call(32, 23, 0, "iam", "ListUsers"),
    _Call(31, 4, 1, "sts", "GetCallerIdentity"),
    _Call(31, 4, 1, "secretsmanager", "ListSecrets"),
    _Call(31, 5, 1, "iam", "CreateAccessKey", {"userName": "backup-admin"}),
)


def leak_days(spec: OrganisationSpec) -> tuple[date, date]:
    """The first and the last of them."""
    days = [call.days_before for call in _CALLS]
    return spec.first_day - timedelta(max(days)), spec.first_day - timedelta(min(days))


def list_leak(spec: OrganisationSpec) -> Iterator[SyntheticObject]:
    """A log for each call, among calls of other users."""
    for number, call in enumerate(_CALLS):
        account, region = spec.account_ids[call.account % spec.accounts], spec.regions[0]
        moment = midnight(spec.first_day - timedelta(call.days_before)) + timedelta(hours=call.hour)
        random = Random(f"{spec.seed}/leak/{number}")
        yield SyntheticObject(
            bucket=spec.control_tower_bucket,
            key=cloudtrail_key(spec, account, region, moment + timedelta(minutes=10), random),
            make=partial(_make, spec, call, moment, random.getrandbits(64)),
            source="leak",
            purpose=Purpose.LOG,
            day=moment.date(),
            content_type="application/json",
            content_encoding="gzip",
        )


def _make(spec: OrganisationSpec, call: _Call, moment: datetime, seed: int) -> bytes:
    random = Random(seed)
    account = spec.account_ids[call.account % spec.accounts]
    records = [
        _record(account, spec.regions[0], call, moment, LEAKED_KEY, ADDRESS, random),
        *(
            _record(
                account, spec.regions[0], _OTHER, moment, _other_key(random), "10.0.7.1", random
            )
            for _ in range(3)
        ),
    ]
    return gzip_member(json.dumps({"Records": records}).encode(), spec.compression_level)


_OTHER = _Call(0, 0, 0, "ec2", "DescribeInstances")


def _other_key(random: Random) -> str:
    return f"AKIAEXAMPLE{random.getrandbits(36):09X}"


def _record(
    account: str,
    region: str,
    call: _Call,
    moment: datetime,
    access_key: str,
    address: str,
    random: Random,
) -> dict[str, Any]:
    """https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html."""
    return {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser",
            "arn": f"arn:aws:iam::{account}:user/{_USER}",
            "accountId": account,
            "accessKeyId": access_key,
            "userName": _USER,
        },
        "eventTime": f"{moment + timedelta(seconds=random.randrange(500)):%Y-%m-%dT%H:%M:%SZ}",
        "eventSource": f"{call.source}.amazonaws.com",
        "eventName": call.name,
        "awsRegion": region,
        "sourceIPAddress": address,
        "userAgent": "aws-cli/2.22.12",
        "requestParameters": call.parameters,
        "responseElements": None,
        "eventID": f"{random.getrandbits(128):032x}",
        "recipientAccountId": account,
    }
