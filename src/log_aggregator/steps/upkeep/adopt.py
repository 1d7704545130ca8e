"""Adoption: reads an aggregate that another tool made once, and writes an index of its gzip
members. The aggregate itself is not changed.
"""

from __future__ import annotations

from collections.abc import Iterator

from log_aggregator.core.adopted import (
    Adopted,
    AdoptedIndexEncoder,
    Aggregate,
    Said,
    group_of_aggregate,
)
from log_aggregator.core.checksums import crc64nvme
from log_aggregator.core.layouts.no_log import no_content_reason
from log_aggregator.core.packformat.index import TOOL
from log_aggregator.core.packformat.split import split_gzip
from log_aggregator.errors import (
    BadPack,
    NotFound,
    PreconditionFailed,
    SettingsError,
    VerificationError,
)
from log_aggregator.model import LogObject, Target
from log_aggregator.ports.store import ObjectStore, WriteOptions
from log_aggregator.steps.packs.index import naming
from log_aggregator.steps.packs.pages import list_all
from log_aggregator.steps.packs.stream import ObjectStream


def list_aggregates(
    store: ObjectStore, target: Target, bucket: str, key: str
) -> Iterator[LogObject]:
    """The object with this key; or, if the key is empty or ends in a slash, everything under it
    except folder markers, probes and our own objects.

    Raises NotFound if there is nothing, SettingsError if everything there is our own.
    """
    is_prefix = not key or key.endswith("/")
    own = target.own_prefixes if bucket == target.bucket else ()
    if key.startswith(own or ("\n",)):
        raise SettingsError(
            f"s3://{bucket}/{key}: packs already have an index; name what another program made"
        )
    is_empty = True
    for found in list_all(store, bucket, key):
        if not is_prefix:
            if found.key == key:
                is_empty = False
                yield found
            break
        if no_content_reason(found.key) is None and not found.key.startswith(own):
            is_empty = False
            yield found
    if is_empty:
        hint = (
            "nothing lies under it"
            if is_prefix
            else "no object has this key; to name a prefix, end it with a slash"
        )
        raise NotFound(f"s3://{bucket}/{key}: {hint}")


def describe_aggregate(found: LogObject, said: Said) -> Aggregate:
    """How a listed object would be adopted. Raises SettingsError if its date is not known."""
    group = group_of_aggregate(found.bucket, found.key, said)
    return Aggregate(
        found.bucket, found.key, found.etag, found.size_bytes, found.last_modified, group
    )


def adopt(
    store: ObjectStore, target: Target, aggregate: Aggregate, options: WriteOptions
) -> Adopted | None:
    """Indexes one aggregate. None if it was already adopted; nothing is read then.

    Memory: one range of it, and its members' lines as gzip. Raises BadPack (it is not a plain
    concatenation of gzip files), VerificationError (what was read differs from S3's checksum),
    ObjectFrozen, PreconditionFailed (it was replaced meanwhile).
    """
    index_key = aggregate.index_key(target)
    if any(
        found.key == index_key
        for found in store.list_objects(target.bucket, prefix=index_key).objects
    ):
        return None
    adopted, data = _read(store, aggregate)
    try:
        store.put_object(target.bucket, index_key, data, crc64nvme=crc64nvme(data), options=options)
    except PreconditionFailed:
        return None
    return adopted


def _read(store: ObjectStore, aggregate: Aggregate) -> tuple[Adopted, bytes]:
    stored = store.head_object(aggregate.bucket, aggregate.key, if_match=aggregate.etag)
    stream, encoder = ObjectStream(store, stored), AdoptedIndexEncoder(aggregate)
    with naming(aggregate.place):
        for found in split_gzip(stream.read(stored.size_bytes)):
            encoder.take(found)
        if not encoder.member_count:
            raise BadPack("it has no gzip members")
    if stored.crc64nvme not in (None, stream.running.crc):
        raise VerificationError(f"{aggregate.place}: what was read differs from S3's checksum")
    return encoder.finish(stream.running.crc, TOOL)
