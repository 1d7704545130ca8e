"""Planted bugs: what a rehearsal touches, and what it reports about the server."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_symbol

REHEARSALS = "tests/unit/steps/rehearsal/test_rehearse.py"

REHEARSING = Section(
    "Rehearsals",
    (
        Mutant(
            "room-without-walls",
            "a rehearsal in a named bucket deletes objects with the same keys outside its prefix",
            in_symbol(
                "log_aggregator.adapters.rooms:RoomStore.delete_objects",
                ("replace(each, key=room.outer(each.key))", "each"),
            ),
            proof="tests/unit/adapters/test_rooms.py::test_only_keys_under_the_prefix_are_deleted",
        ),
        Mutant(
            "prefix-believed",
            "if a server ignores the prefix of a listing, the rehearsal deletes everything the "
            "server lists",
            in_symbol(
                "log_aggregator.steps.rehearsal.places:_empty",
                ("any(not entry.key.startswith(prefix) for entry in entries)", "False"),
            ),
            proof=f"{REHEARSALS}::test_a_server_that_ignores_the_prefix_loses_nothing",
        ),
        Mutant(
            "probes-clear-strangers",
            "a probe deletes everything a listing returns, including objects outside its prefix",
            in_symbol(
                "log_aggregator.adapters.s3.scratch:BotoHands.clear",
                ("[each for each in entries if each.key.startswith(prefix)]", "entries"),
            ),
            proof="tests/unit/adapters/test_scratch.py::test_keys_outside_the_prefix_are_never_deleted",
        ),
        Mutant(
            "bucket-taken-over",
            "an existing bucket is mistaken for one that the rehearsal made, and is removed at the "
            "end",
            in_symbol(
                "log_aggregator.steps.rehearsal.places:_make",
                ("buckets.exists(place.bucket)", "False"),
            ),
            proof=f"{REHEARSALS}::test_an_existing_bucket_is_not_taken_for_a_new_one",
        ),
        Mutant(
            "losses-not-looked-for",
            "a rehearsal that lost an original still passes",
            in_symbol(
                "log_aggregator.steps.rehearsal.stage:Stage.find_lost",
                ("gone - self.read_packed(job, gone) if gone else set()", "set()"),
            ),
            proof=f"{REHEARSALS}::test_a_lost_original_is_noticed",
        ),
        Mutant(
            "broken-promise-passes",
            "a server that deletes an object despite a different ETag passes",
            in_symbol(
                "log_aggregator.steps.rehearsal.rehearse:is_unsafe",
                ("(Seen.BROKEN, Seen.REFUSED)", "(Seen.REFUSED,)"),
            ),
            proof="tests/unit/cli/test_rehearse_command.py::test_a_broken_promise_exits_with_1",
        ),
        Mutant(
            "killed-run-goes-on",
            "the run to be killed is not killed, so the rehearsal never tests what a kill leaves",
            in_symbol(
                "log_aggregator.adapters.mortal:MortalStore._call",
                ("self._is_dead.set()", "pass"),
            ),
            proof="tests/unit/adapters/test_mortal.py::test_the_last_call_before_death_takes_effect",
        ),
    ),
)
