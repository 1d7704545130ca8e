"""From which size on one way of keeping log objects is cheaper than another."""

from __future__ import annotations

from collections.abc import Callable


def find_break_even_bytes(
    dearer: Callable[[int], float], cheaper: Callable[[int], float], size_bytes_max: int
) -> int | None:
    """The smallest size from which `cheaper` costs no more than `dearer`, which it does for all
    larger ones; None up to the limit.

    Both are given a size and give dollars.
    """
    if cheaper(size_bytes_max) > dearer(size_bytes_max):
        return None
    low, high = 0, size_bytes_max
    while low < high:
        middle = (low + high) // 2
        if cheaper(middle) <= dearer(middle):
            high = middle
        else:
            low = middle + 1
    return high
