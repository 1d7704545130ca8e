"""Planted bugs: stalled servers, and stopping."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

DEADLINES = "tests/unit/adapters/test_deadlines.py"
PATIENCE = "tests/unit/adapters/test_patience.py"
STOPPING = "tests/unit/cli/test_stopping.py"

STALLS = Section(
    "Stalled servers and stopping",
    (
        Mutant(
            "deadline-never",
            "a request that receives one byte per second never ends",
            in_symbol(
                "log_aggregator.adapters.s3.wire:Wire._begin",
                ("WATCHDOG.watch(attempt)", "pass"),
            ),
            proof=f"{DEADLINES}::TestStalls::test_every_request_ends[trickle]",
        ),
        Mutant(
            "cut-body-is-whole",
            "a body of unknown length that was cut off at the deadline counts as complete",
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
            "a connection has no deadline until it is established: a TLS handshake or a proxy can "
            "hang forever",
            in_symbol(
                "log_aggregator.adapters.s3.wire:_WatchedConnection._new_conn",
                ("self._hold(sock)", "pass"),
            ),
            proof=f"{DEADLINES}::TestStalls::test_a_stalled_handshake_ends[silent]",
        ),
        Mutant(
            "reused-unwatched",
            "the next request on a reused connection has no deadline",
            in_symbol(
                "log_aggregator.adapters.s3.wire:_WatchedConnection.request",
                ("self._hold(self.sock)", "pass"),
            ),
            proof=f"{DEADLINES}::TestAfterwards::test_a_stall_on_a_reused_connection_ends",
        ),
        Mutant(
            "upload-unlimited",
            "an upload that the server stops reading is waited for as long as a full upload could "
            "take",
            in_symbol(
                "log_aggregator.adapters.s3.wire:_WatchedConnection._be_patient",
                (
                    "self.sock.settimeout(self.attempt.silence_seconds)",
                    "self.sock.settimeout(None)",
                ),
            ),
            proof=f"{DEADLINES}::TestStalls::test_an_upload_that_the_server_does_not_read_ends",
        ),
        Mutant(
            "roles-unlimited",
            "clients that botocore creates internally have no deadlines",
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
            proof=f"{DEADLINES}::TestStalls::test_assuming_a_role_has_a_deadline",
        ),
        Mutant(
            "deadline-of-the-first",
            "the watchdog sleeps until its first request is due, and requests with earlier "
            "deadlines overrun",
            in_symbol(
                "log_aggregator.adapters.s3.deadlines:Watchdog.watch",
                ("attempt.ends < self._looks_at", "False"),
            ),
            proof=f"{DEADLINES}::TestWatchdog::test_the_watchdog_wakes_for_the_earliest_deadline",
        ),
        Mutant(
            "stop-forgets-writes",
            "after Ctrl-C, a write that may have reached S3 is reported as not done",
            in_symbol(
                "log_aggregator.adapters.s3.deadlines:Attempt.make_error",
                ("Stopped()", "Interrupted('the run was stopped')"),
            ),
            proof=f"{DEADLINES}::TestStop::test_a_stop_interrupts_reads_first_and_writes_soon",
        ),
        Mutant(
            "silence-answered",
            "an answer to one operation hides that another is never answered",
            in_symbol(
                "log_aggregator.adapters.patience:PatientStore._note_answer",
                ("self._operations.pop(call.operation, None)", "self._operations.clear()"),
            ),
            proof=f"{PATIENCE}::test_a_silent_operation_is_tried_twice",
        ),
        Mutant(
            "silence-for-ever",
            "once S3 has not answered, nothing is ever requested again",
            in_symbol(
                "log_aggregator.adapters.patience:_Silence.is_closed",
                (
                    "self.calls >= self.calls_max and now < self.until",
                    "self.calls >= self.calls_max",
                ),
            ),
            proof=f"{PATIENCE}::test_after_a_minute_one_request_is_tried",
        ),
        Mutant(
            "stop-unheard",
            "a stop signal is ignored while the main thread waits in C code",
            in_symbol(
                "log_aggregator.signals:answering_stops",
                (
                    "before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)",
                    "before = -1",
                ),
            ),
            proof=f"{STOPPING}::TestHanging::test_hanging_threads_are_abandoned",
        ),
        Mutant(
            "stop-waits-for-threads",
            "after a stop, Python waits for threads that hang",
            in_symbol(
                "log_aggregator.steps.workers:ThreadWorkers.end",
                ("ending.join(self._leave_seconds_max)", "ending.join()"),
            ),
            proof=f"{STOPPING}::TestHanging::test_hanging_threads_are_abandoned",
        ),
    ),
)
