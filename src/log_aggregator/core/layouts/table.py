"""The layouts: one row for each way in which AWS writes the keys of a log type.

Rows with a head are found by it (`Head`); their `stem` is everything from the head up to the date,
always the same number of segments, so that the text before the date alone says where the date
stands. Free rows have no head: the date is found first (see `parse`), and the row only gives it a
name by what stands before and behind it.

Sources: "Log file names" and the like in the user guides of the services;
https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html,
https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-path.html,
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
    SLASHED_OPEN,
    SLASHED_UNPADDED,
    DateGrammar,
)
from log_aggregator.model import ContentKind


class Head(StrEnum):
    """A text that says whose key this is. None of them can hold a year that a separator and a digit
    follow; `parse` rests on it.
    """

    AWSLOGS = "awslogs"
    CLOUDFRONT = "cloudfront"
    APPFABRIC = "appfabric"
    SECURITY_LAKE = "security_lake"
    FREE = "free"


REGION = "[a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2}"
DISTRIBUTION = "E[A-Z0-9]{9,14}"

HEAD_TEXTS: dict[Head, str] = {
    Head.AWSLOGS: "AWSLogs/",
    Head.CLOUDFRONT: DISTRIBUTION + r"\.",
    Head.APPFABRIC: "AWSAppFabric/",
    Head.SECURITY_LAKE: rf"region=(?:{REGION})/accountId=(?:[0-9]{{12}}|[a-z]+)/eventDay=",
}

UNDATED_SERVICES = frozenset({"Macie"})
"""Services under `AWSLogs/` whose keys carry no date, whatever their random identifiers may look
like.
"""

OTHER = "Other"


@dataclass(frozen=True, slots=True)
class Layout:
    """One row. `stem` and `tail` are regular expressions; the groups `account`, `region` and
    `service` of `stem` say what they are called.

    `log_type` None: it is the service's name. `grammar` None: the date is the first one behind the
    stem, wherever it stands. `kind` None: the content kind follows from the key's suffix. `tail` is
    what must stand behind a free row's date.
    """

    name: str
    head: Head
    stem: str
    grammar: DateGrammar | None
    log_type: str | None = None
    service: str | None = None
    is_document: bool = False
    kind: ContentKind | None = None
    tail: str | None = None


@functools.cache
def compiled(pattern: str) -> re.Pattern[str]:
    """Of a row; compiled when the first key comes that may be of it."""
    return re.compile(pattern)


_ANY_REGION = "(?P<region>[a-z][a-z0-9-]*)/"
_SEGMENT = "[^/]+/"


def _aws_logs(
    service: str,
    middle: str,
    grammar: DateGrammar | None,
    name: str = "",
    *,
    is_document: bool = False,
) -> Layout:
    """A row under `AWSLogs/[<organisation>/]<account>/<service>/`, with or without the names that
    Hive wants.
    """
    front = (
        f"AWSLogs/(?:o-[a-z0-9]+/)?(?:aws-account-id=)?(?P<account>[0-9]{{12}})/"
        f"(?:aws-service=)?(?P<service>{service or '[^/]+'})/"
    )
    return Layout(
        name or service,
        Head.AWSLOGS,
        front + middle,
        grammar,
        service=service or None,
        is_document=is_document,
    )


def _free(
    name: str,
    log_type: str,
    grammar: DateGrammar,
    stem: str = "",
    tail: str = "",
    kind: ContentKind | None = None,
) -> Layout:
    return Layout(name, Head.FREE, stem, grammar, log_type, tail=tail, kind=kind)


_ACCESS_LOG_TIME = "-[0-9]{2}-[0-9]{2}-[0-9]{2}"
ACCESS_LOG_END = _ACCESS_LOG_TIME + r"-[0-9A-F]{16}\Z"
_ACCESS_LOG_NAME = "/[0-9]{4}-[0-9]{2}-[0-9]{2}" + ACCESS_LOG_END
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_FIREHOSE_NAME = (
    rf"/[0-9]{{2}}/[^/]+-[0-9]+-[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}{_ACCESS_LOG_TIME}-{_UUID}[^/]*\Z"
)
_APPFABRIC = "AWSAppFabric/AuditLog/(?:RAW|OCSF)/%s/[^/]+/[^/]+/[^/]+/"

LAYOUTS: tuple[Layout, ...] = (
    _aws_logs("CloudTrail", _ANY_REGION, SLASHED, is_document=True),
    _aws_logs("CloudTrail-Digest", _ANY_REGION, SLASHED, is_document=True),
    _aws_logs("CloudTrail-Insight", _ANY_REGION, SLASHED, is_document=True),
    _aws_logs("CloudTrail-NetworkActivity", _ANY_REGION, SLASHED, is_document=True),
    _aws_logs("CloudTrail-Aggregated", _ANY_REGION, SLASHED, is_document=True),
    _aws_logs("Config", _ANY_REGION, SLASHED_UNPADDED, is_document=True),
    _aws_logs("vpcflowlogs", _ANY_REGION, SLASHED),
    _aws_logs("vpcflowlogs", "aws-region=" + _ANY_REGION, HIVE, "vpcflowlogs-hive"),
    _aws_logs("elasticloadbalancing", _ANY_REGION, SLASHED),
    _aws_logs("CloudFront", DISTRIBUTION + r"\.", DASHED),
    _aws_logs("CloudFront", DISTRIBUTION + "/", SLASHED, "CloudFront-directories"),
    _aws_logs("CloudFront", f"DistributionId={DISTRIBUTION}/", HIVE, "CloudFront-hive"),
    _aws_logs("CloudFront", "", None, "CloudFront-other"),
    _aws_logs("WAFLogs", _ANY_REGION + _SEGMENT, SLASHED),
    _aws_logs("vpcdnsquerylogs", _SEGMENT, SLASHED),
    _aws_logs("network-firewall", _SEGMENT + _ANY_REGION + _SEGMENT, SLASHED),
    _aws_logs("globalaccelerator", _ANY_REGION, SLASHED),
    _aws_logs("GuardDuty", _ANY_REGION, SLASHED),
    _aws_logs("KafkaBrokerLogs", _ANY_REGION + _SEGMENT, DASHED),
    _aws_logs("redshift", _ANY_REGION, SLASHED),
    _aws_logs("BedrockModelInvocationLogs", _ANY_REGION, SLASHED),
    _aws_logs("", "", None, "vended"),
    Layout(
        "CloudFront-legacy",
        Head.CLOUDFRONT,
        HEAD_TEXTS[Head.CLOUDFRONT],
        DASHED,
        "CloudFront",
    ),
    Layout("AppFabric", Head.APPFABRIC, _APPFABRIC % "JSON", COMPACT, "AppFabric"),
    Layout(
        "AppFabric-parquet",
        Head.APPFABRIC,
        _APPFABRIC % "PARQUET",
        COMPACT,
        "AppFabric",
        kind=ContentKind.BINARY,
    ),
    Layout(
        "SecurityLake",
        Head.SECURITY_LAKE,
        rf"region=(?P<region>{REGION})/accountId=(?:(?P<account>[0-9]{{12}})|[a-z]+)/eventDay=",
        COMPACT,
        "SecurityLake",
    ),
    _free("S3AccessLogs", "S3AccessLogs", DASHED, tail=ACCESS_LOG_END, kind=ContentKind.TEXT),
    _free(
        "S3AccessLogs-partitioned",
        "S3AccessLogs",
        SLASHED_OPEN,
        stem=rf"(?<![0-9])[0-9]{{12}}/{REGION}/[a-z0-9._-]+/\Z",
        tail=_ACCESS_LOG_NAME,
        kind=ContentKind.TEXT,
    ),
    _free("Firehose", "Firehose", SLASHED_OPEN, tail=_FIREHOSE_NAME),
    _free("Connect", "Connect", SLASHED_OPEN, stem=r"(?:\A|/)connect/[^/]+/[^/]+/\Z"),
    _free("Backup", "Backup", SLASHED_OPEN, stem=rf"(?:\A|/)Backup/[0-9]{{12}}/{REGION}/\Z"),
    _free("Other-slashed", OTHER, SLASHED_OPEN),
    _free("Other-dashed", OTHER, DASHED),
    _free("Other-hive", OTHER, HIVE),
    _free("Other-compact", OTHER, COMPACT),
)
