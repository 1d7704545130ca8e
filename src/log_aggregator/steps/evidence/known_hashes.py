"""Known hashes of whole packs, from their indexes and from custody records."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from log_aggregator.core.evidence.at_rest import KnownHashes
from log_aggregator.core.packformat import expected_pack
from log_aggregator.errors import BadPack, GroupFailed
from log_aggregator.model import Target
from log_aggregator.steps.custody.walk import list_records, read_records
from log_aggregator.steps.job import Job
from log_aggregator.steps.packs.index import read_index

Claims = Mapping[str, Sequence[tuple[str, str]]]
"""The key of a pack -> (source, SHA-256 of the whole pack in hex)."""

THE_INDEX = "the metadata of its index"
_READ_AHEAD_BYTES = 64 * 1024


def find_claims(job: Job, target: Target, keys: Collection[str]) -> Claims:
    """The hashes that custody records give for these packs. If several records give the same hash,
    the oldest is named. Raises StoreError.
    """
    claims: dict[str, dict[str, str]] = {}
    for found in read_records(job.store, job.workers, target, list_records(job.store, target)):
        record = found.record
        if record is None or (record.target, record.sequence) != (target, found.sequence):
            continue  # `custody verify` reports it
        for pack in record.packs:
            if pack.sha256 is not None and pack.key in keys:
                claims.setdefault(pack.key, {}).setdefault(
                    pack.sha256, f"custody record {found.sequence}"
                )
    return {key: [(who, text) for text, who in told.items()] for key, told in claims.items()}


def read_known(
    job: Job, target: Target, key: str, claims: Sequence[tuple[str, str]]
) -> tuple[KnownHashes, int]:
    """A pack's hashes, and its size in bytes. Raises NotFound, BadPack or StoreError if its index
    cannot be read.
    """
    stored = read_index(job.store, target, key)
    size_bytes, crc = expected_pack(stored.scan(), stored.data)
    own = () if stored.pack_sha256 is None else ((THE_INDEX, stored.pack_sha256),)
    return KnownHashes(crc, (*claims, *own)), size_bytes


def look_up(job: Job, target: Target, keys: Sequence[str]) -> dict[str, KnownHashes]:
    """The known hashes of all packs whose index can be read."""
    claims = find_claims(job, target, frozenset(keys))

    def read(key: str) -> KnownHashes | None:
        try:
            return read_known(job, target, key, claims.get(key, ()))[0]
        except (BadPack, GroupFailed):
            return None

    found = job.workers.read_ahead(read, keys, lambda _: _READ_AHEAD_BYTES)
    return {key: each for key, each in zip(keys, found, strict=True) if each is not None}
