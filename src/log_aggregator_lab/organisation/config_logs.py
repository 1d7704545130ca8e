"""The other logs in the Control Tower bucket: AWS Config's history, snapshots and oversized
notifications, and CloudTrail Insights.

Config's keys have month and day unpadded, resource types with `::`, and the organisation id only
once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from random import Random

from log_aggregator_lab.organisation.cloudtrail import cloudtrail_key, midnight
from log_aggregator_lab.organisation.compression import gzip_member
from log_aggregator_lab.organisation.specification import OrganisationSpec
from log_aggregator_lab.organisation.synthetic import Purpose, SyntheticObject

_RESOURCE_TYPES = (
    "AWS::EC2::Instance",
    "AWS::S3::Bucket",
    "AWS::Lambda::Function",
    "AWS::IAM::Role",
)
_GLOBAL_TYPE = "AWS::IAM::Role"


def list_config(spec: OrganisationSpec) -> Iterator[SyntheticObject]:
    """History several times a day for half of the resource types, one snapshot a day, and oversized
    notifications in the busiest account.
    """
    for day in spec.wanted_days if spec.config_histories else ():
        start = midnight(day)
        for account, region in spec.chains:
            random = Random(f"{spec.seed}/config/{account}/{region}/{day}")
            yield from _histories(spec, account, region, start, random)
            snapshot = start + timedelta(seconds=random.randrange(3_600, 80_000))
            yield _config_object(
                spec,
                _snapshot_key(spec, account, region, snapshot, random),
                snapshot,
                "config-snapshot",
                12,
            )
        account = spec.account_ids[0]
        noon = start + timedelta(hours=12, seconds=7)
        for region, resource in (
            ("global", "ANPAEXAMPLE0EXAMPLE01"),
            (spec.home_region, "ANPAEXAMPLE0EXAMPLE02"),
        ):
            yield oversized_object(spec, account, region, noon, resource)


def list_insights(spec: OrganisationSpec) -> Iterator[SyntheticObject]:
    """CloudTrail Insights: CloudTrail's key grammar with another family name."""
    for day in spec.wanted_days:
        random = Random(f"{spec.seed}/insights/{day}")
        for number in range(spec.insights):
            account, region = spec.chains[number % len(spec.chains)]
            when = midnight(day) + timedelta(minutes=5 * random.randrange(288))
            key = cloudtrail_key(spec, account, region, when, random, "CloudTrail-Insight")
            make = partial(
                _insight_body, f"{spec.seed}/{key}", account, region, when, spec.compression_level
            )
            yield _gzip_object(spec, key, make, when, "insight")


def oversized_object(
    spec: OrganisationSpec, account: str, region: str, when: datetime, resource: str
) -> SyntheticObject:
    """A change notification that was too large for SNS. The key contains the resource's id
    unchanged.
    """
    kind = "AWS::IAM::Policy"
    directory = (
        f"{_config_prefix(spec, account, region, when)}OversizedChangeNotification/{kind}/"
        f"{resource}/"
    )
    name = (
        f"{account}_Config_{region}_ChangeNotification_{kind}_{resource}_{when:%Y%m%dT%H%M%SZ}_"
        f"{when:%Y%m%d%H%M%S}000.json.gz"
    )
    return _config_object(spec, directory + name, when, "config-oversized", 1)


def _snapshot_key(
    spec: OrganisationSpec, account: str, region: str, when: datetime, random: Random
) -> str:
    name = f"{account}_Config_{region}_ConfigSnapshot_{when:%Y%m%dT%H%M%SZ}_{_uuid(random)}.json.gz"
    return f"{_config_prefix(spec, account, region, when)}ConfigSnapshot/{name}"


def _histories(
    spec: OrganisationSpec, account: str, region: str, start: datetime, random: Random
) -> Iterator[SyntheticObject]:
    every = timedelta(days=1) / spec.config_histories
    for number in range(spec.config_histories):
        for kind in _RESOURCE_TYPES[number % 2 :: 2]:
            # Since landing zone 3.0, global resources are recorded only in the home region.
            if kind == _GLOBAL_TYPE and region != spec.home_region:
                continue
            end = start + number * every + timedelta(seconds=random.randrange(20, 3_600))
            yield _history(spec, account, region, kind, end, random)


def _history(
    spec: OrganisationSpec, account: str, region: str, kind: str, end: datetime, random: Random
) -> SyntheticObject:
    begin = end - timedelta(seconds=random.randrange(1, 20_000))
    name = (
        f"{account}_Config_{region}_ConfigHistory_{kind}_{begin:%Y%m%dT%H%M%SZ}_"
        f"{end:%Y%m%dT%H%M%SZ}_1.json.gz"
    )
    key = f"{_config_prefix(spec, account, region, end)}ConfigHistory/{name}"
    return _config_object(spec, key, end, "config-history", random.randrange(1, 6))


