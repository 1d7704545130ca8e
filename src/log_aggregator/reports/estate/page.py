"""A survey as a page to show: one self-contained HTML file with its plots."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from log_aggregator.reports.estate.figures import MACHINES
from log_aggregator.reports.estate.words import (
    word_account,
    word_between,
    word_bytes,
    word_count,
    word_dollars,
    word_fate,
    word_months,
    word_size,
    word_size_from,
    word_spread,
    word_time,
    word_verdict,
    word_way,
)
from log_aggregator.reports.numbers import format_bytes, format_count, format_dollars
from log_aggregator.reports.page.environment import render_template
from log_aggregator.reports.page.parts import Card, TableRow
from log_aggregator.reports.page.plots import Bar, Plot, draw_columns, draw_rows
from log_aggregator.reports.ways import ARCHIVE

TYPES_MAX = 12
LEFT_MAX = 20


def render_page(described: Mapping[str, Any]) -> bytes:
    """Takes what `figures.describe_estate` gives."""
    has_logs = bool(described["total"]["objects"]["value"])
    return render_template(
        "survey.html",
        archive=ARCHIVE,
        date=described["date"],
        years=described["years"],
        prices=described["prices"],
        is_sampled=described["is_sampled"],
        buckets=format_count(len(described["buckets"]), "bucket"),
        cards=list(_make_cards(described)) if has_logs else [],
        **_make_plots(described),
        types=list(_make_types(described)),
        lifecycle=[
            TableRow(word_fate(row), _say_counts(row), row["bucket"])
            for row in described["lifecycle"]
        ],
        left=[_make_left(row) for row in described["left"][:LEFT_MAX]],
        more_left=_say_more(len(described["left"]) - LEFT_MAX),
        ways=[f"{bucket['bucket']}: {word_way(bucket)}" for bucket in described["buckets"]],
        requests=format_count(described["requests"], "listing request"),
        spent=format_dollars(described["dollars_spent"]),
    )


def _make_cards(described: Mapping[str, Any]) -> Iterator[Card]:
    total, dollars = described["total"], described["total"]["dollars"]
    rows = [
        ("a month now", dollars["now_month"], "dollars"),
        (f"a month packed, in {ARCHIVE}", dollars["archived_month"], "dollars"),
        ("packing it, once", dollars["packing_archived"], "dollars"),
        ("log objects", total["objects"], "count"),
        ("bytes", total["bytes"], "bytes"),
    ]
    for name, figure, unit in rows:
        words = {"count": word_count, "bytes": word_bytes}.get(
            unit, lambda each: word_dollars(each["value"])
        )(figure)
        yield Card(words, name, word_between(figure, unit) or "counted")
    paid = word_months(total["payback_months"]["archived"])
    note = f"in {ARCHIVE}; storage saved against packing"
    yield Card(paid, "until it has paid for itself", note)
    seconds = total["seconds"]["value"]
    note = f"in the Region; {word_time(seconds / MACHINES)} on {MACHINES}"
    yield Card(word_time(seconds), "packing takes, on one machine", note)


def _make_plots(described: Mapping[str, Any]) -> dict[str, Iterator[str] | None]:
    dollars = [
        Bar(
            f"{row['log_type']} in {row['bucket']}",
            (row["dollars"]["now_month"]["value"], row["dollars"]["archived_month"]["value"]),
        )
        for row in described["types"][:TYPES_MAX]
    ]
    sizes = [
        Bar(word_size(row), (row["objects"],), word_size_from(row)) for row in described["sizes"]
    ]
    accounts = [Bar(word_account(row), (row["bytes"],)) for row in described["accounts"]]
    months = [Bar(row["month"], (row["bytes"],)) for row in described["months"]]
    title = "Dollars a month by log type, now and packed"
    return {
        "dollars": draw_rows(Plot(title, dollars, word_dollars, ("s1", "s2"))),
        "sizes": draw_columns(Plot("Sizes of log objects", sizes, _say_count)),
        "accounts": draw_rows(Plot("Largest accounts, by bytes", accounts, _say_bytes))
        if accounts
        else None,
        "months": draw_columns(Plot("Bytes by month", months, _say_bytes)),
    }


def _make_types(described: Mapping[str, Any]) -> Iterator[TableRow]:
    for row in described["types"]:
        dollars, verdict = row["dollars"], word_verdict(row)
        cells = [
            word_count(row["objects"]),
            word_bytes(row["bytes"]),
            word_spread(row["bytes"]),
            word_dollars(dollars["now_month"]["value"]),
            word_dollars(dollars["archived_month"]["value"]),
            word_dollars(dollars["packing_archived"]["value"]),
            word_months(row["payback_months"]["archived"]),
        ]
        warning = f"Packing does not pay: {verdict}" if verdict else ""
        yield TableRow(row["log_type"], cells, row["bucket"], warning)


def _make_left(row: Mapping[str, Any]) -> TableRow:
    why = ": ".join(filter(None, (row["left"], row["reason"])))
    return TableRow(why, _say_counts(row), ": ".join([row["bucket"], *row["samples"][:1]]))


def _say_counts(row: Mapping[str, Any]) -> list[str]:
    return [f"{row['objects']:,}", format_bytes(row["bytes"])]


def _say_more(count: int) -> str:
    return format_count(count, "more reason") if count > 0 else ""


def _say_bytes(value: float) -> str:
    return format_bytes(round(value))


def _say_count(value: float) -> str:
    return f"{round(value):,}"
