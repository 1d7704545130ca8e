"""A plan: what a run would do, as a dictionary and as a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from log_aggregator.core.costs import estimate_chain_dollars, estimate_dollars
from log_aggregator.core.listed import encode_group
from log_aggregator.reports.failures import render_failed
from log_aggregator.reports.numbers import format_bytes, format_count, format_dollars
from log_aggregator.reports.run import describe_left, render_inventories, render_left
from log_aggregator.reports.ways import Comparison, describe_ways, render_ways
from log_aggregator.steps.packing.plan import PlannedGroup, RunPlan


def describe_plan(
    plan: RunPlan, requests_so_far: Mapping[str, int], comparison: Comparison
) -> dict[str, Any]:
    """The plan in plain types. `requests_so_far` are those that planning itself took; a run takes
    them too.
    """
    requests = Counter(requests_so_far) + plan.requests
    count = plan.source_sizes.count
    return {
        "first_date": plan.first.isoformat(),
        "last_date": plan.last.isoformat(),
        "inventories": plan.inventories,
        "objects": {
            "listed": plan.selection.listed,
            "to_pack": count,
            **describe_left(plan.selection),
        },
        "groups": [_describe_group(group) for group in plan.groups],
        "requests": dict(sorted(requests.items())),
        "dollars": {
            "estimated": round(estimate_dollars(requests, comparison.prices), 8),
            "one_upload_per_object": round(estimate_chain_dollars(count, comparison.prices), 8),
        },
        "comparison": describe_ways(plan.source_sizes, plan.pack_sizes, requests, comparison),
        "unknown_samples": plan.selection.samples,
        "failures": [asdict(failure) for failure in plan.failures],
    }


def render_plan(plan: Mapping[str, Any]) -> Iterator[str]:
    """The same, for people, line by line."""
    days = (
        plan["first_date"]
        if plan["first_date"] == plan["last_date"]
        else f"{plan['first_date']} to {plan['last_date']}"
    )
    yield f"Plan for logs of {days}; nothing has been written or deleted"
    yield from render_inventories(plan["inventories"])
    yield ""
    for group in plan["groups"]:
        yield (
            f"  {group['operation']:<5} {group['bucket']}  {group['log_type']}  "
            f"{group['account']}  {group['date']}"
        )
        for pack in group["packs"]:
            yield (
                f"        {format_count(pack['members'], 'log object')}, "
                f"{format_bytes(pack['bytes'])} -> s3://{pack['bucket']}/{pack['key']}"
            )
        for settled in group["packed_already"]:
            kept = ", kept for now" if settled["kept"] else ""
            yield (
                f"        {format_count(settled['members'], 'log object')} packed already in "
                f"{settled['key']}{kept}"
            )
        if group["discards"]:
            yield (
                f"        {format_count(group['discards'], 'log object')} of other regions to be "
                "DELETED WITHOUT A PACK"
            )
        kept = "kept for now" if group["keep_originals"] else "deleted once the packs are verified"
        yield f"        originals are {kept}"
    yield ""
    packs = [pack for group in plan["groups"] for pack in group["packs"]]
    size = format_bytes(sum(pack["bytes"] for pack in packs))
    yield (
        f"Total: {format_count(plan['objects']['to_pack'], 'log object')}, {size}, into "
        f"{format_count(len(packs), 'pack')}"
    )
    yield from render_left(plan["objects"], plan["unknown_samples"])
    dollars = plan["dollars"]
    yield (
        f"  about {sum(plan['requests'].values()):,} requests, "
        f"{format_dollars(dollars['estimated'])};"
        f" one upload for each object would cost {format_dollars(dollars['one_upload_per_object'])}"
    )
    if plan["objects"]["to_pack"]:
        yield ""
        yield from render_ways(plan["comparison"])
    failures = plan["failures"]
    yield from render_failed(failures, f"{format_count(len(failures), 'group')} cannot be planned")


def _describe_group(plan: PlannedGroup) -> dict[str, Any]:
    return {
        **encode_group(plan.group),
        "operation": plan.operation,
        "packs": [
            {
                "bucket": pack.bucket,
                "key": pack.key,
                "format": pack.format.value,
                "members": pack.members,
                "bytes": pack.size_bytes,
            }
            for pack in plan.packs
        ],
        "packed_already": [
            {"key": key, "members": count, "kept": key in plan.kept}
            for key, count in plan.settled.items()
        ],
        "keep_originals": plan.keep_originals,
        "discards": plan.discards,
    }
