"""Prices: the table of `log_aggregator.core.costs`, and what follows from it."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterator

from cost_model.break_even import find_break_even_bytes
from cost_model.work import Load, estimate_load_packed

from log_aggregator import limits
from log_aggregator.core import costs
from log_aggregator.core.costs.overrides import STORAGE_PRICES
from log_aggregator.core.costs.storage import (
    INDEX_BYTES_PER_MEMBER,
    Packed,
    Sizes,
    estimate_each,
    estimate_left,
    estimate_packed,
)
from log_aggregator.core.planning import PackLimits
from reference_pages.stack_prices import make_stack_prices
from reference_pages.table import table

MILLION = 1_000_000
SEVEN_YEARS_MONTHS = 84


def make_prices() -> Iterator[str]:
    yield "# Prices"
    yield ""
    yield (
        "What requests, storage, thawing and the stack cost. The dollars in a plan or a run are "
        "the requests multiplied by this table:"
    )
    yield "without storage, compute, KMS or data transfer."
    yield (
        "List prices of us-east-1, November 2026, from [Amazon S3 "
        "pricing](https://aws.amazon.com/s3/pricing/)."
    )
    yield (
        "They are in one file, `src/log_aggregator/core/costs/prices.py`, and are never fetched "
        "at run time."
    )
    yield ""
    yield from table(
        ("operation", "dollars per 1,000"),
        ((f"`{name}`", f"{price * 1000:.4g}") for name, price in costs.REQUEST_DOLLARS.items()),
    )
    yield ""
    yield "## Thawing"
    yield ""
    yield (
        "What `thaw` adds up: retrieval, and the copies in Standard until midnight after their "
        "last day"
    )
    yield (
        f"(${costs.PRICES.standard.gb_month} for a GB and month). A GB is counted as 10^9 bytes, "
        "a little too much."
    )
    yield "The row of `RestoreObject` above is for Deep Archive's standard tier."
    yield ""
    rows = (
        (
            f"`{name}`",
            tier,
            f"{one.dollars_per_gb:.4g}",
            f"{one.dollars_per_request * 1000:.4g}",
            one.takes,
        )
        for (name, tier), one in costs.RETRIEVALS.items()
    )
    yield from table(
        ("storage class", "tier", "dollars per GB", "dollars per 1,000 packs", "takes"), rows
    )
    yield ""
    yield "## A million log objects"
    yield ""
    yield "Requests to list, pack, verify and delete a million log objects."
    yield (
        "Assumed: packs of the default size, parts of 16 MiB, one group, so that packs are full, "
        "a versioned source bucket,"
    )
    yield "and every log object below `copy_size_min`."
    yield (
        "Each further group adds a listing, a second one if it already has packs, and two to four "
        "requests of the PUT class, $0.000015 to $0.00003."
    )
    yield "So a thousand groups cost two or three cents."
    yield ""
    yield from table(
        ("average size", "GetObject", "listings", "parts", "everything else", "dollars"),
        map(_million_row, (1, 4, 12, 43)),
    )
    yield ""
    yield (
        "The usual way, one multipart upload for each log object over a growing file, makes these "
        "requests for each log object:"
    )
    yield ""
    yield from (
        f"- {count} {operation}" for operation, count in costs.CHAIN_REQUESTS_PER_OBJECT.items()
    )
    yield ""
    yield (
        f"That is **${costs.estimate_chain_dollars(MILLION):.2f}** per million, whatever their "
        "size."
    )
    yield ""
    yield "## Seven years"
    yield ""
    yield (
        "Storage and requests for a million log objects over 84 months, without compute and "
        "without any price change."
    )
    yield "Each object in Deep Archive also takes 8 KiB in Standard and 32 KiB in Deep Archive."
    yield (
        "Packs are written straight to Deep Archive (`storage_class`), with one warm and one "
        "archived copy of the index"
    )
    yield f"({INDEX_BYTES_PER_MEMBER} bytes for a member, as in the demo)."
    yield "Text that shrinks in a pack is not counted."
    yield ""
    yield from table(
        ("average size", "left in Standard", "each to Deep Archive", "packed, in Deep Archive"),
        map(_years_row, (1, 4, 16, 43, 128)),
    )
    yield ""
    yield (
        "If the average log object has one KiB, leaving it alone is nearly as cheap: the index "
        "costs as much as the rest."
    )
    yield ""
    yield from _make_storage_prices()
    yield from _make_break_even()
    yield from _make_own_prices()
    yield from make_stack_prices()


def _make_storage_prices() -> Iterator[str]:
    yield "## Storage classes"
    yield ""
    yield (
        "In dollars; a GiB is 2^30 bytes. Anything smaller than the smallest billed size is "
        "billed as that size."
    )
    yield ""
    rows = (
        (
            f"`{name}`",
            f"{each.gb_month:.4g}",
            f"{each.put_1000:.4g}",
            f"{each.get_1000:.4g}",
            f"{each.transition_1000:.4g}",
            f"{each.days_min}",
            f"{each.size_bytes_min // limits.KIB} KiB" if each.size_bytes_min else "",
            f"{(each.overhead_bytes + each.overhead_standard_bytes) // limits.KIB} KiB"
            if each.overhead_bytes
            else "",
        )
        for name, each in costs.PRICES.storage.items()
    )
    head = (
        "class",
        "a GiB and month",
        "1,000 PUTs",
        "1,000 GETs",
        "1,000 transitions",
        "days billed at least",
        "smallest billed",
        "overhead",
    )
    yield from table(head, rows)
    yield ""


def _make_break_even() -> Iterator[str]:
    yield "## Break-even"
    yield ""
    yield (
        "The average size from which each way becomes cheaper than leaving log objects in "
        "Standard, by years of storage:"
    )
    yield (
        "moving each to Deep Archive, and packing straight to Deep Archive, a million at a time "
        "in one group."
    )
    yield ""
    rows = (
        (f"{years:g}", _size(_break_even(_each_way, years)), _size(_break_even(_packed_way, years)))
        for years in (0.5, 1, 2, 3, 5, 7, 10)
    )
    yield from table(("years", "each to Deep Archive", "packed"), rows)
    yield ""


def _make_own_prices() -> Iterator[str]:
    yield "## Prices of your own"
    yield ""
    yield (
        "`log-aggregator plan --prices FILE` takes another region's, another year's or a "
        "contract's prices from a TOML file."
    )
    yield "Prices that it does not name stay as above; unknown names are refused."
    yield ""
    yield "```toml"
    yield 'region = "eu-central-1"'
    yield 'date = "January 2027"'
    yield "kms_request_10000 = 0.03"
    yield ""
    yield "[storage.STANDARD]"
    yield "gb_month = 0.0245"
    yield "put_1000 = 0.0054"
    yield ""
    yield "[storage.DEEP_ARCHIVE]"
    yield "transition_1000 = 0.06"
    yield "```"
    yield ""
    yield f"A class has {', '.join(f'`{name}`' for name in STORAGE_PRICES)}."
    yield ""


def _million_requests(size_kib: int) -> Counter[str]:
    return Counter(_pack_million(size_kib * limits.KIB).requests)


@functools.cache
def _pack_million(size_bytes: int) -> Packed:
    return estimate_load_packed(Load(MILLION, size_bytes), PackLimits())


def _million_row(size_kib: int) -> tuple[str, ...]:
    requests = _million_requests(size_kib)
    named = {name: requests.pop(name) for name in ("GetObject", "ListObjectVersions", "UploadPart")}
    dollars = costs.estimate_dollars(named | requests)
    return (
        f"{size_kib} KiB",
        *(f"{count:,}" for count in named.values()),
        f"{sum(requests.values()):,}",
        f"**{dollars:.3f}**",
    )


def _years_row(size_kib: int) -> tuple[str, ...]:
    ways = [
        way(size_kib * limits.KIB, SEVEN_YEARS_MONTHS / 12)
        for way in (_left_way, _each_way, _packed_way)
    ]
    left, each, packed = (f"${dollars:,.2f}" for dollars in ways)
    return f"{size_kib} KiB", left, each, f"**{packed}**"


def _left_way(size_bytes: int, years: float) -> float:
    return estimate_left(_million(size_bytes), years * 12).total


def _each_way(size_bytes: int, years: float) -> float:
    return estimate_each(_million(size_bytes), "DEEP_ARCHIVE", years * 12).total


def _packed_way(size_bytes: int, years: float) -> float:
    return estimate_packed(_pack_million(size_bytes), "DEEP_ARCHIVE", years * 12).total


def _million(size_bytes: int) -> Sizes:
    sizes = Sizes()
    sizes.add(size_bytes, MILLION)
    return sizes


def _break_even(way: Callable[[int, float], float], years: float) -> int | None:
    return find_break_even_bytes(
        lambda size: _left_way(size, years), lambda size: way(size, years), 16 * limits.MIB
    )


def _size(size_bytes: int | None) -> str:
    if size_bytes is None:
        return "never"
    return f"{size_bytes / limits.KIB:,.1f} KiB"
