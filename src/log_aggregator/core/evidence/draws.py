"""A random sample of members that anyone can draw again. Every member has the same chance, however
large its pack is.

What is drawn is a place; each pack has as many places as it has members, or as it could have at
most. A place after a pack's last member is drawn in vain. That way a pack need not be read before
it is drawn, and all members still have the same chance (Lahiri's method, W. G. Cochran, Sampling
Techniques, 3rd edition, section 9A.3). No place is drawn twice.
"""

from __future__ import annotations

import hashlib
import itertools
from bisect import bisect_right
from collections.abc import Iterator, Sequence


def iter_places(seed: int, places: Sequence[int]) -> Iterator[tuple[int, int]]:
    """(pack, member), both counted from 0, in the order in which they are drawn; `places` is the
    number of places of each pack. It ends when all were drawn. The same seed and places give the
    same sample.
    """
    ends = list(itertools.accumulate(places))
    total = ends[-1] if ends else 0
    drawn: set[int] = set()
    for number in itertools.count():
        if len(drawn) == total:
            return
        place = _draw(seed, number, total)
        if place not in drawn:
            drawn.add(place)
            pack = bisect_right(ends, place)
            yield pack, place - (ends[pack - 1] if pack else 0)


def _draw(seed: int, number: int, total: int) -> int:
    """A number below `total`. The remainder of 128 bits favours small numbers, but far too little
    to matter.
    """
    digest = hashlib.sha256(f"{seed} {number}".encode()).digest()
    return int.from_bytes(digest[:16]) % total
