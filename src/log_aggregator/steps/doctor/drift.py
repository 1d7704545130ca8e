"""What has become worse since an operator last accepted the doctor's warnings.

The first night accepts the warnings that it sees, because the operator who deployed the stack has
seen them too. They are kept in the work bucket; delete that object, and the next night accepts what
it sees. A problem is never accepted: a run would fail.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from log_aggregator.core.checksums import crc64nvme
from log_aggregator.core.jsontext import encode_json
from log_aggregator.errors import NotFound, PreconditionFailed
from log_aggregator.ports.store import ObjectStore, WriteOptions
from log_aggregator.steps.doctor.findings import Finding, Level

ACCEPTED_KEY = "examinations/accepted.json"

Accepted = frozenset[tuple[str, str]]
"""Places and checks of warnings."""


def find_drift(store: ObjectStore, bucket: str, findings: Sequence[Finding]) -> list[Finding]:
    """Problems, and warnings that were not accepted, worst first. Raises StoreError."""
    accepted = _read_accepted(store, bucket)
    if accepted is None:
        accepted = _accept(store, bucket, findings)
    drift = [
        finding
        for finding in findings
        if finding.level is Level.PROBLEM
        or (finding.level is Level.WARNING and (finding.where, finding.check) not in accepted)
    ]
    return sorted(drift, key=lambda finding: -finding.level.rank)


def _read_accepted(store: ObjectStore, bucket: str) -> Accepted | None:
    try:
        data = store.get_object(bucket, ACCEPTED_KEY).data
    except NotFound:
        return None
    return frozenset((row["where"], row["check"]) for row in json.loads(data))


def _accept(store: ObjectStore, bucket: str, findings: Sequence[Finding]) -> Accepted:
    """Accepts the warnings seen now, or returns what another run accepted at the same moment."""
    seen = sorted({(each.where, each.check) for each in findings if each.level is Level.WARNING})
    data = encode_json([{"where": where, "check": check} for where, check in seen])
    options = WriteOptions(content_type="application/json")
    try:
        store.put_object(bucket, ACCEPTED_KEY, data, crc64nvme=crc64nvme(data), options=options)
    except PreconditionFailed:
        return _read_accepted(store, bucket) or frozenset()
    return frozenset(seen)
