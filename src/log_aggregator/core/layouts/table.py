"""The built-in layouts: one row for each way in which AWS writes the keys of a log type.

Only keys that cannot be mistaken have a row. Rows with a head (`AWSLogs/`) are found by it; their
`stem` is everything from the head up to the date. It always has the same number of segments, so
that the text before the date determines where the date is. Rows with a name are found by the end of
the object's name. Everything else is a free key, and is left alone until the settings declare its
layout (`declared`).

Sources: "Log file names" and the like in the user guides of the services;
https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html,
https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-path.html,
https://docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html,
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/AccessLogs.html,
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from enum import StrEnum

from log_aggregator.core.layouts.grammar import (
    COMPACT,
    DASHED,
    HIVE,
    SLASHED,
    SLASHED_UNPADDED,
    DateGrammar,
)
from log_aggregator.core.layouts.regions import REGION
from log_aggregator.model import ContentKind


class Head(StrEnum):
    """What says whose key it is. No text in `HEAD_TEXTS` can contain a year with a separator and a
    digit after it; the proofs in `parse` need that.
    """

    AWSLOGS = "awslogs"
    APPFABRIC = "appfabric"
    NAME = "name"


DISTRIBUTION = "E[A-Z0-9]{9,14}"

HEAD_TEXTS: dict[Head, str] = {Head.AWSLOGS: "AWSLogs/", Head.APPFABRIC: "AWSAppFabric/"}

UNDATED_SERVICES = frozenset({"Macie"})
"""Services under `AWSLogs/` whose keys have no date, even if a random identifier looks like one."""

OTHER = "Other"


@dataclass(frozen=True, slots=True)
class Layout:
    """One row. `stem` is a regular expression with groups `account`, `region` and `service`. In a
    row with a name it covers the whole end of the key and has a group `date`.

    If `log_type` is None, it is the service's name. If `grammar` is None, the date is the first one
    after the stem, at any position. If `kind` is None, the key's suffix gives the content kind.
    """

    name: str
    head: Head
    stem: str
    grammar: DateGrammar | None
    log_type: str | None = None
    service: str | None = None
    is_document: bool = False
    kind: ContentKind | None = None


@functools.cache
def compiled(pattern: str) -> re.Pattern[str]:
    """A row's regular expression, compiled when the first key needs it: a cold start needs few."""
    return re.compile(pattern)


_ANY_REGION = "(?P<region>[a-z][a-z0-9-]*)/"
_HIVE_REGION = f"(?:aws-)?region={_ANY_REGION}"
_SEGMENT = "[^/]+/"


def _aws_logs(
    service: str,
    middle: str,
    grammar: DateGrammar | None,
    name: str = "",
    *,
    log_type: str | None = None,
    is_document: bool = False,
    kind: ContentKind | None = None,
) -> Layout:
    """A row under `AWSLogs/[<organisation>/]<account>/<service>/`, also with Hive's `name=`."""
    front = (
        f"AWSLogs/(?:o-[a-z0-9]+/)?(?:aws-account-id=)?(?P<account>[0-9]{{12}})/"
        f"(?:aws-service=)?(?P<service>{service or '[^/]+'})/"
    )
    return Layout(
        name or service,
        Head.AWSLOGS,
        front + middle,
        grammar,
        log_type,
        service or None,
        is_document,
        kind,
    )


def _documents(service: str, grammar: DateGrammar) -> tuple[Layout, Layout]:
    """Rows for objects with one JSON document each: as AWS writes them, and copied into Hive's
    folders.
    """
    return (
        _aws_logs(service, _ANY_REGION, grammar, is_document=True),
        _aws_logs(service, _HIVE_REGION, HIVE, f"{service}-hive", is_document=True),
    )


def _named(name: str, log_type: str, end: str, kind: ContentKind | None = None) -> Layout:
    return Layout(name, Head.NAME, end, DASHED, log_type, kind=kind)


_DATE = "(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
_TIME = "-[0-9]{2}-[0-9]{2}-[0-9]{2}"
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_ACCESS_LOG_END = rf"{_DATE}{_TIME}-[0-9A-F]{{16}}\Z"
_APPFABRIC = "AWSAppFabric/AuditLog/(?:RAW|OCSF)/%s/[^/]+/[^/]+/[^/]+/"

