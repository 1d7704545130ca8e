"""The result of a finished drill, as its record holds it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from log_aggregator.core.evidence.drills import Drill, RecoveryTime

_SHORTEST, _MINUTE, _HOUR = 0.001, 60, 3600


def describe_result(drill: Drill) -> dict[str, Any]:
    """The result of a finished drill, without its sample."""
    return {
        "is_sound": drill.is_sound,
        "bad": drill.bad,
        "confidence": drill.confidence,
        "bad_share_max": round(drill.bad_share_max, 6),
        "proof": drill.proof,
        "packs_frozen": drill.packs_frozen,
        "packs_bad": drill.packs_bad,
        "digests_valid": drill.digests_valid,
        "digests_invalid": drill.digests_invalid,
        "digests_unvouched": drill.digests_unvouched,
        "warm": None if drill.warm is None else asdict(drill.warm),
        "frozen": None if drill.frozen is None else asdict(drill.frozen),
        "sample_key": drill.sample_key,
        "sample_sha256": drill.sample_sha256,
    }


def render_result(members: int, packs: int, result: Mapping[str, Any]) -> Iterator[str]:
    """The result, for people."""
    back = members - result["bad"]
    yield f"  recovered {back:,} of {members:,} members, byte for byte"
    yield (
        f"  packs     {packs - result['packs_bad']:,} of {packs:,} match their index; "
        f"{result['packs_frozen']:,} had to be thawed"
    )
    digests = [result[f"digests_{name}"] for name in ("valid", "invalid", "unvouched")]
    if any(digests):
        yield (
            f"  digests   {digests[0]:,} signed by CloudTrail, {digests[1]:,} not; for "
            f"{digests[2]:,} the public key is not kept"
        )
    for name, what in (("warm", "without thawing"), ("frozen", "with thawing, at most")):
        if result[name] is not None:
            found = RecoveryTime(**result[name])
            yield (
                f"  time      {what}: half of them within {_format_seconds(found.p50_seconds)}, "
                f"95% within {_format_seconds(found.p95_seconds)}"
            )
    yield f"  proven    {result['proof']}"


def _format_seconds(seconds: float) -> str:
    if seconds < _SHORTEST:
        return "under 1 ms"
    if seconds < _MINUTE:
        return f"{seconds:.2g} s" if seconds < 1 else f"{seconds:.1f} s"
    return f"{seconds / _MINUTE:.0f} min" if seconds < 2 * _HOUR else f"{seconds / _HOUR:.1f} h"
