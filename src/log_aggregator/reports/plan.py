"""A plan: what a run would do, as a dictionary and as a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from log_aggregator.core.costs import estimate_chain_dollars, estimate_dollars
from log_aggregator.core.layouts.declarations import describe_declarations
from log_aggregator.core.listed import encode_group
from log_aggregator.reports.failures import render_failed
from log_aggregator.reports.left import describe_left_why, render_left_why
from log_aggregator.reports.numbers import format_bytes, format_count, format_dollars
from log_aggregator.reports.run import describe_left, render_inventories, render_layouts
from log_aggregator.reports.ways import Comparison, compare_dollars, describe_ways, render_ways
from log_aggregator.steps.packing.plan import PlannedGroup, RunPlan


def describe_plan(
    plan: RunPlan, requests_so_far: Mapping[str, int], comparison: Comparison
) -> dict[str, Any]:
    """The plan in plain types. `requests_so_far` are the requests of planning itself, which a run
    needs too.
    """
    totals = plan.totals
    requests = Counter(requests_so_far) + totals.requests
    count = totals.source_sizes.count
    return {
        "first_date": plan.first.isoformat(),
        "last_date": plan.last.isoformat(),
        "inventories": plan.inventories,
        "layouts": describe_declarations(plan.layouts),
        "objects": {
            "listed": plan.selection.listed,
            "to_pack": count,
            **describe_left(plan.selection),
        },
        "summary": list(_describe_types(plan, comparison)),
        "groups": [_describe_group(group) for group in plan.groups],
        "requests": dict(sorted(requests.items())),
        "dollars": {
            "estimated": round(estimate_dollars(requests, comparison.prices), 8),
            "one_upload_per_object": round(estimate_chain_dollars(count, comparison.prices), 8),
        },
        "comparison": describe_ways(totals.source_sizes, totals.pack_sizes, requests, comparison),
        "left": describe_left_why(plan.selection),
        "unknown_samples": plan.selection.samples,
        "failures": [asdict(failure) for failure in plan.failures],
    }


def render_plan(plan: Mapping[str, Any], *, with_groups: bool = False) -> Iterator[str]:
    """The same, for people, line by line; `with_groups` adds every group and pack."""
    days = (
        plan["first_date"]
        if plan["first_date"] == plan["last_date"]
        else f"{plan['first_date']} to {plan['last_date']}"
    )
    yield f"Plan for logs of {days}; nothing has been written or deleted"
    yield from render_inventories(plan["inventories"])
    yield from render_layouts(plan["layouts"])
    yield ""
    yield from _render_summary(plan)
    if with_groups:
        yield ""
        yield from _render_groups(plan["groups"])
    yield ""
    packs = [pack for group in plan["groups"] for pack in group["packs"]]
    size = format_bytes(sum(pack["bytes"] for pack in packs))
    yield (
        f"Total: {format_count(plan['objects']['to_pack'], 'log object')}, {size}, into "
        f"{format_count(len(packs), 'pack')}"
    )
    dollars = plan["dollars"]
    yield (
        f"  about {sum(plan['requests'].values()):,} requests, "
        f"{format_dollars(dollars['estimated'])};"
        f" one upload per object would cost {format_dollars(dollars['one_upload_per_object'])}"
    )
    yield from render_left_why(plan["left"])
    if plan["objects"]["to_pack"]:
        yield ""
        yield from render_ways(plan["comparison"])
        yield from _render_verdict(plan)
    failures = plan["failures"]
    yield from render_failed(failures, f"{format_count(len(failures), 'group')} cannot be planned")


def _render_groups(groups: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for group in groups:
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


def _describe_types(plan: RunPlan, comparison: Comparison) -> Iterator[dict[str, Any]]:
    """A row for each bucket and log type, the largest first."""
    ordered = sorted(
        plan.types.items(), key=lambda each: (-each[1].source_sizes.total_bytes, each[0])
    )
    for (bucket, log_type), planned in ordered:
        sizes = planned.source_sizes
        yield {
            "bucket": bucket,
            "log_type": log_type,
            "groups": planned.groups,
            "objects": sizes.count,
            "bytes": sizes.total_bytes,
            "packs": planned.packs,
            "packed_already": planned.settled,
            "discards": planned.discards,
            "dollars": compare_dollars(sizes, planned.pack_sizes, planned.requests, comparison),
            "samples": planned.samples,
        }


def _render_summary(plan: Mapping[str, Any]) -> Iterator[str]:
    """Two columns of dollars: over the years, left where they are, and packed and archived."""
    rows = plan["summary"]
    if not rows:
        return
    years = plan["comparison"]["years"]
    yield (
        f"  {'log objects':>11}  {'bytes':>9}  {'packs':>6}  {'left':>10}  {'archived':>10}  "
        f"log type and bucket (dollars over {format_count(years, 'year')})"
    )
    for row in rows:
        dollars = row["dollars"]
        yield (
            f"  {row['objects']:>11,}  {format_bytes(row['bytes']):>9}  {row['packs']:>6,}  "
            f"{format_dollars(dollars['left']):>10}  {format_dollars(dollars['archived']):>10}  "
            f"{row['log_type']} in {row['bucket']}"
        )
        yield from (f"{'':15}{sample}" for sample in row["samples"])
        if row["packed_already"]:
            yield f"{'':15}and {format_count(row['packed_already'], 'log object')} packed already"
        if row["discards"]:
            yield (
                f"{'':15}{format_count(row['discards'], 'log object')} of other regions to be "
                "DELETED WITHOUT A PACK"
            )
        if row["objects"] and dollars["archived"] >= dollars["left"]:
            yield f"{'':15}packs of these cost more than they save, even in an archive class"


def _render_verdict(plan: Mapping[str, Any]) -> Iterator[str]:
    """What to do where packing costs more than it saves."""
    ways = {(way["way"], way["storage_class"]): way["total"] for way in plan["comparison"]["ways"]}
    left = ways["left", "STANDARD"]
    packed = {name: total for (way, name), total in ways.items() if way == "packs"}
    chosen, archived = next(iter(packed.items())), min(packed.values())
    yield ""
    if archived >= left:
        yield (
            f"Packs of these cost more than they save: {format_dollars(archived)} against "
            f"{format_dollars(left)} for leaving them. Leave buckets like these out of the "
            "settings, or pack longer ranges in one run"
        )
    elif chosen[1] >= left:
        yield (
            f"Packs in {chosen[0]} cost more than they save; in an archive class they would save "
            f"{format_dollars(left - archived)}: set storage_class, or a lifecycle rule for packs/"
        )
    else:
        yield f"Packs of these save {format_dollars(left - chosen[1])}"


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
