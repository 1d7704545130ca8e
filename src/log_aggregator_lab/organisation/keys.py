"""The RSA key that signs the synthetic organisation's digests. It is derived from the seed, so it
is not secret.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from random import Random

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

_PRIME_BITS = 1024
_EXPONENT = 65_537
_WITNESSES = (2, 3, 5, 7, 11, 13, 17, 19)
_SMALL_PRIMES = [
    number
    for number in range(3, 2_000, 2)
    if all(number % divisor for divisor in range(3, int(number**0.5) + 1, 2))
]


def sign(seed: int, message: bytes) -> bytes:
    """RSASSA-PKCS1-v1_5 with SHA-256, which is deterministic."""
    return signing_key(seed).sign(message, padding.PKCS1v15(), hashes.SHA256())


def public_key_der(seed: int) -> bytes:
    """The PKCS#1 DER that CloudTrail's ListPublicKeys returns as `Value`."""
    return (
        signing_key(seed)
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    )


def public_key_fingerprint(seed: int) -> str:
    """32 hex digits, like CloudTrail's. Which hash CloudTrail uses is not documented; this is the
    MD5 of the DER.
    """
    return hashlib.md5(public_key_der(seed), usedforsecurity=False).hexdigest()


@lru_cache(maxsize=16)
def signing_key(seed: int) -> rsa.RSAPrivateKey:
    """RSA-2048. About a third of a second, once for each seed."""
    random = Random(f"{seed}/digest-key")
    p, q = _next_prime(random), _next_prime(random)
    d = pow(_EXPONENT, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(_EXPONENT, p * q)
    private = rsa.RSAPrivateNumbers(
        p, q, d, rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q), public
    )
    return private.private_key()


def _next_prime(random: Random) -> int:
    # The two highest bits are set, so that the product of two has 2048 bits.
    candidate = random.getrandbits(_PRIME_BITS) | (3 << (_PRIME_BITS - 2)) | 1
    while not _is_prime(candidate):
        candidate += 2
    return candidate


def _is_prime(candidate: int) -> bool:
    """Miller-Rabin for the first eight primes as bases: beyond doubt for numbers drawn at
    random.
    """
    if (candidate - 1) % _EXPONENT == 0 or any(candidate % prime == 0 for prime in _SMALL_PRIMES):
        return False
    odd = candidate - 1
    twos = (odd & -odd).bit_length() - 1
    odd >>= twos
    return all(_passes(candidate, witness, odd, twos) for witness in _WITNESSES)


def _passes(candidate: int, witness: int, odd: int, twos: int) -> bool:
    value = pow(witness, odd, candidate)
    if value in (1, candidate - 1):
        return True
    for _ in range(twos - 1):
        value = value * value % candidate
        if value == candidate - 1:
            return True
    return False
