"""The confirmation typed before originals are deleted."""

from __future__ import annotations

import sys

import click
import pytest

from log_aggregator.cli import delete
from log_aggregator.errors import CannotStart


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    answers: list[str] = []
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(click, "prompt", lambda *_, **__: answers.pop())
    return answers


@pytest.mark.parametrize("answer", ["1234", "1,234", " 1234 "])
def test_typing_the_number_of_originals_agrees(typed: list[str], answer: str) -> None:
    typed.append(answer)
    delete._ask(1234)
    assert typed == []


@pytest.mark.parametrize("answer", ["", "y", "yes", "123", "12345", "-1234"])
def test_anything_else_typed_does_not_agree(typed: list[str], answer: str) -> None:
    """Only the exact number confirms, because yes is typed too easily."""
    typed.append(answer)
    with pytest.raises(CannotStart, match="is not 1,234"):
        delete._ask(1234)
