"""The table of planted bugs fits the source as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.mutants.page import make_page
from tests.mutants.planting import SIMULATION, Mutant, mutate
from tests.mutants.table import MUTANTS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_bug_can_be_planted(mutant: Mutant) -> None:
    """Every text that a bug replaces stands exactly once where it says, and what comes of it is Python."""
    for path, text in mutate(ROOT, mutant).items():
        compile(text, str(path), "exec")


def test_bugs_have_names_of_their_own_and_proofs_that_exist() -> None:
    """No two bugs share a name, and every proof is there."""
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    for mutant in MUTANTS:
        for proof in [] if mutant.proof == SIMULATION else mutant.proof.split():
            assert (ROOT / proof.partition("::")[0]).exists(), proof


def test_the_page_is_up_to_date() -> None:
    """`python -m tests.mutants.run --list` gives the page as it is."""
    assert (ROOT / "docs" / "internals" / "planted-bugs.md").read_text(encoding="utf-8") == make_page()
