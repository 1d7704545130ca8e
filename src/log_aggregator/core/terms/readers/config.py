"""AWS Config: history, snapshots, and notifications that were too large for SNS.

https://docs.aws.amazon.com/config/latest/developerguide/example-s3-snapshot.html,
https://docs.aws.amazon.com/config/latest/developerguide/oversized-notification-example.html.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import msgspec

from log_aggregator.core.terms.model import Field
from log_aggregator.core.terms.readers.moments import by_time, seconds_of
from log_aggregator.core.terms.readers.pieces import count_sets
from log_aggregator.core.terms.readers.records import UNREADABLE, Records, Shell, has_few_values
from log_aggregator.core.terms.readers.unparsable import Unparsable
from log_aggregator.core.terms.tally import Tally


def read_config(data: bytes, tally: Tally) -> None:
    """Counts the terms of a log. Raises Unparsable, TooMany."""
    if has_few_values(data):
        try:
            items = _items_of(data)
        except UNREADABLE:
            pass
        else:
            _count(items, tally)
            return
    _ONE_BY_ONE.read(data, partial(_count, tally=tally))


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
    configuration_items: list[msgspec.Raw] | None = None
    configuration_item: msgspec.Raw = msgspec.Raw()


class _ShellLog(msgspec.Struct, rename="camel"):
    configuration_items: list[Shell] | None = None


_LOGS = msgspec.json.Decoder(_Log)
_RAW_LOGS = msgspec.json.Decoder(_RawLog)


def _items_of(data: bytes) -> list[_Item]:
    """Raises Unparsable if it has none."""
    log = _LOGS.decode(data)
    if log.configuration_items is None and log.configuration_item is None:
        raise Unparsable
    last = [] if log.configuration_item is None else [log.configuration_item]
    return (log.configuration_items or []) + last


def _raws_of(data: bytes) -> list[msgspec.Raw]:
    """The same, undecoded."""
    log = _RAW_LOGS.decode(data)
    last = [log.configuration_item] if bytes(log.configuration_item) not in _NOTHING else []
    if log.configuration_items is None and not last:
        raise Unparsable
    return (log.configuration_items or []) + last


_NOTHING = (b"", b"null")
_ONE_BY_ONE = Records(_raws_of, msgspec.json.Decoder(_ShellLog), msgspec.json.Decoder(_Item))
"""For a log that is large or damaged: decodes item by item and counts what can be read."""


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
