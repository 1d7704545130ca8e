"""What a search found, and what it did not look at."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from log_aggregator.model import NO_ACCOUNT
from log_aggregator.reports.find import GONE
from log_aggregator.reports.numbers import format_bytes, format_count, format_dollars
from log_aggregator.steps.retrieval.thaw import TierOption
from log_aggregator.steps.search.answers import Answer, Coverage, Sighted, SightedPack

_VALUES_SHOWN_MAX = 40
_MONTHS_SHOWN_MAX = 24
_ACCOUNTS_SHOWN_MAX = 8
_FAILURES_SHOWN_MAX = 5
_BAR_CHARS = 32
_EIGHTHS = " ▏▎▍▌▋▊▉"


def describe_answer(
    answer: Answer, asked: Sequence[str], tiers: Sequence[TierOption]
) -> dict[str, Any]:
    """What `search --json` writes."""
    by_value: dict[tuple[str, str, str], list[Sighted]] = defaultdict(list)
    for each in answer.sighted:
        by_value[each.asked, each.value, each.field].append(each)
    return {
        "asked": list(asked),
        "found": [_describe_value(*term, sighted) for term, sighted in by_value.items()],
        "packs": _describe_packs(answer),
        "thaw": [
            {
                "tier": each.tier,
                "dollars": None if each.dollars is None else round(each.dollars, 6),
                "takes": " or ".join(each.takes),
            }
            for each in tiers
        ],
        "searched": describe_coverage(answer.coverage),
    }


def describe_coverage(coverage: Coverage) -> dict[str, Any]:
    return {
        "is_whole": coverage.is_whole,
        "packs": coverage.packs,
        "members": coverage.members,
        "packs_were_listed": coverage.is_compared,
        "unsearched": [
            {
                "reason": reason.value,
                "packs": coverage.unsearched_packs[reason],
                "members": coverage.unsearched_members[reason],
                "example": coverage.examples.get(reason),
            }
            for reason in sorted({*coverage.unsearched_packs, *coverage.unsearched_members})
        ],
        "failures": [asdict(failure) for failure in coverage.failures],
    }


def _describe_value(
    asked: str, value: str, field: str, sighted: Sequence[Sighted]
) -> dict[str, Any]:
    firsts = [each.first for each in sighted if each.first is not None]
    lasts = [each.last for each in sighted if each.last is not None]
    months: Counter[str] = Counter()
    for each in sighted:
        months[f"{each.pack.group.date:%Y-%m}"] += each.count
    return {
        "asked": asked,
        "value": value,
        "field": field,
        "count": sum(each.count for each in sighted),
        "first": _time(min(firsts)) if firsts else None,
        "last": _time(max(lasts)) if lasts else None,
        "accounts": sorted({_account(each.pack) or "-" for each in sighted}),
        "log_types": sorted({each.pack.group.log_type for each in sighted}),
        "packs": len({each.pack.where for each in sighted}),
        "months": [{"month": month, "count": months[month]} for month in sorted(months)],
    }


def _describe_packs(answer: Answer) -> list[dict[str, Any]]:
    counts: Counter[str] = Counter()
    for each in answer.sighted:
        counts[each.pack.where] += each.count
    return [
        {
            "pack_bucket": pack.target.bucket,
            "pack": pack.pack_key,
            "bucket": pack.group.bucket,
            "log_type": pack.group.log_type,
            "account": _account(pack),
            "date": pack.group.date.isoformat(),
            "storage_class": pack.storage_class,
            "pack_bytes": pack.size_bytes,
            "count": counts[pack.where],
        }
        for pack in answer.packs
    ]


def render_answer(described: Mapping[str, Any]) -> Iterator[str]:
    """Values with their times and months; then the packs by class, and what reading them costs."""
    found = described["found"]
    for value in sorted(found, key=lambda value: -value["count"])[:_VALUES_SHOWN_MAX]:
        yield from _render_value(value, with_months=len(found) <= 3)
    if len(found) > _VALUES_SHOWN_MAX:
        yield f"... and {len(found) - _VALUES_SHOWN_MAX:,} more values; --json names all"
    if found:
        yield from _render_packs(described)


def _render_value(value: Mapping[str, Any], *, with_months: bool) -> Iterator[str]:
    yield (
        f"{value['value']}  {value['field']}, {format_count(value['count'], 'time')} in "
        f"{format_count(value['packs'], 'pack')}"
    )
    if value["first"]:
        yield f"  first {value['first']}, last {value['last']}"
    accounts = value["accounts"]
    more = len(accounts) - _ACCOUNTS_SHOWN_MAX
    yield (
        f"  in {', '.join(value['log_types'])} of {', '.join(accounts[:_ACCOUNTS_SHOWN_MAX])}"
        + (f" and {format_count(more, 'other account')}" if more > 0 else "")
    )
    if with_months:
        yield from _render_months(value["months"])


def _render_months(months: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A bar for each month; the longest is the busiest one's."""
    highest = max(each["count"] for each in months)
    for each in months[-_MONTHS_SHOWN_MAX:]:
        bar = _bar(each["count"] / highest)
        yield f"  {each['month']}  {bar:<{_BAR_CHARS}} {each['count']:>9,}"
    if len(months) > _MONTHS_SHOWN_MAX:
        yield f"  and {format_count(len(months) - _MONTHS_SHOWN_MAX, 'earlier month')}"


