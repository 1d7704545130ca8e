"""An independent, slow reading of log objects for search values, to compare the readers of terms
with.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from log_aggregator.core.terms.model import Field
from log_aggregator.core.terms.readers.parameters import kind_of

Event = tuple[set[tuple[Field, str]], int | None]
"""What one event contains, and its time."""


def seconds(text: object) -> int | None:
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except ValueError:
        return None


def pairs(field: Field, *values: object) -> set[tuple[Field, str]]:
    return {(field, value) for value in values if isinstance(value, str) and value not in ("", "-")}


def session(arn: str) -> str:
    return arn.rsplit("/", 1)[-1] if ":assumed-role/" in arn else ""


def walk(value: Any) -> Iterator[tuple[Field, str]]:
    """Recursive, where the reader has a stack."""
    if isinstance(value, list):
        for each in value:
            yield from walk(each)
    elif isinstance(value, dict):
        for key, below in value.items():
            kind = kind_of(key)
            for each in below if isinstance(below, list) else [below]:
                if isinstance(each, str) and each and isinstance(kind, Field):
                    yield (kind, each)
            if kind is None or isinstance(kind, Field):
                yield from walk(below)


PARAMETERS_OF_EVENTS = (
    *("requestParameters", "responseElements", "additionalEventData", "serviceEventDetails"),
)


def scan_cloudtrail(text: str) -> Iterator[Event]:
    for event in json.loads(text)["Records"]:
        identity = event.get("userIdentity") or {}
        issuer = (identity.get("sessionContext") or {}).get("sessionIssuer") or {}
        arn, known_as = identity.get("arn") or "", identity.get("principalId") or ""
        found = pairs(
            Field.PRINCIPAL,
            arn or known_as.split(":")[0],
            identity.get("userName"),
            identity.get("invokedBy"),
            issuer.get("arn"),
            issuer.get("userName"),
            (identity.get("sessionContext") or {}).get("sourceIdentity"),
            (identity.get("onBehalfOf") or {}).get("userId"),
        )
        found |= pairs(Field.SESSION, session(arn) if arn else ":".join(known_as.split(":")[1:]))
        found |= pairs(Field.ACCESS_KEY, identity.get("accessKeyId"))
        found |= pairs(Field.ADDRESS, event.get("sourceIPAddress"))
        found |= pairs(Field.ERROR, event.get("errorCode"))
        if event.get("eventName"):
            found |= pairs(Field.EVENT, f"{event['eventSource']}:{event['eventName']}")
        for resource in event.get("resources") or ():
            found |= pairs(Field.RESOURCE, resource.get("ARN"))
        for name in PARAMETERS_OF_EVENTS:
            found |= set(walk(event.get(name)))
        yield found, seconds(event.get("eventTime"))


def scan_insights(text: str) -> Iterator[Event]:
    for record in json.loads(text)["Records"]:
        details = record["insightDetails"]
        found = pairs(Field.EVENT, f"{details['eventSource']}:{details['eventName']}")
        for attribution in details["insightContext"]["attributions"]:
            found |= pairs(Field.PRINCIPAL, *(each["value"] for each in attribution["insight"]))
        yield found, seconds(record["eventTime"])


def scan_config(text: str) -> Iterator[Event]:
    for item in json.loads(text)["configurationItems"]:
        related = [each["resourceId"] for each in item["relationships"]]
        found = pairs(Field.RESOURCE, item["ARN"], item["resourceId"], *related)
        yield found, seconds(item["configurationItemCaptureTime"])


def scan_flows(text: str) -> Iterator[Event]:
    header, *lines = text.splitlines()
    for line in lines:
        row = dict(zip(header.split(), line.split(), strict=True))
        found = pairs(Field.ADDRESS, row["srcaddr"], row["dstaddr"])
        yield found | pairs(Field.INTERFACE, row["interface-id"]), int(row["start"])


def scan_balancers(text: str) -> Iterator[Event]:
    for line in text.splitlines():
        words = shlex.split(line)
        is_application = words[0] == "https"
        client, request = (words[3], words[12]) if is_application else (words[2], words[11])
        host = request.split("//")[1].split(":")[0]
        found = pairs(Field.ADDRESS, client.split(":")[0]) | pairs(Field.HOST, host)
        found |= pairs(Field.HOST, words[18] if is_application else "")
        yield found, seconds(words[1] if is_application else words[0])


def scan_cloudfront(text: str) -> Iterator[Event]:
    for line in text.splitlines():
        if not line.startswith("#"):
            row = line.split("\t")
            found = pairs(Field.ADDRESS, row[4]) | pairs(Field.HOST, row[6])
            yield found, seconds(f"{row[0]}T{row[1]}Z")


def scan_access(text: str) -> Iterator[Event]:
    for line in text.splitlines():
        words = shlex.split(line)
        moment = datetime.strptime(f"{words[2]} {words[3]}", "[%d/%b/%Y:%H:%M:%S %z]")
        found = pairs(Field.NAME, words[1]) | pairs(Field.ADDRESS, words[4])
        found |= pairs(Field.PRINCIPAL, words[5]) | pairs(Field.HOST, words[23])
        yield found | pairs(Field.ERROR, words[11]), int(moment.timestamp())


def scan_waf(text: str) -> Iterator[Event]:
    for line in map(json.loads, text.splitlines()):
        request = line["httpRequest"]
        found = pairs(Field.ADDRESS, request["clientIp"])
        found |= pairs(Field.HOST, *(each["value"] for each in request["headers"]))
        yield found | pairs(Field.RULE, line["terminatingRuleId"]), line["timestamp"] // 1000


def scan_queries(text: str) -> Iterator[Event]:
    for line in map(json.loads, text.splitlines()):
        found = pairs(Field.HOST, line["query_name"]) | pairs(Field.ADDRESS, line["srcaddr"])
        found |= pairs(Field.RESOURCE, line["srcids"]["instance"])
        yield found, seconds(line["query_timestamp"])


def scan_findings(text: str) -> Iterator[Event]:
    for line in map(json.loads, text.splitlines()):
        yield pairs(Field.FINDING, line["type"]), seconds(line["createdAt"])


SCANS: Mapping[str, Callable[[str], Iterator[Event]]] = {
    "CloudTrail": scan_cloudtrail,
    "CloudTrail-Insight": scan_insights,
    "Config": scan_config,
    "vpcflowlogs": scan_flows,
    "elasticloadbalancing": scan_balancers,
    "CloudFront": scan_cloudfront,
    "S3AccessLogs": scan_access,
    "WAFLogs": scan_waf,
    "vpcdnsquerylogs": scan_queries,
    "GuardDuty": scan_findings,
}
