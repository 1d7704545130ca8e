"""Reads logs that are one JSON document with a list of events, in bounded memory whatever they
contain.

A decoded value takes up to 200 bytes, up to 70 times its size in JSON (`[]`). So a log is only
decoded as a whole if it has few values, and event by event otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from log_aggregator.core.terms.readers.unparsable import TooLarge, Unparsable
from log_aggregator.limits import KIB, MIB

_Event = TypeVar("_Event")
_Log = TypeVar("_Log")

UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""What decoding raises for bad data."""

SMALL_BYTES_MAX = 128 * KIB
"""Smaller logs are decoded without counting values; larger ones in batches of this size."""
AT_ONCE_BYTES_MAX = 2 * MIB
EVENT_BYTES_MAX = 1 * MIB
"""CloudTrail's events have at most 256 KB, or 1 MB if larger ones are enabled
(https://docs.aws.amazon.com/awscloudtrail/latest/userguide/WhatIsCloudTrail-Limits.html).
"""
VALUES_MAX = 64_000
"""The limit of values that are decoded together. Real logs have one in 20 bytes."""
EVENTS_MAX = 250_000
"""The limit of events in one log, ten times as many as in 16 MiB of AWS's smallest ones."""


def has_few_values(data: bytes, bytes_max: int = AT_ONCE_BYTES_MAX) -> bool:
    """Whether decoding all of `data` takes little memory."""
    size = len(data)
    return size <= SMALL_BYTES_MAX or (
        size <= bytes_max and data.count(b",") + data.count(b"[") + data.count(b"{") <= VALUES_MAX
    )


@dataclass(frozen=True, slots=True)
class Records(Generic[_Log, _Event]):
    """How to find the list in a document, as raw JSON, and how to decode an event.

    `shells` decodes the list as objects without fields.
    """

    raws: Callable[[bytes], Sequence[msgspec.Raw]]
    shells: msgspec.json.Decoder[_Log]
    events: msgspec.json.Decoder[_Event]

    def read(self, data: bytes, count: Callable[[Sequence[_Event]], None]) -> None:
        """Counts the events that can be decoded, some at a time. If some cannot, raises Unparsable
        after the others were counted; TooLarge if they would take too much memory.
        """
        self._check_count(data)
        try:
            raws = self.raws(data)
        except UNREADABLE as error:
            raise Unparsable from error
        damaged = has_large = False
        for batch in _cut_batches(raws):
            events = []
            for raw in batch:
                if not has_few_values(raw, EVENT_BYTES_MAX):
                    has_large = True
                    continue
                try:
                    events.append(self.events.decode(raw))
                except UNREADABLE:
                    damaged = True
            count(events)
        if has_large:
            raise TooLarge
        if damaged:
            raise Unparsable

    def _check_count(self, data: bytes) -> None:
        """Every event has a brace unless it is not an object, so only a list with very many commas
        needs to be decoded to find out.
        """
        if data.count(b"{") > EVENTS_MAX:
            raise TooLarge
        if data.count(b",") > EVENTS_MAX:
            try:
                self.shells.decode(data)
            except UNREADABLE as error:
                raise Unparsable from error


class Shell(msgspec.Struct, gc=False):
    """An event of which no field is kept."""


def _cut_batches(raws: Sequence[msgspec.Raw]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for raw in raws:
        data = bytes(raw)
        batch.append(data)
        size += len(data)
        if size >= SMALL_BYTES_MAX:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
