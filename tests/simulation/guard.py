"""Stands directly in front of the store, after all faults, and checks every effect as soon as it
has happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from tests.simulation.truth import Truth, Violation
from tests.support.terms import is_terms

from log_aggregator.adapters.forwarding import Call, ForwardingStore
from log_aggregator.model import DeleteMarker, Identity, LogObject

T = TypeVar("T")

Entry = LogObject | DeleteMarker
WRITES = frozenset({"PutObject", "CompleteMultipartUpload"})
READS_OF_OBJECTS = frozenset({"GetObject", "HeadObject"})


class GuardedStore(ForwardingStore):
    """Raises Violation from the very call that did what is forbidden."""

    def __init__(self, truth: Truth) -> None:
        super().__init__(truth.store)
        self._truth = truth
        self.deleted: set[tuple[str, Identity]] = set()
        """What runs have deleted, and no one else."""

    def _call(self, call: Call, run: Callable[[], T]) -> T:
        for bucket, key in _named(call):
            self._truth.check_left_alone(bucket, key, f"named in a {call.operation}")
        if call.operation == "DeleteObjects":
            return self._delete(call, run)
        if call.operation in WRITES:
            return self._write(call, run)
        return run()

    def _delete(self, call: Call, run: Callable[[], T]) -> T:
        keys = sorted({deletion.key for deletion in call.arguments["deletions"]})
        before = {key: self._entries(call.bucket, key) for key in keys}
        result = run()
        for key in keys:
            self._check_deletion(call.bucket, key, before[key], self._entries(call.bucket, key))
        return result

    def _check_deletion(
        self, bucket: str, key: str, before: list[Entry], after: list[Entry]
    ) -> None:
        if self._is_own(bucket, key):
            if self._is_probe(bucket, key) and before == after:
                return
            raise Violation(f"s3://{bucket}/{key}: it is our own, and was deleted")
        gone = [entry for entry in before if _name(entry) not in set(map(_name, after))]
        self.deleted.update(
            (bucket, entry.identity) for entry in gone if isinstance(entry, LogObject)
        )
        for entry in gone:
            if isinstance(entry, DeleteMarker):
                if entry.is_latest and any(isinstance(other, LogObject) for other in before):
                    raise Violation(
                        f"s3://{bucket}/{key}: the delete marker that hides it was removed"
                    )
                continue
            original = next(
                (each for each in self._truth.of_key(bucket, key) if _is_same(each.source, entry)),
                None,
            )
            if original is None:
                raise Violation(
                    f"s3://{bucket}/{key}: it was deleted, and nobody delivered it as a log object"
                )
            self._truth.check_kept(original)
        was, now = _visible(before), _visible(after)
        if now is not None and now != was:
            raise Violation(f"s3://{bucket}/{key}: an older version came to light")

    def _write(self, call: Call, run: Callable[[], T]) -> T:
        if not self._is_own(call.bucket, call.key):
            raise Violation(
                f"{call.operation} s3://{call.bucket}/{call.key}: not a place for packs"
            )
        before = self._entries(call.bucket, call.key)
        result = run()
        if before and not self._is_terms_again(call, before):
            raise Violation(f"{call.operation} s3://{call.bucket}/{call.key}: it was written over")
        return result

    def _is_terms_again(self, call: Call, before: list[Entry]) -> bool:
        """Two simultaneous runs may both write a pack's terms, and then they write the same
        bytes.
        """
        after = self._entries(call.bucket, call.key)
        return is_terms(call.key) and _etags(before) == _etags(after)

    def _is_own(self, bucket: str, key: str) -> bool:
        return any(
            bucket == target.bucket and key.startswith(target.own_prefixes)
            for target in self._targets
        )

    def _is_probe(self, bucket: str, key: str) -> bool:
        """Tests whether a deletion with a wrong ETag is refused."""
        return any(
            bucket == target.bucket and key.startswith(target.probes_prefix)
            for target in self._targets
        )

    def _entries(self, bucket: str, key: str) -> list[Entry]:
        page: Any = self._truth.store.list_object_versions(bucket, prefix=key)
        found: list[Entry] = [*page.objects, *page.markers]
        while page.next_start is not None:
            page = self._truth.store.list_object_versions(bucket, prefix=key, start=page.next_start)
            found += [*page.objects, *page.markers]
        return [entry for entry in found if entry.key == key]

    @property
    def _targets(self) -> Any:
        return self._truth.targets


def _etags(entries: list[Entry]) -> set[str]:
    return {entry.etag for entry in entries if isinstance(entry, LogObject)}


def _named(call: Call) -> Iterator[tuple[str, str]]:
    """The objects that a call reads, copies or deletes."""
    if call.operation in READS_OF_OBJECTS:
        yield call.bucket, call.key
    if call.operation == "UploadPartCopy":
        source = call.arguments["source"]
        yield source.bucket, source.key
    for deletion in call.arguments.get("deletions", ()):
        yield call.bucket, deletion.key


def _name(entry: Entry) -> tuple[str, str | None, str]:
    return (entry.key, entry.version_id, entry.etag if isinstance(entry, LogObject) else "")


def _is_same(source: LogObject, entry: LogObject) -> bool:
    return source.etag == entry.etag and (source.version_id or "null") == (
        entry.version_id or "null"
    )


def _visible(entries: list[Entry]) -> tuple[str, str | None, str] | None:
    """What a reader of the key sees: its newest version, or nothing."""
    return next(
        (_name(entry) for entry in entries if entry.is_latest and isinstance(entry, LogObject)),
        None,
    )
