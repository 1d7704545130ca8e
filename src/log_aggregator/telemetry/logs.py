"""Logs as JSON, one object a line on stdout, which is what CloudWatch Logs Insights reads.

    configure_logs("INFO")
    with bind(step="combine"):
        log_info("pack written", members=4892)

    {"timestamp": "2025-04-04T01:00:07.123Z", "level": "INFO", "message": "pack written", "step":
      "combine", "members": 4892}

`timestamp` and `level` are named and written as Lambda wants them of a function that brings its own
format (https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html), so
its filter by level works on them.

Contents of logs never get here: bytes are counted, not shown; objects of types that JSON does not
know appear by the name of their type; and an exception's own text is written only where it is one
of `errors`, whose texts hold no contents. Of any other exception there is its name and where it was
raised.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
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
"""CloudWatch cuts long events, and half a JSON object is none: an error's text, its frames (the
last ones), its causes are bounded.
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
    """Lets the package's logger write to stdout, from this level on ("" is INFO).

    Lambda keeps a container for many invocations, and puts a handler of its own on the root logger:
    however often this is called, a line is written once, by us alone. Raises SettingsError.
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
    )  # it tells at every cold start where it found credentials


@contextlib.contextmanager
def bind(**fields: object) -> Iterator[None]:
    """Adds these fields to every line that is logged inside, also by functions that know nothing of
    them.

    They hold for this thread. A thread of a pool begins with none, unless its work is run in
    `contextvars.copy_context()`.
    """
    token = _bound.set({**_bound.get(), **fields})
    try:
        yield
    finally:
        _bound.reset(token)


def log_info(message: str, **fields: object) -> None:
    """What happened. `fields` called timestamp, level or message give way to the line's own."""
    _logger.info(message, extra={"fields": fields})


def log_warning(message: str, **fields: object) -> None:
    """What somebody should look at, though nothing failed."""
    _logger.warning(message, extra={"fields": fields})


def log_error(message: str, error: BaseException | None = None, **fields: object) -> None:
    """What went wrong. Of `error` the line holds `error` (its name), `error_message` and `advice`
    (ours only), `traceback`.
    """
    _logger.error(message, exc_info=error, extra={"fields": fields})


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON: the line's own fields, what is bound, what the call gave, the
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
        # The first `own` puts its fields in front, the second lets them win.
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
    """As Python prints it, but without the text of an error that is not ours."""
    text = f": {str(error)[:ERROR_CHARS_MAX]}" if isinstance(error, LogAggregatorError) else ""
    return (
        "".join(traceback.format_tb(error.__traceback__, limit=-FRAMES_MAX))
        + type(error).__name__
        + text
    )


def _describe_value(value: object) -> object:
    """What JSON has no form for."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"<{len(value)} bytes>"
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=str)
    return f"<{type(value).__name__}>"
