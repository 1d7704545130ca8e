"""Figures of a survey as people read them, with only the digits that are known."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor, log10
from typing import Any

from log_aggregator.limits import GIB, KIB, MIB
from log_aggregator.model import NO_ACCOUNT
from log_aggregator.reports.numbers import format_bytes, format_count, format_dollars


def round_known(value: float, digits: int = 3) -> float:
    """1,234,567 -> 1,230,000."""
    if value == 0:
        return 0.0
    return round(value, digits - 1 - floor(log10(abs(value))))


def word_count(figure: Mapping[str, float]) -> str:
    """A number of things, rounded where it is estimated."""
    value = figure["value"]
    return f"{round(value) if is_exact(figure) else round(round_known(value)):,}"


def word_bytes(figure: Mapping[str, float]) -> str:
    return format_bytes(round(figure["value"]))


def word_dollars(dollars: float) -> str:
    """Whole dollars above a hundred."""
    return f"${dollars:,.0f}" if dollars >= 100 else format_dollars(dollars)


def word_spread(figure: Mapping[str, float]) -> str:
    """How certain an estimated figure is: the farther end of its interval. Empty where it was
    counted.
    """
    if is_exact(figure):
        return ""
    value = figure["value"]
    far = max(figure["high"] - value, value - figure["low"]) / value if value else 10.0
    return f"±{100 * far:.0f} %" if far < 10 else "unsure"


def word_between(figure: Mapping[str, float], unit: str) -> str:
    """The whole interval; `unit` is count, bytes, dollars or time."""
    words = {
        "count": lambda value: f"{round(round_known(value)):,}",
        "bytes": lambda value: format_bytes(round(value)),
        "dollars": word_dollars,
        "time": word_time,
    }[unit]
    return "" if is_exact(figure) else f"{words(figure['low'])} to {words(figure['high'])}"


def is_exact(figure: Mapping[str, float]) -> bool:
    """Whether it was counted, not estimated."""
    return figure["low"] == figure["high"]


def word_time(seconds: float) -> str:
    """About how long."""
    if seconds < 90:
        return format_count(round(seconds), "second")
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} minutes"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.0f} hours"
    return f"{seconds / 86400:.0f} days"


def word_months(months: float | None) -> str:
    """The time until something has paid for itself."""
    if months is None:
        return "never"
    if months < 1 / 30:
        return "within a day"
    if months < 2:
        return f"{months * 30:.0f} days"
    return f"{months:.0f} months" if months < 36 else f"{months / 12:.0f} years"


def word_size(row: Mapping[str, Any]) -> str:
    """A row of `sizes`."""
    low, below = row["bytes_from"], row["bytes_below"]
    if below is None:
        return f"{_unit(low)} or more"
    return f"{_unit(low)} to {_unit(below)}" if low else f"below {_unit(below)}"


def word_size_from(row: Mapping[str, Any]) -> str:
    """Where there is little room: only the lower bound."""
    low = row["bytes_from"]
    return f"{_unit(low)} +" if low else f"< {_unit(row['bytes_below'])}"


def word_age(row: Mapping[str, Any]) -> str:
    """A row of `ages`."""
    low, below = row["days_from"], row["days_below"]
    if below is None:
        return f"{low} days and older"
    return f"{low} to {below} days" if low else f"younger than {below} days"


def word_way(bucket: Mapping[str, Any]) -> str:
    """How a bucket's figures were found."""
    if bucket["way"] == "sampled":
        drawn = f"{bucket['draws']} draws"
        if bucket["accounts_seen"]:
            drawn += f", in {bucket['accounts_drawn']:,} of {bucket['accounts_seen']:,} accounts"
        return f"sampled: {drawn}"
    if bucket["way"] == "inventory":
        return f"read from {bucket['inventory']}"
    if bucket["way"] == "counted":
        return "counted to the last key"
    return "NOT SURVEYED: too few requests; raise --requests-max"


def word_account(row: Mapping[str, Any]) -> str:
    """Keys of some log types name no account."""
    return "without an account" if row["account"] == NO_ACCOUNT else str(row["account"])


def word_fate(row: Mapping[str, Any]) -> str:
    """A row of `lifecycle`, without its figures."""
    what = (
        "deleted by a lifecycle rule"
        if row["fate"] == "expired"
        else "moved to an archive class by a lifecycle rule, where they cannot be packed"
    )
    return f"{what} within {row['within_days']} days"


def word_verdict(row: Mapping[str, Any]) -> str:
    """What to do with a log type; empty where packing pays."""
    if row["pays"] or not row["objects"]["value"]:
        return ""
    each = format_bytes(row["bytes_per_group"])
    return f"{each} per day and account; do not pack this log type, or pack it later"


def _unit(size_bytes: int) -> str:
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if size_bytes >= unit:
            return f"{size_bytes // unit} {name}"
    return str(size_bytes)
