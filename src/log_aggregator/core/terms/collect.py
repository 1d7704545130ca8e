"""Collects the terms of one pack while it is written."""

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
    """Keeps a hash of each term in place of its value."""

    def keep(field: Field, value: str) -> tuple[Field, str]:
        term = key.hash(term_of(field, value))
        return term.field, term.value

    return keep


class Collector:
    """One for each pack; not thread safe. It takes 4 MB for a usual pack, at most 8 MB while
    members pass, and at most 25 MB while it finishes. Four at the same time take 50 MB if they
    finish one after the other, as in a run.

    With a key, hashes are kept in place of values.
    """

    def __init__(self, log_type: str, search_key: SearchKey | None = None) -> None:
        self._row = ROWS.get(log_type)
        self._key_id = search_key.id if search_key else ""
        self._tally = Tally(hashed_by(search_key) if search_key else to_keep)
        self._members = 0
        self._unsearched: Counter[Unsearched] = Counter()

    def add(self, place: int, data: bytes) -> None:
        """Takes a member's inflated bytes. `place` is a number that no other member has. Never
        raises because of `data`: a member that cannot be read completely counts as unsearched.
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
        except Exception:  # noqa: BLE001 - a log must be packed, whatever it contains
            self._unsearched[Unsearched.UNPARSABLE] += 1

    def skip(self, place: int, reason: Unsearched) -> None:
        """Notes a member that is not searched."""
        self._members += 1
        self._unsearched[reason] += 1

    def finish(self, pack_key: str, place_of: Callable[[int], int]) -> bytes:
        """The bytes of the terms (`encode_terms`). `place_of` maps the numbers given to `add` and
        `skip` to places in the pack's index. To be called once.
        """
        head = TermsHead(pack_key, self._members, self._unsearched, self._key_id)
        return encode_plain(head, self._tally.finish(place_of))
