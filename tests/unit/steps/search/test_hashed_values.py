"""Packs with hashed values are searched with the right key, and reported as unsearched with any
other key and for any question that a hash cannot answer.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from tests.support.term_tables import TermsShelf, sighting

from log_aggregator.core.tables.wanted import parse_wanted
from log_aggregator.core.terms.hashing import SearchKey
from log_aggregator.core.terms.model import Field, Term, TermsHead, Unsearched
from log_aggregator.core.terms.packterms import encode_terms
from log_aggregator.steps.search.answers import Answer
from log_aggregator.steps.search.look_up import Asked, look_up
from log_aggregator.steps.workers import SerialWorkers

KEY, OTHER = SearchKey(b"a key"), SearchKey(b"another key")
ADDRESS = "192.0.2.1"


def make_shelf(*, merged: bool) -> TermsShelf:
    """One pack with hashed terms."""
    shelf = TermsShelf()
    pack = shelf.add_pack(date(2021, 3, 5))
    seen = sighting(Field.ADDRESS, ADDRESS)
    hashed = replace(seen, term=KEY.hash(Term(Field.ADDRESS, ADDRESS)))
    head = TermsHead(pack, 10, {}, KEY.id)
    shelf.put(shelf.target.terms_key(pack), encode_terms(head, [hashed]))
    if merged:
        shelf.merge()
    return shelf


def search(
    shelf: TermsShelf, key: SearchKey | None, text: str, *, is_prefix: bool = False
) -> Answer:
    wanted = [parse_wanted(text, key=key, is_prefix=is_prefix)]
    asked = Asked(wanted, search_key_id=key.id if key else "")
    return look_up(shelf.store, SerialWorkers(), [shelf.target], asked)


@pytest.mark.parametrize("merged", [True, False])
def test_the_right_key_finds_the_value(merged: bool) -> None:
    answer = search(make_shelf(merged=merged), KEY, ADDRESS)
    assert len(answer.sighted) == 1
    assert answer.coverage.is_whole


@pytest.mark.parametrize("merged", [True, False])
@pytest.mark.parametrize("key", [OTHER, None])
def test_with_another_key_the_pack_is_unsearched(merged: bool, key: SearchKey | None) -> None:
    answer = search(make_shelf(merged=merged), key, ADDRESS)
    assert answer.sighted == []
    assert answer.coverage.unsearched_packs == {Unsearched.OTHER_KEY: 1}
    assert not answer.coverage.is_whole


@pytest.mark.parametrize("merged", [True, False])
@pytest.mark.parametrize(("text", "is_prefix"), [("192.0.2.0/24", False), ("192.0", True)])
def test_hashes_cannot_be_searched_by_network_or_prefix(
    merged: bool, text: str, is_prefix: bool
) -> None:
    answer = search(make_shelf(merged=merged), KEY, text, is_prefix=is_prefix)
    assert answer.sighted == []
    assert answer.coverage.unsearched_packs == {Unsearched.HASHED: 1}
