"""Planted bugs: a monthly report that cannot be stored, or reports less than it found."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

_REPORT = "tests/unit/handlers/test_report_function.py"

KEEPING_REPORTS = Section(
    "Monthly reports",
    (
        Mutant(
            "report-of-a-day-stops-the-next",
            "a second report on the same day gets the same key and cannot be stored",
            in_symbol(
                "log_aggregator.core.evidence.kept:report_key",
                (
                    'f"{target.root}{REPORTS}{moment:%Y-%m-%d}/report-{moment:%H%M%SZ}.{suffix}"',
                    'f"{target.root}{REPORTS}{moment:%Y-%m-%d}/report.{suffix}"',
                ),
            ),
            proof=f"{_REPORT}::test_two_reports_on_one_day_are_both_stored",
        ),
        Mutant(
            "report-counts-places-not-files",
            "missing logs are counted in days instead of log files",
            in_symbol(
                "log_aggregator.handlers.report:_count_gaps",
                ("sum(gap.missing for gap in calendar.gaps)", "len(calendar.gaps)"),
            ),
            proof=f"{_REPORT}::test_problems_are_announced",
        ),
        Mutant(
            "report-tells-the-best",
            "the notification quotes the best sentence of a section instead of the worst",
            in_symbol(
                "log_aggregator.handlers.report:_tell",
                (
                    'max(verdict["sentences"], key=lambda each: State(each["state"]).rank)',
                    'min(verdict["sentences"], key=lambda each: State(each["state"]).rank)',
                ),
            ),
            proof=f"{_REPORT}::test_before_the_first_drill_the_worst_finding_is_announced",
        ),
    ),
)
