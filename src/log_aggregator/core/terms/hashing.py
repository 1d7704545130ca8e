"""Values kept as keyed hashes: a reader of a pack's terms learns no values, and the owner of the
key can only look up values that they know already.

HMAC-SHA-256 is used because a hash without a key hides nothing: there are only 4 billion IPv4
addresses, and fewer names of roles. It covers field and value, so that the same value in two fields
has different hashes. 16 bytes of it are kept: among a billion values, the chance that two have the
same hash is one in 10^21.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from log_aggregator.core.terms.model import Term
from log_aggregator.errors import SettingsError

SEARCH_KEY_CHARS_MIN = 32
"""128 bits, if they are hexadecimal digits."""

_HASH_BYTES = 16
_ID_CHARS = 8
_ID_LABEL = b"log-aggregator search key id\0"


@dataclass(frozen=True, slots=True)
class SearchKey:
    """The secret with which values are hashed. `repr` does not show it."""

    secret: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """8 hex digits in the terms of a pack that identify the key but do not reveal it, so that
        a look-up with another key is refused and not answered wrongly.
        """
        return hashlib.sha256(_ID_LABEL + self.secret).hexdigest()[:_ID_CHARS]

    def hash(self, term: Term) -> Term:
        """The same field, with 32 hex digits in place of the value."""
        message = f"{term.field.value}\0{term.value}".encode("utf-8", "surrogatepass")
        digest = hmac.digest(self.secret, message, "sha256")
        return Term(term.field, digest[:_HASH_BYTES].hex())


def parse_search_key(name: str, text: str) -> SearchKey:
    """The key in the text of the setting `name`. Raises SettingsError, which does not quote it."""
    secret = text.strip()
    if len(secret) < SEARCH_KEY_CHARS_MIN or len(set(secret)) < SEARCH_KEY_CHARS_MIN // 4:
        raise SettingsError(
            f"{name}: expected a random text of {SEARCH_KEY_CHARS_MIN} characters or more, such as "
            "`openssl rand -hex 32` prints"
        )
    return SearchKey(secret.encode())
