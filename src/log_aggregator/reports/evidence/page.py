"""A report as a page: coverage, integrity, retention, drills and what was saved; next to each what
standards ask for, and at its end the records that its figures come from.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from log_aggregator.core.evidence.at_rest import Verdict as PackVerdict
from log_aggregator.core.evidence.standards import Section, list_requirements
from log_aggregator.core.times import encode_time
from log_aggregator.ports.account import LifecycleRule
from log_aggregator.reports.evidence.strips import (
    GAPS_MAX,
    HEIGHT,
    draw_legend,
    list_months,
    make_gaps,
    make_parts,
)
from log_aggregator.reports.evidence.verdicts import State, judge_report
from log_aggregator.reports.numbers import format_bytes, format_count, format_dollars
from log_aggregator.reports.page.environment import render_template
from log_aggregator.reports.page.parts import Card, TableRow
from log_aggregator.reports.stats import ARCHIVE, describe_stats
from log_aggregator.steps.evidence.report import Answer, Place, RecordRow, Report

FINDINGS_MAX = 500
SYMBOLS = {State.GOOD: "✓", State.UNKNOWN: "?", State.OPEN: "○", State.WRONG: "✗"}
"""Shown next to the word: nothing is said by colour or symbol alone."""
TITLES = {
    Section.COVERAGE: "Is it complete?",
    Section.INTEGRITY: "Is it unaltered?",
    Section.RETENTION: "How long is it kept, and how is it locked?",
    Section.DRILLS: "Can it be recovered?",
    Section.SAVED: "What was saved",
}


def render_page(report: Report) -> bytes:
    """The whole page. No I/O apart from reading the template."""
    verdicts = judge_report(report)
    return render_template(
        "report.html",
        made=f"{report.made:%Y-%m-%d %H:%M} UTC",
        tool=report.tool,
        accounts=report.accounts,
        first=report.window.first,
        last=report.window.last,
        buckets=[f"s3://{place.target.bucket}/{place.target.root}" for place in report.places],
        symbols=SYMBOLS,
        titles=TITLES,
        sections=Section,
        verdicts={verdict.section: verdict for verdict in verdicts},
        worst=max((verdict.state for verdict in verdicts), key=lambda state: state.rank),
        requirements={section: list(list_requirements(section)) for section in Section},
        coverage=_make_coverage(report),
        places=[_make_place(number, place) for number, place in enumerate(report.places)],
        saved=list(_make_saved(report)),
        prices=describe_stats(report.totals)["dollars"]["region"],
    )


def _make_coverage(report: Report) -> dict[str, Any] | None:
    calendar = report.calendar
    if calendar is None:
        return None
    return {
        "days": calendar.days,
        "height": HEIGHT,
        "months": list_months(calendar),
        "legend": list(draw_legend()),
        "parts": list(make_parts(calendar)),
        "gaps": make_gaps(calendar),
        "more": max(0, len(calendar.gaps) - GAPS_MAX) + calendar.unlisted,
        "failures": calendar.failures,
    }


def _make_place(number: int, place: Place) -> dict[str, Any]:
    walked = place.walked
    return {
        "number": number,
        "name": f"s3://{place.target.bucket}/{place.target.root}",
        "newest": walked.newest,
        "findings": walked.findings[:FINDINGS_MAX],
        "more_findings": max(0, len(walked.findings) - FINDINGS_MAX),
        "notes": walked.notes[:FINDINGS_MAX],
        "more_notes": max(0, len(walked.notes) - FINDINGS_MAX),
        "indexes_read": walked.indexes_read,
        "checks": [_make_check(row) for row in place.checks],
        "protection": list(_make_protection(place)),
        "drills": [_make_drill(row) for row in place.drills],
        "records": [_make_record(row) for row in place.records],
        "older": place.older,
    }


def _make_check(row: RecordRow) -> dict[str, Any]:
    found = row.at_rest
    if found is None:
        raise ValueError(f"{row.key}: no check of packs at rest")
    return {
        "sequence": row.sequence,
        "when": _say_time(row),
        "good": found.count(PackVerdict.GOOD),
        "damaged": found.count(PackVerdict.DAMAGED),
        "unproven": found.count(PackVerdict.UNPROVEN),
        "bytes": format_bytes(found.good_bytes),
        "bad": [pack for pack in found.packs if pack.verdict is not PackVerdict.GOOD][
            :FINDINGS_MAX
        ],
    }


def _make_drill(row: RecordRow) -> dict[str, Any]:
    drill = row.drill
    if drill is None:
        raise ValueError(f"{row.key}: no drill")
    times = {
        name: f"{time.p50_seconds:,.1f} s, {time.p95_seconds:,.1f} s" if time else "none drawn"
        for name, time in (("warm", drill.warm), ("frozen", drill.frozen))
    }
    return {
        "sequence": row.sequence,
        "when": _say_time(row),
        "seed": drill.seed,
        "members": f"{drill.members:,} of {drill.population:,}"
        + ("" if drill.is_counted else " or so"),
        "bad": drill.bad,
        "packs": f"{drill.packs:,}, {drill.packs_frozen:,} of them frozen",
        "proof": drill.proof,
        "dollars": format_dollars(drill.dollars),
        "sample": f"{drill.sample_key}, SHA-256 {drill.sample_sha256}",
        **times,
    }


def _make_protection(place: Place) -> Iterator[TableRow]:
    found = place.protection
    lock = found.lock.value
    yield TableRow(
        "Object Lock",
        [
            _say(found.lock)
            if lock is None
            else f"{lock.mode}, {format_count(lock.retention_days, 'day')} by default"
            if lock.mode
            else "on, without a default"
            if lock.is_enabled
            else "off"
        ],
    )
    versions = found.versioning.value
    yield TableRow(
        "Versions",
        [_say(found.versioning) if versions is None else versions.status or "never enabled"],
    )
    encryption = found.encryption.value
    key = encryption.kms_key_id if encryption and encryption.kms_key_id else ""
    name = encryption.algorithm or "not configured" if encryption else _say(found.encryption)
    yield TableRow("Encryption of new objects", [" ".join(filter(None, (name, key)))])
    block = found.public_access.value
    yield TableRow(
        "Public access block",
        [
            _say(found.public_access)
            if block is None
            else "complete"
            if block.is_complete
            else "not complete; the account-wide block was not checked"
        ],
    )
    rules = found.lifecycle.value
    if rules is None:
        yield TableRow("Lifecycle", [_say(found.lifecycle)])
    elif not rules:
        yield TableRow("Lifecycle", ["no rule"])
    for rule in rules or ():
        yield TableRow(f"Lifecycle rule {rule.id}", [_say_rule(rule)], rule.prefix or "all objects")


def _say_rule(rule: LifecycleRule) -> str:
    told = [
        f"to {each.storage_class} after {each.days} days"
        + (", once noncurrent" if each.is_noncurrent else "")
        if each.days is not None
        else f"to {each.storage_class} on a date"
        for each in rule.transitions
    ]
    if rule.expiration_days is not None:
        told.append(f"deleted after {rule.expiration_days} days")
    if rule.expiration_date is not None:
        told.append(f"deleted on {rule.expiration_date}")
    if rule.abort_days is not None:
        told.append(f"incomplete uploads aborted after {rule.abort_days} days")
    return ("tagged objects only: " if rule.has_tags else "") + ("; ".join(told) or "nothing")


def _say(answer: Answer[Any]) -> str:
    return f"unknown: {answer.problem}"


def _make_record(row: RecordRow) -> dict[str, Any]:
    return {
        "sequence": row.sequence,
        "key": row.key,
        "sha256": row.sha256 or "unknown",
        "problem": row.problem,
        "kind": row.kind.value if row.kind else "unreadable",
        "run": row.run,
        "when": _say_time(row),
        "days": f"{row.days[0]} to {row.days[1]}" if row.days else "",
        "packs": f"{row.packs:,}",
        "objects": f"{row.objects:,}",
        "deleted": f"{row.deleted:,}",
        "failures": row.failures,
    }


def _say_time(row: RecordRow) -> str:
    return encode_time(row.ended)[:19] + "Z" if row.ended else ""


def _make_saved(report: Report) -> Iterator[Card]:
    total = report.totals.total
    dollars = describe_stats(report.totals)["dollars"]
    yield Card(f"{total.objects:,}", "log objects packed", format_bytes(total.source_bytes))
    yield Card(f"{total.packs:,}", "packs", format_bytes(total.pack_bytes))
    yield Card(
        format_dollars(dollars["originals_standard"]),
        "a month for the originals",
        "in STANDARD, storage alone",
    )
    yield Card(
        format_dollars(dollars["packs_archived"]),
        f"a month for the packs in {ARCHIVE}",
        f"{format_dollars(dollars['packs_standard'])} in STANDARD",
    )
    yield Card(
        format_dollars(max(0.0, dollars["transitions_saved"])),
        "transitions saved, once",
        f"had the originals moved to {ARCHIVE} one by one",
    )
