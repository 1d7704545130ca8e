"""Which account each bucket is expected to belong to. Every request to a bucket names it, and S3
refuses the request where the bucket is another account's: of a name that somebody else has taken,
or has taken over, nothing is read, and nothing is written there.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

ANY = "any"
"""In place of an account: the requests to this bucket name none."""


@dataclass(slots=True)
class Owners:
    """The account of each bucket. Thread safe."""

    accounts: Mapping[str, str]
    """Of buckets that are named in the settings."""
    ask_own: Callable[[], str] | None
    """Whose account this is, asked once; None where the server knows no accounts. Raises
    RequestFailed.
    """
    _own: str | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, bucket: str) -> str | None:
        """None: no account is named. Raises RequestFailed where nobody knows whose account this
        is.
        """
        account = self.accounts.get(bucket)
        if account is not None:
            return None if account == ANY else account
        if self.ask_own is None:
            return None
        with self._lock:
            if self._own is None:
                self._own = self.ask_own()
            return self._own

    def register(self, client: Any) -> None:
        """All requests of a client of botocore's name the owners from now on."""
        client.meta.events.register("provide-client-params.s3", self._name)

    def _name(self, params: Mapping[str, Any], model: Any, **_: object) -> dict[str, Any] | None:
        members = model.input_shape.members if model.input_shape is not None else {}
        named: dict[str, Any] = {}
        if "ExpectedBucketOwner" in members and "Bucket" in params:
            named["ExpectedBucketOwner"] = self.of(params["Bucket"])
        if "ExpectedSourceBucketOwner" in members and isinstance(params.get("CopySource"), dict):
            named["ExpectedSourceBucketOwner"] = self.of(params["CopySource"]["Bucket"])
        known = {name: account for name, account in named.items() if account is not None}
        return {**params, **known} if known else None
