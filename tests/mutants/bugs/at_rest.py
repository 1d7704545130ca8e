"""Planted bugs: calling packs at rest good without evidence from S3."""

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
            "a pack whose hash does not match is reported as good",
            in_symbol(_ONE, ("Verdict.DAMAGED if mismatch else Verdict.GOOD", "Verdict.GOOD")),
            proof=f"{_CHECK}::test_one_flipped_bit_is_found",
        ),
        Mutant(
            "at-rest-missing-row-good",
            "a pack missing from S3's report is reported as good",
            in_symbol(
                _ONE,
                (
                    'say(Verdict.UNPROVEN, f"S3\'s report has no row about it: {absent}")',
                    "say(Verdict.GOOD)",
                ),
            ),
            proof=f"{_CHECK}::test_missing_and_duplicate_rows_are_never_good",
        ),
        Mutant(
            "at-rest-double-row-good",
            "when S3's report has two rows for one pack, the first is believed",
            in_symbol(_ONE, ("len(rows) > 1", "False")),
            proof=f"{_VERDICTS}::test_missing_and_duplicate_rows_are_unproven",
        ),
        Mutant(
            "at-rest-failed-task-good",
            "a hashing task that failed counts as successful",
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
            proof=f"{_VERDICTS}::test_a_row_without_evidence_is_unproven",
        ),
        Mutant(
            "at-rest-other-version",
            "the hash of another version of the pack is accepted as the pack's own",
            in_symbol(
                _JUDGE,
                (
                    "row.bucket == bucket and (row.key, row.version_id) in wanted",
                    "row.bucket == bucket and row.key in {task.key for task in tasks}",
                ),
            ),
            proof=f"{_CHECK}::test_rows_about_another_version_prove_nothing",
        ),
        Mutant(
            "at-rest-other-object",
            "the hash of an object with a different ETag is accepted as the pack's own",
            in_symbol(
                "log_aggregator.core.evidence.at_rest:_problems",
                ("row.etag != task.etag", "False"),
            ),
            proof=f"{_VERDICTS}::test_a_row_without_evidence_is_unproven",
        ),
        Mutant(
            "at-rest-foreign-rows-unsaid",
            "a report with rows for objects that were not asked for still passes the check",
            in_symbol(
                "log_aggregator.core.evidence.at_rest:AtRestCheck.is_good",
                ("not self.foreign_rows", "True"),
            ),
            proof=f"{_CHECK}::test_rows_about_other_objects_fail_the_check",
        ),
        Mutant(
            "at-rest-one-claim-is-enough",
            "when the index and custody record different hashes, matching one of them is enough",
            in_symbol(
                "log_aggregator.core.evidence.at_rest:KnownHashes.find_mismatch",
                ("self.sha256", "self.sha256[-1:]"),
            ),
            proof=f"{_CHECK}::test_conflicting_hashes_in_index_and_custody_are_found",
        ),
        Mutant(
            "at-rest-report-from-elsewhere",
            "S3's report can point to files outside its own prefix, where others can write",
            in_symbol(
                "log_aggregator.core.evidence.batch:parse_report",
                ("not file.key.startswith(prefix)", "False"),
            ),
            proof=f"{_FILES}::test_a_report_cannot_point_elsewhere",
        ),
        Mutant(
            "at-rest-report-changed",
            "a report file is read although its MD5 does not match",
            in_symbol(
                "log_aggregator.core.evidence.batch:parse_rows",
                ("found != file.md5.lower()", "False"),
            ),
            proof=f"{_FILES}::test_a_changed_report_file_is_refused",
        ),
        Mutant(
            "at-rest-copied-unread",
            "a pack with a member copied by S3 gets a hash of only the bytes that were read",
            in_symbol(
                "log_aggregator.steps.packing.pack_writer:PackWriter.copy",
                ("self._hash = None", ""),
            ),
            proof="tests/unit/steps/packing/test_pack_hash.py",
        ),
        Mutant(
            "at-rest-hearsay-in-custody",
            "a custody record repeats the hash from an index's metadata as if the run had computed "
            "it",
            in_symbol(
                "log_aggregator.steps.custody.write:_packs_of",
                (
                    "sha256 = None if written is None else written.sha256",
                    "sha256 = '0' * 64 if written is None else written.sha256",
                ),
            ),
            proof="tests/unit/steps/packing/test_pack_hash.py::test_a_run_that_finds_a_pack_records_no_hash",
        ),
        Mutant(
            "at-rest-manifest-by-kms",
            "no pack can be hashed in a bucket encrypted with KMS",
            in_symbol("log_aggregator.steps.evidence.at_rest:_begin", ("is_sse_s3=True", "")),
            proof=f"{_CHECK}::test_a_bucket_with_kms_encryption_can_be_checked",
        ),
        Mutant(
            "at-rest-good-by-plan",
            "a plan file stored next to the packs can declare a pack good",
            in_symbol(
                "log_aggregator.core.evidence.at_rest_plan:decode_plan",
                ("any((pack.verdict is Verdict.GOOD for pack in plan.judged))", "False"),
            ),
            proof=f"{_CHECK}::test_a_plan_cannot_call_a_pack_good",
        ),
        Mutant(
            "at-rest-plan-believed",
            "anyone who can write next to the packs can have them hashed at the caller's cost",
            in_symbol("log_aggregator.cli.at_rest:_agree_again", ("is_begun(job, plan)", "True")),
            proof="tests/unit/cli/test_verify_at_rest.py::test_a_forged_plan_costs_nothing",
        ),
        Mutant(
            "at-rest-dearer-than-agreed",
            "hashing starts even if it costs more than was agreed",
            in_symbol(
                "log_aggregator.cli.at_rest:_check_price",
                ("dollars > options.dollars_max and not options.is_agreed", "False"),
            ),
            proof="tests/unit/cli/test_verify_at_rest.py::test_nothing_above_the_price_limit_is_started",
        ),
    ),
)
