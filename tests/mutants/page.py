"""The page docs/internals/planted-bugs.md, made from the table."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.mutants.planting import SIMULATION, Mutant
from tests.mutants.proving import SEEDS
from tests.mutants.table import MUTANTS, SECTIONS

_HEAD = """# Planted bugs

<!-- `python -m tests.mutants.run --list` makes this page from the table in tests/mutants/bugs. -->

The bugs that the tests are proven to catch: `make mutants` plants {count}, one at a time, each into a copy of the source, and shows that a test fails.
It exits with 1 if a bug survives, or can no longer be planted because the source has changed.
`python -m tests.mutants.run --only NAME` plants one of them.

*simulation* means the first {seeds} seeds of the simulator, [simulate.py](../../tests/simulation/simulate.py), which must catch {simulated} of the bugs.
Each of the others must be caught by a named test, because the simulator does not have that kind of fault, such as a header that is not sent.
Without a planted bug, the same tests and seeds must pass.
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