def _bar(share: float) -> str:
    """Never empty: a month that has any has a bar."""
    eighths = max(1, round(share * _BAR_CHARS * 8))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _render_packs(described: Mapping[str, Any]) -> Iterator[str]:
    packs = described["packs"]
    classes: dict[str, list[int]] = defaultdict(list)
    for pack in packs:
        classes[pack["storage_class"] or GONE].append(pack["pack_bytes"] or 0)
    parts = [
        f"{name} {len(sizes):,} ({format_bytes(sum(sizes))})"
        if name != GONE
        else f"{len(sizes):,} without a storage class (gone, or not listed)"
        for name, sizes in sorted(classes.items())
    ]
    yield f"{format_count(len(packs), 'pack')}: {', '.join(parts)}"
    for tier in described["thaw"]:
        if tier["dollars"]:
            yield f"  thawing, {tier['tier']}: {format_dollars(tier['dollars'])}, {tier['takes']}"


def render_pack_list(described: Mapping[str, Any]) -> Iterator[str]:
    """A row for each pack, as `find --packs` has them."""
    for pack in described["packs"]:
        yield (
            f"{pack['date']}  {pack['account'] or '-':<12}  {pack['log_type']:<20}  "
            f"{pack['count']:>7,}  {format_bytes(pack['pack_bytes'] or 0):>9}  "
            f"{pack['storage_class'] or GONE:<12}  s3://{pack['pack_bucket']}/{pack['pack']}"
        )


def render_coverage(coverage: Coverage) -> Iterator[str]:
    """Always something: what was looked at, and whatever was not."""
    yield (
        f"searched: {format_count(coverage.members, 'log object')} in "
        f"{format_count(coverage.packs, 'pack')}"
    )
    if not coverage.is_compared:
        yield "not known: whether there are packs that no table covers; leave out --quick to see"
    for line in describe_gaps(coverage):
        yield f"not searched: {line}"
    for failure in coverage.failures[:_FAILURES_SHOWN_MAX]:
        yield f"  {failure.where}: {failure.error}: {failure.message}"
    if len(coverage.failures) > _FAILURES_SHOWN_MAX:
        yield f"  ... and {len(coverage.failures) - _FAILURES_SHOWN_MAX:,} more"


def describe_gaps(coverage: Coverage) -> list[str]:
    """Each reason, with how much it is about."""
    packs = [
        f"{format_count(count, 'pack')}: {reason.value}"
        for reason, count in sorted(coverage.unsearched_packs.items())
    ]
    members = [
        f"{format_count(count, 'log object')} in packs that were searched: {reason.value}"
        for reason, count in sorted(coverage.unsearched_members.items())
    ]
    return packs + members


def _account(pack: SightedPack) -> str | None:
    return None if pack.group.account == NO_ACCOUNT else pack.group.account


def _time(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
