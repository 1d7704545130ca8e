"""A survey as a page to show: one file of HTML, with its plots inside and nothing to be fetched.

It is light or dark as the reader's system is, and prints. Its policy forbids the browser to load
anything at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from log_aggregator.reports.estate.figures import MACHINES
from log_aggregator.reports.estate.plots import Bar, Plot, draw_columns, draw_rows, html
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
from log_aggregator.reports.ways import ARCHIVE

TYPES_MAX = 12
LEFT_MAX = 20

_STYLE = """
:root { color-scheme: light dark; --page: #fcfcfb; --text: #1c1c1a; --soft: #5d5c57;
  --line: #dddcd6; --card: #f3f2ee; --s1: #2a6fc9; --s2: #128a6c; --warn: #9a4a00; }
@media (prefers-color-scheme: dark) { :root { --page: #191918; --text: #efeeea; --soft: #a9a8a1;
  --line: #3a3a37; --card: #242422; --s1: #5b9df0; --s2: #35b892; --warn: #f0a35b; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 2rem 1.25rem 3rem; background: var(--page);
  color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; } h2 { font-size: 1.15rem; margin: 2.25rem 0 .5rem; }
p { margin: .4rem 0; } .soft, figcaption { color: var(--soft); font-size: .9rem; }
.cards { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fit, minmax(12rem, 1fr));
  margin: 1.25rem 0; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
  padding: .75rem 1rem; } .card b { display: block; font-size: 1.5rem; line-height: 1.3; }
.card span { display: block; color: var(--soft); font-size: .85rem; }
figure { margin: .5rem 0 0; } svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--text); font: 12px system-ui, sans-serif; } .grid { stroke: var(--line); }
.s1 { fill: var(--s1); } .s2 { fill: var(--s2); }
.key { display: inline-block; width: .75rem; height: .75rem; border-radius: 2px;
  margin: 0 .35rem 0 .75rem; } .key.s1 { background: var(--s1); } .key.s2 { background: var(--s2); }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: right;
  vertical-align: top; white-space: nowrap; } th { color: var(--soft); font-weight: 600; }
