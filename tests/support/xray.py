"""The formats that X-Ray accepts, as AWS publishes them: a datagram for its daemon, and a separate
subsegment. And a daemon that keeps what it receives.

https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html and the schema that
the page links to, xray-segmentdocument-schema-v1.0.0;
https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html for the header.
"""

from __future__ import annotations

import json
import socket
import threading
from types import TracebackType
from typing import Any, Self

import jsonschema
from tests.support.waiting import SECONDS_MAX

DOCUMENT_BYTES_MAX = 64_000
HEADER = {"format": "json", "version": 1}
RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024

_ID = {"type": "string", "pattern": "^[0-9a-f]{16}$"}
_STACK = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "path": {"type": "string"},
            "line": {"type": "integer"},
            "label": {"type": "string"},
        },
        "additionalProperties": False,
    },
}
_EXCEPTION = {
    "type": "object",
    "properties": {
        "id": _ID,
        "message": {"type": "string"},
        "type": {"type": "string"},
        "remote": {"type": "boolean"},
        "truncated": {"type": "integer"},
        "skipped": {"type": "integer"},
        "cause": _ID,
        "stack": _STACK,
    },
    "required": ["id"],
    "additionalProperties": False,
}
INDEPENDENT_SUBSEGMENT: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": r"^[\w .:/%&#=+@-]{1,200}$"},
        "id": _ID,
        "trace_id": {"type": "string", "pattern": "^1-[0-9a-f]{8}-[0-9a-f]{24}$"},
        "parent_id": _ID,
        "type": {"const": "subsegment"},
        "start_time": {"type": "number"},
        "end_time": {"type": "number"},
        "in_progress": {"const": True},
        "namespace": {"enum": ["aws", "remote"]},
        "error": {"type": "boolean"},
        "throttle": {"type": "boolean"},
        "fault": {"type": "boolean"},
        "cause": {
            "oneOf": [
                _ID,
                {
                    "type": "object",
                    "properties": {
                        "working_directory": {"type": "string"},
                        "paths": {"type": "array", "items": {"type": "string"}},
                        "exceptions": {"type": "array", "items": _EXCEPTION},
                    },
                    "additionalProperties": False,
                },
            ]
        },
        "annotations": {
            "type": "object",
            "patternProperties": {
                "^[A-Za-z0-9_]{1,500}$": {
                    "type": ["string", "number", "boolean"],
                    "maxLength": 1000,
                }
            },
            "additionalProperties": False,
            "maxProperties": 50,
        },
        "metadata": {"type": "object", "additionalProperties": {"type": "object"}},
        "precursor_ids": {"type": "array", "items": _ID},
    },
    "required": ["name", "id", "trace_id", "parent_id", "type", "start_time"],
    "oneOf": [{"required": ["end_time"]}, {"required": ["in_progress"]}],
    "additionalProperties": False,
}
"""Fields that a subsegment may have but that we never send are left out: `http`, `aws`, `sql` and
nested ones. The published schema allows unknown fields; here they are mistakes.
"""


def find_problems(datagram: bytes) -> list[str]:
    """Why X-Ray would reject it, or misunderstand it."""
    header, newline, document = datagram.partition(b"\n")
    if not newline or json.loads(header) != HEADER:
        return [f"header: {header[:80]!r}"]
    problems = []
    if len(document) > DOCUMENT_BYTES_MAX:
        problems.append(f"{len(document)} bytes")
    received = json.loads(document)
    checker = jsonschema.Draft202012Validator(INDEPENDENT_SUBSEGMENT)
    problems += [f"{error.json_path}: {error.message}" for error in checker.iter_errors(received)]
    if received.get("end_time", 0) < received.get("start_time", 0):
        problems.append("it ends before it begins")
    return problems


class FakeDaemon:
    """Listens on a free port of this machine inside a `with` block, and keeps every datagram."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        self._socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._datagrams: list[bytes] = []
        self._has_marker = threading.Event()
        self._thread = threading.Thread(target=self._receive, name="x-ray daemon", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.sendto(b"", self._socket.getsockname())
        self._thread.join(SECONDS_MAX)
        self._socket.close()

    def read_all(self) -> list[bytes]:
        """Everything sent before: one socket keeps the order of arrival."""
        self._has_marker.clear()
        self._socket.sendto(b"marker", self._socket.getsockname())
        if not self._has_marker.wait(SECONDS_MAX):
            raise TimeoutError("the marker has not come through")
        return list(self._datagrams)

    def _receive(self) -> None:
        while datagram := self._socket.recv(70_000):
            if datagram == b"marker":
                self._has_marker.set()
            else:
                self._datagrams.append(datagram)
