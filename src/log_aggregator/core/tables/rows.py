"""Rows of a table, and an external merge sort over them: sorted pieces, compressed, of which few
are open at a time.
"""

from __future__ import annotations

import marshal
import zlib
from collections.abc import Iterable, Iterator, Sequence

Row = tuple[str, str, str, int, int, int]
"""(value, field, pack, first, last, count): a plain tuple, because there are millions of them. The
pack is named by its key without the target's root and "packs/". The times are in seconds since
1970, or NO_TIME.
"""
NO_TIME = -1

RUN_ROWS_MAX = 100_000
"""So many are held as they are before they become a run: some 30 MB."""
_PIECE_ROWS = 4_096
"""Of each run one piece is open while they are merged."""


class RowSorter:
    """Takes rows in any order and gives them back sorted. Pieces of the input that are sorted
    already cost little.
    """

    def __init__(self, run_rows_max: int = RUN_ROWS_MAX) -> None:
        self._run_rows_max = run_rows_max
        self._open: list[Row] = []
        self._runs: list[list[bytes]] = []

    def take(self, rows: Iterable[Row]) -> None:
        self._open.extend(rows)
        if len(self._open) >= self._run_rows_max:
            self._close()

    def merge(self) -> Iterator[list[Row]]:
        """All of them, a few thousand at a time. Once only: what was given back is forgotten."""
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
    """One sorted stream out of several, each in sorted pieces.

    What is not above the smallest of the last rows that are held can be given away: nothing that
    is still to come is below it. Sorting that at once is several times faster than a heap, because
    the sort finds the sorted pieces.
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
    """How many are not above the limit, by the first three fields."""
    low, high, wanted = 0, len(rows), limit[:3]
    while low < high:
        middle = (low + high) // 2
        if rows[middle][:3] <= wanted:
            low = middle + 1
        else:
            high = middle
    return low


def _read_run(run: list[bytes]) -> Iterator[list[Row]]:
    """Forgets each piece that it has given."""
    run.reverse()
    while run:
        yield _decode(run.pop())


def _encode(rows: list[Row]) -> bytes:
    """Fast rather than small; it never leaves this process."""
    return zlib.compress(marshal.dumps(rows), 1)


def _decode(piece: bytes) -> list[Row]:
    rows: list[Row] = marshal.loads(zlib.decompress(piece))  # noqa: S302 - written by `_encode`, in this process
    return rows
