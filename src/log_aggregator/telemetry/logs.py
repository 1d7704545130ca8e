"""Logs as JSON, one object per line on stdout, which is what CloudWatch Logs Insights reads.

    configure_logs("INFO")
    with bind(step="combine"):
        log_info("pack written", members=4892)

    {"timestamp": "2025-04-04T01:00:07.123Z", "level": "INFO", "message": "pack written", "step":
      "combine", "members": 4892}

`timestamp` and `level` have the names and forms that Lambda expects from a function with its own
log format (https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html),
so its filter by level works on them.

Contents of logs are never written: bytes are counted, not shown; objects of types that JSON does
not have appear as the name of their type; and an exception's own text is written only if it is one
of `errors`, whose texts hold no contents. Of any other exception only its name and the place where
it was raised are written.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from datetime import UTC, date, datetime
from types import MappingProxyType

from log_aggregator.errors import LogAggregatorError, SettingsError
from log_aggregator.escapes import escape_json

LOGGER_NAME = "log_aggregator"

ERROR_CHARS_MAX = 10_000
FRAMES_MAX = 20
CAUSES_MAX = 5
"""CloudWatch cuts long events, and half a JSON object cannot be parsed. So an error's text, its
frames (the last ones are kept) and its causes are bounded.
"""

_LEVELS = {
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "WARNING": logging.WARNING,
    "ERROR": logging.ERROR,
}
_LEVEL_NAMES = {logging.WARNING: "WARN", logging.CRITICAL: "FATAL"}
"""Where Lambda's names of levels differ from Python's."""

_logger = logging.getLogger(LOGGER_NAME)
_bound: ContextVar[Mapping[str, object]] = ContextVar("bound", default=MappingProxyType({}))


def configure_logs(level: str = "") -> None:
    """Makes the package's logger write to stdout, from this level on ("" is INFO).

    Lambda keeps a container for many invocations, and adds its own handler to the root logger.
    However often this is called, each line is written only once. Raises SettingsError.
    """
    wanted = (level or "INFO").upper()
    if wanted not in _LEVELS:
        raise SettingsError(f"log_level = {level!r}: expected {', '.join(_LEVELS)}")
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    _logger.handlers[:] = [handler]
    _logger.propagate = False
    _logger.setLevel(_LEVELS[wanted])
    logging.getLogger("botocore").setLevel(
        logging.WARNING
    )  # at INFO it logs at every cold start where it found credentials
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # its warnings quote headers
    _log_strays()


def _log_strays() -> None:
    """Logs errors that no caller sees like any other: of a thread, of a callback of libcurl, of an
    object that is freed. Python would print them with their text.
    """
    sys.excepthook = lambda _kind, error, _frames: log_error("uncaught error", error)
    threading.excepthook = lambda lost: log_error("a thread ended with an error", lost.exc_value)
    sys.unraisablehook = lambda lost: log_error("error that cannot be raised", lost.exc_value)


@contextlib.contextmanager
def bind(**fields: object) -> Iterator[None]:
    """Adds these fields to every line that is logged inside, by any function.

    They apply to this thread. A thread of a pool begins with none, unless its work runs in
    `contextvars.copy_context()`.
    """
    token = _bound.set({**_bound.get(), **fields})
    try:
        yield
    finally:
        _bound.reset(token)


def log_info(message: str, **fields: object) -> None:
    """Logs what happened. The line's own timestamp, level and message override `fields`."""
    _logger.info(message, extra={"fields": fields})


def log_warning(message: str, **fields: object) -> None:
    """Logs what works, but not as it should."""
    _logger.warning(message, extra={"fields": fields})


def log_error(message: str, error: BaseException | None = None, **fields: object) -> None:
    """Logs what went wrong. From `error` the line has `error` (its name), `error_message` and
    `advice` (ours only), and `traceback`.
    """
    _logger.error(message, exc_info=error, extra={"fields": fields})


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON: the line's own fields, bound fields, the call's fields, and the
    error.
    """

    def format(self, record: logging.LogRecord) -> str:
        own = {
            "timestamp": _format_time(record.created),
            "level": _LEVEL_NAMES.get(record.levelno, record.levelname),
            "message": record.getMessage(),
        }
        fields: Mapping[str, object] = getattr(record, "fields", {})
        error = record.exc_info[1] if record.exc_info else None
        # The first `own` puts its fields in front, the second overrides the others.
        line = {**own, **_bound.get(), **fields, **own, **(_describe_error(error) if error else {})}
        return escape_json(json.dumps(line, default=_describe_value))


def _format_time(seconds: float) -> str:
    return (
        datetime.fromtimestamp(seconds, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )


def _describe_error(error: BaseException) -> dict[str, object]:
    described: dict[str, object] = {"error": type(error).__name__}
    if isinstance(error, LogAggregatorError):
        described |= {
            "error": error.state_name,
            "error_message": str(error)[:ERROR_CHARS_MAX],
            "advice": error.advice,
        }
    return described | {
        "traceback": "\ncaused by\n".join(_describe_frames(cause) for cause in _chain(error))
    }


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, what caused it, what caused that."""
    cause: BaseException | None = error
    for _ in range(CAUSES_MAX):
        if cause is None:
            return
        yield cause
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)


def _describe_frames(error: BaseException) -> str:
    """As Python prints it, but without the text of errors that are not ours."""
    text = f": {str(error)[:ERROR_CHARS_MAX]}" if isinstance(error, LogAggregatorError) else ""
    return (
        "".join(traceback.format_tb(error.__traceback__, limit=-FRAMES_MAX))
        + type(error).__name__
        + text
    )


def _describe_value(value: object) -> object:
    """Values that JSON cannot hold."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"<{len(value)} bytes>"
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=str)
    return f"<{type(value).__name__}>"
