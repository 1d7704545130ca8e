"""Spans for X-Ray: what a function did, as subsegments of the segment that Lambda writes.

    with span("combine", date=group.date, bucket=group.bucket, log_type=group.log_type,
    account=group.account):
        ...

It uses no SDK: the X-Ray SDK has been in maintenance since February 2026, its successor is
OpenTelemetry (https://docs.aws.amazon.com/xray/latest/devguide/xray-sdk-daemon-timeline.html), and
all that is needed is one UDP datagram to the daemon that Lambda runs next to the function. Only
this module depends on X-Ray, so only this module would have to be replaced.

Nothing is sent where the trace is not sampled, or where there is no daemon. A span is sent when it
ends, so it does not show what a function was doing when it timed out.

Threads: a span's parent is the one around it in the same thread. A thread of a pool begins without
one, so its spans go directly under the function; run its work in `contextvars.copy_context()` to
keep the parent.

Formats: https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html and the
schema that it links to (xray-segmentdocument-schema-v1.0.0),
https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import socket
import time
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date

from log_aggregator.errors import LogAggregatorError, name_place

TRACE_VARIABLE = "_X_AMZN_TRACE_ID"
"""Set by Lambda for each invocation: `Root=1-<8 hex>-<24 hex>;Parent=<16
hex>;Sampled=1;Lineage=...`.
"""
DAEMON_VARIABLE = "AWS_XRAY_DAEMON_ADDRESS"
"""Set by Lambda: an IPv4 address and a port."""

HEADER = b'{"format": "json", "version": 1}\n'
DATAGRAM_BYTES_MAX = 64_000
"""A document has at most 64 kB, and a datagram over IPv4 at most 65,507 bytes."""
NAME_CHARS_MAX = 200
ANNOTATIONS_MAX = 50
"""X-Ray indexes this many annotations of a whole trace. Later ones are shown, but cannot be
searched for: in a trace with many groups search for the bucket or the run, not for one account.
"""
ANNOTATION_CHARS_MAX = 250
MESSAGE_CHARS_MAX = 1_000

Annotation = str | int | float | bool | date | None


@dataclass(frozen=True, slots=True)
class _Parent:
    """Where a new span belongs: its trace, and its parent."""

    trace_id: str
    parent_id: str


_current: ContextVar[_Parent | None] = ContextVar("current", default=None)


@contextlib.contextmanager
def span(name: str, **annotations: Annotation) -> Iterator[None]:
    """A subsegment around what happens inside. Annotations can be searched for; those that are None
    are left out.

    An error inside is noted and passed on: one of `errors` with its text, any other by its name and
    place, because its text may hold contents of logs. Raises ValueError for an annotation's name or
    value that X-Ray does not accept, sampled or not, so that the first test finds it.
    """
    noted = _check_annotations(annotations)
    parent, daemon = _find_parent(), _find_daemon()
    if parent is None or daemon is None:
        yield
        return
    span_id = _make_id()
    document: dict[str, object] = {
        "name": _NOT_IN_NAME.sub("_", name)[:NAME_CHARS_MAX],
        "id": span_id,
        "trace_id": parent.trace_id,
        "parent_id": parent.parent_id,
        "type": "subsegment",
        "annotations": noted,
    }
    started, began = time.time(), time.perf_counter()
    token = _current.set(_Parent(parent.trace_id, span_id))
    try:
        yield
    except BaseException as error:
        document |= _describe_error(error)
        raise
    finally:
        _current.reset(token)
        # The end is not the time of day, because clocks are set back, and a span must not end
        # before it began.
        _send(
            daemon,
            document | {"start_time": started, "end_time": started + time.perf_counter() - began},
        )


def _check_annotations(
    annotations: Mapping[str, Annotation],
) -> dict[str, str | int | float | bool]:
    if len(annotations) > ANNOTATIONS_MAX:
        raise ValueError(f"{len(annotations)} annotations: expected at most {ANNOTATIONS_MAX}")
    checked: dict[str, str | int | float | bool] = {}
    for key, value in annotations.items():
        if not _ANNOTATION_KEY.fullmatch(key):
            raise ValueError(
                f"annotation {key!r}: expected letters, digits and underscores of ASCII"
            )
        if isinstance(value, date):
            checked[key] = value.isoformat()
        elif isinstance(value, str):
            checked[key] = value[:ANNOTATION_CHARS_MAX]
        elif isinstance(value, (bool, int, float)) and math.isfinite(value):
            checked[key] = value
        elif value is not None:
            raise ValueError(
                f"annotation {key}: expected text, a finite number, a boolean or a date, "
                f"not {type(value).__name__}"
            )
    return checked


def _find_parent() -> _Parent | None:
    """None where the trace is not sampled."""
    fields = dict(
        part.strip().partition("=")[::2] for part in os.environ.get(TRACE_VARIABLE, "").split(";")
    )
    trace_id, parent_id = fields.get("Root", ""), fields.get("Parent", "")
    if (
        fields.get("Sampled") != "1"
        or not _TRACE_ID.fullmatch(trace_id)
        or not _SPAN_ID.fullmatch(parent_id)
    ):
        return None
    # A thread left over from an earlier invocation may still hold a parent in that trace.
    current = _current.get()
    return (
        current
        if current is not None and current.trace_id == trace_id
        else _Parent(trace_id, parent_id)
    )


def _find_daemon() -> tuple[str, int] | None:
    """Addresses only, no host names: looking one up could block or fail."""
    found = _ADDRESS.fullmatch(os.environ.get(DAEMON_VARIABLE, ""))
    return (found[1], int(found[2])) if found and int(found[2]) <= _PORT_MAX else None


def _describe_error(error: BaseException) -> dict[str, object]:
    """`error` is X-Ray's word for what the caller must put right, `fault` for what is wrong with
    the program itself.
    """
    is_ours = isinstance(error, LogAggregatorError)
    text = str(error) if is_ours else name_place(error)
    exception = {
        "id": _make_id(),
        "type": type(error).__name__,
        "message": text[:MESSAGE_CHARS_MAX],
    }
    return {"error" if is_ours else "fault": True, "cause": {"exceptions": [exception]}}


def _send(daemon: tuple[str, int], document: Mapping[str, object]) -> None:
    datagram = _encode(document)
    if len(datagram) > DATAGRAM_BYTES_MAX:
        datagram = _encode({**document, "annotations": {}})
    # Traces are optional: a missing daemon or a full network buffer must not fail the job that is
    # traced, nor hide the error that it ended with.
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        sender.sendto(datagram, daemon)


def _encode(document: Mapping[str, object]) -> bytes:
    return HEADER + json.dumps(document, separators=(",", ":")).encode()


def _make_id() -> str:
    return os.urandom(8).hex()


_TRACE_ID = re.compile("1-[0-9a-f]{8}-[0-9a-f]{24}")
_SPAN_ID = re.compile("[0-9a-f]{16}")
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
_ADDRESS = re.compile(rf"({_OCTET}(?:\.{_OCTET}){{3}}):([0-9]{{1,5}})")
_PORT_MAX = 65_535
_ANNOTATION_KEY = re.compile("[A-Za-z0-9_]{1,500}")
_NOT_IN_NAME = re.compile(r"[^\w .:/%&#=+@-]")
"""The documentation also allows whitespace and backslashes; the schema that it links to allows
neither line breaks, tabs nor backslashes.
"""
