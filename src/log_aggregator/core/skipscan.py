"""The date skip-scan: where to go on listing when only some days are wanted.

After a page, its last key tells where in it the date stands (`DatePosition`). All keys that share
what stands before it, the *scope*, have their date there or none at all; so between that key and
the next wanted date of the scope nothing can be wanted, and the listing goes on there, or behind
the scope. In all other cases the next page is taken as it comes.
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
    """Behind which key (exclusive, as StartAfter and KeyMarker are) to go on after a page that
    ended with `last_key`.

    `position_of` is that of the bucket's layouts. None: take the next page. What is returned sorts
    behind `last_key`, and no key between the two is dated in the window, except those that begin
    with one of `skip_prefixes`, which are jumped over whatever they are.
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
    """The first place behind `last_key` where something wanted can stand."""
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
    """Every beginning of a wanted date, in key order. Where a year is given: of that year, and with
    what the law of years leaves out.
    """
    if year is None:
        return tuple(sorted({text for day in window for text in grammar.stops(day)}))
    dates = {text for day in window if day.year == year for text in grammar.spell(day)}
    return tuple(
        sorted(dates.union(grammar.year_text(year) + century for century in grammar.centuries))
    )


def _scope_end(position: DatePosition) -> str:
    """A text behind all dates of the scope. Behind a year, and in a declared layout, the scope ends
    with the digits: what else may follow is not known.
    """
    if position.is_declared:
        return position.stem + position.grammar.year_form + _AFTER_DIGITS
    if position.whole_stem or position.year is None:
        return position.stem + _AFTER_ASCII
    return position.stem + position.grammar.year_text(position.year) + _AFTER_DIGITS


def _just_before(target: str) -> str:
    """A text that sorts before `target` and before whatever begins with it, and behind nearly all
    else that does.

    It ends in "~", the last printable character of ASCII: what sorts behind that is listed for
    nothing, but never missed.
    """
    return target[:-1] + chr(ord(target[-1]) - 1) + "~"


_AFTER_DIGITS = ":"
_AFTER_ASCII = "\x7f"
