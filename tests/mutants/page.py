"""The page docs/internals/planted-bugs.md, made from the table."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.mutants.planting import SIMULATION, Mutant
from tests.mutants.proving import SEEDS
from tests.mutants.table import MUTANTS, SECTIONS

_HEAD = """# Planted bugs

<!-- `python -m tests.mutants.run --list` makes this page from the table in tests/mutants/bugs. -->

A proof is worth what it can catch.
`make mutants` plants {count} bugs, one at a time, each into a copy of the source, and shows that the tests catch it.
It exits with 1 where a bug survives, or can no longer be planted because the source has changed.
`python -m tests.mutants.run --only NAME` plants one of them.

*simulation* means the simulator's first {seeds} seeds: [simulate.py](../../tests/simulation/simulate.py).
{simulated} of the bugs must be caught by it.
Each of the others must be caught by a test that is named: their faults are none that the simulator has, such as a header that is not sent.
The same tests and seeds must hold where no bug is planted.
"""


def make_page() -> str:
    simulated = sum(mutant.proof == SIMULATION for mutant in MUTANTS)
    return "".join(
        [_HEAD.format(count=len(MUTANTS), simulated=simulated, seeds=SEEDS), *_sections()]
    )


def _sections() -> Iterator[str]:
    for section in SECTIONS:
        yield (
            f"\n## {section.title}\n\n| bug | what it would do | where | caught by "
            "|\n|---|---|---|---|\n"
        )
        yield from (_row(mutant) for mutant in section.mutants)


def _row(mutant: Mutant) -> str:
    symbols = dict.fromkeys(edit.symbol.removeprefix("log_aggregator.") for edit in mutant.edits)
    where = ", ".join(f"`{symbol}`" for symbol in symbols)
    return f"| `{mutant.name}` | {mutant.harm} | {where} | {_proof(mutant.proof)} |\n"


def _proof(proof: str) -> str:
    if proof == SIMULATION:
        return SIMULATION
    return ", ".join(
        f"[{re.split('/|::', test)[-1]}](../../{test.partition('::')[0]})" for test in proof.split()
    )
