"""Planted bugs: what is believed before a deletion, and what is reported about it."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

TRUST = Section(
    "Evidence before deletion, and reporting",
    (
        Mutant(
            "time-is-no-identity",
            "without a version id, a later object with the same ETag is taken for the packed one",
            (
                *in_symbol(
                    "log_aggregator.model:LogObject.identity",
                    ("None if is_fixed(self.version_id) else self.last_modified", "None"),
                ),
                *in_symbol(
                    "log_aggregator.model:Member.identity",
                    ("None if is_fixed(self.version_id) else self.last_modified", "None"),
                ),
            ),
            proof="tests/unit/steps/packing/test_twins.py::test_a_later_twin_is_another_object",
        ),
        Mutant(
            "twins-believed",
            "an object that looks like a packed one is deleted although its bytes differ",
            in_symbol(
                "log_aggregator.steps.packing.delete:delete_originals",
                ("{each.identity: each for each in going if isinstance(each, Member)}", "{}"),
            ),
            proof="tests/unit/steps/packing/test_twins.py::test_a_twin_of_the_same_second_stays",
        ),
        Mutant(
            "hash-not-compared",
            "an original is read again before deletion, but its hash is not compared",
            in_symbol(
                "log_aggregator.steps.packing.compare:compare_original",
                ("is_same and running.length_bytes == member.size_bytes", "True"),
            ),
            proof="tests/unit/steps/packing/test_twins.py::test_a_twin_of_the_same_second_stays",
        ),
        Mutant(
            "taken-over-by-members",
            "an existing pack with the same name and members is adopted, whatever its bytes are",
            in_symbol(
                "log_aggregator.steps.packing.combine:_has_same_bytes",
                ("own.sha256 == other.sha256", "True"),
            ),
            proof="tests/unit/steps/packing/test_twins.py::test_a_pack_with_other_bytes_is_not_adopted",
        ),
        Mutant(
            "conditions-not-asked",
            "on a server that ignores the ETag of a deletion, overwritten objects are deleted",
            in_symbol(
                "log_aggregator.steps.packing.delete:OriginalDeleter._delete_versions",
                ("self.check_conditions(conditional)", "pass"),
            ),
            proof="tests/unit/steps/test_conditions.py::test_where_conditions_are_ignored_nothing_is_deleted",
        ),
        Mutant(
            "canary-by-its-answer",
            "a server that deletes an object despite a different ETag passes the check of "
            "conditional deletes",
            in_symbol(
                "log_aggregator.steps.conditions:_ask",
                (
                    """
                    if not codes:
                        return f"{where}: the server deleted it despite a different ETag"
                    """,
                    "",
                ),
            ),
            proof="tests/unit/steps/test_conditions.py::test_where_conditions_are_ignored_nothing_is_deleted",
        ),
        Mutant(
            "written-over-unseen",
            "a server that ignores If-None-Match passes the check, and packs can be overwritten",
            in_symbol(
                "log_aggregator.steps.conditions:_ask",
                ("_write(store, target, key, CANARY + b'\\n', options)", "False"),
            ),
            proof="tests/unit/steps/test_conditions.py::test_where_conditions_are_ignored_nothing_is_deleted",
        ),
        Mutant(
            "lost-answer-is-kept",
            "a deletion whose response was lost counts as not done",
            in_symbol(
                "log_aggregator.steps.packing.delete:OriginalDeleter._look_up",
                (
                    "there = {version.identity for each in found for version in each.versions} & asked",
                    "there = set(asked)",
                ),
            ),
            proof="tests/unit/steps/packing/test_unknown_outcomes.py::test_a_lost_answer_is_looked_up",
        ),
        Mutant(
            "unknown-is-nothing",
            "a deletion with an unknown outcome is not reported",
            in_symbol(
                "log_aggregator.steps.packing.delete:OriginalDeleter._look_up",
                ("report.unknown += len(asked)", "pass"),
            ),
            proof="tests/unit/steps/packing/test_unknown_outcomes.py::test_an_outcome_that_cannot_be_determined_is_unknown",
        ),
        Mutant(
            "no-opening",
            "a run deletes before it has written an opening record",
            in_symbol(
                "log_aggregator.steps.custody.keep:CustodyKeeper.begin",
                ("open_custody(self.job, span, window.first, window.last, groups)", "pass"),
            ),
            proof="tests/unit/steps/custody/test_custody.py::test_without_an_opening_nothing_is_touched",
        ),
        Mutant(
            "stopped-is-done",
            "the custody record of a run that failed halfway claims to be complete",
            in_symbol(
                "log_aggregator.steps.custody.write:is_all_known",
                (
                    "not any((entry.counts.unknown or entry.failures for entry in record.groups))",
                    "True",
                ),
            ),
            proof="tests/unit/steps/custody/test_recover.py::test_a_stopped_run_records_what_it_did",
        ),
        Mutant(
            "written-twice",
            "two custody records claim that their runs wrote the same pack",
            in_symbol(
                "log_aggregator.core.custody:GroupEntry.without_new",
                ("pack.is_new and pack.key not in claimed", "pack.is_new"),
            ),
            proof="tests/simulation/test_custody_chain.py::test_two_simultaneous_runs_both_leave_records",
        ),
        Mutant(
            "dead-runs-forgotten",
            "the packs and deletions of a killed run are in no custody record",
            in_symbol(
                "log_aggregator.steps.custody.keep:CustodyKeeper.finish",
                (
                    "recover_runs(self.job, result, RunSpan(self.run, now, now), self.archive_keys)",
                    "pass",
                ),
            ),
            proof="tests/simulation/test_custody_chain.py::test_a_killed_run_leaves_a_valid_chain",
        ),
        Mutant(
            "missing-permission-hidden",
            "every Region refuses to return its public keys, and the run still reports success",
            in_symbol(
                "log_aggregator.steps.cloudtrail.run_keys:_Asking.settle_refusals",
                ("refused.is_doubtful and (not self.has_answers)", "False"),
            ),
            proof="tests/unit/steps/cloudtrail/test_refusals.py::test_a_refusal_everywhere_is_a_failure_every_night",
        ),
        Mutant(
            "outage-taken-for-refusal",
            "after one throttled request, a Region's public keys are not requested for a month",
            in_symbol(
                "log_aggregator.steps.cloudtrail.run_keys:_Asking._ask_region",
                ("is_refusal(error)", "True"),
            ),
            proof="tests/unit/steps/cloudtrail/test_refusals.py::test_other_errors_stay_failures",
        ),
        Mutant(
            "note-of-a-day-to-come",
            "one forged note dated in the future stops a Region's public keys from ever being "
            "stored",
            in_symbol(
                "log_aggregator.steps.cloudtrail.refusals:read_refusals",
                ("day > today", "False"),
            ),
            proof="tests/unit/steps/cloudtrail/test_refusals.py::test_invalid_notes_are_ignored",
        ),
        Mutant(
            "chain-ended",
            "one object at the highest number stops all further custody records",
            in_symbol(
                "log_aggregator.steps.custody.chain:find_end",
                ("sequence == 0 or _has_place(store, found)", "True"),
            ),
            proof="tests/unit/steps/custody/test_chain_end.py::test_foreign_objects_do_not_end_the_chain",
        ),
        Mutant(
            "index-bomb",
            "a small forged index in the target exhausts the memory of anyone who reads it",
            in_symbol("log_aggregator.core.jsontext:inflate_lines", ("left_bytes < 0", "False")),
            proof="tests/unit/core/test_record_bombs.py",
        ),
        Mutant(
            "no-unicode-read",
            "half a surrogate pair in a file in the target crashes whatever prints or rewrites it",
            in_symbol("log_aggregator.core.jsontext:decode_json", ("encode_json(value)", "pass")),
            proof="tests/unit/core/test_jsontext.py",
        ),
        Mutant(
            "record-bomb",
            "a small forged custody record in the target exhausts the memory of anyone who reads "
            "it",
            in_symbol(
                "log_aggregator.core.custody:_inflate",
                (
                    "inflater.decompress(data, record_bytes_max(len(data)))",
                    "inflater.decompress(data)",
                ),
            ),
            proof="tests/unit/core/test_record_bombs.py",
        ),
        Mutant(
            "adopted-bomb",
            "a gzip bomb in an adopted aggregate is inflated completely",
            in_symbol(
                "log_aggregator.core.packformat.split:_Current.take",
                ("self._inflated_bytes > inflated_bytes_max(self._length_bytes)", "False"),
            ),
            proof="tests/unit/core/packformat/test_split.py::test_a_bomb_is_refused",
        ),
        Mutant(
            "window-without-record",
            "only the last window of a long run gets a custody record",
            in_symbol(
                "log_aggregator.steps.packing.run:_run_window",
                ("recorder.end(done)", "pass"),
            ),
            proof="tests/unit/steps/custody/test_recover.py::test_every_window_gets_its_own_record",
        ),
        Mutant(
            "counted-once-a-window",
            "keys without a date are counted once for each window of a range",
            in_symbol(
                "log_aggregator.steps.packing.selection:LeftKeys.add_window",
                ("not other.is_dateless", "True"),
            ),
            proof="tests/unit/steps/packing/test_selection.py::test_a_key_without_a_date_is_counted_once",
        ),
        Mutant(
            "a-log-in-the-cause",
            "a library error quotes an unreadable log line to Step Functions and the function's "
            "log",
            in_symbol(
                "log_aggregator.telemetry.foreign:tell_own",
                ("kind(name_place(error))", "kind(str(error))"),
            ),
            proof="tests/simulation/test_secrecy.py::test_foreign_error_texts_do_not_leak",
        ),
        Mutant(
            "a-log-in-the-trace",
            "a library error quotes an unreadable log line to X-Ray",
            in_symbol(
                "log_aggregator.telemetry.tracing:_describe_error",
                ("name_place(error)", "str(error)"),
            ),
            proof="tests/simulation/test_secrecy.py::test_foreign_error_texts_do_not_leak",
        ),
        Mutant(
            "a-line-in-the-message",
            "the error about a pack quotes the record that could not be decoded",
            in_symbol(
                "log_aggregator.core.jsontext:decoding",
                ("type(error).__name__", "error"),
            ),
            proof="tests/simulation/test_secrecy.py::test_a_single_wrong_value_is_not_quoted",
        ),
    ),
)
