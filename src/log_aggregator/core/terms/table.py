"""What terms each log type has, and who reads them: one row for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from log_aggregator.core.terms.model import Field
from log_aggregator.core.terms.readers.access import (
    CLOUDFRONT_COLUMNS,
    read_cloudfront,
    read_s3_access,
)
from log_aggregator.core.terms.readers.balancers import read_balancers
from log_aggregator.core.terms.readers.cloudtrail import read_cloudtrail
from log_aggregator.core.terms.readers.config import read_config
from log_aggregator.core.terms.readers.flows import COLUMNS as FLOW_COLUMNS
from log_aggregator.core.terms.readers.flows import read_flows
from log_aggregator.core.terms.readers.insights import read_insights
from log_aggregator.core.terms.readers.json_lines import read_findings, read_queries, read_waf
from log_aggregator.core.terms.tally import Tally

Reader = Callable[[bytes, Tally], None]
"""Counts the terms of one member. Raises Unparsable where parts of it, or all of it, cannot be
read; whatever else was read is counted.
"""


@dataclass(frozen=True, slots=True)
class TermRow:
    """`places`: where each field is read, in the words of the log's own documentation."""

    read: Reader
    places: Mapping[Field, str]


def _listed(columns: Iterable[str]) -> str:
    return ", ".join(columns)


_CLOUDTRAIL = TermRow(
    read_cloudtrail,
    {
        Field.PRINCIPAL: "userIdentity: arn, userName, principalId where there is no arn, "
        "invokedBy; sessionContext.sessionIssuer: arn, userName",
        Field.SESSION: "the session's name in userIdentity.arn; roleSessionName in the parameters",
        Field.ACCESS_KEY: "userIdentity.accessKeyId; accessKeyId in the parameters and the answer",
        Field.ADDRESS: "sourceIPAddress, where it is an address; publicIp, privateIpAddress and "
        "the like in requestParameters and responseElements",
        Field.HOST: "sourceIPAddress, where it is none",
        Field.EVENT: "eventSource without `.amazonaws.com`, and eventName",
        Field.RESOURCE: "resources[].ARN; ARNs and ids in requestParameters and responseElements",
        Field.INTERFACE: "networkInterfaceId in requestParameters and responseElements",
        Field.NAME: "names in requestParameters and responseElements",
        Field.ERROR: "errorCode",
    },
)

ROWS: Mapping[str, TermRow] = {
    "CloudTrail": _CLOUDTRAIL,
    "CloudTrail-NetworkActivity": _CLOUDTRAIL,
    "CloudTrail-Insight": TermRow(
        read_insights,
        {
            Field.PRINCIPAL: "values of the attribution userIdentityArn, of insight and baseline",
            Field.EVENT: "insightDetails: eventSource without `.amazonaws.com`, and eventName",
            Field.ERROR: "insightDetails.errorCode",
        },
    ),
    "Config": TermRow(
        read_config,
        {
            Field.RESOURCE: "configurationItems[] and configurationItem: ARN, resourceId, "
            "relationships[].resourceId",
            Field.NAME: "resourceName, relationships[].resourceName",
        },
    ),
    "vpcflowlogs": TermRow(
        read_flows, {field: _listed(columns) for field, columns in FLOW_COLUMNS.items()}
    ),
    "elasticloadbalancing": TermRow(
        read_balancers,
        {
            Field.ADDRESS: "client:port, client_ip",
            Field.HOST: "domain_name; the host in the request's URL",
        },
    ),
    "CloudFront": TermRow(
        read_cloudfront, {field: _listed(columns) for field, columns in CLOUDFRONT_COLUMNS.items()}
    ),
    "S3AccessLogs": TermRow(
        read_s3_access,
        {
            Field.PRINCIPAL: "requester",
            Field.ADDRESS: "remote IP",
            Field.NAME: "bucket",
            Field.HOST: "host header",
            Field.ERROR: "error code",
        },
    ),
    "WAFLogs": TermRow(
        read_waf,
        {
            Field.ADDRESS: "httpRequest.clientIp",
            Field.HOST: "httpRequest.host; the header Host",
            Field.RULE: "terminatingRuleId, nonTerminatingMatchingRules[].ruleId; of "
            "ruleGroupList[] the same and terminatingRule, excludedRules",
        },
    ),
    "vpcdnsquerylogs": TermRow(
        read_queries,
        {
            Field.HOST: "query_name",
            Field.ADDRESS: "srcaddr",
            Field.RESOURCE: "srcids.instance",
        },
    ),
    "GuardDuty": TermRow(
        read_findings,
        {
            Field.FINDING: "type",
            Field.ACCESS_KEY: "accessKeyId in resource and service.action, as all below",
            Field.PRINCIPAL: "userName",
            Field.ADDRESS: "ipAddressV4, ipAddressV6, publicIp, privateIpAddress, ipv6Addresses",
            Field.INTERFACE: "networkInterfaceId",
            Field.HOST: "domain",
            Field.RESOURCE: "ARNs and ids",
            Field.NAME: "names",
        },
    ),
}


def has_terms(log_type: str) -> bool:
    return log_type in ROWS
