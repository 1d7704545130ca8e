"""Adoption: reads an aggregate that another tool made, once, and writes an index of its gzip
members. The aggregate stays as it is.
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
    """The object of that key; or, of a key that ends in a slash or is empty, everything under it
    that is neither a folder marker, nor a probe, nor one of our own.

    Raises NotFound where there is nothing, SettingsError where it is all our own.
    """
    is_prefix = not key or key.endswith("/")
    own = target.own_prefixes if bucket == target.bucket else ()
    if key.startswith(own or ("\n",)):
        raise SettingsError(
            f"s3://{bucket}/{key}: packs have their own index; expected what another program made"
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
            else "there is no such object; a prefix ends in a slash"
        )
        raise NotFound(f"s3://{bucket}/{key}: {hint}")


def describe_aggregate(found: LogObject, said: Said) -> Aggregate:
    """What a listed object would be adopted as. Raises SettingsError where its date is not
    known.
    """
    group = group_of_aggregate(found.bucket, found.key, said)
    return Aggregate(
        found.bucket, found.key, found.etag, found.size_bytes, found.last_modified, group
    )


def adopt(
    store: ObjectStore, target: Target, aggregate: Aggregate, options: WriteOptions
) -> Adopted | None:
    """Indexes one aggregate. None where it has been adopted already; nothing is read then.

    Memory: one range of it, and its members' lines as gzip. Raises BadPack (it is no plain
    concatenation of gzip files), VerificationError (what was read is not what S3 stores),
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
            raise BadPack("there is no gzip member in it")
    if stored.crc64nvme not in (None, stream.running.crc):
        raise VerificationError(f"{aggregate.place}: what was read of it is not what S3 stores")
    return encoder.finish(stream.running.crc, TOOL)
