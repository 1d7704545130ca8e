"""Runs every month, where that is wanted: stores a page next to the packs that shows an auditor
what is there, that it is unaltered, and that it can be recovered. Not a part of any run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from log_aggregator.core.checksums import crc64nvme
from log_aggregator.core.evidence.calendar import By, Calendar, GapKind
from log_aggregator.core.evidence.kept import report_key
from log_aggregator.core.evidence.standards import Section
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import SettingsError
from log_aggregator.handlers.entry import Call, Event, Result, serve
from log_aggregator.handlers.prepare import read_layouts
from log_aggregator.model import Target
from log_aggregator.reports.evidence.page import render_page
from log_aggregator.reports.evidence.report import describe_report
from log_aggregator.reports.evidence.verdicts import State
from log_aggregator.steps.custody.prove import Trust
from log_aggregator.steps.evidence.coverage import cover
from log_aggregator.steps.evidence.presence import Asked
from log_aggregator.steps.evidence.report import Report, collect_report
from log_aggregator.steps.job import Job
from log_aggregator.telemetry.metrics import write_metrics

DAYS = 365
_TOLD = (Section.COVERAGE, Section.INTEGRITY, Section.DRILLS)
"""The three sections that the notice quotes."""


@serve("report")
def handler(_event: Event, call: Call) -> Result:
    """Any event -> where the page is, and what it says in three sentences. Raises StoreError."""
    last = call.job.clock.now().date() - timedelta(days=1)
    window = DateWindow(last - timedelta(days=DAYS - 1), last)
    job = call.job.for_days(window).for_layouts(read_layouts(call))
    target = _find_target(job)
    calendar = cover(job, Asked(window, By.ACCOUNT), _Unwatched())
    found = collect_report(job, call.connect_account(), Trust(), calendar)
    described = describe_report(found)
    page = _write(job, target, found, described)
    wrong = [each for each in described["verdicts"] if each["state"] == State.WRONG]
    write_metrics({**_count_gaps(calendar), **_age_of_drill(found), "ReportPartsWrong": len(wrong)})
    return {
        "bucket": target.bucket,
        "page": page,
        "first_date": described["first_date"],
        "last_date": described["last_date"],
        **{section.value: _tell(described, section) for section in _TOLD},
    }


class _Unwatched:
    """Shows no progress."""

    def listed(self, count: int) -> None:
        pass

    def checked(self, accounts: int, total: int) -> None:
        pass


def _find_target(job: Job) -> Target:
    """The one bucket of all packs. Raises SettingsError."""
    targets = list(job.list_targets())
    if len(targets) != 1:
        raise SettingsError(
            f"packs are in {len(targets)} buckets: the monthly report needs one bucket for all "
            "packs; make it with log-aggregator report instead"
        )
    return targets[0]


def _write(job: Job, target: Target, found: Report, described: Mapping[str, Any]) -> str:
    """The key of the page. The page is written last, so that where it exists the JSON does too."""
    options = replace(job.rules.group.combine.index, content_encoding=None)
    text = json.dumps(described, indent=1, ensure_ascii=False)
    for suffix, content_type, data in (
        ("json", "application/json", text.encode()),
        ("html", "text/html; charset=utf-8", render_page(found)),
    ):
        key = report_key(target, found.made, suffix)
        job.store.put_object(
            target.bucket,
            key,
            data,
            crc64nvme=crc64nvme(data),
            options=replace(options, content_type=content_type),
        )
    return key


def _count_gaps(calendar: Calendar) -> dict[str, float]:
    holes = (gap for gap in calendar.gaps if gap.kind is GapKind.HOLE)
    hours = sum(((end - begin) for gap in holes for begin, end in gap.hours), timedelta())
    return {
        "ReportFilesMissing": sum(gap.missing for gap in calendar.gaps),
        "ReportHoursWithoutDigest": hours / timedelta(hours=1),
    }


def _age_of_drill(found: Report) -> dict[str, float]:
    """In days; empty where there was no drill yet."""
    ended = [row.ended for place in found.places for row in place.drills if row.ended]
    return {"ReportDrillAgeDays": (found.made - max(ended)).days} if ended else {}


def _tell(described: Mapping[str, Any], section: Section) -> str:
    """The worst sentence of a section, and its state."""
    verdict = next(each for each in described["verdicts"] if each["section"] == section)
    worst = max(verdict["sentences"], key=lambda each: State(each["state"]).rank)
    return f"{worst['state']}: {worst['text']}"
