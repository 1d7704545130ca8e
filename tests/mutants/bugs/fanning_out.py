"""Planted bugs: the functions of the stack."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

FANNING_OUT = Section(
    "Functions",
    (
        Mutant(
            "silence-is-success",
            "a task that died without a result counts as done",
            in_symbol(
                "log_aggregator.steps.fanout.gather:_read_listed",
                (
                    "return (task, folder.read_failure(kind, task, 'the listing did not finish'))",
                    "return (task, (Listed(), Counter()))",
                ),
            ),
            proof="tests/simulation/test_statemachine.py::test_a_function_that_always_dies_fails_the_run_and_keeps_originals",
        ),
        Mutant(
            "failures-of-items-lost",
            "failures inside a function are not recorded, and the run counts as good",
            in_symbol(
                "log_aggregator.steps.fanout.settle:_failures_of",
                (
                    "state.result.failures.append(Failure.of(str(state.result.group), error))",
                    "str(error)",
                ),
            ),
            proof="tests/unit/steps/fanout/test_settle.py::test_a_failed_group_does_not_stop_the_others",
        ),
        Mutant(
            "deleted-on-trust",
            "the deleting function trusts its input instead of verifying the pack again",
            in_symbol(
                "log_aggregator.steps.fanout.settle:ItemWork.delete",
                (
                    "pack = work.verify(state.result, settling, Level.CHECKSUM)",
                    """
                    from types import SimpleNamespace

                    from log_aggregator.steps.packs.index import read_index

                    index = read_index(work.store, work.target, settling.pack_key).decode()
                    stored = work.store.head_object(work.target.bucket, settling.pack_key)
                    source_bucket = index.group.bucket
                    pack = SimpleNamespace(
                        target=work.target, index=index, stored=stored, source_bucket=source_bucket
                    )
                    """,
                ),
            ),
            proof="tests/simulation/test_statemachine.py::test_deletion_verifies_the_pack_again",
        ),
        Mutant(
            "unverified-passed",
            "a pack that failed verification is passed on to be settled",
            in_symbol(
                "log_aggregator.steps.fanout.settle:ItemWork.verify",
                (
                    """
                    with _failures_of(state), self.watch(group):
                        target = rules.target(group.bucket)
                        verify_settling(store, target, state.result, settling, rules.group.level)
                        passed.append(settling)
                    """,
                    """
                    with _failures_of(state), self.watch(group):
                        target = rules.target(group.bucket)
                        verify_settling(store, target, state.result, settling, rules.group.level)
                    passed.append(settling)
                    """,
                ),
            ),
            proof="tests/unit/steps/fanout/test_settle.py::test_only_verified_packs_are_passed_on",
        ),
        Mutant(
            "newest-forgotten-on-the-way",
            "a work item forgets which version is the newest, so versions are deleted in any order",
            in_symbol(
                "log_aggregator.core.listed:decode_log_object",
                (
                    "LogObject(bucket, key, version_id, etag, size_bytes, datetime.fromisoformat(modified), storage_class, is_latest)",
                    "LogObject(bucket, key, version_id, etag, size_bytes, datetime.fromisoformat(modified), storage_class)",
                ),
            ),
            proof="tests/unit/steps/fanout/test_workitems.py::test_an_item_survives_encoding",
        ),
        Mutant(
            "work-item-cut-short",
            "the missing end of a truncated work item counts as never listed",
            in_symbol(
                "log_aggregator.steps.fanout.workitems:decode_item",
                (
                    "(head['format'], head['objects']) != (FORMAT_VERSION, item.objects)",
                    "head['format'] != FORMAT_VERSION",
                ),
            ),
            proof="tests/unit/steps/fanout/test_workitems.py::test_an_incomplete_item_is_refused",
        ),
        Mutant(
            "last-keys-unlisted",
            "the last keys a listing function holds are not written to any work item",
            in_symbol("log_aggregator.steps.fanout.tasks:list_task", ("cutter.flush()", "")),
            proof="tests/unit/steps/fanout/test_tasks.py::test_tasks_find_the_same_as_a_single_process",
        ),
        Mutant(
            "verified-is-done",
            "a work item whose function died before deleting its originals counts as done",
            in_symbol(
                "log_aggregator.steps.fanout.gather:_take_items",
                ("step is not Step.DELETED", "step is None"),
            ),
            proof="tests/simulation/test_statemachine.py::test_a_function_that_always_dies_fails_the_run_and_keeps_originals",
        ),
        Mutant(
            "too-much-for-functions",
            "the state machine continues although there are more than objects_max log objects",
            in_symbol(
                "log_aggregator.steps.fanout.gather:gather_items",
                ("objects > objects_max", "False"),
            ),
            proof="tests/simulation/test_statemachine.py::test_a_run_over_the_limit_touches_nothing",
        ),
        Mutant(
            "second-result-counts",
            "a repeated call of a function overwrites the result of the first",
            in_symbol(
                "log_aggregator.steps.fanout.folder:RunFolder.write",
                (
                    "self.store.put_object(self.bucket, key, data, crc64nvme=crc64nvme(data), options=WriteOptions(content_type='application/json'))",
                    """
                    self.store.delete_objects(self.bucket, [__import__('log_aggregator').ports.Deletion(key, etag=e.etag) for e in self.store.list_objects(self.bucket, prefix=key).objects])
                    self.store.put_object(self.bucket, key, data, crc64nvme=crc64nvme(data), options=WriteOptions(content_type='application/json'))
                    """,
                ),
            ),
            proof="tests/unit/steps/fanout/test_folder.py::test_the_first_result_of_a_piece_counts",
        ),
        Mutant(
            "declarations-of-another-run",
            "a function uses other declared layouts than the ones its run recorded",
            in_symbol(
                "log_aggregator.handlers.entry:Call.job_of",
                ("record.layouts", "self.settings.layouts"),
            ),
            proof="tests/unit/handlers/test_declared_layouts.py::test_declared_logs_are_packed",
        ),
        Mutant(
            "unreadable-is-undeclared",
            "if access to the declared layouts is denied, the run continues as if there were none",
            in_symbol(
                "log_aggregator.handlers.prepare:read_layouts",
                ("NotFound", "(NotFound, AccessDenied)"),
            ),
            proof="tests/unit/handlers/test_declared_layouts.py::test_an_unreadable_file_does_not_count_as_missing",
        ),
        Mutant(
            "manifests-are-logs",
            "the work bucket is packed if its name matches the pattern of an auxiliary bucket",
            in_symbol(
                "log_aggregator.handlers.entry:_run",
                (
                    "make_rules(settings, DateWindow(today, today)).holding(work_bucket)",
                    "make_rules(settings, DateWindow(today, today))",
                ),
            ),
            proof="tests/unit/handlers/test_declared_layouts.py::test_the_work_bucket_is_never_touched",
        ),
        Mutant(
            "other-days-resolved",
            "a run that never looked at a day reports nothing left there, and its alarm ends",
            in_symbol(
                "log_aggregator.steps.fanout.outstanding:_is_gone",
                (
                    "return seen.is_nightly and seen.is_whole and (place[0] not in seen.buckets)",
                    "return not seen.covers(place)",
                ),
            ),
            proof="tests/simulation/test_alarms.py::test_nightly_runs_do_not_end_an_alarm_from_history",
        ),
        Mutant(
            "failed-run-resolves",
            "an aborted run ends the alarm about places it never reached",
            in_symbol(
                "log_aggregator.steps.fanout.outstanding:Seen.doubts",
                ("not self.is_whole or place in self.doubtful", "False"),
            ),
            proof="tests/simulation/test_alarms.py::test_an_aborted_run_resolves_nothing",
        ),
        Mutant(
            "any-run-is-a-night",
            "a run of a single day silences the alarm for missed nightly runs",
            in_symbol(
                "log_aggregator.handlers.prepare:Asked.is_nightly",
                ("return looks_back and (not named) and (not self.dry_run)", "return True"),
            ),
            proof="tests/simulation/test_alarms.py::test_only_a_full_nightly_run_counts_as_a_night",
        ),
        Mutant(
            "silent-window-is-done",
            "a window of history that reported no result counts as done",
            in_symbol(
                "log_aggregator.handlers.finish_history:handler",
                (
                    "window['input']['start_date'] not in done",
                    "window['name'] in done",
                ),
            ),
            proof="tests/simulation/test_statemachine.py::test_a_history_runs_in_windows_and_can_be_resumed",
        ),
        Mutant(
            "unmerged-counts-as-done",
            "a merge that ran out of time reports that all terms are in tables",
            in_symbol(
                "log_aggregator.handlers.merge_terms:handler",
                (
                    "_describe(folder.run, Merged(), is_done=False)",
                    "_describe(folder.run, Merged(), is_done=True)",
                ),
            ),
            proof="tests/simulation/test_merging_terms.py::test_a_merge_can_take_several_calls",
        ),
        Mutant(
            "unreadable-terms-are-silent",
            "terms that cannot be read are missing from every table, and no alarm reports it",
            in_symbol(
                "log_aggregator.steps.fanout.merging:_describe",
                ("len(result.failures)", "0"),
            ),
            proof="tests/simulation/test_merging_terms.py::test_unreadable_terms_are_reported_and_the_rest_is_merged",
        ),
        Mutant(
            "tables-with-the-key-of-packs",
            "search tables are encrypted with the packs' key, so anyone who can decrypt packs can "
            "read them",
            in_symbol(
                "log_aggregator.steps.search.after_run:table_options",
                ("terms.write.kms_key_id", "combine.index.kms_key_id"),
            ),
            proof="tests/unit/steps/search/test_after_run.py::test_terms_and_packs_have_separate_keys",
        ),
    ),
)
