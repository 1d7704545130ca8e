"""Where one original lies."""

from __future__ import annotations

from log_aggregator.core.query import Query
from log_aggregator.model import PackedMember, Target
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.retrieval.find import find
from log_aggregator.steps.workers import SerialWorkers


def find_places(store: ObjectStore, target: Target, bucket: str, key: str) -> list[PackedMember]:
    """All packed versions of a key, newest first."""
    found = find(store, SerialWorkers(), [target], Query(keys=(f"s3://{bucket}/{key}",)))
    places = [
        PackedMember(target, pack.pack_key, member) for pack in found for member in pack.members
    ]
    return sorted(places, key=lambda place: place.member.last_modified, reverse=True)
