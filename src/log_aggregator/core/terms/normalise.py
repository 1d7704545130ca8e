"""One form for each value, whether it comes from an event or is typed by a user."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping

from log_aggregator.core.terms.model import Field, Term

VALUE_CHARS_MAX = 512
"""Longer values are cut, both in events and in searches, so that they are still found. Most longer
ones are ARNs of S3 objects.
"""


def normalise(field: Field, value: str) -> str:
    """The value as it is kept: short enough, and in one form if AWS uses several. Idempotent."""
    value = value[:VALUE_CHARS_MAX]  # events are also cut before they are normalised
    normal = _NORMALISERS.get(field)
    return normal(value)[:VALUE_CHARS_MAX] if normal else value


def to_keep(field: Field, value: str) -> tuple[Field, str]:
    """The field and value to keep. CloudTrail's sourceIPAddress may be a service instead of an
    address ("cloudformation.amazonaws.com", "AWS Internal"); then it is a host.
    """
    if field is Field.ADDRESS and not is_address(value):
        field = Field.HOST
    return field, normalise(field, value)


def term_of(field: Field, value: str) -> Term:
    """The same as a term."""
    return Term(*to_keep(field, value))


def is_address(value: str) -> bool:
    return _IPV4.match(value) is not None or _parse_ipv6(value) is not None


_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = re.compile(rf"(?:{_OCTET}\.){{3}}{_OCTET}\Z")


def _address(value: str) -> str:
    """IPv6 in the form of RFC 5952; IPv4 mapped into IPv6 becomes IPv4."""
    parsed = _parse_ipv6(value)
    if parsed is None:
        return value.lower()
    return str(parsed.ipv4_mapped or parsed)


def _parse_ipv6(value: str) -> ipaddress.IPv6Address | None:
    if ":" not in value:
        return None
    try:
        return ipaddress.IPv6Address(value)
    except ValueError:
        return None


def _event(value: str) -> str:
    """IAM ignores case in the names of actions."""
    return _AMAZON.sub(":", value.lower(), count=1)


_AMAZON = re.compile(r"(?<=[a-z0-9-])(?:\.amazonaws\.com)+:")


def _host(value: str) -> str:
    return value.lower().rstrip(".") or value


_NORMALISERS: Mapping[Field, Callable[[str], str]] = {
    Field.ADDRESS: _address,
    Field.ACCESS_KEY: str.upper,
    Field.EVENT: _event,
    Field.HOST: _host,
    Field.ERROR: str.lower,
    Field.INTERFACE: str.lower,
    Field.FINDING: str.lower,
}
