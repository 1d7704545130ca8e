"""What a search found, and what it could not search."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from log_aggregator.core.tables.keys import ENDING as TABLE_ENDING
from log_aggregator.core.terms.model import Unsearched
from log_aggregator.errors import Failure
from log_aggregator.model import NO_ACCOUNT
from log_aggregator.reports.find import GONE
from log_aggregator.reports.numbers import format_bytes, format_count, format_dollars
from log_aggregator.steps.retrieval.thaw import PackState, State, TierOption
from log_aggregator.steps.search.answers import Answer, Coverage, Sighted, SightedPack

_VALUES_SHOWN_MAX = 40
_WITH_MONTHS_MAX = 3
"""More values than this are shown in one line each."""
_MONTHS_SHOWN_MAX = 24
"""A longer time is shown by year."""
NOT_LISTED = "not listed"
_ACCOUNTS_SHOWN_MAX = 8
_VALUE_CHARS = 60
_FAILURES_SHOWN_MAX = 5
_BAR_CHARS = 32
_EIGHTHS = " ▏▎▍▌▋▊▉"
_EXTRACT = "to search these log objects by other means, get them with `log-aggregator extract`"
_MAKE = (
    "`log-aggregator index terms` makes terms for packs that can be read, and shows what thawing "
    "the others costs"
)
_REMEDIES: Mapping[Unsearched, str] = {
    Unsearched.LOG_TYPE: _EXTRACT,
    Unsearched.UNPARSABLE: _EXTRACT,
    Unsearched.COPIED: _EXTRACT,
    Unsearched.ADOPTED: _EXTRACT,
    Unsearched.TOO_LARGE: _EXTRACT,
    Unsearched.TOO_MANY: _EXTRACT,
    Unsearched.NOT_MADE: _MAKE,
    Unsearched.OFF: 'set search = "plain" or "hashed", and then start `log-aggregator index terms`',
    Unsearched.UNREAD: "`log-aggregator index terms --again` makes them again, from the packs",
    Unsearched.NOT_MERGED: "`log-aggregator index tables` merges them; then search again",
    Unsearched.HASHED: "search for whole values, without --prefix and not for a network",
    Unsearched.OTHER_KEY: "set LOG_AGGREGATOR_SEARCH_KEY to the key that they were packed with",
}
"""What helps against each reason."""


def describe_answer(
    answer: Answer, asked: Sequence[str], states: Sequence[PackState], tiers: Sequence[TierOption]
) -> dict[str, Any]:
    """What `search --json` writes."""
    by_value: dict[tuple[str, str, str], list[Sighted]] = defaultdict(list)
    for each in answer.sighted:
        by_value[each.asked, each.value, each.field].append(each)
    return {
        "asked": list(asked),
        "found": [_describe_value(*term, sighted) for term, sighted in by_value.items()],
        "not_found": list(answer.missing),
        "packs": _describe_packs(answer, states),
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
            for reason in coverage.reasons
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


def _describe_packs(answer: Answer, states: Sequence[PackState]) -> list[dict[str, Any]]:
    state_of = {(each.bucket, each.key): each.state.value for each in states}
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
            "state": state_of.get((pack.target.bucket, pack.pack_key)),
            "pack_bytes": pack.size_bytes,
            "count": counts[pack.where],
        }
        for pack in answer.packs
    ]


def render_answer(described: Mapping[str, Any]) -> Iterator[str]:
    """Values with their times and months, or a line for each if there are many; what was not found;
    then the packs by class, and what thawing them costs.
    """
    found = sorted(described["found"], key=lambda value: -value["count"])
    if len(found) <= _WITH_MONTHS_MAX:
        for value in found:
            yield from _render_value(value)
    else:
        yield from _render_rows(found[:_VALUES_SHOWN_MAX])
    if len(found) > _VALUES_SHOWN_MAX:
        yield f"... and {len(found) - _VALUES_SHOWN_MAX:,} more values; --json names all"
    if found:
        yield from (f"{text}  not found" for text in described["not_found"])
        yield from _render_packs(described)


def _render_rows(values: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    width = min(_VALUE_CHARS, max(len(value["value"]) for value in values))
    for value in values:
        seen = f"{value['first']} to {value['last']}" if value["first"] else "no time"
        yield (
            f"{value['value']:<{width}}  {value['field']:<10}  "
            f"{format_count(value['count'], 'time'):>9} in "
            f"{format_count(value['packs'], 'pack'):<8}  {seen}"
        )


def _render_value(value: Mapping[str, Any]) -> Iterator[str]:
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
    yield from _render_months(Counter({each["month"]: each["count"] for each in value["months"]}))


def _render_months(counts: Counter[str]) -> Iterator[str]:
    """A bar for each month from the first to the last, including empty ones; the longest is the
    busiest month's. By year where there are too many.
    """
    times = list(_months_between(min(counts), max(counts)))
    if len(times) > _MONTHS_SHOWN_MAX:
        counts, by_month = Counter(), counts
        for month, count in by_month.items():
            counts[month[:4]] += count
        times = sorted({month[:4] for month in times})
    highest = max(counts.values())
    for each in times:
        bar = _bar(counts[each] / highest) if counts[each] else ""
        yield f"  {each}  {bar:<{_BAR_CHARS}} {counts[each]:>9,}"


def _months_between(first: str, last: str) -> Iterator[str]:
    year, month = map(int, first.split("-"))
    while f"{year:04}-{month:02}" <= last:
        yield f"{year:04}-{month:02}"
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)


def _bar(share: float) -> str:
    """Never empty: every month with an event has a bar."""
    eighths = max(1, round(share * _BAR_CHARS * 8))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _render_packs(described: Mapping[str, Any]) -> Iterator[str]:
    packs = described["packs"]
    classes: dict[str, list[int]] = defaultdict(list)
    for pack in packs:
        classes[_class_of(described, pack)].append(pack["pack_bytes"] or 0)
    parts = [
        f"{name} {len(sizes):,}" + (f" ({format_bytes(sum(sizes))})" if sum(sizes) else "")
        for name, sizes in sorted(classes.items())
    ]
    yield f"{format_count(len(packs), 'pack')}: {', '.join(parts)}"
    states = Counter(pack["state"] for pack in packs)
    if states[State.THAWED]:
        yield f"  {states[State.THAWED]:,} thawed, and can be read"
    if states[State.THAWING]:
        yield f"  {states[State.THAWING]:,} thawing"
    for tier in described["thaw"]:
        if tier["dollars"]:
            yield f"  thawing, {tier['tier']}: {format_dollars(tier['dollars'])}, {tier['takes']}"


def _class_of(described: Mapping[str, Any], pack: Mapping[str, Any]) -> str:
    """The storage class, or why it is not known."""
    were_listed = described["searched"]["packs_were_listed"]
    return str(pack["storage_class"] or (GONE if were_listed else NOT_LISTED))


def _size_of(pack: Mapping[str, Any]) -> str:
    return "-" if pack["pack_bytes"] is None else format_bytes(pack["pack_bytes"])


def render_pack_list(described: Mapping[str, Any]) -> Iterator[str]:
    """A row for each pack, as `find --packs` has them."""
    for pack in described["packs"]:
        yield (
            f"{pack['date']}  {pack['account'] or '-':<12}  {pack['log_type']:<20}  "
            f"{pack['count']:>7,}  {_size_of(pack):>9}  "
            f"{_class_of(described, pack):<12}  s3://{pack['pack_bucket']}/{pack['pack']}"
        )


def render_coverage(coverage: Coverage) -> str:
    """What was searched."""
    return (
        f"searched: {format_count(coverage.members, 'log object')} in "
        f"{format_count(coverage.packs, 'pack')}"
    )


def render_gaps(coverage: Coverage) -> Iterator[str]:
    """Everything that was not searched: how much, why, an example, and what helps."""
    if not coverage.is_compared:
        yield "not known: whether there are packs that no table covers; to see, leave out --quick"
    reasons = sorted(coverage.reasons, key=lambda reason: _REMEDIES[reason])
    for remedy, alike in groupby(reasons, key=lambda reason: _REMEDIES[reason]):
        for reason in alike:
            yield f"not searched: {_describe_gap(coverage, reason)}"
            if reason in coverage.examples:
                yield f"  such as {coverage.examples[reason]}"
        yield f"  {remedy}"
    yield from _render_unread(coverage.failures)


def _render_unread(failures: Sequence[Failure]) -> Iterator[str]:
    """Tables, and terms of packs. The packs that were missed because of it are among the gaps."""
    for failure in failures[:_FAILURES_SHOWN_MAX]:
        yield f"could not be read: {failure.where}: {failure.error}: {failure.message}"
    if len(failures) > _FAILURES_SHOWN_MAX:
        yield f"  ... and {len(failures) - _FAILURES_SHOWN_MAX:,} more; --json names all"
    if any(TABLE_ENDING in failure.where for failure in failures):
        yield (
            "  the terms of a table's packs are read one by one instead; `log-aggregator index "
            "tables --rebuild` makes it again"
        )


def describe_unsearched(coverage: Coverage) -> str:
    """How much was not searched: `6 packs and 4 log objects in others`."""
    packs, members = coverage.unsearched_packs.total(), coverage.unsearched_members.total()
    if not packs:
        return format_count(members, "log object") if members else "packs that no table covers"
    others = f" and {format_count(members, 'log object')} in others" if members else ""
    return f"{format_count(packs, 'pack')}{others}"


def _describe_gap(coverage: Coverage, reason: Unsearched) -> str:
    packs, members = coverage.unsearched_packs[reason], coverage.unsearched_members[reason]
    counts = [format_count(packs, "pack")] if packs else []
    if members:
        counts.append(f"{format_count(members, 'log object')} in packs that were searched")
    return f"{' and '.join(counts)}: {reason.value}"


def _account(pack: SightedPack) -> str | None:
    return None if pack.group.account == NO_ACCOUNT else pack.group.account


def _time(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
