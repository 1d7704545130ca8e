"""The single events of a log, each with its terms: by the same readers that counted them, so that
an event is found exactly where its terms say.
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
"""What a document's list of events is called."""
_HEADED = frozenset({"vpcflowlogs"})
"""Log types whose first line names the columns."""


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One event. `text` is its JSON, or its line."""

    text: str
    is_json: bool
    document: bytes
    """A log of this event alone, which the readers can read."""


def split_events(log_type: str, data: bytes) -> Iterator[LogEvent]:
    """The events of a log, inflated, in their order."""
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
    """What the event would be found by; none where it cannot be read."""
    tally = Tally()
    tally.begin_member(0)
    with contextlib.suppress(Unparsable, TooMany):  # what was read before stands
        ROWS[log_type].read(event.document, tally)
    return [Term(Field(field), value) for field, value, *_ in tally.finish(int)]


def _parse(data: bytes) -> dict[str, Any] | None:
    """None for what is no single document, which has one event a line."""
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
