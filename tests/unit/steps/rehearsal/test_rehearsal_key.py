"""The key of a rehearsal is like CloudTrail's: found by its fingerprint, read from its DER, and
only what it signed is valid.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from log_aggregator.core.rsa import MODULUS_BITS_MIN, parse_public_key, verify
from log_aggregator.steps.rehearsal.signing import RehearsalKeys, make_signing_key

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def test_only_what_was_signed_verifies() -> None:
    key, other = make_signing_key(), make_signing_key()
    public = parse_public_key(key.der)
    assert public == key.public
    assert public.n.bit_length() == MODULUS_BITS_MIN
    assert verify(public, b"message", key.sign(b"message"))
    assert not verify(public, b"another", key.sign(b"message"))
    assert not verify(other.public, b"message", key.sign(b"message"))


def test_every_rehearsal_has_its_own_key() -> None:
    assert make_signing_key().fingerprint != make_signing_key().fingerprint


def test_the_key_is_valid_around_its_day() -> None:
    keys = RehearsalKeys(make_signing_key(), NOW)
    (found,) = keys.list_public_keys("eu-west-1", NOW - timedelta(days=1), NOW)
    assert (found.fingerprint, found.der) == (keys.key.fingerprint, keys.key.der)
    assert keys.list_public_keys("eu-west-1", NOW + timedelta(days=40), NOW + timedelta(99)) == []
