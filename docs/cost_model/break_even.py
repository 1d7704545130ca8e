"""From which size on one way of keeping log objects is cheaper than another."""

from __future__ import annotations

from collections.abc import Callable


def find_break_even_bytes(
    current: Callable[[int], float], cheaper: Callable[[int], float], size_bytes_max: int
) -> int | None:
    """The smallest size from which `cheaper` costs no more than `current`, which it does for all
    larger ones; None up to the limit.

    Both are given a size and give dollars.
    """
    if cheaper(size_bytes_max) > current(size_bytes_max):
        return None
    low, high = 0, size_bytes_max
    while low < high:
        middle = (low + high) // 2
        if cheaper(middle) <= current(middle):
            high = middle
        else:
            low = middle + 1
    return high
