"""Numbers as people read them."""

from __future__ import annotations


def format_bytes(count: int) -> str:
    """1,234 -> "1.2 KB"; decimal units, as AWS bills them."""
    if count < 1000:
        return format_count(count, "byte")
    value = count / 1000
    for unit in ("KB", "MB", "GB", "TB"):
        if round(value, 1) < 1000 or unit == "TB":
            return f"{value:,.1f} {unit}"
        value /= 1000
    raise ValueError("not reached: the largest unit takes every value")


def format_dollars(dollars: float) -> str:
    """Small sums keep three significant digits."""
    if dollars == 0:
        return "$0"
    return (
        f"${dollars:,.2f}"
        if dollars >= 1
        else f"${dollars:.3g}"
        if dollars >= 0.0001
        else f"${dollars:.6f}"
    )


def format_count(count: int, one: str, many: str | None = None) -> str:
    """A count and its noun: 1 pack, 2 packs."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def format_times(ratio: float) -> str:
    return f"{ratio:,.0f} times" if ratio >= 10 else f"{ratio:.1f} times"
