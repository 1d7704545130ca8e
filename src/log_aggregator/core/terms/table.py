"""The terms of each log type, and their reader: one row for each type."""

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
"""Counts the terms of one member. Raises Unparsable if it, or parts of it, cannot be parsed; the
rest is counted.
"""


@dataclass(frozen=True, slots=True)
class TermRow:
    """`places`: where each field is read, in the words of the log's own documentation. `left_out`:
    what users may expect to find, but will not.
    """

    read: Reader
    places: Mapping[Field, str]
    left_out: str


def _listed(columns: Iterable[str]) -> str:
    return ", ".join(columns)


_CLOUDTRAIL = TermRow(
    read_cloudtrail,
    {
        Field.PRINCIPAL: "userIdentity: arn, userName, principalId if there is no arn, "
        "invokedBy, onBehalfOf.userId; sessionContext: sessionIssuer.arn, sessionIssuer.userName, "
        "sourceIdentity",
        Field.SESSION: "the session's name in userIdentity.arn; roleSessionName in the parameters",
        Field.ACCESS_KEY: "userIdentity.accessKeyId; accessKeyId in the parameters and the answer",
        Field.ADDRESS: "sourceIPAddress, if it is an address; publicIp, privateIpAddress and "
        "the like in requestParameters and responseElements",
        Field.HOST: "sourceIPAddress, if it is not an address",
        Field.EVENT: "eventSource without `.amazonaws.com`, and eventName",
        Field.RESOURCE: "resources[].ARN; ARNs and ids in requestParameters, responseElements, "
        "additionalEventData and serviceEventDetails, as names below",
        Field.INTERFACE: "networkInterfaceId in requestParameters and responseElements",
        Field.NAME: "names in requestParameters and responseElements",
        Field.ERROR: "errorCode",
    },
    "account ids, Regions, eventID, requestID, userAgent, errorMessage, tlsDetails, vpcEndpointId, "
    "resources[].ARNPrefix, userIdentity.identityProvider, webIdFederationData; values of "
    "parameters that are neither names nor ids",
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
        "attributions other than userIdentityArn (userAgent, errorCode); statistics",
    ),
    "Config": TermRow(
        read_config,
        {
            Field.RESOURCE: "configurationItems[] and configurationItem: ARN, resourceId, "
            "relationships[].resourceId",
            Field.NAME: "resourceName, relationships[].resourceName",
        },
        "configuration, supplementaryConfiguration, tags, relatedEvents; account ids, Regions, "
        "resource types",
    ),
    "vpcflowlogs": TermRow(
        read_flows,
        {field: _listed(columns) for field, columns in FLOW_COLUMNS.items()},
        "ports, protocols, actions; vpc-id, subnet-id, tgw-id and other ids; files in Parquet",
    ),
    "elasticloadbalancing": TermRow(
        read_balancers,
        {
            Field.ADDRESS: "client:port, client_ip",
            Field.HOST: "domain_name; the host in the request's URL",
        },
        "targets, listeners, paths and queries, user agents, certificates, trace ids",
    ),
    "CloudFront": TermRow(
        read_cloudfront,
        {field: _listed(columns) for field, columns in CLOUDFRONT_COLUMNS.items()},
        "x-forwarded-for, paths, queries, referrers, user agents, cookies; files that have no line "
        "`#Fields:` and are not JSON, and files in Parquet",
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
        "keys and versions, operations, request URIs, referrers, user agents, the access point's "
        "ARN",
    ),
    "WAFLogs": TermRow(
        read_waf,
        {
            Field.ADDRESS: "httpRequest.clientIp",
            Field.HOST: "httpRequest.host; the header Host",
            Field.RULE: "terminatingRuleId, nonTerminatingMatchingRules[].ruleId; in "
            "ruleGroupList[] the same and terminatingRule, excludedRules",
        },
        "paths, arguments, other headers, labels, matched data, countries, fingerprints (JA3, JA4)",
    ),
    "vpcdnsquerylogs": TermRow(
        read_queries,
        {
            Field.HOST: "query_name",
            Field.ADDRESS: "srcaddr",
            Field.RESOURCE: "srcids.instance",
        },
        "answers, query types; vpc_id, srcids.resolver_endpoint, firewall rule groups. Queries of "
        "public hosted zones go to CloudWatch Logs only",
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
        "title, description, severity, the finding's own id and ARN, service.additionalInfo, "
        "service.evidence, countries and cities",
    ),
}


def has_terms(log_type: str) -> bool:
    return log_type in ROWS
