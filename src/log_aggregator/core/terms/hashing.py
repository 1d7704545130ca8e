"""Values kept as keyed hashes: whoever reads a pack's terms learns no value, and whoever has the
key can look up a value that they know, and nothing else.

HMAC-SHA-256, because a hash without a key hides nothing: there are only 4 billion IPv4 addresses,
and fewer names of roles. It is computed over field and value, so that the same value in two fields
is not seen to be the same, and 16 bytes of it are kept: with a billion values, two of them share a
hash with a chance of one in 10^21.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from log_aggregator.core.terms.model import Term
from log_aggregator.errors import SettingsError

SEARCH_KEY_CHARS_MIN = 32
"""As hexadecimal digits, 128 bits."""

_HASH_BYTES = 16
_ID_CHARS = 8
_ID_LABEL = b"log-aggregator search key id\0"


@dataclass(frozen=True, slots=True)
class SearchKey:
    """The secret that values are hashed with. Its own text never shows it."""

    secret: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """What the terms of a pack say of the key that they were made with: 8 hex digits, from
        which nobody finds the key. A look-up with another key is refused, not answered.
        """
        return hashlib.sha256(_ID_LABEL + self.secret).hexdigest()[:_ID_CHARS]

    def hash(self, term: Term) -> Term:
        """The same field, with 32 hex digits in place of the value."""
        message = f"{term.field.value}\0{term.value}".encode("utf-8", "surrogatepass")
        digest = hmac.digest(self.secret, message, "sha256")
        return Term(term.field, digest[:_HASH_BYTES].hex())


def parse_search_key(name: str, text: str) -> SearchKey:
    """The key out of a text that `name` holds. Raises SettingsError, which does not quote it."""
    secret = text.strip()
    if len(secret) < SEARCH_KEY_CHARS_MIN or len(set(secret)) < SEARCH_KEY_CHARS_MIN // 4:
        raise SettingsError(
            f"{name}: expected a random text of {SEARCH_KEY_CHARS_MIN} characters or more, such as "
            "`openssl rand -hex 32` prints"
        )
    return SearchKey(secret.encode())
