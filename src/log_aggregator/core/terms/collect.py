"""Collects the terms of one pack while its members pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from log_aggregator.core.terms.hashing import SearchKey
from log_aggregator.core.terms.model import Field, TermsHead, Unsearched
from log_aggregator.core.terms.normalise import term_of, to_keep
from log_aggregator.core.terms.packterms import encode_plain
from log_aggregator.core.terms.readers.unparsable import Unparsable
from log_aggregator.core.terms.table import ROWS
from log_aggregator.core.terms.tally import Keep, Tally, TooMany


def hashed_by(key: SearchKey) -> Keep:
    """What is kept of a value: a hash of its term."""

    def keep(field: Field, value: str) -> tuple[Field, str]:
        term = key.hash(term_of(field, value))
        return term.field, term.value

    return keep


class Collector:
    """One for each pack; for one thread at a time. It takes 4 MB in a pack of usual size, 8 MB at
    most while members pass, and 25 MB at most while it finishes: four at once take 50 MB where they
    finish one after the other, as those of a run do.

    With a key, hashes are kept in place of values.
    """

    def __init__(self, log_type: str, search_key: SearchKey | None = None) -> None:
        self._row = ROWS.get(log_type)
        self._key_id = search_key.id if search_key else ""
        self._tally = Tally(hashed_by(search_key) if search_key else to_keep)
        self._members = 0
        self._unsearched: Counter[Unsearched] = Counter()

    def add(self, place: int, data: bytes) -> None:
        """A member's inflated bytes. `place` is any number that no other member has. Never raises
        for what `data` holds: a member that cannot be read, or not to its end, is unsearched.
        """
        if self._row is None:
            self.skip(place, Unsearched.LOG_TYPE)
            return
        self._members += 1
        try:
            self._tally.begin_member(place)
            self._row.read(data, self._tally)
        except TooMany:
            self._unsearched[Unsearched.TOO_MANY] += 1
        except Unparsable as error:
            self._unsearched[error.reason] += 1
        except Exception:  # noqa: BLE001 - a log must be packed, whatever stands in it
            self._unsearched[Unsearched.UNPARSABLE] += 1

    def skip(self, place: int, reason: Unsearched) -> None:
        """A member that is not looked at."""
        self._members += 1
        self._unsearched[reason] += 1

    def finish(self, pack_key: str, place_of: Callable[[int], int]) -> bytes:
        """The object (`encode_terms`). `place_of` gives the place in the pack's index for every
        number that `add` and `skip` were called with. To be called once.
        """
        head = TermsHead(pack_key, self._members, self._unsearched, self._key_id)
        return encode_plain(head, self._tally.finish(place_of))
