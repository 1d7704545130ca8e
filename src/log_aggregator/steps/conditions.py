"""Whether the server keeps to the conditions that requests carry. A condition that it ignores is
none: an object that was replaced after it was read would be deleted, and its bytes would be
nowhere.

So before the first deletion by ETag a run asks this very server, with an object of its own under
`probes/`, which stays there: a deletion with a wrong ETag must be refused, and so must a second
write with If-None-Match.
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
"""Keys with such characters are deleted one by one, by another operation, which is asked for
itself.
"""


@dataclass(slots=True)
class Conditions:
    """What was found out, once in a run for each way of deleting. Thread safe."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _answers: dict[str, str | None] = field(default_factory=dict)

    def check(
        self, store: ObjectStore, target: Target, options: WriteOptions, keys: Iterable[str]
    ) -> None:
        """That these keys can be deleted on the condition of an ETag. Raises ConditionsIgnored
        where that could not be shown, Unreachable where nobody answered.
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
    """Why not to delete by ETag; None where this server keeps to both conditions. Raises
    Unreachable.
    """
    where = f"s3://{target.bucket}/{key}"
    try:
        _write(store, target, key, CANARY, options)
        if _write(store, target, key, CANARY + b"\n", options):
            return f"{where}: the server wrote over it in spite of If-None-Match"
        failures = store.delete_objects(target.bucket, [Deletion(key, etag=WRONG_ETAG)])
        codes = {failure.code for failure in failures}
        if codes - REFUSALS:
            code = min(codes - REFUSALS)
            return f"{where}: whether the server keeps to a deletion's ETag is not known: {code}"
        store.head_object(target.bucket, key)
    except NotFound:
        codes = set()
    except StoreError as error:
        return f"{where}: whether the server keeps to conditions is not known: {error}"
    if not codes:
        return f"{where}: the server deleted it in spite of another ETag"
    return None


def _write(
    store: ObjectStore, target: Target, key: str, data: bytes, options: WriteOptions
) -> bool:
    """Whether it was written. False where there is one already."""
    try:
        store.put_object(target.bucket, key, data, crc64nvme=crc64nvme(data), options=options)
    except PreconditionFailed:
        return False
    return True
