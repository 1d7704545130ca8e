"""What a search looks for among terms: a value, the beginning of a value, or a network; and the
ranges of a table, which is sorted by value, where it can be.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from log_aggregator.core.terms.hashing import SearchKey
from log_aggregator.core.terms.model import Field, Term
from log_aggregator.core.terms.normalise import is_address, normalise

Range = tuple[str, str]
"""From the first text up to the second one, without it."""

_AFTER_SURROGATES = 0xE000
_SURROGATES = range(0xD800, _AFTER_SURROGATES)
_LAST = "\U0010ffff"
EVERYTHING: Range = ("", 600 * _LAST)
"""No value is this long."""
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Wanted:
    """One thing to look for, in some fields."""

    text: str
    """The text as it was typed."""
    spans: Mapping[str, tuple[Range, ...]]
    """Ranges by field. They contain every value that matches, and may contain others."""
    matches: Callable[[str, str], bool]
    """(value, name of a field) -> whether it matches. The value may be a hash."""
    is_exact: bool = False
    """Whether it is a single value, which can also be found among hashes."""

    def show(self, value: str, field: str) -> str:
        """The value to print: the text that was typed, if what was found may be a hash."""
        return normalise(Field(field), self.text) if self.is_exact else value


def parse_wanted(
    text: str,
    fields: Iterable[Field] = (),
    *,
    is_prefix: bool = False,
    key: SearchKey | None = None,
) -> Wanted:
    """A network if it is written as one (10.0.0.0/8), otherwise a value as in events. No `fields`
    means all fields; `key` is the key of hashed values. Raises ValueError, whose text is what was
    expected; also for an empty text, which would match everything.
    """
    if not text.strip():
        raise ValueError("something to look for")
    chosen = frozenset(fields) or frozenset(Field)
    network = parse_network(text)
    if network is not None and is_prefix:
        raise ValueError(
            "the beginning of a value, such as 10.0.; for a network leave out --prefix"
        )
    if network is not None:
        return _of_network(text, network, chosen)
    normals = {field.value: normalise(field, text) for field in chosen}
    return _of_prefix(text, normals) if is_prefix else _of_values(text, normals, key)


def _of_values(text: str, normals: Mapping[str, str], key: SearchKey | None) -> Wanted:
    kept = {(field, value) for field, value in normals.items()}
    if key is not None:
        hashes = (key.hash(Term(Field(field), value)) for field, value in normals.items())
        kept |= {(term.field.value, term.value) for term in hashes}
    spans = {
        field: tuple((value, value + "\0") for name, value in sorted(kept) if name == field)
        for field in normals
    }
    return Wanted(text, spans, lambda value, field: (field, value) in kept, is_exact=True)


def parse_network(text: str) -> _Network | None:
    """None if it is not a network; a single address is not one. IPv4 that is mapped into IPv6
    becomes IPv4, as in `normalise`. Raises ValueError for an address with an impossible length.
    """
    address, slash, length = text.strip().partition("/")
    if not slash or not is_address(address):
        return None
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        if length.isdigit():
            raise ValueError(
                f"a network such as 10.0.0.0/8; no network has the length /{length}"
            ) from None
        return None
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is not None and network.prefixlen >= 96:
        return ipaddress.IPv4Network((int(mapped), network.prefixlen - 96))
    return network


def _of_prefix(text: str, prefixes: Mapping[str, str]) -> Wanted:
    def matches(value: str, field: str) -> bool:
        prefix = prefixes.get(field)
        return prefix is not None and value.startswith(prefix)

    return Wanted(text, {name: (_range_of(each),) for name, each in prefixes.items()}, matches)


def _of_network(text: str, network: _Network, fields: frozenset[Field]) -> Wanted:
    if Field.ADDRESS not in fields:
        raise ValueError(f"--field {Field.ADDRESS.value}, or no --field, for a network")

    @lru_cache(maxsize=4096)
    def holds(value: str) -> bool:
        try:
            return ipaddress.ip_address(value) in network
        except ValueError:
            return False

    def matches(value: str, field: str) -> bool:
        return field == Field.ADDRESS.value and holds(value)

    prefixes = (
        _prefixes_v4(network)
        if isinstance(network, ipaddress.IPv4Network)
        else _prefixes_v6(network)
    )
    return Wanted(text, {Field.ADDRESS.value: tuple(map(_range_of, prefixes))}, matches)


def _prefixes_v4(network: ipaddress.IPv4Network) -> Iterator[str]:
    """The texts with which the network's addresses begin, at most 256."""
    octets = str(network.network_address).split(".")
    whole = min(3, network.prefixlen // 8)
    front = "".join(f"{octet}." for octet in octets[:whole])
    first = int(octets[whole])
    count = 1 << max(0, 8 * (whole + 1) - network.prefixlen)
    if whole == 3:
        # The last number has no dot after it, so "10.0.0.1" is also the beginning of "10.0.0.12".
        yield from (
            [front] if count == 256 else [f"{front}{last}" for last in range(first, first + count)]
        )
    elif count == 256 and front:
        yield front
    else:
        yield from (f"{front}{octet}." for octet in range(first, first + count))


def _prefixes_v6(network: ipaddress.IPv6Network) -> Iterator[str]:
    """The groups that all addresses of the network share, up to the first zero, which may be
    written as "::". So the ranges contain more than the network.
    """
    groups = network.network_address.exploded.split(":")[: network.prefixlen // 16]
    front = ""
    for group in groups:
        if int(group, 16) == 0:
            break
        front += f"{int(group, 16):x}:"
    if len(groups) == 8 and front.count(":") == 8:
        yield front.rstrip(":")
    elif front:
        yield front
    elif groups:
        yield from ("::", "0:")
    else:
        yield from (":", *"0123456789abcdef")


def join_ranges(ranges: Iterable[Range]) -> Iterator[Range]:
    """The ranges in order, with overlapping ones joined."""
    low: str | None = None
    high = ""
    for first, end in sorted(ranges):
        if low is not None and first <= high:
            high = max(high, end)
            continue
        if low is not None:
            yield low, high
        low, high = first, end
    if low is not None:
        yield low, high


def _range_of(prefix: str) -> Range:
    return prefix, _after(prefix)


def _after(prefix: str) -> str:
    """The first text after all that begin with the prefix."""
    kept = prefix.rstrip(_LAST)
    if not kept:
        return _LAST * (len(prefix) + 1)
    following = ord(kept[-1]) + 1
    return kept[:-1] + chr(_AFTER_SURROGATES if following in _SURROGATES else following)
