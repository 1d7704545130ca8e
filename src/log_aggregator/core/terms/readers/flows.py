"""VPC and transit gateway flow logs as text, in any format: their first line names the columns.

https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html,
https://docs.aws.amazon.com/vpc/latest/tgw/tgw-flow-logs.html.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from log_aggregator.core.terms.model import Field
from log_aggregator.core.terms.readers.moments import by_time, within
from log_aggregator.core.terms.readers.pieces import PIECE_BYTES, Pieces, once
from log_aggregator.core.terms.readers.unparsable import Unparsable
from log_aggregator.core.terms.tally import Tally

COLUMNS: Mapping[Field, tuple[str, ...]] = {
    Field.ADDRESS: ("srcaddr", "dstaddr", "pkt-srcaddr", "pkt-dstaddr"),
    Field.INTERFACE: ("interface-id", "tgw-src-eni", "tgw-dst-eni"),
    Field.RESOURCE: ("instance-id",),
}
_TIMES = ("start", "end")
_NONE = "-"


def read_flows(data: bytes, tally: Tally) -> None:
    """Counts the terms of a log. Raises Unparsable, TooMany."""
    end = data.find(b"\n", 0, PIECE_BYTES) + 1 or len(data)
    if end > PIECE_BYTES or not data[:end].isascii():  # a byte order mark is not ASCII either
        raise Unparsable
    header = data[:end].decode("ascii").split()
    if not header:
        return
    if not any(name in header for names in COLUMNS.values() for name in names):
        raise Unparsable
    damaged = False
    pieces = Pieces(data, end)
    for piece in pieces:
        lines = piece.decode("utf-8", "replace").split("\n")
        rows = [line.split() for line in lines if line]
        whole = [row for row in rows if len(row) == len(header)]
        damaged = damaged or len(whole) < len(rows)
        _count(header, whole, tally)
    pieces.check()
    if damaged:
        raise Unparsable


def _count(header: Sequence[str], rows: Sequence[Sequence[str]], tally: Tally) -> None:
    clock = next((header.index(name) for name in _TIMES if name in header), None)
    times = [None if clock is None else _epoch(row[clock]) for row in rows]
    for some, moments in by_time(rows, times):
        for field, names in COLUMNS.items():
            places = [header.index(name) for name in names if name in header]
            columns = [[None if row[p] == _NONE else row[p] for row in some] for p in places]
            for column in once(*columns):
                tally.count(field, column, moments)


def _epoch(text: str) -> int | None:
    return within(int(text)) if text.isascii() and text.isdigit() and len(text) < 13 else None
