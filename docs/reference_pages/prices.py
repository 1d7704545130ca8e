"""Prices: the table of `log_aggregator.core.costs`, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterator

from log_aggregator import limits
from log_aggregator.core import costs
from log_aggregator.core.planning import PackLimits
from log_aggregator.limits import GIB
from reference_pages.stack_prices import make_stack_prices
from reference_pages.table import table

MILLION = 1_000_000
SEVEN_YEARS_MONTHS = 84
INDEX_BYTES_PER_MEMBER = 130
"""Of the demo: `log-aggregator demo` writes 639 KB of indexes for 4,916 members."""
STANDARD_GIB_MONTH, DEEP_GIB_MONTH = 0.023, 0.00099
DEEP_TRANSITION = 0.05 / 1000


def make_prices() -> Iterator[str]:
    yield "# Prices"
    yield ""
    yield "What a plan and a run report as dollars is the count of requests times this table, and nothing else:"
    yield "no storage, no compute, no KMS, no data transfer."
    yield "List prices of us-east-1, November 2026, from [Amazon S3 pricing](https://aws.amazon.com/s3/pricing/)."
    yield "They are a table in `log_aggregator.core.costs` and are never fetched at run time."
    yield ""
    yield from table(
        ("operation", "dollars per 1,000"), ((f"`{name}`", f"{price * 1000:.4g}") for name, price in costs.REQUEST_DOLLARS.items())
    )
    yield ""
    yield "## Thawing"
    yield ""
    yield "What `thaw` adds up: retrieval, and the copies in Standard until the midnight behind their last day"
    yield f"(${costs.STANDARD_DOLLARS_PER_GB_MONTH} for a GB and month). A GB is counted as 10^9 bytes, a little too much."
    yield "The row of `RestoreObject` above is that of Deep Archive's standard tier."
    yield ""
    rows = (
        (f"`{name}`", tier, f"{one.dollars_per_gb:.4g}", f"{one.dollars_per_request * 1000:.4g}", one.takes)
        for (name, tier), one in costs.RETRIEVALS.items()
    )
    yield from table(("storage class", "tier", "dollars per GB", "dollars per 1,000 packs", "takes"), rows)
    yield ""
    yield "## A million log objects"
    yield ""
    yield "Requests for a million log objects that are listed, packed, verified and deleted."
    yield "Assumed: packs of the default size, parts of 16 MiB, one group, so that packs are full, a versioned source bucket,"
    yield "and every log object below `copy_size_min`."
    yield "Every further group adds two listings and two to four requests of the PUT class, $0.00002 to $0.00003."
    yield "So a thousand groups cost two or three cents."
    yield ""
    yield from table(("average size", "GetObject", "listings", "parts", "everything else", "dollars"), map(_million_row, (1, 4, 12, 43)))
    yield ""
    yield "The usual way, one multipart upload for each log object over a growing file, is billed for each log object:"
    yield ""
    yield from (f"- {count} {operation}" for operation, count in costs.CHAIN_REQUESTS_PER_OBJECT.items())
    yield ""
    yield f"That is **${costs.estimate_chain_dollars(MILLION):.2f}** per million, whatever their size."
    yield ""
    yield "## Seven years"
    yield ""
    yield "Storage and requests for a million log objects over 84 months, without compute and without any price change."
    yield "Storage prices, which the program does not use: Standard $0.023, Deep Archive $0.00099 for a GiB and month."
    yield "A transition to Deep Archive is $0.05 per 1,000; each object there also takes 8 KiB in Standard and 32 KiB in Deep Archive."
    yield "Packs are written straight to Deep Archive (`storage_class`), with one warm and one archived copy of the index"
    yield f"({INDEX_BYTES_PER_MEMBER} bytes for a member, as in the demo)."
    yield "Neither text that shrinks in a pack nor the 180 days that Deep Archive bills at least are counted."
    yield ""
    yield from table(
        ("average size", "left in Standard", "each to Deep Archive", "packed, in Deep Archive"), map(_years_row, (1, 4, 16, 43, 128))
    )
    yield ""
    yield "Where an average log object has one KiB, leaving it alone is nearly as cheap: the index costs as much as the rest."
    yield ""
    yield from make_stack_prices()


def _million_requests(size_kib: int) -> dict[str, int]:
    size = size_kib * limits.KIB * MILLION
    packs = max(-(-size // GIB), -(-MILLION // PackLimits().members_max))
    return {
        "GetObject": MILLION + packs,
        "ListObjectVersions": MILLION // limits.LIST_PAGE_COUNT_MAX,
        "ListObjectsV2": 2,
        "UploadPart": -(-size // limits.PART_SIZE_BYTES),
        "CreateMultipartUpload": packs,
        "CompleteMultipartUpload": packs,
        "PutObject": packs,
        "HeadObject": 2 * packs,
        "DeleteObjects": MILLION // limits.DELETE_COUNT_MAX,
    }


def _million_row(size_kib: int) -> tuple[str, ...]:
    requests = _million_requests(size_kib)
    named = {name: requests.pop(name) for name in ("GetObject", "ListObjectVersions", "UploadPart")}
    dollars = costs.estimate_dollars(named | requests)
    return f"{size_kib} KiB", *(f"{count:,}" for count in named.values()), f"{sum(requests.values()):,}", f"**{dollars:.3f}**"


def _years_row(size_kib: int) -> tuple[str, ...]:
    gib = size_kib * limits.KIB * MILLION / GIB
    kib_gib = limits.KIB * MILLION / GIB
    index_gib = INDEX_BYTES_PER_MEMBER * MILLION / GIB
    alone = gib * STANDARD_GIB_MONTH * SEVEN_YEARS_MONTHS
    overhead = (8 * kib_gib * STANDARD_GIB_MONTH + (gib + 32 * kib_gib) * DEEP_GIB_MONTH) * SEVEN_YEARS_MONTHS
    packed = ((gib + index_gib) * DEEP_GIB_MONTH + index_gib * STANDARD_GIB_MONTH) * SEVEN_YEARS_MONTHS
    requests = costs.estimate_dollars(_million_requests(size_kib))
    return f"{size_kib} KiB", f"${alone:,.2f}", f"${MILLION * DEEP_TRANSITION + overhead:,.2f}", f"**${packed + requests:,.2f}**"
