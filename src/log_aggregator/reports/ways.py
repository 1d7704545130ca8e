"""What the planned log objects will cost over the years, side by side: left where they are, each
archived by itself, in packs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from log_aggregator.core.costs import PRICES, Prices
from log_aggregator.core.costs.storage import (
    INDEX_BYTES_PER_MEMBER,
    Packed,
    Sizes,
    Way,
    estimate_each,
    estimate_left,
    estimate_packed,
    estimate_payback_months,
)
from log_aggregator.limits import GIB, KIB, MIB
from log_aggregator.reports.numbers import format_bytes, format_dollars

YEARS_DEFAULT = 10
"""As long as the stack keeps packs by default (`FinalLogRetention` in template.yaml)."""
ARCHIVE = "DEEP_ARCHIVE"
SIZE_BOUNDS = (KIB, 4 * KIB, 16 * KIB, 64 * KIB, 128 * KIB, MIB, 16 * MIB, GIB)
_MEANINGS = {"left": "left in {}", "each": "each to {}", "packs": "packs in {}"}


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is compared: the storage class of packs, the years, and the prices."""

    storage_class: str = "STANDARD"
    years: int = YEARS_DEFAULT
    prices: Prices = PRICES


def describe_ways(
    sizes: Sizes, pack_sizes: Sizes, requests: Mapping[str, int], comparison: Comparison
) -> dict[str, Any]:
    """In plain types, for `plan --json`: log objects of these sizes, and their packs. `requests`
    are all that planning and the run need.
    """
    months, prices = comparison.years * 12, comparison.prices
    packed = Packed(requests, pack_sizes, sizes.count * INDEX_BYTES_PER_MEMBER)
    left = estimate_left(sizes, months, prices)
    packs = {
        name: estimate_packed(packed, name, months, prices)
        for name in dict.fromkeys((comparison.storage_class, ARCHIVE))
    }
    ways = [
        ("left", "STANDARD", left),
        ("each", ARCHIVE, estimate_each(sizes, ARCHIVE, months, prices)),
        *(("packs", name, way) for name, way in packs.items()),
    ]
    payback = estimate_payback_months(left, packs[ARCHIVE], months)
    return {
        "years": comparison.years,
        "region": prices.region,
        "date": prices.date,
        "bytes": sizes.total_bytes,
        "sizes": list(_describe_sizes(sizes)),
        "ways": [_describe_way(*way) for way in ways],
        "payback_months": None if payback is None else round(payback, 2),
        "kms_without_bucket_keys": round(sizes.count * prices.kms_request_10000 / 10_000, 8),
    }


def compare_dollars(
    sizes: Sizes, pack_sizes: Sizes, requests: Mapping[str, int], comparison: Comparison
) -> dict[str, float]:
    """What some of the log objects cost over the years: left, packed, and packed into an archive
    class.
    """
    months, prices = comparison.years * 12, comparison.prices
    packed = Packed(requests, pack_sizes, sizes.count * INDEX_BYTES_PER_MEMBER)
    return {
        "left": round(estimate_left(sizes, months, prices).total, 8),
        "packed": round(estimate_packed(packed, comparison.storage_class, months, prices).total, 8),
        "archived": round(estimate_packed(packed, ARCHIVE, months, prices).total, 8),
    }


def render_ways(described: Mapping[str, Any]) -> Iterator[str]:
    """The same, for people, at most 80 columns wide."""
    years = described["years"]
    yield (
        f"Over {years:,} year{'s' if years != 1 else ''}, without compute (list prices: "
        f"{described['region']}, {described['date']})"
    )
    yield f"  {'':<24}{'once':>14}{'storage':>14}{'total':>14}"
    for way in described["ways"]:
        name = _MEANINGS[way["way"]].format(way["storage_class"])
        yield f"  {name:<24}" + "".join(
            f"{format_dollars(way[part]):>14}" for part in ("once", "storage", "total")
        )
    sizes = described["sizes"]
    if sizes:
        yield "  sizes: " + ", ".join(f"{each['objects']:,} {_name_size(each)}" for each in sizes)
    if described["payback_months"] is not None:
        yield f"  packs in {ARCHIVE} have paid for themselves {_when(described['payback_months'])}"
    yield (
        "  encrypted with KMS and without Bucket Keys, reading adds "
        f"{format_dollars(described['kms_without_bucket_keys'])}"
    )


def _describe_sizes(sizes: Sizes) -> Iterator[dict[str, Any]]:
    """Those size classes that are not empty."""
    low, count, size_bytes = 0, 0, 0
    for bound in (*SIZE_BOUNDS, None):
        below = (sizes.count, sizes.total_bytes) if bound is None else sizes.below(bound)
        if below[0] > count:
            yield {
                "bytes_from": low,
                "bytes_below": bound,
                "objects": below[0] - count,
                "bytes": below[1] - size_bytes,
            }
        low, (count, size_bytes) = bound or 0, below


def _describe_way(way: str, storage_class: str, dollars: Way) -> dict[str, Any]:
    return {
        "way": way,
        "storage_class": storage_class,
        "once": round(dollars.once, 8),
        "storage": round(dollars.storage, 8),
        "total": round(dollars.total, 8),
    }


def _name_size(each: Mapping[str, Any]) -> str:
    low, bound = each["bytes_from"], each["bytes_below"]
    if bound is None:
        return f"of {_unit(low)} or more"
    return f"of {_unit(low)} to {_unit(bound)}" if low else f"below {_unit(bound)}"


def _unit(size_bytes: int) -> str:
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if size_bytes >= unit:
            return f"{size_bytes // unit} {name}"
    return format_bytes(size_bytes)


def _when(months: float) -> str:
    if months < 1 / 30:
        return "within a day"
    if months < 2:
        return f"after {months * 30:.0f} days"
    return f"after {months:.0f} months" if months < 36 else f"after {months / 12:.0f} years"