def _config_prefix(spec: OrganisationSpec, account: str, region: str, when: datetime) -> str:
    return (
        f"{spec.organization_id}/AWSLogs/{account}/Config/{region}/{when.year}/{when.month}/"
        f"{when.day}/"
    )


def _config_object(
    spec: OrganisationSpec, key: str, when: datetime, source: str, item_count: int
) -> SyntheticObject:
    make = partial(
        _config_body, f"{spec.seed}/{key}", key, when, item_count, spec.compression_level
    )
    return _gzip_object(spec, key, make, when, source)


def _gzip_object(
    spec: OrganisationSpec, key: str, make: partial[bytes], when: datetime, source: str
) -> SyntheticObject:
    return SyntheticObject(
        bucket=spec.control_tower_bucket,
        key=key,
        make=make,
        source=source,
        purpose=Purpose.LOG,
        day=when.date(),
        content_type="application/json",
        content_encoding="gzip",
    )


def _config_body(seed: str, key: str, when: datetime, item_count: int, level: int) -> bytes:
    random = Random(seed)
    account, _, region = key.split("/AWSLogs/")[1].split("/")[:3]
    items = [_configuration_item(account, region, when, random) for _ in range(item_count)]
    content: dict[str, object] = {"fileVersion": "1.0"}
    if "ConfigSnapshot" in key:
        content["configSnapshotId"] = key[
            -len("00000000-0000-0000-0000-000000000000.json.gz") :
        ].removesuffix(".json.gz")
    return gzip_member(
        json.dumps(content | {"configurationItems": items}, separators=(",", ":")).encode(), level
    )


def _configuration_item(
    account: str, region: str, when: datetime, random: Random
) -> dict[str, object]:
    resource = f"i-{random.getrandbits(68):017x}"
    return {
        "relatedEvents": [],
        "relationships": [
            {
                "resourceId": f"vpc-{random.getrandbits(68):017x}",
                "resourceType": "AWS::EC2::VPC",
                "name": "Is contained in Vpc",
            }
        ],
        "configuration": {
            "instanceId": resource,
            "instanceType": random.choice(("t3.micro", "m7g.large", "c7i.xlarge")),
            "privateIpAddress": f"10.0.{random.randrange(256)}.{random.randrange(1, 255)}",
            "state": {"code": 16, "name": "running"},
        },
        "supplementaryConfiguration": {},
        "tags": {
            "team": random.choice(("platform", "payments", "search")),
            "environment": "production",
        },
        "configurationItemVersion": "1.3",
        "configurationItemCaptureTime": f"{when:%Y-%m-%dT%H:%M:%S}.{random.randrange(1000):03}Z",
        "configurationStateId": random.randrange(10**12, 10**13),
        "awsAccountId": account,
        "configurationItemStatus": "OK",
        "resourceType": "AWS::EC2::Instance",
        "resourceId": resource,
        "ARN": f"arn:aws:ec2:{region}:{account}:instance/{resource}",
        "awsRegion": region,
        "availabilityZone": f"{region}a",
        "configurationStateMd5Hash": "",
        "resourceCreationTime": "2025-11-02T08:15:30.000Z",
    }


def _insight_body(seed: str, account: str, region: str, when: datetime, level: int) -> bytes:
    random = Random(seed)
    context = {
        "statistics": {
            "baseline": {"average": 0.0008},
            "insight": {"average": 14.2},
            "insightDuration": 5,
            "baselineDuration": 11_459,
        },
        "attributions": [
            {
                "attribute": "userIdentityArn",
                "insight": [
                    {"value": f"arn:aws:sts::{account}:assumed-role/application/i-0f00d00d"}
                ],
            }
        ],
    }
    record = {
        "eventVersion": "1.08",
        "eventTime": f"{when:%Y-%m-%dT%H:%M:%SZ}",
        "awsRegion": region,
        "eventID": _uuid(random),
        "eventType": "AwsCloudTrailInsight",
        "recipientAccountId": account,
        "sharedEventID": _uuid(random),
        "insightDetails": {
            "state": "Start",
            "eventSource": "ssm.amazonaws.com",
            "eventName": "UpdateInstanceInformation",
            "insightType": "ApiCallRateInsight",
            "insightContext": context,
        },
        "eventCategory": "Insight",
    }
    return gzip_member(json.dumps({"Records": [record]}, separators=(",", ":")).encode(), level)


def _uuid(random: Random) -> str:
    hexes = f"{random.getrandbits(128):032x}"
    return f"{hexes[:8]}-{hexes[8:12]}-4{hexes[13:16]}-a{hexes[17:20]}-{hexes[20:]}"
