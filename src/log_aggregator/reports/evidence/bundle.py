"""What a bundle holds, and what its own verifier found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from log_aggregator.core.costs import estimate_dollars
from log_aggregator.core.evidence.manifest import About
from log_aggregator.reports.failures import name_failed, render_failed
from log_aggregator.reports.numbers import format_bytes, format_count, format_dollars
from log_aggregator.steps.evidence.bundle import BundleResult


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the verifier found."""

    sha256: str
    size_bytes: int
    proved: tuple[str, ...]
    unproved: tuple[str, ...]
    problems: tuple[str, ...]


def describe_bundle(
    path: str, about: About, result: BundleResult, verdict: Verdict, requests: Mapping[str, int]
) -> dict[str, Any]:
    """What `evidence --json` writes."""
    return {
        "bundle": path,
        "sha256": verdict.sha256,
        "bytes": verdict.size_bytes,
        "files": result.files,
        "originals": result.originals,
        "original_bytes": result.size_bytes,
        "listed": result.listed,
        "digests": result.digests,
        "public_keys": result.public_keys,
        "indexes": result.indexes,
        "records": result.records,
        "signatures": result.signatures,
        "missing": [asdict(gap) for gap in about.missing],
        "proved": list(verdict.proved),
        "unproved": list(verdict.unproved),
        "problems": list(verdict.problems),
        "requests": dict(requests),
        "dollars": estimate_dollars(requests),
        "lost": result.lost,
        "failures": [asdict(failure) for failure in result.failures],
    }


def render_bundle(described: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"{described['bundle']}: {format_bytes(described['bytes'])};"
        f" {format_count(described['originals'], 'original')},"
        f" {described['digests']:,} of them digests, {described['listed']:,} only listed,"
        f" {format_count(described['indexes'], 'index', 'indexes')},"
        f" {format_count(described['public_keys'], 'public key')},"
        f" {format_count(described['records'], 'custody record')},"
        f" {format_count(described['signatures'], 'signature')};"
        f" {format_dollars(described['dollars'])}"
    )
    yield f"SHA-256 {described['sha256']}"
    yield "Keep that hash elsewhere: it shows the auditor that this is the bundle you made."
    yield from (f"proved: {text}" for text in described["proved"])
    yield from (f"not proved: {text}" for text in described["unproved"])
    yield from (f"WRONG: {text}" for text in described["problems"])
    lost = (
        f"{format_count(described['lost'], 'original')} could not be read"
        if described["lost"]
        else None
    )
    yield from render_failed(described["failures"], name_failed(described["failures"], lost))
