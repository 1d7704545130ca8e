"""What somebody looks for among terms: a value, the beginning of one, or a network; and where in a
table, which is sorted by value, it can stand.
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
"""From the first text to before the second one."""

_AFTER_SURROGATES = 0xE000
_SURROGATES = range(0xD800, _AFTER_SURROGATES)
_LAST = "\U0010ffff"
EVERYTHING: Range = ("", 600 * _LAST)
"""No value is as long."""
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Wanted:
    """One thing that is looked for, in these fields."""

    text: str
    """As it was typed."""
    spans: Mapping[str, tuple[Range, ...]]
    """By field. Whatever matches lies in one of them; not all that does matches."""
    matches: Callable[[str, str], bool]
    """(value, name of a field) -> whether it is wanted. A value may be a hash."""
    is_exact: bool = False
    """One value: so it is found among hashes, too."""

    def show(self, value: str, field: str) -> str:
        """What is found, as it is told: nobody can read a hash."""
        return normalise(Field(field), self.text) if self.is_exact else value


def parse_wanted(
    text: str,
    fields: Iterable[Field] = (),
    *,
    is_prefix: bool = False,
    key: SearchKey | None = None,
) -> Wanted:
    """A network where it is written as one (10.0.0.0/8), else a value, as events have it. `fields`
    are all where there is none; `key` is what hashed values were hashed with. Raises ValueError,
    which says what was expected: of nothing, too, which would be everything.
    """
    if not text.strip():
        raise ValueError("something to look for")
    chosen = frozenset(fields) or frozenset(Field)
    network = parse_network(text)
    if network is not None and is_prefix:
        raise ValueError(
            "the beginning of a value, as 10.0.; a network is looked for without --prefix"
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
    """None for what is none, a single address included. IPv4 that was mapped into IPv6 is kept as
    IPv4 (`normalise`). Raises ValueError for an address with a length that no network has.
    """
    address, slash, length = text.strip().partition("/")
    if not slash or not is_address(address):
        return None
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        if length.isdigit():
            raise ValueError(
                f"a network such as 10.0.0.0/8; none has the length /{length}"
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
        raise ValueError(f"--field {Field.ADDRESS.value} with a network, or no --field")

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
    """What the addresses of a network begin with, each a number and a dot: at most 256 of them."""
    octets = str(network.network_address).split(".")
    whole = min(3, network.prefixlen // 8)
    front = "".join(f"{octet}." for octet in octets[:whole])
    first = int(octets[whole])
    count = 1 << max(0, 8 * (whole + 1) - network.prefixlen)
    if whole == 3:
        # The last number has no dot after it: "10.0.0.1" is the beginning of "10.0.0.12", too.
        yield from (
            [front] if count == 256 else [f"{front}{last}" for last in range(first, first + count)]
        )
    elif count == 256 and front:
        yield front
    else:
        yield from (f"{front}{octet}." for octet in range(first, first + count))


def _prefixes_v6(network: ipaddress.IPv6Network) -> Iterator[str]:
    """The groups that all addresses of the network share, as far as none of them is zero: behind
    that they may be written as "::". So there is more in the ranges than in the network.
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
    """In order, and those that overlap as one: so that nothing is in two of them."""
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
    """The first text beyond all that begin so."""
    kept = prefix.rstrip(_LAST)
    if not kept:
        return _LAST * (len(prefix) + 1)
    following = ord(kept[-1]) + 1
    return kept[:-1] + chr(_AFTER_SURROGATES if following in _SURROGATES else following)
