"""A survey for people, line by line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from log_aggregator.reports.estate.figures import MACHINES
from log_aggregator.reports.estate.words import (
    word_account,
    word_age,
    word_between,
    word_bytes,
    word_count,
    word_dollars,
    word_fate,
    word_months,
    word_spread,
    word_time,
    word_verdict,
    word_way,
)
from log_aggregator.reports.numbers import format_bytes, format_count, format_dollars
from log_aggregator.reports.ways import ARCHIVE

ACCOUNTS_SHOWN = 5
_BAR_WIDTH = 24


def render_estate(described: Mapping[str, Any]) -> Iterator[str]:
    """What `figures.describe_estate` gives, as a table for the terminal."""
    requests = format_count(described["requests"], "listing request")
    spent = format_dollars(described["dollars_spent"])
    yield f"Survey of {described['date']}, with {requests} ({spent}); nothing was changed"
    for bucket in described["buckets"]:
        yield f"  {bucket['bucket']}: {word_way(bucket)}"
    if not described["total"]["objects"]["value"]:
        yield ""
        yield "No log objects that a run would pack"
    else:
        yield ""
        yield from _render_total(described)
        yield ""
        yield from _render_types(described)
        yield from _render_ages(described)
        yield from _render_accounts(described)
    yield from _render_lifecycle(described)
    yield from _render_left(described)
    if described["is_sampled"]:
        yield ""
        yield (
            "Sampled figures are estimates: in 95 of 100 surveys like this the true value lies "
            "between the two figures next to them. A higher --requests-max makes them more "
            "certain; an S3 Inventory (--inventory) makes them exact"
        )


def _render_total(described: Mapping[str, Any]) -> Iterator[str]:
    total, dollars = described["total"], described["total"]["dollars"]
    chosen, prices = described["storage_class"], described["prices"]
    rows = [
        ("log objects", word_count(total["objects"]), total["objects"], "count"),
        ("bytes", word_bytes(total["bytes"]), total["bytes"], "bytes"),
        ("a month as they are", None, dollars["now_month"], "dollars"),
        (f"a month packed, in {chosen}", None, dollars["packed_month"], "dollars"),
        (f"a month packed, in {ARCHIVE}", None, dollars["archived_month"], "dollars"),
        ("packing, once", None, dollars["packing"], "dollars"),
        (f"packing to {ARCHIVE}, once", None, dollars["packing_archived"], "dollars"),
    ]
    for name, words, figure, unit in rows:
        text = words if words is not None else word_dollars(figure["value"])
        yield f"  {name:<32}{text:>16}  {word_between(figure, unit)}".rstrip()
    paybacks = total["payback_months"]
    yield f"  packs in {chosen} pay for themselves: {word_months(paybacks['packed'])}"
    yield f"  packs in {ARCHIVE} pay for themselves: {word_months(paybacks['archived'])}"
    seconds = total["seconds"]["value"]
    yield (
        f"  packing takes about {word_time(seconds)} on one machine in the Region, "
        f"{word_time(seconds / MACHINES)} on {MACHINES}"
    )
    kms = dollars["kms_without_bucket_keys"]["value"]
    yield (
        f"  encrypted with KMS and without Bucket Keys, reading adds {word_dollars(kms)}; list "
        f"prices of {prices['region']}, {prices['date']}, without compute"
    )


def _render_types(described: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"  {'log objects':>12}  {'bytes':>9}  {'':>8}  {'now':>9}  {'archived':>9}  "
        f"{'packing':>9}  log type and bucket (now, archived: dollars a month)"
    )
    for row in described["types"]:
        dollars = row["dollars"]
        yield (
            f"  {word_count(row['objects']):>12}  {word_bytes(row['bytes']):>9}  "
            f"{word_spread(row['bytes']):>8}  {word_dollars(dollars['now_month']['value']):>9}  "
            f"{word_dollars(dollars['archived_month']['value']):>9}  "
            f"{word_dollars(dollars['packing_archived']['value']):>9}  "
            f"{row['log_type']} in {row['bucket']}"
        )
        if verdict := word_verdict(row):
            yield f"{'':16}packing these does not pay over {described['years']} years: {verdict}"


def _render_ages(described: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield "Ages"
    most = max(row["bytes"] for row in described["ages"]) or 1
    for row in filter(lambda row: row["objects"], described["ages"]):
        bar = "#" * round(_BAR_WIDTH * row["bytes"] / most)
        size = format_bytes(row["bytes"])
        yield f"  {word_age(row):<24}{row['objects']:>14,}  {size:>9}  {bar}".rstrip()


def _render_accounts(described: Mapping[str, Any]) -> Iterator[str]:
    rows = described["accounts"]
    if not rows:
        return
    drawn = ", of those that were drawn" if described["is_sampled"] else ""
    yield ""
    yield f"Largest accounts{drawn}"
    for row in rows[:ACCOUNTS_SHOWN]:
        yield f"  {word_account(row):<24}{row['objects']:>14,}  {format_bytes(row['bytes']):>9}"


def _render_lifecycle(described: Mapping[str, Any]) -> Iterator[str]:
    rows = described["lifecycle"]
    unknown = [each["bucket"] for each in described["buckets"] if each["lifecycle"] == "unknown"]
    if not rows and not unknown:
        return
    yield ""
    yield "Lifecycle of the source buckets"
    for row in rows:
        yield (
            f"  {format_count(row['objects'], 'log object')}, {format_bytes(row['bytes'])} in "
            f"{row['bucket']}: {word_fate(row)}"
        )
    for name in unknown:
        yield f"  {name}: its rules could not be read; grant s3:GetLifecycleConfiguration"


def _render_left(described: Mapping[str, Any]) -> Iterator[str]:
    rows = described["left"]
    if not rows:
        return
    yield ""
    yield "A run would leave alone"
    for row in rows:
        size = f", {format_bytes(row['bytes'])}" if row["bytes"] else ""
        yield (
            f"  {format_count(row['objects'], 'object')}{size} in {row['bucket']}: "
            f"{row['left']}{': ' if row['reason'] else ''}{row['reason']}"
        )
        yield from (f"      {sample}" for sample in row["samples"])
