"""Deletes log objects without packing them, only if the settings say so (`other_regions =
"delete"`).

It is separate from `delete` on purpose: that one accepts only verified packs. Before anything is
discarded, a list of every object is written under `discards/`, so that nothing disappears without a
trace.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Sequence

from log_aggregator.core.checksums import crc64nvme
from log_aggregator.core.jsontext import encode_json_line, inflate_lines
from log_aggregator.core.packformat.deflate import encode_gzip
from log_aggregator.core.planning import pack_id
from log_aggregator.errors import PreconditionFailed, VerificationError
from log_aggregator.model import Group, LogObject, Target
from log_aggregator.ports.store import ObjectStore, WriteOptions
from log_aggregator.steps.packing.delete import DeletionReport, ListedVersions, OriginalDeleter


def discard(
    deleter: OriginalDeleter,
    target: Target,
    group: Group,
    objects: Sequence[LogObject],
    options: WriteOptions,
    report: DeletionReport,
) -> None:
    """Writes a list of the objects, then deletes them exactly as listed. `report` has the outcome,
    also if this ends with an error. Raises VerificationError, StoreError.
    """
    listed_once = {found.identity: found for found in objects}.values()
    ordered = sorted(listed_once, key=lambda found: (found.key, found.version_id or ""))
    key = f"{target.root}discards/{group.path}{pack_id(ordered)}.jsonl.gz"
    data = encode_gzip(b"".join(_line(found) for found in ordered))
    try:
        deleter.store.put_object(
            target.bucket, key, data, crc64nvme=crc64nvme(data), options=options
        )
    # A run that died may have written the list. Neither its name is trusted, nor that a 409
    # ConditionalRequestConflict means that it exists: the list is read back.
    except PreconditionFailed:
        _check_list(deleter.store, target, key, data)
    report.list_key = key
    deleter.delete_in_order(ordered, ListedVersions(ordered), report)


def _check_list(store: ObjectStore, target: Target, key: str, data: bytes) -> None:
    """Checks that the stored list is this one, however it was compressed. Raises VerificationError,
    StoreError.
    """
    stored = store.get_object(target.bucket, key).data
    with contextlib.suppress(OSError, EOFError, ValueError, zlib.error):
        if stored == data or list(inflate_lines(stored)) == list(inflate_lines(data)):
            return
    raise VerificationError(
        f"s3://{target.bucket}/{key}: a different list exists there, so nothing was deleted"
    )


def _line(found: LogObject) -> bytes:
    record = {
        "key": found.key,
        "version_id": found.version_id,
        "etag": found.etag,
        "size": found.size_bytes,
        "last_modified": found.last_modified.isoformat(),
    }
    return encode_json_line(record)
