"""Plans a check of packs at rest: looks at each pack and its index once, and starts nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from log_aggregator.core.costs import estimate_hash_dollars
from log_aggregator.core.evidence.at_rest import (
    Algorithm,
    HashTask,
    KnownHashes,
    PackAtRest,
    Verdict,
)
from log_aggregator.core.evidence.at_rest_plan import AtRestPlan
from log_aggregator.core.jsontext import encode_json
from log_aggregator.errors import GroupFailed, NotFound
from log_aggregator.model import NULL_VERSION, StoredObject, Target
from log_aggregator.steps.evidence.known_hashes import find_claims, read_known
from log_aggregator.steps.job import Job
from log_aggregator.steps.packs.index import estimate_index_memory
from log_aggregator.steps.retrieval.catalog import entry_of
from log_aggregator.steps.upkeep.check import PackPlace


def plan_check(job: Job, target: Target, places: Sequence[PackPlace], role_arn: str) -> AtRestPlan:
    """Judges what S3 already shows of each pack, and chooses the algorithm to hash it with. Adopted
    aggregates are left out: no hash of the whole is known for them. Raises StoreError if a listing
    fails.
    """
    packs = [place for place in places if not place.is_adopted]
    claims = find_claims(job, target, {place.key for place in packs})

    def look(place: PackPlace) -> HashTask | PackAtRest:
        return _look(job, target, place.key, claims.get(place.key, ()))

    found = list(
        job.workers.read_ahead(look, packs, lambda place: estimate_index_memory(place.index_bytes))
    )
    tasks = _name_versions(each for each in found if isinstance(each, HashTask))
    days = [entry_of(target, place.key).group.date for place in packs] or [job.today]
    began = job.clock.now()
    return AtRestPlan(
        target,
        _name(began, tasks),
        began,
        role_arn,
        estimate(tasks),
        min(days),
        max(days),
        tuple(tasks),
        tuple(each for each in found if isinstance(each, PackAtRest)),
        len(places) - len(packs),
    )


def estimate(tasks: Sequence[HashTask]) -> float:
    """What S3 will charge, in dollars."""
    algorithms = {task.algorithm for task in tasks}
    size_bytes = sum(task.size_bytes for task in tasks)
    return estimate_hash_dollars(len(algorithms), len(tasks), size_bytes)


def _look(
    job: Job, target: Target, key: str, claims: Sequence[tuple[str, str]]
) -> HashTask | PackAtRest:
    """A task to hash a pack, or a verdict that needs no hashing."""
    try:
        known, size_bytes = read_known(job, target, key, claims)
    except NotFound:
        what = "the pack has no index; `log-aggregator index rebuild` writes a new one"
        return _say(key, Verdict.UNPROVEN, what)
    except GroupFailed as error:
        return _say(key, Verdict.UNPROVEN, str(error))
    try:
        stored = job.store.head_object(target.bucket, key)
    except NotFound:
        return _say(key, Verdict.DAMAGED, "its index exists, but the pack does not", size_bytes)
    except GroupFailed as error:
        return _say(key, Verdict.UNPROVEN, str(error), size_bytes)
    if problem := _find_problem(stored, size_bytes, known):
        return _say(key, Verdict.DAMAGED, problem, stored.size_bytes)
    return HashTask(key, stored.version_id, stored.etag, stored.size_bytes, known.algorithm)


def _find_problem(stored: StoredObject, size_bytes: int, known: KnownHashes) -> str:
    """Damage that shows without hashing; empty if there is none."""
    if stored.size_bytes != size_bytes:
        return f"{stored.size_bytes} bytes are stored, {size_bytes} were written"
    if stored.crc64nvme not in (None, known.crc64nvme):
        return "S3's checksum of the pack differs from the one it was written with"
    return ""


def _say(key: str, verdict: Verdict, reason: str, size_bytes: int = 0) -> PackAtRest:
    return PackAtRest(key, size_bytes, Algorithm.CRC64NVME, verdict, reason)


def _name_versions(tasks: Iterable[HashTask]) -> list[HashTask]:
    """A manifest of S3 Batch Operations names versions in all of its rows or in none
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-create-job.html)."""
    found = list(tasks)
    if all(task.version_id is None for task in found):
        return found
    return [replace(task, version_id=task.version_id or NULL_VERSION) for task in found]


def _name(began: datetime, tasks: Sequence[HashTask]) -> str:
    digest = hashlib.sha256()
    for task in tasks:
        digest.update(encode_json([task.key, task.version_id, task.etag, task.algorithm]))
    return f"{began:%Y%m%dT%H%M%S.%fZ}-{digest.hexdigest()[:12]}"
