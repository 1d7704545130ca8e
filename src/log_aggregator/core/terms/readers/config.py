"""AWS Config: history, snapshots, and notifications that were too large for SNS.

https://docs.aws.amazon.com/config/latest/developerguide/example-s3-snapshot.html,
https://docs.aws.amazon.com/config/latest/developerguide/oversized-notification-example.html.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from log_aggregator.core.terms.model import Field
from log_aggregator.core.terms.readers.moments import by_time, seconds_of
from log_aggregator.core.terms.readers.pieces import count_sets
from log_aggregator.core.terms.readers.unparsable import Unparsable
from log_aggregator.core.terms.tally import Tally


def read_config(data: bytes, tally: Tally) -> None:
    """Counts the terms of a log. Raises Unparsable, TooMany."""
    try:
        log = _LOGS.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        _read_one_by_one(data, tally)
        return
    items = log.configuration_items
    if log.configuration_item is not None:
        items = [*(items or ()), log.configuration_item]
    if items is None:
        raise Unparsable
    _count(items, tally)


class _Relationship(msgspec.Struct, rename="camel", gc=False):
    resource_id: str | None = None
    resource_name: str | None = None


class _Item(msgspec.Struct, rename="camel", gc=False):
    configuration_item_capture_time: str | None = None
    resource_id: str | None = None
    resource_name: str | None = None
    arn: str | None = msgspec.field(default=None, name="ARN")
    relationships: list[_Relationship] | None = None


class _Log(msgspec.Struct, rename="camel"):
    configuration_items: list[_Item] | None = None
    configuration_item: _Item | None = None


class _RawLog(msgspec.Struct, rename="camel"):
    configuration_items: list[msgspec.Raw]


_LOGS = msgspec.json.Decoder(_Log)
_RAW_LOGS = msgspec.json.Decoder(_RawLog)
_ITEMS = msgspec.json.Decoder(_Item)


def _read_one_by_one(data: bytes, tally: Tally) -> None:
    """For a log in which anything is not as it should be: what can be read of it."""
    items = []
    try:
        raws = _RAW_LOGS.decode(data).configuration_items
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Unparsable from error
    for raw in raws:
        try:
            items.append(_ITEMS.decode(raw))
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            continue
    _count(items, tally)
    raise Unparsable


def _count(items: Sequence[_Item], tally: Tally) -> None:
    times = [seconds_of(item.configuration_item_capture_time) for item in items]
    for some, moments in by_time(items, times):
        count_sets(Field.RESOURCE, [_resources(item) for item in some], moments, tally)
        count_sets(Field.NAME, [_names(item) for item in some], moments, tally)


def _resources(item: _Item) -> set[str | None]:
    related = (each.resource_id for each in item.relationships or ())
    return {item.arn, item.resource_id, *related}


def _names(item: _Item) -> set[str | None]:
    return {item.resource_name, *(each.resource_name for each in item.relationships or ())}
