"""Keyed hashes in place of values."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from log_aggregator.core.terms.hashing import SearchKey, parse_search_key
from log_aggregator.core.terms.model import Field, Term
from log_aggregator.errors import SettingsError

TEXT = "00112233445566778899aabbccddeeff"
KEY = parse_search_key("KEY", f" {TEXT}\n")


def test_a_hash_is_the_documented_hmac() -> None:
    """The hash is documented in docs/how-to/choose-what-search-keeps.md, so anyone can
    compute it.
    """
    whole = hmac.new(TEXT.encode(), b"address\x00192.0.2.1", hashlib.sha256).hexdigest()
    assert KEY.hash(Term(Field.ADDRESS, "192.0.2.1")) == Term(Field.ADDRESS, whole[:32])


def test_hashes_differ_by_field_key_and_value() -> None:
    other = SearchKey(b"another")
    terms = [Term(Field.NAME, "a"), Term(Field.HOST, "a"), Term(Field.NAME, "b")]
    hashes = {key.hash(term).value for key in (KEY, other) for term in terms}
    assert len(hashes) == 6
    assert KEY.hash(Term(Field.NAME, "a\udc80")) != KEY.hash(Term(Field.NAME, "a"))


def test_a_key_has_an_id_and_is_never_shown() -> None:
    assert (len(KEY.id), KEY.id == SearchKey(b"another").id) == (8, False)
    assert KEY.id not in hashlib.sha256(TEXT.encode()).hexdigest()
    assert TEXT not in repr(KEY)


@pytest.mark.parametrize("text", ["", "short", "a" * 64, "ab" * 40])
def test_a_weak_key_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(SettingsError, match="KEY: expected a random text of 32 characters") as told:
        parse_search_key("KEY", text)
    assert not text or text not in str(told.value)
