"""Planted bugs: reporting "nothing is missing" although something is."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

COVERAGE = "tests/unit/steps/evidence/test_coverage.py"
HOLES = "tests/unit/steps/cloudtrail/test_holes.py"

COMPLETENESS = Section(
    "Completeness",
    (
        Mutant(
            "holes-are-sound",
            "hours without a digest are reported, but the exit code says that all is well",
            in_symbol(
                "log_aggregator.steps.cloudtrail.findings:Validation.is_sound",
                ("not self.holes", "True"),
            ),
            proof=f"{HOLES}::test_missing_digests_leave_a_hole",
        ),
        Mutant(
            "hole-at-the-end",
            "digests missing at the end of a trail are not reported",
            in_symbol(
                "log_aggregator.core.evidence.hours:TrailHours.find_holes",
                ("[*clip_each(holes, inside), *outer]", "clip_each(holes, inside)"),
            ),
            proof=f"{HOLES}::test_missing_digests_leave_a_hole",
        ),
        Mutant(
            "invalid-covers",
            "an invalid digest counts as coverage of its hour",
            in_symbol(
                "log_aggregator.steps.cloudtrail.hours:AccountHours.take_invalid",
                ("hours.invalid.add", "hours.valid.add"),
            ),
            proof=f"{HOLES}::test_an_invalid_digest_covers_nothing",
        ),
        Mutant(
            "silent-region",
            "a Region that has lost all its digests is not checked",
            in_symbol(
                "log_aggregator.steps.cloudtrail.hours:AccountHours._find_silent",
                ("self._find_logged(found)", "{}"),
            ),
            proof=f"{HOLES}::test_a_region_without_any_digest_is_a_hole",
        ),
        Mutant(
            "claimed-range",
            "coverage is claimed from the first digest to the last, including the holes",
            in_symbol(
                "log_aggregator.steps.cloudtrail.findings:Validation.proven",
                ("self.unproven", "[]"),
            ),
            proof="tests/unit/reports/test_validate_report.py::test_a_summary_splits_the_range_at_holes",
        ),
        Mutant(
            "missing-is-complete",
            "a calendar with gaps counts as complete",
            in_symbol(
                "log_aggregator.core.evidence.calendar:Calendar.is_complete",
                ("not self.gaps", "True"),
            ),
            proof=f"{COVERAGE}::test_a_day_whose_logs_are_all_lost_is_found",
        ),
        Mutant(
            "silent-day-unasked",
            "a day with digests but no logs counts as a quiet day",
            in_symbol(
                "log_aggregator.core.evidence.marks:plan_trail",
                ("silent.append(number)", "number"),
            ),
            proof=f"{COVERAGE}::test_a_day_whose_logs_are_all_lost_is_found",
        ),
        Mutant(
            "unread-is-nothing-due",
            "frozen digests that cannot be read count as digests that name no logs",
            in_symbol(
                "log_aggregator.steps.evidence.coverage:_Trail._settle_silent",
                (
                    "self._leave_unchecked(name, day, seen.unread)",
                    "self.sheet.set(name, number, DayState.NOTHING_DUE)",
                ),
            ),
            proof=f"{COVERAGE}::test_frozen_digests_are_unchecked",
        ),
        Mutant(
            "first-digest-believed",
            "nothing counts as missing before the first digest left, even if it links to an "
            "earlier one",
            in_symbol(
                "log_aggregator.steps.evidence.coverage:_has_begun",
                ("earliest in begun", "True"),
            ),
            proof=f"{COVERAGE}::test_nothing_is_missing_before_a_trail_began",
        ),
        Mutant(
            "lost-pack-unseen",
            "an index whose pack is gone counts as a pack",
            in_symbol(
                "log_aggregator.steps.evidence.presence:_mark_pack",
                ("entry.pack_bytes is None", "False"),
            ),
            proof=f"{COVERAGE}::test_a_missing_pack_is_found",
        ),
        Mutant(
            "folding-hides",
            "a week folded into one cell shows its best day instead of its worst",
            in_symbol(
                "log_aggregator.reports.evidence.calendar:_render_row",
                ("max", "min"),
            ),
            proof="tests/unit/reports/evidence/test_calendar_report.py::test_folding_hides_no_missing_day",
        ),
    ),
)
