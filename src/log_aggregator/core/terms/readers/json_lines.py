"""Logs with one JSON document in each line: WAF, Route 53 Resolver, GuardDuty.

https://docs.aws.amazon.com/waf/latest/developerguide/logging-fields.html,
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resolver-query-logs-format.html,
https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_findings-summary.html.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from log_aggregator.core.terms.model import Field
from log_aggregator.core.terms.readers.moments import by_time, seconds_of, within
from log_aggregator.core.terms.readers.parameters import Found, gather_finding
from log_aggregator.core.terms.readers.pieces import count_sets, once, read_json_lines
from log_aggregator.core.terms.tally import Tally


def read_waf(data: bytes, tally: Tally) -> None:
    """Raises Unparsable, TooMany, like the other readers here."""

    def count(events: Sequence[_Request]) -> None:
        times = [None if e.timestamp is None else within(e.timestamp // 1000) for e in events]
        for some, moments in by_time(events, times):
            requests = [event.http_request or _NO_REQUEST for event in some]
            tally.count(Field.ADDRESS, [request.client_ip for request in requests], moments)
            hosts = [[each.host for each in requests], [_host_header(each) for each in requests]]
            for column in once(*hosts):
                tally.count(Field.HOST, column, moments)
            count_sets(Field.RULE, [_rules(event) for event in some], moments, tally)

    read_json_lines(data, _WAF, count)


def read_queries(data: bytes, tally: Tally) -> None:
    def count(events: Sequence[_Query]) -> None:
        for some, times in by_time(events, [seconds_of(event.query_timestamp) for event in events]):
            tally.count(Field.HOST, [event.query_name for event in some], times)
            tally.count(Field.ADDRESS, [event.srcaddr for event in some], times)
            instances = [event.srcids.instance if event.srcids else None for event in some]
            tally.count(Field.RESOURCE, instances, times)

    read_json_lines(data, _QUERIES, count)


def read_findings(data: bytes, tally: Tally) -> None:
    def count(events: Sequence[_Finding]) -> None:
        for some, times in by_time(events, [_time_of(event) for event in events]):
            tally.count(Field.FINDING, [event.type for event in some], times)
            found = [_found_in(event) for event in some]
            for field in dict.fromkeys(field for each in found for field, _ in each):
                values = [{value for kind, value in each if kind is field} for each in found]
                count_sets(field, values, times, tally)

    read_json_lines(data, _FINDINGS, count)


class _Header(msgspec.Struct, gc=False):
    name: str | None = None
    value: str | None = None


class _HttpRequest(msgspec.Struct, rename="camel", gc=False):
    client_ip: str | None = None
    host: str | None = None
    headers: list[_Header] | None = None


class _Rule(msgspec.Struct, rename="camel", gc=False):
    rule_id: str | None = None


class _RuleGroup(msgspec.Struct, rename="camel", gc=False):
    terminating_rule: _Rule | None = None
    non_terminating_matching_rules: list[_Rule] | None = None
    excluded_rules: list[_Rule] | None = None


class _Request(msgspec.Struct, rename="camel", gc=False):
    timestamp: int | None = None
    terminating_rule_id: str | None = None
    non_terminating_matching_rules: list[_Rule] | None = None
    rule_group_list: list[_RuleGroup] | None = None
    http_request: _HttpRequest | None = None


class _Sources(msgspec.Struct, gc=False):
    instance: str | None = None


class _Query(msgspec.Struct, gc=False):
    query_timestamp: str | None = None
    query_name: str | None = None
    srcaddr: str | None = None
    srcids: _Sources | None = None


class _Service(msgspec.Struct, rename="camel", gc=False):
    action: object = None
    event_last_seen: str | None = None


class _Finding(msgspec.Struct, rename="camel", gc=False):
    type: str | None = None
    updated_at: str | None = None
    created_at: str | None = None
    resource: object = None
    service: _Service | None = None


_WAF = msgspec.json.Decoder(_Request)
_QUERIES = msgspec.json.Decoder(_Query)
_FINDINGS = msgspec.json.Decoder(_Finding)
_NO_REQUEST = _HttpRequest()


def _host_header(request: _HttpRequest) -> str | None:
    for header in request.headers or ():
        if header.name is not None and header.name.lower() == "host":
            return header.value
    return None


def _rules(event: _Request) -> set[str | None]:
    """The rules that terminated the request or matched."""
    rules = {event.terminating_rule_id}
    rules.update(rule.rule_id for rule in event.non_terminating_matching_rules or ())
    for group in event.rule_group_list or ():
        if group.terminating_rule is not None:
            rules.add(group.terminating_rule.rule_id)
        rules.update(rule.rule_id for rule in group.non_terminating_matching_rules or ())
        rules.update(rule.rule_id for rule in group.excluded_rules or ())
    return rules


def _time_of(event: _Finding) -> int | None:
    seen = event.service and event.service.event_last_seen
    return seconds_of(seen or event.updated_at or event.created_at)


def _found_in(event: _Finding) -> Found:
    found: Found = []
    gather_finding(event.resource, found)
    if event.service is not None:
        gather_finding(event.service.action, found)
    return found
