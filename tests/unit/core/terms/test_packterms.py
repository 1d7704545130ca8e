"""The terms of a pack as an object."""

from __future__ import annotations

import lzma

import pytest

from log_aggregator.core.terms.model import Field, Sighting, Term, TermsHead, Unsearched
from log_aggregator.core.terms.packterms import decode_terms, encode_terms
from log_aggregator.errors import BadTerms

HEAD = TermsHead("packs/a.json.gz", 500, {Unsearched.UNPARSABLE: 2, Unsearched.TOO_MANY: 1})
SIGHTINGS = [
    Sighting(Term(Field.ACCESS_KEY, "AKIA1"), 3, 1_700_000_000, 1_700_000_900, (5, 6, 7, 8, 20)),
    Sighting(Term(Field.ADDRESS, "10.0.0.1"), 1, None, None, (499,)),
    Sighting(Term(Field.ADDRESS, "10.0.0.2"), 9, 1_600_000_000, 1_600_000_000, (0, 1)),
    Sighting(Term(Field.NAME, 'ü"\n\u2028'), 1, 0, 5, (0, 499)),
]


def read(data: bytes) -> tuple[TermsHead, list[Sighting]]:
    head, sightings = decode_terms(data)
    return head, list(sightings)


def test_terms_survive_encoding() -> None:
    assert read(encode_terms(HEAD, iter(SIGHTINGS))) == (HEAD, SIGHTINGS)


def test_many_terms_are_split_over_several_lines() -> None:
    many = [
        Sighting(Term(Field.NAME, f"name-{number:05}"), 1, number, number, (number % 500,))
        for number in range(9_000)
    ]
    data = encode_terms(HEAD, many)
    assert read(data) == (HEAD, many)
    assert len(lzma.decompress(data).splitlines()) == 5


def test_truncated_terms_are_refused() -> None:
    lines = lzma.decompress(encode_terms(HEAD, SIGHTINGS)).splitlines(keepends=True)
    for kept in (lines[:1], lines[:-1], [*lines[:1], *lines[2:]], [*lines, lines[-1]]):
        with pytest.raises(BadTerms):
            read(lzma.compress(b"".join(kept)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"version":1', b'"version":2'),
        (b'"members":500', b'"members":499'),
        (b'"members":500', b'"members":500000000'),
        (b"[5,-3,12]", b"[5,-300000,12]"),
        (b"[5,-3,12]", b"[]"),
        (b'"10.0.0.1","10.0.0.2"', b'"10.0.0.2","10.0.0.1"'),
        (b'"counts":[3]', b'"counts":[0]'),
        (b'"counts":[3]', b'"counts":[3,1]'),
        (b'"last":[900]', b'"last":[-900]'),
        (b'"last":[900]', b'"last":[null]'),
        (b'"first":[1700000000]', b'"first":[-1]'),
        (b'"last":[900]', b'"last":[900000000000]'),
        (b'"field":"address"', b'"field":"addresses"'),
        (b'"unparsable":2', b'"unparsable":2000'),
        (b'"unparsable":2', b'"unheard_of":2'),
    ],
)
def test_impossible_terms_are_refused(old: bytes, new: bytes) -> None:
    text = lzma.decompress(encode_terms(HEAD, SIGHTINGS))
    assert old in text
    with pytest.raises(BadTerms):
        read(lzma.compress(text.replace(old, new, 1)))
