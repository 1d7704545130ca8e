"""AWS Signature Version 4 for many reads. The signing key, which is the same for all requests of a
day, is computed once.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

import hashlib
import hmac
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
ALGORITHM = "AWS4-HMAC-SHA256"
DAY_SECONDS = 86_400
CREDENTIALS_SECONDS = 30
"""Credentials are reused for this long before botocore is asked for them again, and never after
their end; botocore renews them minutes earlier if it can.
"""


@dataclass(frozen=True, slots=True)
class _Day:
    """What all requests of a day with the same credentials have in common."""

    since: float
    until: float
    access_key: str
    token: str | None
    scope: str
    key: bytes


class Signer:
    """Signs reads of one Region with botocore's current credentials. Thread safe: the shared `_Day`
    is replaced as a whole.
    """

    def __init__(self, credentials: Any, region: str, service: str) -> None:
        self._credentials, self._region, self._service = credentials, region, service
        self._day: _Day | None = None

    def sign(
        self,
        host: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        now: float | None = None,
        *,
        method: str = "GET",
    ) -> dict[str, str]:
        """The headers to send: those given and `Authorization`, but without `Host`, which libcurl
        adds.

        `path` and `query` are as they are sent, percent-encoded, the query sorted by name. Names of
        headers are in lower case.
        """
        moment = time.time() if now is None else now
        day = self._day
        # `since` is compared as well, because a clock may be set back.
        if day is None or not day.since <= moment < day.until:
            day = self._day = self._begin(moment)
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(moment))
        sent = {**headers, "x-amz-content-sha256": EMPTY_SHA256, "x-amz-date": stamp}
        if day.token:
            sent["x-amz-security-token"] = day.token
        signed = sorted([*sent.items(), ("host", host)])
        names = ";".join(name for name, _ in signed)
        # Part of the canonical form: several spaces in a value count as one. What is sent keeps
        # them.
        lines = "".join(f"{name}:{' '.join(value.split())}\n" for name, value in signed)
        request = f"{method}\n{path}\n{query}\n{lines}\n{names}\n{EMPTY_SHA256}"
        digest = hashlib.sha256(request.encode()).hexdigest()
        text = f"{ALGORITHM}\n{stamp}\n{day.scope}\n{digest}"
        signature = hmac.digest(day.key, text.encode(), "sha256").hex()
        credential = f"{day.access_key}/{day.scope}"
        sent["authorization"] = (
            f"{ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
        )
        return sent

    def _begin(self, now: float) -> _Day:
        # Read before the credentials: if another thread renews them in between, this is the old
        # end, which is earlier and so safe.
        end = getattr(self._credentials, "expires_at", None)
        frozen = self._credentials.get_frozen_credentials()
        date = time.strftime("%Y%m%d", time.gmtime(now))
        scope = f"{date}/{self._region}/{self._service}/aws4_request"
        key = f"AWS4{frozen.secret_key}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        midnight = now // DAY_SECONDS * DAY_SECONDS
        return _Day(
            since=max(now - CREDENTIALS_SECONDS, midnight),
            until=min(
                now + CREDENTIALS_SECONDS,
                midnight + DAY_SECONDS,
                math.inf if end is None else end.timestamp(),
            ),
            access_key=frozen.access_key,
            token=frozen.token,
            scope=scope,
            key=key,
        )


def encode_path(key: str) -> str:
    """A key in a URL and in the signature: every byte is percent-encoded except the unreserved ones
    and the slash. Unlike other services, S3 signs the path as it is sent: neither encoded twice nor
    normalised, so `a//b` and `a/../b` stay what they are
    (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html).

    Raises UnicodeEncodeError if the key is not valid Unicode.
    """
    return quote(key, safe="/~")


def encode_query(parameters: Mapping[str, str]) -> str:
    """Sorted by name, as the signature demands. A parameter without a value still gets its "="."""
    return "&".join(
        f"{quote(name, safe='~')}={quote(value, safe='~')}"
        for name, value in sorted(parameters.items())
    )
