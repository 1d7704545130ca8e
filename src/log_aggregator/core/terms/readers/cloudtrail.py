"""CloudTrail's events.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html,
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import repeat
from typing import Any

import msgspec

from log_aggregator.core.terms.model import Field
from log_aggregator.core.terms.readers.moments import Times, by_time, seconds_of
from log_aggregator.core.terms.readers.parameters import Found, gather
from log_aggregator.core.terms.readers.unparsable import Unparsable
from log_aggregator.core.terms.tally import Tally


def read_cloudtrail(data: bytes, tally: Tally) -> None:
    """Counts the terms of a log: `{"Records": [...]}`. Raises Unparsable, TooMany."""
    try:
        records = _LOGS.decode(data).records
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        _read_one_by_one(data, tally)
        return
    _count(records, tally)


class _Issuer(msgspec.Struct, rename="camel", gc=False):
    arn: str | None = None
    user_name: str | None = None


class _Context(msgspec.Struct, rename="camel", gc=False):
    session_issuer: _Issuer | None = None


class _Identity(msgspec.Struct, rename="camel", gc=False):
    arn: str | None = None
    principal_id: str | None = None
    access_key_id: str | None = None
    user_name: str | None = None
    invoked_by: str | None = None
    session_context: _Context | None = None


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
    resources: list[_Resource] | None = None


class _Log(msgspec.Struct):
    records: list[_Record] = msgspec.field(name="Records")


class _RawLog(msgspec.Struct):
    records: list[msgspec.Raw] = msgspec.field(name="Records")


_LOGS = msgspec.json.Decoder(_Log)
_RAW_LOGS = msgspec.json.Decoder(_RawLog)
_RECORDS = msgspec.json.Decoder(_Record)
_NOBODY = _Identity()
_NO_ISSUER = _Issuer()


def _read_one_by_one(data: bytes, tally: Tally) -> None:
    """For a log in which anything is not as it should be: what can be read of it."""
    try:
        raws = _RAW_LOGS.decode(data).records
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Unparsable from error
    damaged = 0
    for start in range(0, len(raws), _RECORDS_AT_ONCE):
        records = []
        for raw in raws[start : start + _RECORDS_AT_ONCE]:
            try:
                records.append(_RECORDS.decode(raw))
            except (msgspec.MsgspecError, UnicodeError, RecursionError):
                damaged += 1
        _count(records, tally)
    if damaged:
        raise Unparsable


_RECORDS_AT_ONCE = 256


def _count(records: Sequence[_Record], tally: Tally) -> None:
    for some, times in by_time(records, [seconds_of(record.event_time) for record in records]):
        _count_columns(some, times, tally)


def _count_columns(records: Sequence[_Record], times: Times, tally: Tally) -> None:
    """A column for each place in which a term stands."""
    identities = [record.user_identity or _NOBODY for record in records]
    issuers = [
        (identity.session_context and identity.session_context.session_issuer) or _NO_ISSUER
        for identity in identities
    ]
    principals = (
        [i.arn or (i.principal_id and i.principal_id.partition(":")[0]) for i in identities],
        [i.user_name for i in identities],
        [i.invoked_by for i in identities],
        [i.arn for i in issuers],
        [
            None if issuer.user_name == i.user_name else issuer.user_name
            for issuer, i in zip(issuers, identities, strict=True)
        ],
    )
    for column in principals:
        tally.count(Field.PRINCIPAL, column, times)
    tally.count(Field.SESSION, [session_of(i.arn, i.principal_id) for i in identities], times)
    tally.count(Field.ACCESS_KEY, [i.access_key_id for i in identities], times)
    tally.count(Field.ADDRESS, [record.source_address for record in records], times)
    tally.count(
        Field.EVENT,
        [
            f"{record.event_source}:{record.event_name}" if record.event_name else None
            for record in records
        ],
        times,
    )
    tally.count(Field.ERROR, [record.error_code for record in records], times)
    _count_parameters(records, times, tally)


@lru_cache(maxsize=4_096)
def session_of(arn: str | None, principal_id: str | None) -> str | None:
    """The name of a session: `arn:aws:sts::111111111111:assumed-role/role/session`; of whoever has
    no ARN, `AROAEXAMPLE:session`.
    """
    if arn is None:
        return principal_id.partition(":")[2] if principal_id else None
    front, _, rest = arn.partition(":assumed-role/")
    return rest.rpartition("/")[2] if rest and ":sts:" in front else None


def _count_parameters(records: Sequence[_Record], times: Times, tally: Tally) -> None:
    columns: dict[Field, tuple[list[str], list[int]]] = {}
    for record, time in zip(records, times or repeat(0), strict=False):
        for field, value in _found_in(record):
            values, moments = columns.setdefault(field, ([], []))
            values.append(value)
            moments.append(time)
    for field, (values, moments) in columns.items():
        tally.count(field, values, moments if times else None)


def _found_in(record: _Record) -> Found:
    """Each once, and nothing that stands in the identity."""
    found: Found = set()
    for parameters in (record.request_parameters, record.response_elements):
        if parameters:
            gather(parameters, found)
    for resource in record.resources or ():
        if resource.arn:
            found.add((Field.RESOURCE, resource.arn))
    if record.source_address:
        found.discard((Field.ADDRESS, record.source_address))
    identity = record.user_identity
    if found and identity is not None:
        if identity.access_key_id:
            found.discard((Field.ACCESS_KEY, identity.access_key_id))
        session = session_of(identity.arn, identity.principal_id)
        if session:
            found.discard((Field.SESSION, session))
    return found
