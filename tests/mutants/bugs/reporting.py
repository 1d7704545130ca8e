"""Planted bugs: what a report calls in order, and what its page lets in."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

_VERDICTS = "tests/unit/reports/evidence/test_verdicts.py"
_PAGE = "tests/unit/reports/evidence/test_report_page.py"
_STRIPS = "tests/unit/reports/evidence/test_strips.py"

REPORTING = Section(
    "Reports",
    (
        Mutant(
            "missing-days-in-order",
            "the report shows complete coverage although log files named by a digest are missing",
            in_symbol(
                "log_aggregator.reports.evidence.verdicts:_judge_coverage",
                (
                    "bad = sum((count for state, count in counts.items() if state.is_bad))",
                    "bad = 0",
                ),
            ),
            proof=f"{_VERDICTS}::test_a_missing_day_is_wrong[missing]",
        ),
        Mutant(
            "unread-is-in-order",
            "places that could not be checked are shown as checked",
            in_symbol(
                "log_aggregator.reports.evidence.verdicts:_judge_coverage",
                ("failed = len(calendar.failures)", "failed = 0"),
            ),
            proof=f"{_VERDICTS}::test_a_missing_day_is_wrong[failed]",
        ),
        Mutant(
            "broken-chain-in-order",
            "changed custody records are shown as an unbroken chain",
            in_symbol(
                "log_aggregator.reports.evidence.verdicts:_judge_integrity",
                (
                    "walked, broken = (place.walked, len(place.walked.findings))",
                    "walked, broken = (place.walked, 0)",
                ),
            ),
            proof=f"{_VERDICTS}::test_a_break_or_a_damaged_pack_is_wrong[broken]",
        ),
        Mutant(
            "older-check-counts",
            "an older check without findings hides packs that were found damaged since",
            in_symbol(
                "log_aggregator.reports.evidence.verdicts:_judge_at_rest",
                (
                    "found, record = (checks[0].at_rest, (number, checks[0].sequence))",
                    "found, record = (checks[-1].at_rest, (number, checks[-1].sequence))",
                ),
            ),
            proof=f"{_VERDICTS}::test_a_break_or_a_damaged_pack_is_wrong[damaged]",
        ),
        Mutant(
            "any-key-shown-as-proof",
            "anyone who can write to the bucket can sign their own chain, and it is shown as "
            "proven",
            in_symbol(
                "log_aggregator.reports.evidence.verdicts:_judge_signature",
                ("not newest.is_trusted", "False"),
            ),
            proof=f"{_VERDICTS}::test_only_named_keys_prove_a_chain[not-named]",
        ),
        Mutant(
            "best-sentence-decides",
            "one good finding makes a whole section look in order",
            in_symbol(
                "log_aggregator.reports.evidence.verdicts:Verdict.state",
                (
                    "return max((each.state for each in self.sentences), key=lambda state: state.rank)",
                    "return min((each.state for each in self.sentences), key=lambda state: state.rank)",
                ),
            ),
            proof=f"{_VERDICTS}::test_a_missing_day_is_wrong[hole]",
        ),
        Mutant(
            "refusal-is-an-answer",
            "a missing permission aborts the report",
            in_symbol(
                "log_aggregator.steps.evidence.report:_ask",
                ("return Answer(None, str(error))", "raise"),
            ),
            proof="tests/unit/steps/evidence/test_collect_report.py::"
            "test_an_unanswered_question_is_unknown",
        ),
        Mutant(
            "page-not-escaped",
            "anyone who can write a key can put a script or a table into the auditor's page",
            in_symbol(
                "log_aggregator.reports.page.environment:_make_environment",
                ("escape(str(value))", "Markup(escape(str(value)))"),
            ),
            proof=f"{_PAGE}::test_text_from_outside_is_escaped",
        ),
        Mutant(
            "page-shows-controls",
            "control characters in a key change how the page reads, for example from right to left",
            in_symbol(
                "log_aggregator.reports.page.environment:_make_environment",
                ("escape(str(value))", "str(value)"),
            ),
            proof=f"{_PAGE}::test_text_from_outside_is_escaped",
        ),
        Mutant(
            "policy-lets-scripts-run",
            "a script that got into the page would run",
            in_symbol(
                "log_aggregator.reports.page.environment:make_policy",
                (
                    "digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()",
                    "return \"default-src 'none'; script-src 'unsafe-inline'\"",
                ),
            ),
            proof=f"{_PAGE}::test_nothing_is_loaded_and_no_script_runs",
        ),
        Mutant(
            "last-day-not-drawn",
            "a missing day does not appear in the calendar",
            in_symbol(
                "log_aggregator.reports.evidence.strips:draw_strip",
                ("length = run.end() - run.start()", "length = run.end() - run.start() - 1"),
            ),
            proof=f"{_STRIPS}::test_a_strip_shows_the_state_of_each_day",
        ),
        Mutant(
            "quick-look-is-whole",
            "a day with a lost file is reported as complete",
            in_symbol(
                "log_aggregator.reports.evidence.verdicts:_judge_coverage",
                ("not calendar.has_every_digest", "False"),
            ),
            proof="tests/unit/reports/evidence/test_verdicts.py::test_unread_digests_leave_coverage_unknown",
        ),
    ),
)
