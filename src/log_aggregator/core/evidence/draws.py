"""A random sample of members that anybody can draw again: every member has the same chance, however
large its pack is.

A place is drawn among as many as there are members, or as there can be at most. Where a pack has
fewer members than places, a place behind its last member is drawn for nothing: so a pack need not
be looked into before it is hit, and all members have the same chance all the same (Lahiri's method,
W. G. Cochran, Sampling Techniques, 3rd edition, section 9A.3). No place is drawn twice.
"""

from __future__ import annotations

import hashlib
import itertools
from bisect import bisect_right
from collections.abc import Iterator, Sequence


def iter_places(seed: int, places: Sequence[int]) -> Iterator[tuple[int, int]]:
    """(pack, member), both from 0 on, in the order in which they are drawn; `places` says how many
    each pack has. It ends when all were drawn. The same seed and the same numbers give the same.
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
    """A number below `total`. What the remainder favours is too little to count."""
    digest = hashlib.sha256(f"{seed} {number}".encode()).digest()
    return int.from_bytes(digest[:16]) % total
