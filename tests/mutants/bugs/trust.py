"""Planted bugs: what is believed before something is deleted, and what is told of it."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

TRUST = Section(
    "What is believed, and what is told",
    (
        Mutant(
            "time-is-no-identity",
            "where there is no version id, a later object of the same ETag is taken for the packed one",
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
            "what looks packed is deleted although its bytes are others",
            in_symbol(
                "log_aggregator.steps.packing.delete:delete_originals",
                ("{each.identity: each for each in going if isinstance(each, Member)}", "{}"),
            ),
            proof="tests/unit/steps/packing/test_twins.py::test_a_twin_of_the_same_second_stays",
        ),
        Mutant(
            "hash-not-compared",
            "an original is read again, and what came is not looked at",
            in_symbol(
                "log_aggregator.steps.packing.compare:compare_original",
                ("is_same and running.length_bytes == member.size_bytes", "True"),
            ),
            proof="tests/unit/steps/packing/test_twins.py::test_a_twin_of_the_same_second_stays",
        ),
        Mutant(
            "taken-over-by-members",
            "a pack of the same name and members is taken over, whatever its bytes are",
            in_symbol(
                "log_aggregator.steps.packing.combine:_has_same_bytes",
                ("own.sha256 == other.sha256", "True"),
            ),
            proof="tests/unit/steps/packing/test_twins.py::test_a_pack_of_other_bytes_is_not_taken_over",
        ),
        Mutant(
            "conditions-not-asked",
            "a server that ignores the ETag of a deletion deletes what was written over",
            in_symbol(
                "log_aggregator.steps.packing.delete:OriginalDeleter._delete_versions",
                ("self.check_conditions(conditional)", "pass"),
            ),
            proof="tests/unit/steps/test_conditions.py::test_where_it_is_ignored_nothing_is_deleted",
        ),
        Mutant(
            "canary-by-its-answer",
            "that a deletion was refused is believed of a server that deletes all the same",
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
            proof="tests/unit/steps/test_conditions.py::test_where_it_is_ignored_nothing_is_deleted",
        ),
        Mutant(
            "written-over-unseen",
            "a server that knows no If-None-Match counts as one that does",
            in_symbol(
                "log_aggregator.steps.conditions:_ask",
                ("_write(store, target, key, CANARY + b'\\n', options)", "False"),
            ),
            proof="tests/unit/steps/test_conditions.py::test_where_it_is_ignored_nothing_is_deleted",
        ),
        Mutant(
            "lost-answer-is-kept",
            "a deletion whose answer was lost counts as not done",
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
            "what nobody can say of a deletion is not told",
            in_symbol(
                "log_aggregator.steps.packing.delete:OriginalDeleter._look_up",
                ("report.unknown += len(asked)", "pass"),
            ),
            proof="tests/unit/steps/packing/test_unknown_outcomes.py::test_what_nobody_can_say_is_called_unknown",
        ),
        Mutant(
            "no-opening",
            "a run deletes before there is a record that it will",
            in_symbol(
                "log_aggregator.steps.custody.keep:CustodyKeeper.begin",
                ("open_custody(self.job, span, window.first, window.last, groups)", "pass"),
            ),
            proof="tests/unit/steps/custody/test_custody.py::test_without_an_opening_nothing_is_touched",
        ),
        Mutant(
            "stopped-is-done",
            "the record of a run that failed in the midst of something says that all is told",
            in_symbol(
                "log_aggregator.steps.custody.write:is_all_known",
                (
                    "not any((entry.counts.unknown or entry.failures for entry in record.groups))",
                    "True",
                ),
            ),
            proof="tests/unit/steps/custody/test_recover.py::test_a_stopped_run_tells_what_it_did",
        ),
        Mutant(
            "written-twice",
            "two records say of one pack that their runs wrote it",
            in_symbol(
                "log_aggregator.core.custody:GroupEntry.without_new",
                ("pack.is_new and pack.key not in claimed", "pack.is_new"),
            ),
            proof="tests/simulation/test_custody_chain.py::test_two_runs_at_once_leave_both_their_records",
        ),
        Mutant(
            "dead-runs-forgotten",
            "what a killed run packed and deleted stands in no record",
            in_symbol(
                "log_aggregator.steps.custody.keep:CustodyKeeper.finish",
                (
                    "recover_runs(self.job, result, RunSpan(self.run, now, now), self.archive_keys)",
                    "pass",
                ),
            ),
            proof="tests/simulation/test_custody_chain.py::test_a_killed_run_leaves_a_chain_that_verifies",
        ),
        Mutant(
            "missing-permission-hidden",
            "no Region gives its public keys, and the run ends well",
            in_symbol(
                "log_aggregator.steps.cloudtrail.run_keys:_Asking.settle_refusals",
                ("refused.is_doubtful and (not self.has_answers)", "False"),
            ),
            proof="tests/unit/steps/cloudtrail/test_refusals.py::test_a_refusal_everywhere_is_a_failure_every_night",
        ),
        Mutant(
            "outage-taken-for-refusal",
            "a Region that throttles once is not asked for its public keys for a month",
            in_symbol(
                "log_aggregator.steps.cloudtrail.run_keys:_Asking._ask_region",
                ("is_refusal(error)", "True"),
            ),
            proof="tests/unit/steps/cloudtrail/test_refusals.py::test_what_is_no_refusal_stays_a_failure",
        ),
        Mutant(
            "note-of-a-day-to-come",
            "whoever writes one note keeps a Region's public keys from being kept for good",
            in_symbol(
                "log_aggregator.steps.cloudtrail.refusals:read_refusals",
                ("day > today", "False"),
            ),
            proof="tests/unit/steps/cloudtrail/test_refusals.py::test_notes_that_are_not_believed",
        ),
        Mutant(
            "chain-ended",
            "one object under the highest number ends custody records for good",
            in_symbol(
                "log_aggregator.steps.custody.chain:find_end",
                ("sequence == 0 or _has_place(store, found)", "True"),
            ),
            proof="tests/unit/steps/custody/test_chain_end.py::test_nobody_ends_the_chain",
        ),
        Mutant(
            "index-bomb",
            "a few bytes in the target take all memory of whoever reads them as an index",
            in_symbol("log_aggregator.core.jsontext:inflate_lines", ("left_bytes < 0", "False")),
            proof="tests/unit/core/test_record_bombs.py",
        ),
        Mutant(
            "no-unicode-read",
            "half a surrogate pair in the target ends whoever prints it or writes it down again",
            in_symbol("log_aggregator.core.jsontext:decode_json", ("encode_json(value)", "pass")),
            proof="tests/unit/core/test_jsontext.py",
        ),
        Mutant(
            "record-bomb",
            "a few bytes in the target take all memory of whoever reads them as a custody record",
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
            "an aggregate with a gzip bomb in it is inflated to its end",
            in_symbol(
                "log_aggregator.core.packformat.split:_Current.take",
                ("self._inflated_bytes > inflated_bytes_max(self._length_bytes)", "False"),
            ),
            proof="tests/unit/core/packformat/test_split.py::test_a_bomb_is_refused",
        ),
        Mutant(
            "window-without-record",
            "of a long run only the last window is told",
            in_symbol(
                "log_aggregator.steps.packing.run:_run_window",
                ("recorder.end(done)", "pass"),
            ),
            proof="tests/unit/steps/custody/test_recover.py::test_every_window_is_told_by_itself",
        ),
        Mutant(
            "counted-once-a-window",
            "keys without a date count once for each window of a range",
            in_symbol(
                "log_aggregator.steps.packing.selection:LeftKeys.add_window",
                ("not other.is_dateless", "True"),
            ),
            proof="tests/unit/steps/packing/test_selection.py::test_what_has_no_date_counts_once",
        ),
        Mutant(
            "a-log-in-the-cause",
            "what a library says of a line that it cannot read reaches Step Functions and the log",
            in_symbol(
                "log_aggregator.telemetry.foreign:tell_own",
                ("kind(name_place(error))", "kind(str(error))"),
            ),
            proof="tests/simulation/test_secrecy.py::test_foreign_errors_do_not_take_their_text_along",
        ),
        Mutant(
            "a-log-in-the-trace",
            "what a library says of a line that it cannot read reaches X-Ray",
            in_symbol(
                "log_aggregator.telemetry.tracing:_describe_error",
                ("name_place(error)", "str(error)"),
            ),
            proof="tests/simulation/test_secrecy.py::test_foreign_errors_do_not_take_their_text_along",
        ),
        Mutant(
            "a-line-in-the-message",
            "a record that cannot be decoded is quoted in the error of the pack that it is of",
            in_symbol(
                "log_aggregator.core.jsontext:decoding",
                ("type(error).__name__", "error"),
            ),
            proof="tests/simulation/test_secrecy.py::test_one_value_that_is_wrong_is_not_quoted",
        ),
    ),
)