.name { text-align: left; white-space: normal; overflow-wrap: anywhere; min-width: 10rem; }
.warn { color: var(--warn); }
@media print { :root { font-size: 11px; color-scheme: light; --page: #fff; --text: #000;
  --soft: #444; --line: #bbb; --card: #fff; --s1: #2a6fc9; --s2: #128a6c; --warn: #7a3a00; }
  body { max-width: none; padding: 0; font-size: 1rem; } .wide { overflow: visible; }
  th, td { padding: .3rem .4rem; } .name { min-width: 0; }
  figure, tr, .card { break-inside: avoid; } h2 { break-after: avoid; }
  .s1, .s2, .key { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""


def render_page(described: Mapping[str, Any]) -> Iterator[str]:
    """What `figures.describe_estate` gives, line by line."""
    yield "<!DOCTYPE html>"
    yield '<html lang="en"><head><meta charset="utf-8">'
    yield (
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    )
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>Log archive survey, {html(described['date'])}</title>"
    yield f"<style>{_STYLE}</style></head><body>"
    yield from _head(described)
    if described["total"]["objects"]["value"]:
        yield from _cards(described)
        yield from _plots(described)
        yield from _types(described)
    else:
        yield "<p>No log objects that a run would pack.</p>"
    yield from _lifecycle(described)
    yield from _left(described)
    yield from _method(described)
    yield "</body></html>"


def _head(described: Mapping[str, Any]) -> Iterator[str]:
    buckets = described["buckets"]
    yield "<h1>What the log archive costs</h1>"
    yield (
        f'<p class="soft">{format_count(len(buckets), "bucket")}, surveyed on '
        f"{html(described['date'])}; nothing was changed.</p>"
    )


def _cards(described: Mapping[str, Any]) -> Iterator[str]:
    total, dollars = described["total"], described["total"]["dollars"]
    paid = word_months(total["payback_months"]["archived"])
    seconds = total["seconds"]["value"]
    rows = [
        ("a month now", dollars["now_month"], "dollars"),
        (f"a month packed, in {ARCHIVE}", dollars["archived_month"], "dollars"),
        ("packing it, once", dollars["packing_archived"], "dollars"),
        ("log objects", total["objects"], "count"),
        ("bytes", total["bytes"], "bytes"),
    ]
    yield '<div class="cards">'
    for name, figure, unit in rows:
        words = {"count": word_count, "bytes": word_bytes}.get(
            unit, lambda each: word_dollars(each["value"])
        )(figure)
        between = word_between(figure, unit) or "counted"
        yield _card(words, name, between)
    yield _card(
        paid, "until it has paid for itself", f"in {ARCHIVE}; storage saved against packing"
    )
    yield _card(
        word_time(seconds),
        "packing takes, on one machine",
        f"in the Region; {word_time(seconds / MACHINES)} on {MACHINES}",
    )
    yield "</div>"


def _card(value: str, name: str, note: str) -> str:
    return f'<div class="card"><b>{html(value)}</b>{html(name)}<span>{html(note)}</span></div>'


def _plots(described: Mapping[str, Any]) -> Iterator[str]:
    types = described["types"][:TYPES_MAX]
    dollars = Plot(
        "Dollars a month by log type, now and packed",
        [
            Bar(
                f"{row['log_type']} in {row['bucket']}",
                (
                    row["dollars"]["now_month"]["value"],
                    row["dollars"]["archived_month"]["value"],
                ),
            )
            for row in types
        ],
        word_dollars,
        ("s1", "s2"),
    )
    yield "<h2>Dollars a month, by log type</h2>"
    yield (
        '<p class="soft"><i class="key s1"></i>as they lie<i class="key s2"></i>'
        f"packed, in {ARCHIVE}</p>"
    )
    yield from _figure(draw_rows(dollars), "")
    yield from _column_plot(
        "Sizes of log objects",
        [Bar(word_size(row), (row["objects"],), word_size_from(row)) for row in described["sizes"]],
        "How many there are of each size, up to where the next begins. What archive classes bill "
        "for each object, and what a transition costs, does not depend on its size.",
    )
    yield from _accounts(described)
    yield "<h2>Months</h2>"
    months = [Bar(row["month"], (row["bytes"],)) for row in described["months"]]
    yield from _figure(
        draw_columns(Plot("Bytes by month", months, _say_bytes)),
        "Bytes of log objects by the date in their keys."
        + (" Of a sample single months are rough." if described["is_sampled"] else ""),
    )


def _accounts(described: Mapping[str, Any]) -> Iterator[str]:
    if not described["accounts"]:
        return
    yield "<h2>Largest accounts</h2>"
    drawn = (
        "Those that were drawn; estimated from a few days each."
        if described["is_sampled"]
        else "By bytes."
    )
    rows = [Bar(word_account(row), (row["bytes"],)) for row in described["accounts"]]
    yield from _figure(draw_rows(Plot("Largest accounts, by bytes", rows, _say_bytes)), drawn)


def _column_plot(title: str, bars: Sequence[Bar], caption: str) -> Iterator[str]:
    yield f"<h2>{html(title)}</h2>"
    yield from _figure(draw_columns(Plot(title, bars, _say_count)), caption)


def _figure(svg: Iterable[str], caption: str) -> Iterator[str]:
    yield "<figure>"
    yield from svg
    if caption:
        yield f"<figcaption>{html(caption)}</figcaption>"
    yield "</figure>"


def _types(described: Mapping[str, Any]) -> Iterator[str]:
    yield "<h2>Log types</h2>"
    heads = ("log objects", "bytes", "", "now", "packed", "packing, once", "pays after")
    rows = []
    for row in described["types"]:
        dollars = row["dollars"]
        verdict = word_verdict(row)
        rows.append(
            (
                f"{html(row['log_type'])}<br><span class='soft'>{html(row['bucket'])}</span>",
                [
                    word_count(row["objects"]),
                    word_bytes(row["bytes"]),
                    word_spread(row["bytes"]),
                    word_dollars(dollars["now_month"]["value"]),
                    word_dollars(dollars["archived_month"]["value"]),
                    word_dollars(dollars["packing_archived"]["value"]),
                    word_months(row["payback_months"]["archived"]),
                ],
                f"Packing loses: {verdict}" if verdict else "",
            )
        )
    yield from _table("log type", heads, rows)
    yield (
        f'<p class="soft">Dollars a month as they lie, and packed in {ARCHIVE}. Whether packing '
        f"pays is judged over {described['years']} years.</p>"
    )


def _lifecycle(described: Mapping[str, Any]) -> Iterator[str]:
    rows = described["lifecycle"]
    if not rows:
        return
    yield "<h2>What the lifecycle takes meanwhile</h2>"
    yield from _table(
        "what",
        ("log objects", "bytes"),
        [
            (
                f"{html(word_fate(row))}<br><span class='soft'>{html(row['bucket'])}</span>",
                [f"{row['objects']:,}", format_bytes(row["bytes"])],
                "",
            )
            for row in rows
        ],
    )


def _left(described: Mapping[str, Any]) -> Iterator[str]:
    rows = described["left"]
    if not rows:
        return
    yield "<h2>What would be left alone</h2>"
    yield from _table(
        "why",
        ("objects", "bytes"),
        [
            (_name_left(row), [f"{row['objects']:,}", format_bytes(row["bytes"])], "")
            for row in rows[:LEFT_MAX]
        ],
    )
    if len(rows) > LEFT_MAX:
        yield f'<p class="soft">and {format_count(len(rows) - LEFT_MAX, "more reason")}</p>'


def _name_left(row: Mapping[str, Any]) -> str:
    why = ": ".join(filter(None, (row["left"], row["reason"])))
    where = ": ".join([row["bucket"], *row["samples"][:1]])
    return f"{html(why)}<br><span class='soft'>{html(where)}</span>"


def _method(described: Mapping[str, Any]) -> Iterator[str]:
    prices = described["prices"]
    yield "<h2>How this was found</h2><ul>"
    for bucket in described["buckets"]:
        yield f"<li>{html(bucket['bucket'])}: {html(word_way(bucket))}</li>"
    yield "</ul>"
    if described["is_sampled"]:
        yield (
            "<p>Sampled figures are estimates: in 95 of 100 such surveys the truth lies in the "
            "interval beside them.</p>"
        )
    yield (
        f"<p>{format_count(described['requests'], 'listing request')}, "
        f"{html(format_dollars(described['dollars_spent']))}. List prices of "
        f"{html(prices['region'])}, {html(prices['date'])}, without compute, data transfer and "
        "KMS.</p>"
    )


def _table(
    first: str, heads: Sequence[str], rows: Iterable[tuple[str, Sequence[str], str]]
) -> Iterator[str]:
    """The first cells are HTML already, the others text; a warning stands below its row."""
    yield f'<div class="wide"><table><thead><tr><th class="name" scope="col">{html(first)}</th>'
    yield "".join(f'<th scope="col">{html(head)}</th>' for head in heads)
    yield "</tr></thead><tbody>"
    for name, values, warning in rows:
        cells = "".join(f"<td>{html(value)}</td>" for value in values)
        yield f'<tr><td class="name">{name}</td>{cells}</tr>'
        if warning:
            yield f'<tr><td class="name warn" colspan="{len(values) + 1}">{html(warning)}</td></tr>'
    yield "</tbody></table></div>"


def _say_bytes(value: float) -> str:
    return format_bytes(round(value))


def _say_count(value: float) -> str:
    return f"{round(value):,}"
