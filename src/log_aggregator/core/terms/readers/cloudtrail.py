"""CloudTrail's events.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html,
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import repeat
from typing import Any

import msgspec

from log_aggregator.core.terms.model import Field
from log_aggregator.core.terms.readers.moments import by_time, seconds_of
from log_aggregator.core.terms.readers.parameters import Found, gather
from log_aggregator.core.terms.readers.records import UNREADABLE, Records, Shell, has_few_values
from log_aggregator.core.terms.tally import Group, Tally, Times


def read_cloudtrail(data: bytes, tally: Tally) -> None:
    """Counts the terms of a log: `{"Records": [...]}`. Raises Unparsable, TooMany."""
    if has_few_values(data):
        try:
            records = _LOGS.decode(data).records
        except UNREADABLE:
            pass
        else:
            _count(records, tally)
            return
    _ONE_BY_ONE.read(data, partial(_count, tally=tally))


class _Issuer(msgspec.Struct, rename="camel", gc=False):
    arn: str | None = None
    user_name: str | None = None


class _Context(msgspec.Struct, rename="camel", gc=False):
    session_issuer: _Issuer | None = None
    source_identity: str | None = None


class _OnBehalf(msgspec.Struct, rename="camel", gc=False):
    user_id: str | None = None


class _Identity(msgspec.Struct, rename="camel", gc=False):
    arn: str | None = None
    principal_id: str | None = None
    access_key_id: str | None = None
    user_name: str | None = None
    invoked_by: str | None = None
    session_context: _Context | None = None
    on_behalf_of: _OnBehalf | None = None


class _Resource(msgspec.Struct, rename="camel", gc=False):
    arn: str | None = msgspec.field(default=None, name="ARN")


class _Record(msgspec.Struct, rename="camel", gc=False):
    user_identity: _Identity | None = None
    event_time: str | None = None
    event_source: str | None = None
    event_name: str | None = None
    source_address: str | None = msgspec.field(default=None, name="sourceIPAddress")
    error_code: str | None = None
    request_parameters: Any = None
    response_elements: Any = None
    additional_event_data: Any = None
    service_event_details: Any = None
    resources: list[_Resource] | None = None


class _Log(msgspec.Struct):
    records: list[_Record] = msgspec.field(name="Records")


class _RawLog(msgspec.Struct):
    records: list[msgspec.Raw] = msgspec.field(name="Records")


class _ShellLog(msgspec.Struct):
    records: list[Shell] = msgspec.field(name="Records")


_LOGS = msgspec.json.Decoder(_Log)
_RAW_LOGS = msgspec.json.Decoder(_RawLog)
_ONE_BY_ONE = Records(
    lambda data: _RAW_LOGS.decode(data).records,
    msgspec.json.Decoder(_ShellLog),
    msgspec.json.Decoder(_Record),
)
"""For a log that is large or damaged: decodes event by event and counts what can be read."""
_NOBODY = _Identity()
_NO_ISSUER = _Issuer()
_NO_CONTEXT = _Context()


def _count(records: Sequence[_Record], tally: Tally) -> None:
    for some, times in by_time(records, [seconds_of(record.event_time) for record in records]):
        _count_columns(some, times, tally)


def _count_columns(records: Sequence[_Record], times: Times, tally: Tally) -> None:
    identities = [record.user_identity or _NOBODY for record in records]
    tally.count_groups(_caller_terms, [_caller_of(each) for each in identities], times)
    tally.count(Field.ACCESS_KEY, [identity.access_key_id for identity in identities], times)
    tally.count(Field.ADDRESS, [record.source_address for record in records], times)
    events = [(record.event_source, record.event_name) for record in records]
    tally.count_groups(_event_terms, events, times)
    tally.count(Field.ERROR, [record.error_code for record in records], times)
    _count_parameters(records, times, tally)


def _caller_of(i: _Identity) -> Group:
    """All that is known about a caller, as a group: the same few callers come again and again."""
    context = i.session_context or _NO_CONTEXT
    issuer = context.session_issuer or _NO_ISSUER
    behalf = i.on_behalf_of
    return (
        i.arn,
        i.principal_id,
        i.user_name,
        i.invoked_by,
        issuer.arn,
        issuer.user_name,
        context.source_identity,
        behalf.user_id if behalf else None,
    )


def _caller_terms(group: Group) -> Iterator[tuple[Field, str]]:
    arn, principal_id, *names = group
    principal = arn or (principal_id and principal_id.partition(":")[0])
    for name in dict.fromkeys((principal, *names)):
        if name:
            yield Field.PRINCIPAL, name
    session = session_of(arn, principal_id)
    if session:
        yield Field.SESSION, session


def _event_terms(group: Group) -> Iterator[tuple[Field, str]]:
    source, name = group
    if name:
        yield Field.EVENT, f"{source}:{name}"


def session_of(arn: str | None, principal_id: str | None) -> str | None:
    """The name of a session, from `arn:aws:sts::111111111111:assumed-role/role/session`; without an
    ARN, from the principal id `AROAEXAMPLE:session`.
    """
    if not arn:
        return principal_id.partition(":")[2] if principal_id else None
    front, _, rest = arn.partition(":assumed-role/")
    return rest.rpartition("/")[2] if rest and ":sts:" in front else None


def _count_parameters(records: Sequence[_Record], times: Times, tally: Tally) -> None:
    columns: dict[Field, tuple[list[str], list[int]]] = {field: ([], []) for field in _FOUND_FIELDS}
    for record, time in zip(records, times or repeat(0), strict=False):
        for field, value in _found_in(record):
            if field in _OWN_FIELDS and value == _own_value(record, field):
                continue
            values, moments = columns[field]
            values.append(value)
            moments.append(time)
    for field, (values, moments) in columns.items():
        tally.count(field, values, moments if times else None)


_FOUND_FIELDS = (
    *(Field.RESOURCE, Field.NAME, Field.ACCESS_KEY, Field.SESSION, Field.ADDRESS, Field.INTERFACE),
)


def _found_in(record: _Record) -> Iterable[tuple[Field, str]]:
    """The terms in the parameters of an event, each once."""
    found: Found = []
    if record.request_parameters:
        gather(record.request_parameters, found)
    if record.response_elements:
        gather(record.response_elements, found)
    if record.additional_event_data:
        gather(record.additional_event_data, found)
    if record.service_event_details:
        gather(record.service_event_details, found)
    if record.resources:
        found += [(Field.RESOURCE, each.arn) for each in record.resources if each.arn]
    return dict.fromkeys(found) if len(found) > 1 else found


_OWN_FIELDS = frozenset((Field.ACCESS_KEY, Field.SESSION, Field.ADDRESS))


def _own_value(record: _Record, field: Field) -> str | None:
    """The value from the event's own fields, which is counted already."""
    identity = record.user_identity or _NOBODY
    if field is Field.ADDRESS:
        return record.source_address
    if field is Field.ACCESS_KEY:
        return identity.access_key_id
    return session_of(identity.arn, identity.principal_id)
