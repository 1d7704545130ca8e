"""The table of planted bugs fits the current source."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from tests.mutants.page import make_page
from tests.mutants.planting import SIMULATION, DoesNotApply, Edit, Mutant, mutate
from tests.mutants.proving import Outcome, judge
from tests.mutants.table import MUTANTS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_bug_can_be_planted(mutant: Mutant) -> None:
    """The code to be replaced occurs exactly once in its place, and the replacement differs."""
    planted = mutate(ROOT, mutant)
    for path, text in planted.items():
        source = (ROOT / path).read_text(encoding="utf-8")
        assert text != ast.unparse(ast.parse(source)) + "\n"
        assert compile(text, str(path), "exec")


def test_bugs_have_unique_names_and_existing_proofs() -> None:
    """Each bug has a distinct name, and every proof exists."""
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    for mutant in MUTANTS:
        for proof in [] if mutant.proof == SIMULATION else mutant.proof.split():
            assert (ROOT / proof.partition("::")[0]).exists(), proof


def test_the_page_is_up_to_date() -> None:
    """`python -m tests.mutants.run --list` gives the page as it is."""
    assert (ROOT / "docs" / "internals" / "planted-bugs.md").read_text(
        encoding="utf-8"
    ) == make_page()


CODE = """
class Store:
    limit: int = 3

    def get(self, key):
        if key in self.gone:
            raise KeyError(key)
        return self.held[key]

def put(store, key):
    store.held[key] = [1, 2]
    store.held[key] = [1, 2]
    store.send(key, if_none="*", size=3)
"""


@pytest.mark.parametrize(
    ("symbol", "old", "new", "lines"),
    [
        ("Store.get", "key in self.gone", "False", ["if False:"]),
        (
            "Store.get",
            "if key in self.gone:\n  raise KeyError( key )",
            "",
            ["return self.held[key]"],
        ),
        ("Store.get", "raise KeyError(key)", "", ["pass"]),
        ("Store.limit", "3", "4", ["limit: int = 4"]),
        (
            "put",
            "store.held[key] = [1,\n 2]\n" * 2,
            "put(store, 1)",
            ["put(store, 1)"],
        ),
        ("put", 'if_none="*"', "", ["store.send(key, size=3)"]),
        ("put", "3", "4", ["store.send(key, if_none='*', size=4)"]),
    ],
)
def test_code_is_found_however_it_is_formatted(
    symbol: str, old: str, new: str, lines: list[str]
) -> None:
    """Expressions and statements are found by their syntax, whatever their line breaks."""
    tree = ast.parse(CODE)
    Edit(f"module:{symbol}", old, new).apply(tree)
    after = [line.strip() for line in ast.unparse(tree).splitlines()]
    assert [line for line in after if line in lines] == lines
    assert ast.dump(tree) != ast.dump(ast.parse(CODE))


@pytest.mark.parametrize(
    ("symbol", "old", "new"),
    [
        ("put", "store.held[key] = [1, 2]", ""),
        ("get", "key", ""),
        ("Store.get", "key in self.lost", ""),
        ("Store.get", "key in self.gone", "pass"),
        ("Store.take", "1", ""),
        ("put", "if_none='*'", "if_none='+'"),
    ],
)
def test_an_ambiguous_bug_is_not_planted(symbol: str, old: str, new: str) -> None:
    """It needs a person's attention: no bug is planted by guesswork."""
    with pytest.raises(DoesNotApply):
        Edit(f"module:{symbol}", old, new).apply(ast.parse(CODE))


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
def test_a_proof_is_judged_by_its_outcome(
    exit_code: int, text: str, outcome: Outcome, by: str
) -> None:
    """Only a failing test or seed has caught a bug; a proof that could not run shows nothing."""
    verdict = judge(exit_code, text)
    assert (verdict.outcome, verdict.by) == (outcome, by)
