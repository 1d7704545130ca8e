"""The terms of a stored pack: written and read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from log_aggregator.core.checksums import crc64nvme
from log_aggregator.core.terms.collect import Collector
from log_aggregator.core.terms.model import Sighting, TermsHead
from log_aggregator.core.terms.packterms import decode_terms
from log_aggregator.errors import BadTerms
from log_aggregator.model import Target
from log_aggregator.ports.store import ObjectStore, WriteOptions

_one_finishes = threading.Lock()


def finish_terms(collector: Collector, pack_key: str, place_of: Callable[[int], int]) -> bytes:
    """The terms of a pack, as they are stored. Finishing takes twice the memory of collecting, so
    packs finish one after the other.
    """
    with _one_finishes:
        return collector.finish(pack_key, place_of)


def write_terms(
    store: ObjectStore, target: Target, pack_key: str, data: bytes, options: WriteOptions
) -> None:
    """Stores a pack's terms. Existing ones are replaced: the same version of this program writes
    the same bytes again, a newer one may write better ones, and no deletion relies on them. So
    forged terms that were written first do not stay.
    """
    key = target.terms_key(pack_key)
    store.put_object(target.bucket, key, data, crc64nvme=crc64nvme(data), options=options)


def read_terms(
    store: ObjectStore, target: Target, pack_key: str
) -> tuple[TermsHead, Iterator[Sighting]]:
    """A pack's terms; the sightings are decoded as they are taken. Raises NotFound, and BadTerms if
    they cannot be decoded or belong to another pack.
    """
    key = target.terms_key(pack_key)
    where = f"s3://{target.bucket}/{key}"
    try:
        head, sightings = decode_terms(store.get_object(target.bucket, key).data)
    except BadTerms as error:
        raise BadTerms(f"{where}: {error}") from error
    if head.pack_key != pack_key:
        raise BadTerms(f"{where} has the terms of another pack, {head.pack_key}")
    return head, _naming(where, sightings)


def _naming(where: str, sightings: Iterator[Sighting]) -> Iterator[Sighting]:
    try:
        yield from sightings
    except BadTerms as error:
        raise BadTerms(f"{where}: {error}") from error
