"""A private RSA key in a file, which signs custody records if there is no KMS."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from log_aggregator.core.signatures import KEY_BITS_MIN, name_key
from log_aggregator.errors import NotInstalled, SettingsError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

EXTRA = "sign"


class LocalKey:
    """Implements `log_aggregator.ports.signing.Signer`."""

    def __init__(self, key: RSAPrivateKey) -> None:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        self._key = key
        self.public_key = key.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
        self.name = name_key(self.public_key)

    @classmethod
    def read(cls, path: Path) -> LocalKey:
        """From a PEM file. Raises SettingsError, which never quotes the file, and NotInstalled."""
        try:
            from cryptography.exceptions import UnsupportedAlgorithm
            from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
            from cryptography.hazmat.primitives.serialization import load_pem_private_key
        except ImportError:
            raise NotInstalled.of("cryptography, which signs with a local key,", EXTRA) from None
        try:
            data = path.read_bytes()
        except OSError as error:
            raise SettingsError(f"{path}: the key cannot be read: {error.strerror}") from None
        try:
            key = load_pem_private_key(data, password=None)
        except TypeError:
            raise SettingsError(f"{path}: expected a key without a passphrase") from None
        except (ValueError, UnsupportedAlgorithm):
            raise SettingsError(
                f"{path}: expected a private RSA key as PEM; `openssl genpkey -algorithm RSA "
                "-pkeyopt rsa_keygen_bits:3072` makes one"
            ) from None
        if not isinstance(key, RSAPrivateKey) or key.key_size < KEY_BITS_MIN:
            raise SettingsError(f"{path}: expected an RSA key of {KEY_BITS_MIN} bits or more")
        return cls(key)

    def sign(self, message: bytes) -> bytes:
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        return self._key.sign(message, PKCS1v15(), SHA256())
