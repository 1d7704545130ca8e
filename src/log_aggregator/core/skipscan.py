"""The date skip-scan: where to continue a listing when only some days are wanted.

After a page, the position of the date in its last key is known (`DatePosition`). All keys that
share the text before it, the *scope*, have their date there or none at all. So there is nothing
wanted between that key and the next wanted date in the scope, and the listing continues there, or
after the scope. In all other cases the next page is read.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from functools import lru_cache

from log_aggregator.core.layouts import DateGrammar, DatePosition
from log_aggregator.core.layouts.declared import BUILT_IN
from log_aggregator.core.windows import DateWindow
from log_aggregator.limits import KEY_BYTES_MAX


def next_start(
    last_key: str,
    window: DateWindow,
    position_of: Callable[[str], DatePosition | None] = BUILT_IN.position,
    *,
    skip_prefixes: tuple[str, ...] = (),
) -> str | None:
    """The key after which to continue (exclusive, like StartAfter and KeyMarker) when a page ended
    with `last_key`; None for the next page.

    `position_of` is that of the bucket's layouts. The result sorts after `last_key`, and no key
    between the two has a date in the window, except those that begin with one of `skip_prefixes`,
    which are always skipped.
    """
    target = _skipped_end(last_key, skip_prefixes) or _target(
        last_key, window, position_of(last_key)
    )
    if target is None:
        return None
    start = _just_before(target)
    if start <= last_key or len(start.encode()) > KEY_BYTES_MAX:
        return None
    return start


def _skipped_end(last_key: str, skip_prefixes: tuple[str, ...]) -> str | None:
    return next(
        (prefix + _AFTER_ASCII for prefix in skip_prefixes if last_key.startswith(prefix)), None
    )


def _target(last_key: str, window: DateWindow, position: DatePosition | None) -> str | None:
    """The first text after `last_key` with which a wanted key can begin."""
    if position is None:
        return None
    stops = _stops(window, position.grammar, None if position.whole_stem else position.year)
    rest = last_key[len(position.stem) :]
    if rest.startswith(stops):
        return None
    behind = bisect_right(stops, rest)
    return position.stem + stops[behind] if behind < len(stops) else _scope_end(position)


@lru_cache(maxsize=256)
def _stops(window: DateWindow, grammar: DateGrammar, year: int | None) -> tuple[str, ...]:
    """Every text with which a wanted date can begin, in key order. If a year is given, only dates
    of that year, plus the texts that law 2 of `parse` excepts.
    """
    if year is None:
        return tuple(sorted({text for day in window for text in grammar.stops(day)}))
    dates = {text for day in window if day.year == year for text in grammar.spell(day)}
    return tuple(
        sorted(dates.union(grammar.year_text(year) + century for century in grammar.centuries))
    )


def _scope_end(position: DatePosition) -> str:
    """A text after all dates of the scope. After a year, and in a declared layout, the scope ends
    with the digits, because nothing is known about keys that continue otherwise.
    """
    if position.is_declared:
        return position.stem + position.grammar.year_form + _AFTER_DIGITS
    if position.whole_stem or position.year is None:
        return position.stem + _AFTER_ASCII
    return position.stem + position.grammar.year_text(position.year) + _AFTER_DIGITS


def _just_before(target: str) -> str:
    """A text that sorts before `target` and all keys that begin with it, but after nearly all other
    keys before them.

    It is needed because StartAfter is exclusive. It ends in "~", the last printable character of
    ASCII: keys that sort after it are listed in vain, but never missed.
    """
    return target[:-1] + chr(ord(target[-1]) - 1) + "~"


_AFTER_DIGITS = ":"  # the character after "9"
_AFTER_ASCII = "\x7f"
