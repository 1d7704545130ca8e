"""CloudTrail Insights: which call was made unusually often, and by whom.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-insights-fields-trails.html.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import msgspec

from log_aggregator.core.terms.model import Field
from log_aggregator.core.terms.readers.moments import by_time, seconds_of
from log_aggregator.core.terms.readers.pieces import count_sets
from log_aggregator.core.terms.readers.records import Records, Shell
from log_aggregator.core.terms.tally import Tally


def read_insights(data: bytes, tally: Tally) -> None:
    """Counts the terms of a log: `{"Records": [...]}`. Raises Unparsable, TooMany."""
    _ONE_BY_ONE.read(data, partial(_count, tally=tally))


class _Value(msgspec.Struct):
    value: str | None = None


class _Attribution(msgspec.Struct):
    attribute: str | None = None
    insight: list[_Value] | None = None
    baseline: list[_Value] | None = None


class _Context(msgspec.Struct):
    attributions: list[_Attribution] | None = None


class _Details(msgspec.Struct, rename="camel"):
    event_source: str | None = None
    event_name: str | None = None
    error_code: str | None = None
    insight_context: _Context | None = None


class _Record(msgspec.Struct, rename="camel"):
    event_time: str | None = None
    insight_details: _Details | None = None


class _Log(msgspec.Struct):
    records: list[msgspec.Raw] = msgspec.field(name="Records")


class _ShellLog(msgspec.Struct):
    records: list[Shell] = msgspec.field(name="Records")


_LOGS = msgspec.json.Decoder(_Log)
_ONE_BY_ONE = Records(
    lambda data: _LOGS.decode(data).records,
    msgspec.json.Decoder(_ShellLog),
    msgspec.json.Decoder(_Record),
)
_NO_DETAILS = _Details()


def _count(records: Sequence[_Record], tally: Tally) -> None:
    for some, times in by_time(records, [seconds_of(record.event_time) for record in records]):
        details = [record.insight_details or _NO_DETAILS for record in some]
        events = [f"{d.event_source}:{d.event_name}" if d.event_name else None for d in details]
        tally.count(Field.EVENT, events, times)
        tally.count(Field.ERROR, [each.error_code for each in details], times)
        count_sets(Field.PRINCIPAL, [_principals(each) for each in details], times, tally)


def _principals(details: _Details) -> set[str | None]:
    context = details.insight_context
    return {
        each.value
        for attribution in (context and context.attributions) or ()
        if attribution.attribute == "userIdentityArn"
        for each in (*(attribution.insight or ()), *(attribution.baseline or ()))
    }
