"""Packs in archive classes: what there is, the price and time of thawing, and the result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from log_aggregator.core.times import encode_time
from log_aggregator.errors import Failure
from log_aggregator.reports.failures import name_failed, render_failed
from log_aggregator.reports.numbers import format_bytes, format_count, format_dollars
from log_aggregator.steps.retrieval.thaw import PackState, State, TierOption

_PACKS_SHOWN_MAX = 20


def describe_thaw(
    states: Sequence[PackState], options: Sequence[TierOption], days: int
) -> dict[str, Any]:
    """What `thaw --json` writes, before anything was started."""
    return {
        "packs": [_describe_pack(each) for each in states],
        "totals": {
            state.value: _describe_total([each for each in states if each.state is state])
            for state in State
        },
        "days": days,
        "tiers": [
            {
                "tier": each.tier,
                "dollars": None if each.dollars is None else round(each.dollars, 6),
                "takes": " or ".join(each.takes),
            }
            for each in options
        ],
        "started": 0,
        "thawed": 0,
        "without_terms": 0,
        "failures": [],
    }


def describe_failures(failures: Sequence[Failure]) -> list[dict[str, str]]:
    return [asdict(failure) for failure in failures]


def render_thaw(described: Mapping[str, Any]) -> Iterator[str]:
    """Packs, totals by state, tiers."""
    packs = described["packs"]
    yield (
        f"{format_count(len(packs), 'pack')} with "
        f"{format_count(sum(pack['members'] for pack in packs), 'log object')}:"
    )
    for pack in packs[:_PACKS_SHOWN_MAX]:
        until = f" until {pack['expires']}" if pack["expires"] else ""
        state = (
            f"{pack['state']:<9}{until} {pack['storage_class']:<13} "
            f"{format_bytes(pack['bytes']):>10}"
        )
        yield f"  {state}  s3://{pack['bucket']}/{pack['key']}"
    if len(packs) > _PACKS_SHOWN_MAX:
        yield f"  ... and {len(packs) - _PACKS_SHOWN_MAX:,} more; --json names all"
    for state, total in described["totals"].items():
        if total["packs"]:
            yield (
                f"{state:<9} {format_count(total['packs'], 'pack')}, "
                f"{format_bytes(total['bytes'])}{_by_class(total)}"
            )
    if described["totals"][State.FROZEN]["packs"]:
        yield (
            "thawing the frozen packs, and keeping the copies for "
            f"{format_count(described['days'], 'day')}, costs (list prices of us-east-1):"
        )
        for tier in described["tiers"]:
            price = (
                "not available for all of these classes"
                if tier["dollars"] is None
                else f"{format_dollars(tier['dollars']):>10}  {tier['takes']}"
            )
            yield f"  {tier['tier']:<10}{price}"


def render_outcome(described: Mapping[str, Any], *, waited: bool) -> Iterator[str]:
    """What was started, and what failed."""
    if described["started"]:
        later = (
            ""
            if waited
            else (
                "; the same command with --wait or --then-extract DIR continues from here, now or "
                "later"
            )
        )
        yield f"{format_count(described['started'], 'restore')} started{later}"
    if described["thawed"]:
        yield f"{format_count(described['thawed'], 'pack')} can be read"
    if described["without_terms"]:
        count = format_count(
            described["without_terms"], "of these packs has", "of these packs have"
        )
        yield (
            f"{count} no terms: `log-aggregator index terms` with the same dates and filters makes "
            "them while the copies are there; `search` then needs no thaw"
        )
    yield from render_failed(
        described["failures"],
        name_failed(described["failures"], f"{len(described['failures']):,} failed"),
    )


def _describe_pack(pack: PackState) -> dict[str, Any]:
    return {
        "bucket": pack.bucket,
        "key": pack.key,
        "bytes": pack.size_bytes,
        "storage_class": pack.storage_class,
        "state": pack.state.value,
        "expires": encode_time(pack.expires, "minutes") if pack.expires else None,
        "members": pack.members,
    }


def _describe_total(packs: Sequence[PackState]) -> dict[str, Any]:
    return {
        "packs": len(packs),
        "bytes": sum(pack.size_bytes for pack in packs),
        "classes": sorted(Counter(pack.storage_class for pack in packs)),
    }


def _by_class(total: Mapping[str, Any]) -> str:
    return f" ({', '.join(total['classes'])})"
