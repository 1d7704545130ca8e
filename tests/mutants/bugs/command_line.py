"""Planted bugs: how the command line reports failures."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

CODES = "tests/unit/cli/test_exit_codes.py"
ROOM = "tests/unit/cli/test_no_room.py"
STREAMS = "tests/unit/cli/test_full_streams.py"

COMMAND_LINE = Section(
    "How commands report failure",
    (
        Mutant(
            "nothing-was-touched-is-believed",
            "a put-back that already wrote something exits with 3 and `Nothing was touched`",
            in_symbol(
                "log_aggregator.adapters.counting:CountingStore.has_written",
                (
                    "count and (not operation.startswith(_READING))",
                    "count and operation == 'DeleteObjects'",
                ),
            ),
            proof=f"{CODES}::test_a_failure_after_a_write_exits_with_1",
        ),
        Mutant(
            "no-answer-is-a-finding",
            "a network failure looks like damaged packs: the exit code is 1",
            in_symbol(
                "log_aggregator.wiring:_NO_RESULT",
                (
                    "(AccessDenied, NoSuchBucket, NotAuthenticated, Unreachable, WrongSignature)",
                    "(AccessDenied, NoSuchBucket, NotAuthenticated, WrongSignature)",
                ),
            ),
            proof=f"{CODES}::test_without_access_to_s3_every_command_exits_with_3",
        ),
        Mutant(
            "deletes-for-a-report-without-a-place",
            "a run starts although its report cannot be written to standard output",
            in_symbol("log_aggregator.cli.run:do_run", ("require_room()", "pass")),
            proof=f"{STREAMS}::test_a_run_without_room_for_its_report_touches_nothing",
        ),
        Mutant(
            "report-is-lost",
            "if standard output fills up during a run, the report of what it deleted is lost",
            in_symbol(
                "log_aggregator.cli.lasting:print_lasting_report",
                ("print_report_to_stderr(described, lines, as_json=as_json)", "pass"),
            ),
            proof=f"{STREAMS}::test_a_report_that_does_not_fit_goes_to_standard_error",
        ),
        Mutant(
            "deletion-without-a-place-for-its-report",
            "`delete` starts although its report cannot be written to standard output",
            in_symbol("log_aggregator.cli.delete:delete", ("    require_room()\n", "")),
            proof=f"{ROOM}::test_a_full_standard_output_is_reported",
        ),
        Mutant(
            "file-takes-the-place-of-a-device",
            "output to /dev/full or /dev/null replaces the device with a file, for everyone",
            in_symbol(
                "log_aggregator.cli.output:is_taken",
                ("path.exists() and not path.is_file()", "path.is_dir()"),
            ),
            proof=f"{ROOM}::test_a_device_that_appeared_meanwhile_is_not_replaced",
        ),
        Mutant(
            "full-stderr-ends-a-run",
            "a progress line that cannot be written aborts the command",
            in_symbol(
                "log_aggregator.cli.printing:_putting_out",
                ("stream is not own_stream(sys.stderr)", "True"),
            ),
            proof=f"{STREAMS}::test_a_full_standard_error_stops_nothing",
        ),
    ),
)
