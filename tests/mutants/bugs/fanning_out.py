"""Planted bugs: functions."""

from __future__ import annotations

from tests.mutants.planting import Mutant, Section, in_file

FANNING_OUT = Section(
    "Functions",
    (
        Mutant(
            "silence-is-success",
            "a piece that died without a result counts as done",
            in_file(
                "steps/fanout/gather.py",
                (
                    '            return task, folder.read_failure(kind, task, "the listing did not end")\n',
                    "            return task, (Listed(), Counter())\n",
                ),
            ),
            proof="tests/simulation/test_statemachine.py tests/unit/steps/fanout",
        ),
        Mutant(
            "failures-of-items-lost",
            "what failed in a function is not taken down, and the run counts as good",
            in_file(
                "steps/fanout/settle.py",
                (
                    "        state.result.failures.append(Failure.of(str(state.result.group), error))\n",
                    "        str(error)\n",
                ),
            ),
            proof="tests/simulation/test_statemachine.py tests/unit/steps/fanout",
        ),
        Mutant(
            "deleted-on-trust",
            "the deleting function believes what the verifying one has said",
            in_file(
                "steps/fanout/settle.py",
                (
                    "                pack = verify_settling(store, state.result, settling, target, Level.CHECKSUM)\n",
                    "                pack = _trust(store, state.result, settling, target)\n",
                ),
                (
                    "def _each(",
                    "def _trust(store: ObjectStore, result: GroupResult, settling: Settling, target: object) -> object:\n    from types import SimpleNamespace\n\n    from log_aggregator.steps.ledger import read_index\n\n    index, _ = read_index(store, target, settling.pack_key)\n    stored = store.head_object(target.bucket, settling.pack_key)\n    return SimpleNamespace(target=target, index=index, stored=stored, source_bucket=index.group.bucket)\n\n\ndef _each(",
                ),
            ),
            proof="tests/simulation/test_statemachine.py::test_deletion_does_not_believe_its_input",
        ),
        Mutant(
            "unverified-passed",
            "a pack that failed its verification is settled all the same",
            in_file(
                "steps/fanout/settle.py",
                ("                passed.append(settling)\n", "                pass\n            passed.append(settling)\n"),
            ),
            proof="tests/unit/steps/fanout",
        ),
        Mutant(
            "newest-forgotten-on-the-way",
            "a work item forgets which version is the newest, and the order of deletion with it",
            in_file(
                "core/entries.py",
                ("datetime.fromisoformat(modified), storage_class, is_latest)", "datetime.fromisoformat(modified), storage_class)"),
            ),
            proof="tests/unit/steps/fanout",
        ),
        Mutant(
            "work-item-cut-short",
            "the rest of a work item that was cut short counts as if it had never been listed",
            in_file(
                "steps/fanout/workitems.py",
                (
                    '        if (head["format"], head["objects"]) != (FORMAT_VERSION, item.objects):\n',
                    '        if head["format"] != FORMAT_VERSION:\n',
                ),
            ),
            proof="tests/unit/steps/fanout",
        ),
        Mutant(
            "last-keys-unlisted",
            "what a listing function holds at its end becomes no work item",
            in_file("steps/fanout/tasks.py", ("        pass\n    cutter.flush()\n", "        pass\n")),
            proof="tests/unit/steps/fanout",
        ),
        Mutant(
            "verified-is-done",
            "a piece that died before its originals were deleted counts as done",
            in_file("steps/fanout/gather.py", ("        if step is not Step.DELETED:\n", "        if step is None:\n")),
            proof="tests/simulation/test_statemachine.py::test_a_function_that_always_dies_fails_the_run_and_keeps_the_originals",
        ),
        Mutant(
            "too-much-for-functions",
            "the state machine goes on although there is more than objects_max",
            in_file("steps/fanout/gather.py", ("    if objects > objects_max:\n", "    if False:\n")),
            proof="tests/simulation/test_statemachine.py::test_too_much_is_not_touched",
        ),
        Mutant(
            "second-result-counts",
            "a second call of a function writes over what the first one has said",
            in_file(
                "steps/fanout/folder.py",
                (
                    "        try:\n            self.store.put_object(",
                    "        try:\n            self.store.delete_objects(self.bucket, [__import__('log_aggregator').ports.Deletion(key, etag=e.etag) for e in self.store.list_objects(self.bucket, prefix=key).objects])\n            self.store.put_object(",
                ),
            ),
            proof="tests/unit/steps/fanout/test_folder.py",
        ),
    ),
)
