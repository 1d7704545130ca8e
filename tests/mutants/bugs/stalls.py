"""Planted bugs: servers that stall, and stops."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

DEADLINES = "tests/unit/adapters/test_deadlines.py"
PATIENCE = "tests/unit/adapters/test_patience.py"
STOPPING = "tests/unit/cli/test_stopping.py"

STALLS = Section(
    "Servers that stall, and stops",
    (
        Mutant(
            "deadline-never",
            "a request that gets a byte a second never ends",
            in_symbol(
                "log_aggregator.adapters.s3.wire:Wire._begin",
                ("WATCHDOG.watch(attempt)", "pass"),
            ),
            proof=f"{DEADLINES}::TestStalls::test_every_request_ends[trickle]",
        ),
        Mutant(
            "cut-body-is-whole",
            "a body without a length that a deadline cut is taken for the whole",
            in_symbol(
                "log_aggregator.adapters.s3.wire:Wire.send",
                (
                    """
                    if attempt.is_cut:
                        raise attempt.make_error()
                    """,
                    "",
                ),
            ),
            proof=f"{DEADLINES}::TestStalls::test_every_request_ends[trickle_endless]",
        ),
        Mutant(
            "handshake-unwatched",
            "a connection is watched only once it stands: a TLS handshake or a proxy may hang",
            in_symbol(
                "log_aggregator.adapters.s3.wire:_WatchedConnection._new_conn",
                ("self._hold(sock)", "pass"),
            ),
            proof=f"{DEADLINES}::TestStalls::test_a_handshake[silent]",
        ),
        Mutant(
            "reused-unwatched",
            "a connection that was used before is not watched for its next request",
            in_symbol(
                "log_aggregator.adapters.s3.wire:_WatchedConnection.request",
                ("self._hold(self.sock)", "pass"),
            ),
            proof=f"{DEADLINES}::TestAfterwards::test_a_connection_that_was_used_before",
        ),
        Mutant(
            "upload-unlimited",
            "a large part that nobody reads waits for as long as all of it might take",
            in_symbol(
                "log_aggregator.adapters.s3.wire:_WatchedConnection._be_patient",
                (
                    "self.sock.settimeout(self.attempt.silence_seconds)",
                    "self.sock.settimeout(None)",
                ),
            ),
            proof=f"{DEADLINES}::TestStalls::test_an_upload_that_nobody_reads",
        ),
        Mutant(
            "roles-unlimited",
            "clients that botocore makes by itself have no deadlines",
            in_symbol(
                "log_aggregator.adapters.s3.wire:GuardedSession.create_client",
                (
                    "guard(client, *self._limits)",
                    """
                    if arguments == ("s3",):
                        guard(client, *self._limits)
                    """,
                ),
            ),
            proof=f"{DEADLINES}::TestStalls::test_a_role_is_assumed",
        ),
        Mutant(
            "deadline-of-the-first",
            "the watchdog sleeps until its first request is over its end, and later ones wait",
            in_symbol(
                "log_aggregator.adapters.s3.deadlines:Watchdog.watch",
                ("attempt.ends < self._looks_at", "False"),
            ),
            proof=f"{DEADLINES}::TestWatchdog::test_it_wakes_for_the_soonest",
        ),
        Mutant(
            "stop-forgets-writes",
            "after a ctrl-C a write counts as not done, though it may have been",
            in_symbol(
                "log_aggregator.adapters.s3.deadlines:Attempt.make_error",
                ("Stopped()", "Interrupted('the run was stopped')"),
            ),
            proof=f"{DEADLINES}::TestStop::test_reads_end_at_once_writes_soon",
        ),
        Mutant(
            "silence-answered",
            "one operation that is answered hides that another never is",
            in_symbol(
                "log_aggregator.adapters.patience:PatientStore._note_answer",
                ("self._operations.pop(call.operation, None)", "self._operations.clear()"),
            ),
            proof=f"{PATIENCE}::test_an_operation_that_is_silent_is_asked_twice",
        ),
        Mutant(
            "silence-for-ever",
            "once S3 did not answer nothing is ever asked again",
            in_symbol(
                "log_aggregator.adapters.patience:_Silence.is_closed",
                (
                    "self.calls >= self.calls_max and now < self.until",
                    "self.calls >= self.calls_max",
                ),
            ),
            proof=f"{PATIENCE}::test_after_a_minute_one_is_tried",
        ),
        Mutant(
            "stop-unheard",
            "a stop is not heard while the main thread waits in C",
            in_symbol(
                "log_aggregator.signals:answering_stops",
                (
                    "before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)",
                    "before = -1",
                ),
            ),
            proof=f"{STOPPING}::TestHanging::test_what_never_ends_is_left",
        ),
        Mutant(
            "stop-waits-for-threads",
            "after a stop Python waits for threads that hang",
            in_symbol(
                "log_aggregator.steps.workers:ThreadWorkers.end",
                ("ending.join(self._leave_seconds_max)", "ending.join()"),
            ),
            proof=f"{STOPPING}::TestHanging::test_what_never_ends_is_left",
        ),
    ),
)
