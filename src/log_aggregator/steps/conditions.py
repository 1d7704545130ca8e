"""Tests whether the server honours the conditions of requests. AWS does
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html); on a server that
ignores them, an object that was replaced after it was read would be deleted, and its bytes lost.

So before the first deletion by ETag a run tests this server, with its own object under `probes/`,
which stays there: a deletion with a wrong ETag must be refused, and so must a second write with
If-None-Match.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

from log_aggregator.core.checksums import crc64nvme
from log_aggregator.errors import (
    ConditionsIgnored,
    NotFound,
    PreconditionFailed,
    StoreError,
)
from log_aggregator.model import Target
from log_aggregator.ports.store import Deletion, ObjectStore, WriteOptions

CANARY = b"Written by log-aggregator to see whether this server keeps to conditions. It may stay.\n"
WRONG_ETAG = "0" * 32
REFUSALS = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})

_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""DeleteObjects sends keys as XML, which cannot contain these characters. Keys with them are
deleted one by one with DeleteObject, which is tested separately.
"""


@dataclass(slots=True)
class Conditions:
    """The results, tested once in a run for each way of deleting. Thread safe."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _answers: dict[str, str | None] = field(default_factory=dict)

    def check(
        self, store: ObjectStore, target: Target, options: WriteOptions, keys: Iterable[str]
    ) -> None:
        """Checks that these keys can be deleted on the condition of an ETag. Raises
        ConditionsIgnored if the test failed, Unreachable if the server did not answer.
        """
        for name in sorted({_canary_of(key) for key in keys}):
            with self._lock:
                if name not in self._answers:
                    key = f"{target.probes_prefix}{name}"
                    self._answers[name] = _ask(store, target, key, options)
                reason = self._answers[name]
            if reason is not None:
                raise ConditionsIgnored(reason)


def _canary_of(key: str) -> str:
    return "conditions\x01" if _NOT_IN_XML.search(key) else "conditions"


def _ask(store: ObjectStore, target: Target, key: str, options: WriteOptions) -> str | None:
    """Why not to delete by ETag, or None if this server honours both conditions. Raises
    Unreachable.
    """
    where = f"s3://{target.bucket}/{key}"
    try:
        _write(store, target, key, CANARY, options)
        if _write(store, target, key, CANARY + b"\n", options):
            return f"{where}: the server overwrote it despite If-None-Match"
        failures = store.delete_objects(target.bucket, [Deletion(key, etag=WRONG_ETAG)])
        codes = {failure.code for failure in failures}
        if codes - REFUSALS:
            code = min(codes - REFUSALS)
            return f"{where}: could not test whether the server honours a deletion's ETag: {code}"
        store.head_object(target.bucket, key)
    except NotFound:
        codes = set()
    except StoreError as error:
        return f"{where}: could not test whether the server honours conditions: {error}"
    if not codes:
        return f"{where}: the server deleted it despite a different ETag"
    return None


def _write(
    store: ObjectStore, target: Target, key: str, data: bytes, options: WriteOptions
) -> bool:
    """Writes an object. False if it exists already."""
    try:
        store.put_object(target.bucket, key, data, crc64nvme=crc64nvme(data), options=options)
    except PreconditionFailed:
        return False
    return True
