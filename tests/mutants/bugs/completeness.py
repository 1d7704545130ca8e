"""Planted bugs: "nothing is missing" of what is."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

HOLES = "tests/unit/steps/cloudtrail/test_holes.py"

COMPLETENESS = Section(
    "Completeness",
    (
        Mutant(
            "holes-are-sound",
            "hours without a digest are told, and the exit code says that all is well",
            in_symbol(
                "log_aggregator.steps.cloudtrail.findings:Validation.is_sound",
                ("not self.holes", "True"),
            ),
            proof=f"{HOLES}::test_missing_digests_are_a_hole",
        ),
        Mutant(
            "hole-at-the-end",
            "digests that are missing at the end of a trail leave no hole",
            in_symbol(
                "log_aggregator.core.evidence.hours:TrailHours.find_holes",
                ("[*clip_each(holes, inside), *outer]", "clip_each(holes, inside)"),
            ),
            proof=f"{HOLES}::test_missing_digests_are_a_hole",
        ),
        Mutant(
            "invalid-covers",
            "a digest that is not valid covers its hour",
            in_symbol(
                "log_aggregator.steps.cloudtrail.hours:AccountHours.take_invalid",
                ("hours.invalid.add", "hours.valid.add"),
            ),
            proof=f"{HOLES}::test_an_invalid_digest_covers_nothing",
        ),
        Mutant(
            "silent-region",
            "a Region whose digests are all gone is not looked at",
            in_symbol(
                "log_aggregator.steps.cloudtrail.hours:AccountHours._find_silent",
                ("found.setdefault(chain.lineage, chain)", "chain"),
            ),
            proof=f"{HOLES}::test_all_of_a_region",
        ),
        Mutant(
            "claimed-range",
            "a range is claimed from the first digest to the last, holes and all",
            in_symbol(
                "log_aggregator.steps.cloudtrail.findings:Validation.proven",
                ("self.unproven", "[]"),
            ),
            proof="tests/unit/reports/test_validate_report.py::test_a_summary_claims_no_range_that_has_holes",
        ),
    ),
)
