"""What verification found: as a dictionary for programs (`--json`), as lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from log_aggregator.reports.failures import render_failed
from log_aggregator.reports.numbers import format_bytes, format_count
from log_aggregator.steps.rules import Level
from log_aggregator.steps.upkeep.check import Broken, Finding, Frozen, Sound, Unchecked

THAW = (
    "Thaw it before reading it (`log-aggregator thaw`), or verify with --level checksum or "
    "--at-rest, which need no thaw."
)


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample of what was found, which can be drawn again."""

    percent: float
    seed: int
    found: int
    chosen: int


def describe_verify(
    findings: Sequence[Finding], level: Level, sample: Sample | None
) -> dict[str, Any]:
    """The names are documented in docs/reference/json.md."""
    ordered = sorted(findings, key=lambda finding: finding.place)
    sound = [finding for finding in ordered if isinstance(finding, Sound)]
    return {
        "level": level.value,
        "sample": None if sample is None else asdict(sample),
        "packs": [_describe_sound(finding) for finding in sound if not finding.place.is_adopted],
        "adopted": [_describe_sound(finding) for finding in sound if finding.place.is_adopted],
        "frozen": [
            {
                "bucket": finding.place.target.bucket,
                "key": finding.place.key,
                "checksum_compared": finding.has_checksum,
            }
            for finding in ordered
            if isinstance(finding, Frozen)
        ],
        "failures": [asdict(finding.failure) for finding in ordered if isinstance(finding, Broken)],
        "unchecked": [
            asdict(finding.failure) for finding in ordered if isinstance(finding, Unchecked)
        ],
    }


def render_verify(described: dict[str, Any], days: str) -> Iterator[str]:
    """`days`: what was asked for."""
    level, packs, adopted = described["level"], described["packs"], described["adopted"]
    if described["sample"]:
        sample = described["sample"]
        yield (
            f"A sample: {sample['chosen']:,} of {sample['found']:,} ({sample['percent']:g}%); "
            f"to draw it again, add --seed {sample['seed']}"
        )
    yield f"{format_count(len(packs), 'pack')} verified ({level}): {_render_sum(packs)}; {days}"
    if adopted:
        yield (
            f"{format_count(len(adopted), 'adopted aggregate')} verified ({level}): "
            f"{_render_sum(adopted)}"
        )
    yield from _render_frozen(described["frozen"])
    yield from render_failed(
        described["failures"], f"{format_count(len(described['failures']), 'pack')} failed"
    )
    unchecked = format_count(len(described["unchecked"]), "pack")
    yield from render_failed(described["unchecked"], f"{unchecked} could not be checked")


def _describe_sound(finding: Sound) -> dict[str, Any]:
    place = finding.place
    return {
        "bucket": place.target.bucket,
        "key": place.key,
        "members": finding.member_count,
        "bytes": finding.size_bytes,
    }


def _render_sum(rows: Sequence[dict[str, Any]]) -> str:
    return (
        f"{format_count(sum(row['members'] for row in rows), 'member')}, "
        f"{format_bytes(sum(row['bytes'] for row in rows))}"
    )


def _render_frozen(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    if not rows:
        return
    yield (
        f"{format_count(len(rows), 'pack is', 'packs are')} in an archive class and could not be "
        "read:"
    )
    for row in rows:
        checksum = (
            "its checksum is right" if row["checksum_compared"] else "S3 has no checksum of it"
        )
        yield f"  s3://{row['bucket']}/{row['key']}: {checksum}"
    yield f"    {THAW}"
