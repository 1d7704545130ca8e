"""The table of planted bugs fits the source as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.mutants.page import make_page
from tests.mutants.planting import SIMULATION, Mutant, mutate
from tests.mutants.proving import Outcome, judge
from tests.mutants.table import MUTANTS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_bug_can_be_planted(mutant: Mutant) -> None:
    """Every text that a bug replaces stands exactly once where it says, and what comes of it is Python."""
    planted = mutate(ROOT, mutant)
    assert all(text != (ROOT / path).read_text(encoding="utf-8") for path, text in planted.items())
    for path, text in planted.items():
        assert compile(text, str(path), "exec")


def test_bugs_have_names_of_their_own_and_proofs_that_exist() -> None:
    """No two bugs share a name, and every proof is there."""
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    for mutant in MUTANTS:
        for proof in [] if mutant.proof == SIMULATION else mutant.proof.split():
            assert (ROOT / proof.partition("::")[0]).exists(), proof


def test_the_page_is_up_to_date() -> None:
    """`python -m tests.mutants.run --list` gives the page as it is."""
    assert (ROOT / "docs" / "internals" / "planted-bugs.md").read_text(encoding="utf-8") == make_page()


@pytest.mark.parametrize(
    ("exit_code", "text", "outcome", "by"),
    [
        (0, "3 passed", Outcome.SURVIVED, ""),
        (
            1,
            "FAILED tests/unit/test_a.py::test_b[GetObject boto] - assert 1 == 2\n1 failed",
            Outcome.CAUGHT,
            "test_a.py::test_b[GetObject boto]",
        ),
        (1, "broken\nseed 17: something was lost", Outcome.CAUGHT, "seed 17"),
        (2, "ERROR collecting tests/unit/test_a.py", Outcome.BROKEN, ""),
        (4, "no such test", Outcome.BROKEN, ""),
    ],
)
def test_a_proof_is_judged_by_how_it_ended(exit_code: int, text: str, outcome: Outcome, by: str) -> None:
    """Only a test or a seed that fails has caught a bug; a proof that could not be run proves nothing."""
    verdict = judge(exit_code, text)
    assert (verdict.outcome, verdict.by) == (outcome, by)
