"""What is packed so far, and what that saves: as a dictionary for programs, or as a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from log_aggregator.core.costs import PRICES, Prices
from log_aggregator.core.costs.storage import INDEX_BYTES_PER_MEMBER, Packed, estimate_packed
from log_aggregator.limits import GIB
from log_aggregator.reports.numbers import format_bytes, format_count, format_dollars
from log_aggregator.steps.custody.totals import PackedTotal, PackedTotals

ROWS_SHOWN_MAX = 20
ARCHIVE = "DEEP_ARCHIVE"
_MONTHS = 12
"""Over a year the minimum number of days that archive classes bill makes no difference."""
_BY = {
    "log_types": "log type",
    "accounts": "account",
    "months": "month of the logs",
    "buckets": "bucket",
}


_HEADS = (("objects", 12), ("bytes", 10), ("packs", 9), ("bytes", 10), ("deleted", 12))


def describe_stats(totals: PackedTotals, prices: Prices = PRICES) -> dict[str, Any]:
    """What `stats --json` writes. The names are documented in docs/reference/json.md."""
    return {
        "records": totals.records,
        "total": asdict(totals.total),
        "log_types": _describe_rows(totals.by_log_type),
        "accounts": _describe_rows(totals.by_account),
        "months": _describe_rows(totals.by_month),
        "buckets": _describe_rows(totals.by_bucket),
        "dollars": _describe_dollars(totals, prices),
        "unread": [{"where": where, "message": problem} for where, problem in totals.unread],
    }


def render_stats(described: Mapping[str, Any]) -> Iterator[str]:
    """The same, for people, at most 100 columns wide except for long names."""
    total, dollars = described["total"], described["dollars"]
    yield (
        f"{format_count(total['objects'], 'log object')}, {format_bytes(total['source_bytes'])}, "
        f"in {format_count(total['packs'], 'pack')}, {format_bytes(total['pack_bytes'])}; "
        f"{format_count(total['deleted'], 'original')} deleted"
    )
    yield (
        f"  a month, list prices of {dollars['region']}: "
        f"{format_dollars(dollars['originals_standard'])} for the originals in STANDARD; "
        f"{format_dollars(dollars['packs_standard'])} for the packs there, "
        f"{format_dollars(dollars['packs_archived'])} in {ARCHIVE}"
    )
    yield (
        f"  moved to {ARCHIVE} one by one, the originals would have cost "
        f"{format_dollars(dollars['transitions_saved'])} more, once"
    )
    for name, title in _BY.items():
        yield ""
        yield from _render_rows(described[name], title)
    if described["unread"]:
        yield ""
        yield "Not counted, because they cannot be read:"
        yield from (f"  {each['where']}: {each['message']}" for each in described["unread"])


def _describe_rows(totals: Mapping[str, PackedTotal]) -> list[dict[str, Any]]:
    """By name. Where nothing was packed or deleted there is no row."""
    return [
        {"name": name, **asdict(total)}
        for name, total in sorted(totals.items())
        if total.packs or total.deleted
    ]


def _describe_dollars(totals: PackedTotals, prices: Prices) -> dict[str, Any]:
    objects, packs = totals.total.objects, totals.total.packs
    packed = Packed({}, totals.pack_sizes, objects * INDEX_BYTES_PER_MEMBER)
    archive = prices.storage[ARCHIVE]
    return {
        "region": prices.region,
        "originals_standard": _a_month_in_standard(totals.total.source_bytes, prices),
        "packs_standard": _a_month(packed, "STANDARD", prices),
        "packs_archived": _a_month(packed, ARCHIVE, prices),
        "transitions_saved": round((objects - packs) * archive.transition_1000 / 1000, 6),
    }


def _a_month(packed: Packed, storage_class: str, prices: Prices) -> float:
    way = estimate_packed(packed, storage_class, _MONTHS, prices)
    return round(way.storage / _MONTHS, 6)


def _a_month_in_standard(size_bytes: int, prices: Prices) -> float:
    return round(size_bytes * prices.standard.gb_month / GIB, 6)


def _render_rows(rows: list[dict[str, Any]], title: str) -> Iterator[str]:
    """The largest, in the order of their names."""
    largest = sorted(rows, key=lambda row: -row["objects"])[:ROWS_SHOWN_MAX]
    shown = [row for row in rows if row in largest]
    width = max([len(title), *(len(row["name"]) for row in shown)])
    heads = (f"{head:>{room}}" for head, room in _HEADS)
    yield " ".join([f"{title:<{width}}", *heads])
    for row in shown:
        yield (
            f"{row['name']:<{width}} {row['objects']:>12,} {format_bytes(row['source_bytes']):>10} "
            f"{row['packs']:>9,} {format_bytes(row['pack_bytes']):>10} {row['deleted']:>12,}"
        )
    if len(rows) > len(shown):
        yield f"... and {len(rows) - len(shown):,} smaller ones; --json has all"
