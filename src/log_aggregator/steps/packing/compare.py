"""Compares an original with its packed copy, by hash.

An ETag is an MD5 at best, and two contents can be made to have the same MD5. If only an ETag says
that an original is the one that was packed, it is read once more before it is deleted.
"""

from __future__ import annotations

import hashlib

from log_aggregator.core.checksums import RunningChecksum
from log_aggregator.errors import NotFound, OtherBytes, PreconditionFailed
from log_aggregator.model import LogObject, Member
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.packing.read import UNREADABLE, Changed, Unreadable
from log_aggregator.steps.packs.ranges import RangeReader


def compare_original(
    store: ObjectStore, bucket: str, member: Member
) -> Changed | Unreadable | None:
    """None if the original has exactly the packed bytes. `Unreadable` also if it has others."""
    source = LogObject(
        bucket,
        member.key,
        member.version_id,
        member.etag,
        member.size_bytes,
        member.last_modified,
    )
    sha256, running = hashlib.sha256(), RunningChecksum()
    try:
        for body in RangeReader.of_source(store, source).read_all(source.size_bytes):
            sha256.update(body.data)
            running.take(body.data)
    except (NotFound, PreconditionFailed):
        return Changed(source)
    except UNREADABLE as error:
        return Unreadable(source, error)
    is_same = (
        running.crc == member.crc64nvme
        if member.sha256 is None
        else sha256.hexdigest() == member.sha256
    )
    if is_same and running.length_bytes == member.size_bytes:
        return None
    where = f"s3://{bucket}/{member.key}"
    return Unreadable(source, OtherBytes(f"{where}: its bytes differ from what was packed"))
