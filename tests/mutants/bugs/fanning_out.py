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
    ),
)
