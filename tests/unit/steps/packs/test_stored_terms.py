"""Terms as they are stored next to their pack."""

from __future__ import annotations

import pytest
from tests.support.world import make_world

from log_aggregator.core.terms.model import Field, Sighting, Term, TermsHead
from log_aggregator.core.terms.packterms import encode_terms
from log_aggregator.errors import BadTerms, NotFound
from log_aggregator.model import Target
from log_aggregator.ports.store import WriteOptions
from log_aggregator.steps.packs.terms import read_terms, write_terms

DEST = Target("dest")
KEY = "packs/logs/CloudTrail/all/2025/04/03/x.json.gz"
OPTIONS = WriteOptions(may_replace=True)
SIGHTING = Sighting(Term(Field.NAME, "a"), 1, None, None, (0,))


def encode(pack_key: str) -> bytes:
    return encode_terms(TermsHead(pack_key, 1), [SIGHTING])


def test_terms_survive_writing() -> None:
    """The newest terms are read, because they may be overwritten."""
    store = make_world().store
    for data in (b"forged", encode(KEY)):
        write_terms(store, DEST, KEY, data, OPTIONS)
    head, sightings = read_terms(store, DEST, KEY)
    assert (head.members, list(sightings)) == (1, [SIGHTING])


def test_unreadable_terms_are_named() -> None:
    """Terms of another pack, so that no one who writes them can mislead a reader; cut short; or
    missing.
    """
    store, where = make_world().store, f"s3://dest/{DEST.terms_key(KEY)}"
    with pytest.raises(NotFound):
        read_terms(store, DEST, KEY)
    write_terms(store, DEST, KEY, encode(KEY.replace("x", "y")), OPTIONS)
    with pytest.raises(BadTerms, match=f"{where} has the terms of another pack"):
        read_terms(store, DEST, KEY)
    write_terms(store, DEST, KEY, encode(KEY)[:-20], OPTIONS)
    with pytest.raises(BadTerms, match=where):
        list(read_terms(store, DEST, KEY)[1])
