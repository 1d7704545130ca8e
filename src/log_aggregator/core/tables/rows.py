"""Rows of a table, and an external merge sort over them: compressed sorted pieces, of which only a
few are inflated at a time.
"""

from __future__ import annotations

import marshal
import zlib
from collections.abc import Iterable, Iterator, Sequence

Row = tuple[str, str, str, int, int, int]
"""(value, field, pack, first, last, count): a plain tuple, because there are millions. The pack is
its key without the target's root and "packs/". The times are seconds since 1970, or NO_TIME.
"""
NO_TIME = -1

RUN_ROWS_MAX = 100_000
"""The number of rows that are held uncompressed before they become a run: about 30 MB."""
_PIECE_ROWS = 4_096
"""The rows in a piece. One piece of each run is inflated while they are merged."""


class RowSorter:
    """Takes rows in any order and returns them sorted. Input in sorted pieces costs little."""

    def __init__(self, run_rows_max: int = RUN_ROWS_MAX) -> None:
        self._run_rows_max = run_rows_max
        self._open: list[Row] = []
        self._runs: list[list[bytes]] = []

    def take(self, rows: Iterable[Row]) -> None:
        self._open.extend(rows)
        if len(self._open) >= self._run_rows_max:
            self._close()

    def merge(self) -> Iterator[list[Row]]:
        """All rows, a few thousand at a time. To be called once, as it frees what it returns."""
        if not self._runs:
            self._open.sort()
            rows, self._open = self._open, []
            yield rows
            return
        self._close()
        runs, self._runs = self._runs, []
        yield from merge_sorted([_read_run(run) for run in runs])

    def _close(self) -> None:
        self._open.sort()
        self._runs.append(
            [
                _encode(self._open[first : first + _PIECE_ROWS])
                for first in range(0, len(self._open), _PIECE_ROWS)
            ]
        )
        self._open = []


def merge_sorted(runs: Sequence[Iterator[list[Row]]]) -> Iterator[list[Row]]:
    """Merges several streams, each in sorted pieces, into one.

    Rows up to the smallest of the last rows of all held pieces are ready, because no row that is
    still to come is smaller. Sorting them together is several times faster than a heap, because
    Python's sort recognises the sorted pieces.
    """
    held: dict[int, list[Row]] = {}
    for number, run in enumerate(runs):
        _refill(held, number, run)
    while held:
        limit = min(rows[-1] for rows in held.values())
        ready: list[Row] = []
        for number, rows in list(held.items()):
            end = _count_until(rows, limit)
            ready += rows[:end]
            if end < len(rows):
                held[number] = rows[end:]
            else:
                del held[number]
                _refill(held, number, runs[number])
        ready.sort()
        yield ready


def _refill(held: dict[int, list[Row]], number: int, run: Iterator[list[Row]]) -> None:
    for rows in run:
        if rows:
            held[number] = rows
            return


def _count_until(rows: list[Row], limit: Row) -> int:
    """The number of rows up to the limit, by the first three fields."""
    low, high, wanted = 0, len(rows), limit[:3]
    while low < high:
        middle = (low + high) // 2
        if rows[middle][:3] <= wanted:
            low = middle + 1
        else:
            high = middle
    return low


def _read_run(run: list[bytes]) -> Iterator[list[Row]]:
    """Frees each piece after it was returned."""
    run.reverse()
    while run:
        yield _decode(run.pop())


def _encode(rows: list[Row]) -> bytes:
    """Fast rather than small, because it never leaves this process."""
    return zlib.compress(marshal.dumps(rows), 1)


def _decode(piece: bytes) -> list[Row]:
    rows: list[Row] = marshal.loads(zlib.decompress(piece))  # noqa: S302 - written by `_encode`, in this process
    return rows
