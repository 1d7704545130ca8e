"""A store that can only be read, for code that promises to change nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from log_aggregator.adapters.forwarding import Call, ForwardingStore
from log_aggregator.errors import AccessDenied

T = TypeVar("T")

READS = frozenset(
    {
        "GetBucketVersioning",
        "GetObject",
        "HeadObject",
        "ListBuckets",
        "ListObjectVersions",
        "ListObjectsV2",
    }
)
"""Everything else is refused, also what does not exist yet."""


class ReadOnlyStore(ForwardingStore):
    """A decorator of any object store. Raises AccessDenied for a request that is not a read; it is
    not made.
    """

    def _call(self, call: Call, run: Callable[[], T]) -> T:
        if call.operation not in READS:
            raise AccessDenied(
                f"{call.operation} of s3://{call.bucket}/{call.key}: opened for reading only",
                code="ReadOnly",
                operation=call.operation,
            )
        return run()
