"""Access logs of S3 and CloudFront.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html,
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logs-reference.html.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache, partial

import msgspec

from log_aggregator.core.terms.model import Field
from log_aggregator.core.terms.readers.moments import by_time, seconds_of, within
from log_aggregator.core.terms.readers.pieces import Pieces, once, read_json_lines
from log_aggregator.core.terms.readers.unparsable import Unparsable
from log_aggregator.core.terms.tally import Tally


def read_s3_access(data: bytes, tally: Tally) -> None:
    """Counts the terms of a log. Raises Unparsable, TooMany."""
    damaged = False
    pieces = Pieces(data)
    for piece in pieces:
        lines = [line for line in piece.decode("utf-8", "replace").split("\n") if line.strip()]
        read = [_REQUEST.match(line) for line in lines]
        whole = [match for match in read if match is not None]
        damaged = damaged or len(whole) < len(read)
        for some, times in by_time(whole, [_clf_time(match["time"]) for match in whole]):
            for field, group in _S3_GROUPS.items():
                tally.count(field, [_given(match[group]) for match in some], times)
            tally.count(Field.HOST, [_host_of(match) for match in some], times)
    pieces.check()
    if damaged:
        raise Unparsable


def read_cloudfront(data: bytes, tally: Tally) -> None:
    """Counts the terms of a standard log of either version: text with a line `#Fields:`, or JSON
    Lines. Raises Unparsable, TooMany.
    """
    if data.startswith(b"{"):
        read_json_lines(data, _VIEWS, partial(_count_views, tally=tally))
        return
    header: list[str] = []
    damaged = False
    pieces = Pieces(data)
    for piece in pieces:
        rows: list[list[str]] = []
        for line in piece.decode("utf-8", "replace").split("\n"):
            if line.startswith(_FIELDS):
                _count_rows(header, rows, tally)
                header, rows = line.removeprefix(_FIELDS).split(), []
            elif line and not line.startswith("#"):
                row = line.rstrip("\r").split("\t")
                damaged = damaged or not header or len(row) != len(header)
                rows += [row] if len(row) == len(header) else []
        _count_rows(header, rows, tally)
    pieces.check()
    if damaged:
        raise Unparsable


_REQUEST = re.compile(
    r"\S+ (?P<bucket>\S+) \[(?P<time>[^\]]*)\] (?P<address>\S+) (?P<requester>\S+) \S+ \S+ \S+ "
    r'(?:"[^"]*"|-) \S+ (?P<error>\S+) '
)
_S3_GROUPS = {
    Field.NAME: "bucket",
    Field.ADDRESS: "address",
    Field.PRINCIPAL: "requester",
    Field.ERROR: "error",
}
_QUOTES = 6
"""Quotation marks of request, referrer and user agent. A `-` may come without."""
_HOST_WORD = 5
"""After the last quotation mark: version id, host id, signature, cipher, kind, host."""
_HOST_WORD_UNQUOTED = 11
"""After the error code: bytes, size, two times, referrer, user agent, and those above."""
_WORD = re.compile(r'"[^"]*"|\S+')
_CLF_CHARS = 26


def _clf_time(text: str) -> int | None:
    return _parse_clf(text) if len(text) == _CLF_CHARS else None


def _given(text: str | None) -> str | None:
    return None if text == "-" else text


def _host_of(match: re.Match[str]) -> str | None:
    """The host header. Older lines end before it. A user agent may contain quotation marks, but
    nothing after it does.
    """
    line = match.string
    if line.count('"') < _QUOTES:
        words, place = _WORD.findall(line, match.end()), _HOST_WORD_UNQUOTED
    else:
        words, place = line.rpartition('"')[2].split(), _HOST_WORD
    return _given(words[place]) if len(words) > place else None


@lru_cache(maxsize=8_192)
def _parse_clf(text: str) -> int | None:
    """Parses `06/Feb/2019:00:00:38 +0000`. Cached, because neighbouring lines share a time."""
    match = _CLF_TIME.match(text)
    if match is None or match["month"] not in _MONTHS:
        return None
    day, year, hour, minute, second = map(int, match.group("day", "year", "hour", "min", "sec"))
    try:
        moment = datetime(year, _MONTHS[match["month"]], day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return within(int(moment.timestamp()))


_CLF_TIME = re.compile(
    r"(?P<day>[0-9]{2})/(?P<month>[A-Z][a-z]{2})/(?P<year>[0-9]{4}):(?P<hour>[0-9]{2}):"
    r"(?P<min>[0-9]{2}):(?P<sec>[0-9]{2}) \+0000\Z"
)
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}

_FIELDS = "#Fields:"
CLOUDFRONT_COLUMNS: Mapping[Field, tuple[str, ...]] = {
    Field.ADDRESS: ("c-ip",),
    Field.HOST: ("cs(Host)", "x-host-header"),
}


class _View(msgspec.Struct, gc=False):
    """One line of JSON. It may have a time in seconds instead of date and time."""

    date: str | None = None
    time: str | None = None
    timestamp: str | int | float | None = None
    address: str | None = msgspec.field(default=None, name="c-ip")
    host: str | None = msgspec.field(default=None, name="cs(Host)")
    host_header: str | None = msgspec.field(default=None, name="x-host-header")


_VIEWS = msgspec.json.Decoder(_View)


def _view_time(view: _View) -> int | None:
    if view.date and view.time:
        return seconds_of(f"{view.date}T{view.time}")
    digits = str(view.timestamp).partition(".")[0]
    return within(int(digits)) if digits.isdigit() and len(digits) <= _EPOCH_DIGITS else None


_EPOCH_DIGITS = 12


def _count_views(views: Sequence[_View], tally: Tally) -> None:
    for some, moments in by_time(views, [_view_time(view) for view in views]):
        tally.count(Field.ADDRESS, [_given(view.address) for view in some], moments)
        hosts = [_given(view.host) for view in some], [_given(view.host_header) for view in some]
        for column in once(*hosts):
            tally.count(Field.HOST, column, moments)


def _count_rows(header: Sequence[str], rows: Sequence[Sequence[str]], tally: Tally) -> None:
    clock = [header.index(name) for name in ("date", "time") if name in header]
    times = [seconds_of("T".join(row[p] for p in clock)) for row in rows]
    for some, moments in by_time(rows, times):
        for field, names in CLOUDFRONT_COLUMNS.items():
            places = [header.index(name) for name in names if name in header]
            columns = [[_given(row[p]) for row in some] for p in places]
            for column in once(*columns):
                tally.count(field, column, moments)
