"""Deletes log objects without packing them, because the settings say so (`other_regions = "delete"`), and only then.

It is apart from `delete` on purpose: that one accepts verified packs and nothing else. What is discarded is written down first,
object by object, under `discards/`, so that nothing ever disappears without a trace.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence

from log_aggregator.core.checksums import crc64nvme
from log_aggregator.core.packformat.deflate import encode_gzip
from log_aggregator.core.planning import pack_id
from log_aggregator.errors import PreconditionFailed
from log_aggregator.model import Group, LogObject, Target
from log_aggregator.ports import ObjectStore, WriteOptions
from log_aggregator.steps.delete import DeletionReport, delete_exactly, deletion_of
from log_aggregator.steps.workers import Workers


def discard(
    store: ObjectStore,
    workers: Workers,
    target: Target,
    group: Group,
    objects: Sequence[LogObject],
    versioning: str | None,
    options: WriteOptions,
) -> DeletionReport:
    """Writes the list of what goes, then deletes it, exactly as listed."""
    ordered = sorted(objects, key=lambda found: (found.key, found.version_id or ""))
    key = f"{target.root}discards/{group.path}{pack_id(ordered)}.jsonl.gz"
    data = encode_gzip(b"".join(_line(found) for found in ordered))
    with contextlib.suppress(PreconditionFailed):  # the same list, by its name: a run that died wrote it
        store.put_object(target.bucket, key, data, crc64nvme=crc64nvme(data), options=options)
    report = DeletionReport(list_key=key)
    deletions = [deletion_of(found.key, found.version_id, found.etag, versioning) for found in ordered]
    delete_exactly(store, workers, group.bucket, deletions, report)
    return report


def _line(found: LogObject) -> bytes:
    record = {
        "key": found.key,
        "version_id": found.version_id,
        "etag": found.etag,
        "size": found.size_bytes,
        "last_modified": found.last_modified.isoformat(),
    }
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
