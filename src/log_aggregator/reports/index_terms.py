"""What `index terms` did: as a dictionary for programs (`--json`), as lines for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from log_aggregator.errors import Failure
from log_aggregator.reports.failures import render_failed
from log_aggregator.reports.numbers import format_bytes, format_count, format_dollars
from log_aggregator.steps.retrieval.find import FoundPack
from log_aggregator.steps.retrieval.thaw import PackState, State, TierOption
from log_aggregator.steps.upkeep.terms import Lack, TermsMade

_NOT_READABLE = (State.FROZEN, State.THAWING)


@dataclass(slots=True)
class TermsDone:
    """Packs that lack terms, whether they can be read, and what was done."""

    states: Sequence[PackState]
    tiers: Sequence[TierOption]
    """What thawing the frozen ones costs."""
    lack: Lack
    failures: list[Failure]
    made: list[TermsMade] = field(default_factory=list)

    @property
    def readable(self) -> list[FoundPack]:
        """Those that can be read now."""
        found = {(each.bucket, each.key) for each in self.states if each.state not in _NOT_READABLE}
        return [pack for pack in self.lack.packs if (pack.target.bucket, pack.pack_key) in found]


def describe_terms(done: TermsDone, *, dry_run: bool) -> dict[str, Any]:
    """The names are documented in docs/reference/json.md."""
    readable = [each for each in done.states if each.state not in _NOT_READABLE]
    frozen = [each for each in done.states if each.state in _NOT_READABLE]
    made = sorted(done.made, key=lambda each: (each.target.bucket, each.pack_key))
    return {
        "dry_run": dry_run,
        "packs": [
            {"bucket": each.bucket, "key": each.key, "bytes": each.size_bytes} for each in readable
        ],
        "made": [_describe_made(each) for each in made],
        "frozen": [
            {
                "bucket": each.bucket,
                "key": each.key,
                "bytes": each.size_bytes,
                "storage_class": each.storage_class,
                "state": each.state.value,
            }
            for each in frozen
        ],
        "thawing": [
            {"tier": each.tier, "dollars": _round(each.dollars), "takes": " or ".join(each.takes)}
            for each in done.tiers
            if frozen
        ],
        "present": done.lack.present,
        "without_terms": done.lack.never,
        "failures": [asdict(each) for each in sorted(done.failures, key=lambda each: each.where)],
    }


def render_terms(described: Mapping[str, Any], days: str) -> Iterator[str]:
    """`days`: what was asked for."""
    packs, made = described["packs"], described["made"]
    if described["dry_run"]:
        size = format_bytes(sum(row["bytes"] for row in packs))
        yield f"{format_count(len(packs), 'pack')} would be read, {size}; {days}"
        yield from (f"  s3://{row['bucket']}/{row['key']}" for row in packs[:_SHOWN_MAX])
        if len(packs) > _SHOWN_MAX:
            yield f"  ... and {len(packs) - _SHOWN_MAX:,} more; --json names all"
    else:
        size = format_bytes(sum(row["bytes"] for row in made))
        yield f"terms made of {format_count(len(made), 'pack')}, {size}; {days}"
        yield from _render_unsearched(made)
        if made:
            yield (
                "  `log-aggregator index tables` merges them, which makes searching quick; add "
                "--rebuild if older terms of these packs were merged before"
            )
    yield from _render_frozen(described)
    if described["present"]:
        yield f"{format_count(described['present'], 'pack has', 'packs have')} terms: nothing to do"
    if described["without_terms"]:
        others = format_count(described["without_terms"], "other pack has", "other packs have")
        yield f"{others} no terms: their log types are not searched, or S3 copied them one by one"
    failed = format_count(len(described["failures"]), "pack")
    yield from render_failed(described["failures"], f"{failed} failed")


_SHOWN_MAX = 20


def _render_unsearched(made: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    unsearched = sum((Counter(row["unsearched"]) for row in made), Counter[str]())
    for reason, count in sorted(unsearched.items()):
        yield f"  {format_count(count, 'member')} not searchable: {reason}"


def _render_frozen(described: Mapping[str, Any]) -> Iterator[str]:
    frozen = described["frozen"]
    if not frozen:
        return
    size = format_bytes(sum(row["bytes"] for row in frozen))
    cannot = format_count(len(frozen), "pack is", "packs are")
    yield f"{cannot} frozen, {size}, and cannot be searched"
    prices = ", ".join(
        f"{row['tier']} {format_dollars(row['dollars'])}"
        for row in described["thawing"]
        if row["dollars"] is not None
    )
    yield f"  thawing those that are not thawing yet costs: {prices}"
    yield "  thaw them with `log-aggregator thaw` and the same conditions, and start this again"


def _describe_made(made: TermsMade) -> dict[str, Any]:
    return {
        "bucket": made.target.bucket,
        "key": made.pack_key,
        "members": made.members,
        "unsearched": {reason.value: count for reason, count in sorted(made.unsearched.items())},
        "bytes": made.size_bytes,
    }


def _round(dollars: float | None) -> float | None:
    return None if dollars is None else round(dollars, 6)
