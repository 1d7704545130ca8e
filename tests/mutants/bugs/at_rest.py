"""Planted bugs: a pack at rest is called good that S3 did not show to be."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

_VERDICTS = "tests/unit/core/evidence/test_at_rest_verdicts.py"
_FILES = "tests/unit/core/evidence/test_batch_files.py"
_CHECK = "tests/unit/steps/evidence/test_at_rest_check.py"
_JUDGE = "log_aggregator.core.evidence.at_rest:judge"
_ONE = "log_aggregator.core.evidence.at_rest:_judge"

AT_REST = Section(
    "Packs at rest",
    (
        Mutant(
            "at-rest-mismatch-believed",
            "a pack that hashes to something else is good",
            in_symbol(_ONE, ("Verdict.DAMAGED if mismatch else Verdict.GOOD", "Verdict.GOOD")),
            proof=f"{_CHECK}::test_one_bit_is_found",
        ),
        Mutant(
            "at-rest-missing-row-good",
            "a pack that S3's report does not speak of is good",
            in_symbol(
                _ONE,
                (
                    'say(Verdict.UNPROVEN, f"S3\'s report has no row about it: {absent}")',
                    "say(Verdict.GOOD)",
                ),
            ),
            proof=f"{_CHECK}::test_rows_that_are_missing_or_twice_are_never_good",
        ),
        Mutant(
            "at-rest-double-row-good",
            "of two rows about one pack the first is believed",
            in_symbol(_ONE, ("len(rows) > 1", "False")),
            proof=f"{_VERDICTS}::test_no_row_and_two_rows_show_nothing",
        ),
        Mutant(
            "at-rest-failed-task-good",
            "a task that failed counts as one that succeeded",
            in_symbol(
                "log_aggregator.core.evidence.at_rest:_problems",
                (
                    """
                    if row.failure:
                        yield f'S3 could not hash it: {row.failure}'
                    """,
                    "",
                ),
            ),
            proof=f"{_VERDICTS}::test_a_row_that_shows_nothing_is_never_good",
        ),
        Mutant(
            "at-rest-other-version",
            "the hash of another version of a pack is taken for the pack's",
            in_symbol(
                _JUDGE,
                (
                    "row.bucket == bucket and (row.key, row.version_id) in wanted",
                    "row.bucket == bucket and row.key in {task.key for task in tasks}",
                ),
            ),
            proof=f"{_CHECK}::test_another_version_in_the_report_is_not_the_pack",
        ),
        Mutant(
            "at-rest-other-object",
            "the hash of an object of another ETag is taken for the pack's",
            in_symbol(
                "log_aggregator.core.evidence.at_rest:_problems",
                ("row.etag != task.etag", "False"),
            ),
            proof=f"{_VERDICTS}::test_a_row_that_shows_nothing_is_never_good",
        ),
        Mutant(
            "at-rest-foreign-rows-unsaid",
            "a report that speaks of what nobody asked for is as good as any",
            in_symbol(
                "log_aggregator.core.evidence.at_rest:AtRestCheck.is_good",
                ("not self.foreign_rows", "True"),
            ),
            proof=f"{_CHECK}::test_rows_about_something_else_fail_the_check",
        ),
        Mutant(
            "at-rest-one-claim-is-enough",
            "where the index and custody say different hashes, one of them is enough",
            in_symbol(
                "log_aggregator.core.evidence.at_rest:KnownHashes.find_mismatch",
                ("self.sha256", "self.sha256[-1:]"),
            ),
            proof=f"{_CHECK}::test_an_index_that_says_another_hash_than_custody_is_found",
        ),
        Mutant(
            "at-rest-report-from-elsewhere",
            "a report may lead to files that anybody has put anywhere",
            in_symbol(
                "log_aggregator.core.evidence.batch:parse_report",
                ("not file.key.startswith(prefix)", "False"),
            ),
            proof=f"{_FILES}::test_a_report_leads_nowhere_else",
        ),
        Mutant(
            "at-rest-report-changed",
            "a file of a report is read though its MD5 is another one",
            in_symbol(
                "log_aggregator.core.evidence.batch:parse_rows",
                ("found != file.md5.lower()", "False"),
            ),
            proof=f"{_FILES}::test_a_file_that_is_not_what_the_report_says_is_not_read",
        ),
        Mutant(
            "at-rest-copied-unread",
            "a pack with a member that S3 copied gets the hash of what was read of it",
            in_symbol(
                "log_aggregator.steps.packing.pack_writer:PackWriter.copy",
                ("self._hash = None", ""),
            ),
            proof="tests/unit/steps/packing/test_pack_hash.py",
        ),
        Mutant(
            "at-rest-hearsay-in-custody",
            "custody tells the hash that an index's metadata has, as if the run had computed it",
            in_symbol(
                "log_aggregator.steps.custody.write:_packs_of",
                (
                    "sha256 = None if written is None else written.sha256",
                    "sha256 = '0' * 64 if written is None else written.sha256",
                ),
            ),
            proof="tests/unit/steps/packing/test_pack_hash.py::test_a_run_that_only_finds_a_pack_tells_no_hash",
        ),
        Mutant(
            "at-rest-manifest-by-kms",
            "in a bucket that encrypts with KMS no pack can be hashed",
            in_symbol("log_aggregator.steps.evidence.at_rest:_begin", ("is_sse_s3=True", "")),
            proof=f"{_CHECK}::test_a_bucket_that_encrypts_with_kms",
        ),
        Mutant(
            "at-rest-good-by-plan",
            "a pack is good because the plan beside the packs says so",
            in_symbol(
                "log_aggregator.core.evidence.at_rest_plan:decode_plan",
                ("any((pack.verdict is Verdict.GOOD for pack in plan.judged))", "False"),
            ),
            proof=f"{_CHECK}::test_a_plan_calls_nothing_good",
        ),
        Mutant(
            "at-rest-plan-believed",
            "whoever can write beside the packs has them hashed at the caller's cost",
            in_symbol("log_aggregator.cli.at_rest:_agree_again", ("is_begun(job, plan)", "True")),
            proof="tests/unit/cli/test_verify_at_rest.py::test_a_plan_that_somebody_put_there_costs_nothing",
        ),
        Mutant(
            "at-rest-dearer-than-agreed",
            "hashing begins whatever it costs",
            in_symbol(
                "log_aggregator.cli.at_rest:_check_price",
                ("dollars > options.dollars_max and not options.is_agreed", "False"),
            ),
            proof="tests/unit/cli/test_verify_at_rest.py::test_nothing_dearer_than_agreed_is_started",
        ),
    ),
)
