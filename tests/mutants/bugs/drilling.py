"""Planted bugs: a drill that reports everything recovered although it was not."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

_DRILL = "tests/unit/steps/evidence/drills/test_drill.py"
_SAMPLE = "tests/unit/steps/evidence/drills/test_draw_sample.py"

DRILLING = Section(
    "Drills",
    (
        Mutant(
            "drill-forgets-the-lost",
            "members of a pack with an unreadable index are drawn and count as recovered",
            in_symbol(
                "log_aggregator.steps.evidence.drills.drill:_sum",
                (
                    "sum(each.bad for each in outcomes) + sample.lost",
                    "sum(each.bad for each in outcomes)",
                ),
            ),
            proof=f"{_DRILL}::test_members_missing_from_the_index_are_bad",
        ),
        Mutant(
            "drill-skips-packs-that-are-gone",
            "a pack that cannot be read is left out of the drill",
            in_symbol(
                "log_aggregator.steps.evidence.drills.drill:_Advance._recover",
                ("self.looked.failures.items()", "()"),
            ),
            proof=f"{_DRILL}::test_a_missing_pack_is_found",
        ),
        Mutant(
            "drill-trusts-the-index-of-today",
            "an index line changed after the draw is believed",
            in_symbol(
                "log_aggregator.steps.evidence.drills.recover:_keep_equal",
                ("now == member", "now is not None"),
            ),
            proof=f"{_DRILL}::test_an_index_line_changed_after_the_draw_is_found",
        ),
        Mutant(
            "drill-believes-the-pack",
            "only members are compared, and the pack is not checked against its index",
            in_symbol(
                "log_aggregator.steps.evidence.drills.recover:Recovery.recover",
                ("verify_pack(self.store, self.target, pack_key, Level.TAIL)", "pass"),
            ),
            proof=f"{_DRILL}::test_a_truncated_pack_is_found",
        ),
        Mutant(
            "drill-takes-any-signature",
            "a digest with a wrong signature counts as signed",
            in_symbol(
                "log_aggregator.steps.evidence.drills.recover:Recovery._compare",
                ("found is None", "True"),
            ),
            proof=f"{_DRILL}::test_a_digest_with_a_false_signature_is_found",
        ),
        Mutant(
            "drill-pays-again",
            "the cost of packs thawed by earlier calls of a drill does not count against its limit",
            in_symbol(
                "log_aggregator.steps.evidence.drills.thawing:check_dollars",
                ("dollars + spent > rules.dollars_max", "dollars > rules.dollars_max"),
            ),
            proof=f"{_DRILL}::test_the_limit_applies_to_the_whole_drill",
        ),
        Mutant(
            "drill-draws-packs",
            "small packs are drawn as often as large ones, so their members are over-represented",
            in_symbol(
                "log_aggregator.steps.evidence.drills.draw:_Draw._try",
                ("member < self.counts[pack]", "self.counts[pack]"),
            ),
            proof=f"{_SAMPLE}::test_the_number_of_members_is_estimated",
        ),
        Mutant(
            "drill-overstates",
            "a drill with bad members still claims the result of one without",
            in_symbol(
                "log_aggregator.core.evidence.proportions:bound_bad_share",
                ("low, high = bad / checked, 1.0", "low, high, bad = 0.0, 1.0, 0"),
            ),
            proof="tests/unit/core/evidence/test_drills.py::test_the_bound_matches_clopper_and_pearson",
        ),
        Mutant(
            "drill-clears-strangers",
            "if a server ignores the prefix of a listing, cleaning up the copies deletes every "
            "pack",
            in_symbol(
                "log_aggregator.steps.evidence.drills.planted:_clear",
                ("any(not each.key.startswith(prefix) for each in deletions)", "False"),
            ),
            proof="tests/unit/steps/evidence/drills/test_planted.py::test_a_server_that_ignores_the_prefix_loses_nothing",
        ),
    ),
)
