"""Invariant: everything that matches lies in a span of its field, and what was asked for
matches.
"""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from log_aggregator.core.tables.wanted import Wanted, join_ranges, parse_network, parse_wanted
from log_aggregator.core.terms.hashing import SearchKey
from log_aggregator.core.terms.model import Field, Term
from log_aggregator.core.terms.normalise import normalise

ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)


def lies_in_a_span(wanted: Wanted, value: str, field: Field) -> bool:
    return any(low <= value < high for low, high in wanted.spans.get(field.value, ()))


@st.composite
def networks_and_members(draw: st.DrawFn) -> tuple[str, str]:
    """A network, and an address in it as stored."""
    address = draw(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
    bits = draw(st.integers(0, address.max_prefixlen))
    network = ipaddress.ip_network((address, bits), strict=False)
    host = draw(st.integers(0, min(network.num_addresses - 1, 1 << 60)))
    return str(network), normalise(Field.ADDRESS, str(network[host]))


@given(networks_and_members())
def test_every_address_of_a_network_matches(
    drawn: tuple[str, str],
) -> None:
    text, address = drawn
    wanted = parse_wanted(text)
    if ":" not in address and ":" in text:
        return  # an IPv4 address mapped into an IPv6 network that holds more than those
    assert wanted.matches(address, Field.ADDRESS.value)
    assert lies_in_a_span(wanted, address, Field.ADDRESS)


@given(networks_and_members(), ADDRESSES)
def test_no_other_address_matches(drawn: tuple[str, str], other: str) -> None:
    kept = normalise(Field.ADDRESS, other)
    network = parse_network(drawn[0])
    assert network is not None
    expected = ipaddress.ip_address(kept) in network
    assert parse_wanted(drawn[0]).matches(kept, Field.ADDRESS.value) == expected


@given(st.text(min_size=1), st.text(), st.sampled_from(Field))
def test_every_value_with_a_prefix_matches(prefix: str, rest: str, field: Field) -> None:
    if not prefix.strip():
        return
    wanted = parse_wanted(prefix, is_prefix=True)
    value = normalise(field, prefix) + rest
    assert wanted.matches(value, field.value)
    assert lies_in_a_span(wanted, value, field)


@given(st.text(min_size=1), st.sampled_from(Field))
def test_a_value_is_found_as_events_write_it(text: str, field: Field) -> None:
    if not text.strip() or parse_network(text):
        return
    wanted = parse_wanted(text)
    assert wanted.matches(normalise(field, text), field.value)
    assert lies_in_a_span(wanted, normalise(field, text), field)


def test_other_fields_do_not_match() -> None:
    wanted = parse_wanted("alex", [Field.SESSION])
    assert wanted.matches("alex", "session")
    assert not wanted.matches("alex", "name")


def test_a_hash_is_found_and_shown_as_its_value() -> None:
    key = SearchKey(b"x" * 32)
    wanted = parse_wanted("akiaiosfodnn7example", key=key)
    hashed = key.hash(Term(Field.ACCESS_KEY, "AKIAIOSFODNN7EXAMPLE")).value
    assert wanted.matches(hashed, "access-key")
    assert lies_in_a_span(wanted, hashed, Field.ACCESS_KEY)
    assert wanted.show(hashed, "access-key") == "AKIAIOSFODNN7EXAMPLE"
    assert not parse_wanted("akiaiosfodnn7example").matches(hashed, "access-key")


@pytest.mark.parametrize("text", ["", "  ", "\t"])
def test_an_empty_value_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="something to look for"):
        parse_wanted(text)


def test_a_network_in_another_field_is_refused() -> None:
    with pytest.raises(ValueError, match="address"):
        parse_wanted("10.0.0.0/8", [Field.NAME])


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 5))))
def test_joined_ranges_cover_the_same_without_overlap(drawn: list[tuple[int, int]]) -> None:
    ranges = [(chr(65 + low), chr(65 + low + size)) for low, size in drawn]
    joined = list(join_ranges(ranges))
    for letter in map(chr, range(65, 95)):
        inside = sum(low <= letter < high for low, high in joined)
        assert inside == any(low <= letter < high for low, high in ranges)
