"""Planted bugs: deletion."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

DELETING = Section(
    "Deletion",
    (
        Mutant(
            "policy-without-denial",
            "a role that may delete originals by key prefix can also delete packs that share the "
            "prefix",
            in_symbol(
                "log_aggregator.steps.doctor.grants:plan_statements",
                ("Stage.DELETE in asked", "False"),
            ),
            proof="tests/unit/steps/doctor/test_grants.py::test_a_prefix_that_matches_the_destination_protects_packs",
        ),
        Mutant(
            "policy-for-anybodys-buckets",
            "a mistyped bucket name lets the role write to and delete from someone else's bucket",
            in_symbol(
                "log_aggregator.steps.doctor.grants:_by_account",
                (
                    "Statement(f'{sid}{named}', actions, tuple(arns), account)",
                    "Statement(f'{sid}{named}', actions, tuple(arns))",
                ),
            ),
            proof="tests/unit/steps/doctor/test_grants.py::test_policies_require_the_expected_owner",
        ),
        Mutant(
            "delete-by-key",
            "a deletion names only the key and not the version",
            in_symbol(
                "log_aggregator.steps.packing.delete:deletion_of",
                ("return Deletion(key, version_id=version_id)", "return Deletion(key, etag=etag)"),
            ),
        ),
        Mutant(
            "no-condition",
            "in a bucket without versions, an object that was overwritten since is deleted",
            in_symbol(
                "log_aggregator_lab.stores.memory:MemoryStore._delete",
                (
                    """
                    if deletion.etag is not None and current is not None and (current.etag != deletion.etag):
                        return 'PreconditionFailed'
                    """,
                    "",
                ),
            ),
        ),
        Mutant(
            "another-bucket",
            "originals are deleted from a different bucket than the one they were packed from",
            in_symbol(
                "log_aggregator.steps.packing.delete:delete_originals",
                ("deleter.bucket.name != pack.source_bucket", "False"),
            ),
            proof="tests/unit/steps/packing/test_delete.py",
        ),
        Mutant(
            "lost-errors",
            "objects that S3 refused to delete count as deleted",
            in_symbol(
                "log_aggregator.steps.packing.delete:Deleter._delete_batch",
                (
                    "retained = [failure for failure in failures if failure.code in _RETAINED]",
                    "retained = []",
                ),
            ),
            proof="tests/unit/steps/packing/test_delete.py::test_every_answer_is_counted_correctly",
        ),
        Mutant(
            "not-tried-again",
            "a SlowDown for some keys is not retried, and their group counts as deleted",
            in_symbol(
                "log_aggregator.steps.packing.delete:Deleter._delete_batch",
                (
                    """
                    if not waiting:
                        return staying
                    """,
                    "return staying",
                ),
            ),
            proof="tests/unit/steps/packing/test_delete.py::test_temporary_errors_are_retried",
        ),
        Mutant(
            "newest-first",
            "the newest version is deleted while an older one still exists",
            in_symbol(
                "log_aggregator.steps.packing.delete:OriginalDeleter.delete_in_order",
                (
                    "ready = [each for each in newest if not listed.has_older(each.key)]",
                    "ready = newest",
                ),
            ),
            proof="tests/unit/steps/packing/test_delete.py::test_a_retained_older_version_keeps_the_newest",
        ),
        Mutant(
            "newest-forgotten",
            "versions are deleted in any order",
            in_symbol(
                "log_aggregator.steps.packing.delete:ListedVersions.is_newest",
                ("return self._newest.get(identity[0]) == identity", "return False"),
            ),
        ),
        Mutant(
            "unreadable-version-left",
            "the newest version is deleted although an older one cannot be read and stays",
            (
                *in_symbol(
                    "log_aggregator.steps.packing.group:_without",
                    (
                        "source.identity not in gone and source.key not in staying",
                        "source.identity not in gone",
                    ),
                ),
                *in_symbol(
                    "log_aggregator.steps.packing.delete:OriginalDeleter.delete_in_order",
                    (
                        "ready = [each for each in newest if not listed.has_older(each.key)]",
                        "ready = newest",
                    ),
                ),
            ),
            proof="tests/unit/steps/packing/test_group.py::test_an_unreadable_older_version_keeps_its_key",
        ),
        Mutant(
            "hiding-marker-removed",
            "the delete marker that hides a key is removed",
            in_symbol(
                "log_aggregator.steps.packing.delete:delete_originals",
                (
                    "deleter.delete(_find_markers(pack, {member.key for member in going}), markers)",
                    """
                    page = deleter.store.list_object_versions(pack.source_bucket)
                    deleter.delete([Deletion(marker.key, version_id=marker.version_id) for marker in page.markers], markers)
                    """,
                ),
            ),
        ),
        Mutant(
            "deleted-keys-packed",
            "a key that someone deleted is packed, and its older versions are deleted",
            in_symbol(
                "log_aggregator.model:ListedKey.is_deleted",
                (
                    "not self.versions or (bool(self.markers) and (not any((version.is_latest for version in self.versions))))",
                    "not self.versions",
                ),
            ),
        ),
        Mutant(
            "null-marker-removed",
            "a log object that replaced an old delete marker is deleted unread",
            in_symbol(
                "log_aggregator.steps.packing.delete:_find_markers",
                ("key in keys and version_id != NULL_VERSION", "key in keys"),
            ),
            proof="tests/unit/steps/packing/test_delete.py::test_a_log_object_in_place_of_a_delete_marker_stays",
        ),
        Mutant(
            "older-null-deleted",
            "an older version that was delivered again in the meantime is deleted as the newest "
            "one",
            in_symbol(
                "log_aggregator.steps.packing.delete:OriginalDeleter.delete_in_order",
                (
                    "[each for each in others if not (listed.is_older(each.identity) and _can_be_replaced(each.version_id, versioning))]",
                    "others",
                ),
            ),
            proof="tests/unit/steps/packing/test_delete.py::test_an_older_null_version_stays",
        ),
        Mutant(
            "null-without-condition",
            "where versioning is suspended, an object that was overwritten since is deleted",
            in_symbol(
                "log_aggregator.steps.packing.delete:deletion_of",
                (
                    "return Deletion(key, version_id=version_id, etag=etag)",
                    "return Deletion(key, version_id=version_id)",
                ),
            ),
        ),
        Mutant(
            "discards-unlisted",
            "after a 409, the list of discards is assumed to exist, and logs are deleted without a "
            "trace",
            in_symbol(
                "log_aggregator.steps.packing.discard:discard",
                ("_check_list(deleter.store, target, key, data)", "pass"),
            ),
            proof="tests/unit/steps/packing/test_discard.py::test_a_list_with_a_conflict_is_checked",
        ),
        Mutant(
            "lists-by-their-names",
            "logs are discarded unlisted if a different list already has the same name",
            in_symbol(
                "log_aggregator.steps.packing.discard:_check_list",
                ("stored == data", "True"),
            ),
            proof="tests/unit/steps/packing/test_discard.py::test_a_list_is_checked_by_its_contents",
        ),
        Mutant(
            "discards-in-any-order",
            "discarding the newest version first makes an older one visible again",
            in_symbol(
                "log_aggregator.steps.packing.discard:discard",
                ("ListedVersions(ordered)", "ListedVersions([])"),
            ),
            proof="tests/unit/steps/packing/test_discard.py::test_discards_are_deleted_in_the_order_of_versions",
        ),
        Mutant(
            "refused-is-deleted",
            "objects that S3 refused to delete are counted as deleted in the run's report",
            in_symbol(
                "log_aggregator.steps.packing.delete:Deleter._delete_batch",
                (
                    "report.deleted += len(waiting) - len(failures) + len(gone)",
                    "report.deleted += len(waiting)",
                ),
            ),
            proof="tests/unit/steps/packing/test_delete.py::test_every_answer_is_counted_correctly",
        ),
        Mutant(
            "deletes-unasked",
            "originals are deleted although no one asked for it",
            in_symbol(
                "log_aggregator.steps.rules:GroupRules.keeps",
                ("self.stage is Stage.PACK", "False"),
            ),
            proof="tests/unit/steps/packing/test_run.py::test_nothing_is_deleted_without_being_requested",
        ),
        Mutant(
            "deletion-not-taken-back",
            "a stack told to keep originals continues to delete until its run ends",
            in_symbol(
                "log_aggregator.handlers.entry:Call.job_of",
                (
                    "stage = min(record.stage, job.rules.group.stage, key=list(Stage).index)",
                    "stage = record.stage",
                ),
            ),
            proof="tests/unit/handlers/test_entry.py::test_deletion_needs_both_the_old_and_the_new_setting",
        ),
        Mutant(
            "any-number-will-do",
            "originals are deleted whatever number is typed as confirmation",
            in_symbol(
                "log_aggregator.cli.delete:_ask",
                ("typed.replace(',', '').strip() != str(originals)", "not typed"),
            ),
            proof="tests/unit/cli/test_typing_the_number.py::test_anything_else_typed_does_not_agree",
        ),
        Mutant(
            "kept-too-short",
            "originals are deleted one day before keep_originals_days allows it",
            in_symbol(
                "log_aggregator.steps.rules:GroupRules.keeps",
                (
                    "return max(0, (today - since).days) < self.keep_originals_days",
                    "return max(0, (today - since).days) < self.keep_originals_days - 1",
                ),
            ),
            proof="tests/unit/steps/packing/test_run.py::test_originals_are_kept_for_the_configured_days",
        ),
    ),
)