LAYOUTS: tuple[Layout, ...] = (
    # An organisation trail has the organisation's id after AWSLogs/, and Control Tower's trail also
    # before it, as the prefix.
    *_documents("CloudTrail", SLASHED),
    *_documents("CloudTrail-Digest", SLASHED),
    *_documents("CloudTrail-Insight", SLASHED),
    *_documents("CloudTrail-NetworkActivity", SLASHED),
    *_documents("CloudTrail-Aggregated", SLASHED),
    # AWS Config writes months and days without a leading zero: Config/eu-west-1/2025/4/3/.
    *_documents("Config", SLASHED_UNPADDED),
    _aws_logs("vpcflowlogs", _ANY_REGION, SLASHED),
    _aws_logs("vpcflowlogs", _HIVE_REGION, HIVE, "vpcflowlogs-hive"),
    _aws_logs("elasticloadbalancing", _ANY_REGION, SLASHED),
    _aws_logs("CloudFront", DISTRIBUTION + r"\.", DASHED),
    _aws_logs("CloudFront", DISTRIBUTION + "/", SLASHED, "CloudFront-directories"),
    _aws_logs("CloudFront", f"DistributionId={DISTRIBUTION}/", HIVE, "CloudFront-hive"),
    _aws_logs("CloudFront", "", None, "CloudFront-other"),
    _aws_logs("WAFLogs", _ANY_REGION + _SEGMENT, SLASHED),
    # Route 53 Resolver writes the VPC's id and no Region.
    _aws_logs("vpcdnsquerylogs", _SEGMENT, SLASHED),
    _aws_logs("network-firewall", _SEGMENT + _ANY_REGION + _SEGMENT, SLASHED),
    _aws_logs("globalaccelerator", _ANY_REGION, SLASHED),
    _aws_logs("GuardDuty", _ANY_REGION, SLASHED),
    _aws_logs("KafkaBrokerLogs", _ANY_REGION + _SEGMENT, DASHED),
    _aws_logs("KafkaConnectLogs", _ANY_REGION + _SEGMENT, DASHED),
    _aws_logs("redshift", _ANY_REGION, SLASHED),
    _aws_logs("BedrockModelInvocationLogs", _ANY_REGION, SLASHED),
    _aws_logs(
        "s3accesslog",
        _ANY_REGION + _SEGMENT,
        DASHED,
        log_type="S3AccessLogs",
        kind=ContentKind.TEXT,
    ),
    _aws_logs("", "", None, "vended"),
    Layout("AppFabric", Head.APPFABRIC, _APPFABRIC % "JSON", COMPACT, "AppFabric"),
    Layout(
        "AppFabric-parquet",
        Head.APPFABRIC,
        _APPFABRIC % "PARQUET",
        COMPACT,
        "AppFabric",
        kind=ContentKind.BINARY,
    ),
    _named(
        "S3AccessLogs-partitioned",
        "S3AccessLogs",
        rf"(?<![0-9])(?P<account>[0-9]{{12}})/(?P<region>{REGION})/[a-z0-9._-]+/"
        rf"[0-9]{{4}}/[0-9]{{2}}/[0-9]{{2}}/{_ACCESS_LOG_END}",
        ContentKind.TEXT,
    ),
    _named("S3AccessLogs", "S3AccessLogs", _ACCESS_LOG_END, ContentKind.TEXT),
    _named("Firehose", "Firehose", rf"[^/]+-[0-9]+-{_DATE}{_TIME}-{_UUID}[^/]*\Z"),
    _named(
        "CloudFront-legacy",
        "CloudFront",
        rf"(?:\A|(?<=/)){DISTRIBUTION}\.{_DATE}-[0-9]{{2}}\.[^/]+\Z",
    ),
)

BUILT_IN_TYPES = frozenset(
    name for row in LAYOUTS for name in (row.log_type or row.service,) if name is not None
)
"""The log types of the rows. Other services under `AWSLogs/` have their name as the log type."""
