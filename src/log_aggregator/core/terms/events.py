"""Splits a log into events and finds the terms of each, with the same readers that collect terms,
so that both agree.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from log_aggregator.core.jsontext import encode_json
from log_aggregator.core.terms.model import Field, Term
from log_aggregator.core.terms.readers.unparsable import Unparsable
from log_aggregator.core.terms.table import ROWS
from log_aggregator.core.terms.tally import Tally, TooMany

_LISTS = ("Records", "configurationItems")
"""The names of the list of events in a document."""
_HEADED = frozenset({"vpcflowlogs"})
"""Log types whose first line has the names of the columns."""


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One event. `text` is its JSON, or its line."""

    text: str
    is_json: bool
    document: bytes
    """A log with only this event, for the readers."""


def split_events(log_type: str, data: bytes) -> Iterator[LogEvent]:
    """The events of an inflated log, in their order."""
    document = _parse(data)
    if document is None:
        yield from _split_lines(log_type, data)
        return
    name = next((name for name in _LISTS if isinstance(document.get(name), list)), None)
    if name is None:
        yield LogEvent(_text(document), is_json=True, document=data)
        return
    for event in document[name]:
        yield LogEvent(_text(event), is_json=True, document=encode_json({name: [event]}))


def terms_of(log_type: str, event: LogEvent) -> list[Term]:
    """The terms by which the event can be found; none if it cannot be parsed."""
    tally = Tally()
    tally.begin_member(0)
    with contextlib.suppress(Unparsable, TooMany):  # terms that were read before it are kept
        ROWS[log_type].read(event.document, tally)
    return [Term(Field(field), value) for field, value, *_ in tally.finish(int)]


def _parse(data: bytes) -> dict[str, Any] | None:
    """None if it is not a single document; then there is one event in each line."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _split_lines(log_type: str, data: bytes) -> Iterator[LogEvent]:
    header = b""
    for line in data.splitlines():
        if line.startswith(b"#") or (log_type in _HEADED and not header):
            header += line + b"\n"
        elif line.strip():
            text = line.decode("utf-8", "replace")
            yield LogEvent(text, line.startswith(b"{"), header + line + b"\n")


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
