"""The `rehearse` command: it says what it will do, asks, and ends with the right exit code."""

from __future__ import annotations

import importlib
import json
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import pytest
from tests.unit.cli.conftest import Outcome

from log_aggregator.adapters.counting import CountingStore
from log_aggregator.cli import main
from log_aggregator.cli import rehearse as module
from log_aggregator.core.costs import PRICES
from log_aggregator.errors import AccessDenied
from log_aggregator.reports.rehearsal import WIDTHS, render_rehearsal
from log_aggregator.steps.promises import PROMISES
from log_aggregator.steps.rehearsal import life
from log_aggregator.steps.rehearsal import rehearse as rehearse_module
from log_aggregator.steps.rehearsal.life import STEPS
from log_aggregator_lab.stores.memory import MemoryStore
from log_aggregator_lab.stores.memory_hands import MemoryHands

ROOT = Path(__file__).parents[3]


class Hands(MemoryHands):
    """Hands that count requests, too."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)
        self.requests = Counter({"CreateBucket": 2})


@dataclass
class Shell:
    """`shell("--yes")` runs the command with these arguments."""

    monkeypatch: pytest.MonkeyPatch
    capture: Any
    store: MemoryStore = field(default_factory=MemoryStore)
    answer: str | None = None
    """What is typed on a terminal; None: there is none."""
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.hands = Hands(self.store)

    def __call__(self, *arguments: str) -> Outcome:
        self.monkeypatch.setattr(module, "connect", lambda *_: CountingStore(self.store))
        self.monkeypatch.setattr(module, "connect_hands", lambda *_: self.hands)
        self.monkeypatch.setattr(sys.stdin, "isatty", lambda: self.answer is not None)
        self.monkeypatch.setattr(click, "confirm", self.confirm)
        self.monkeypatch.setattr(sys, "argv", ["log-aggregator", "rehearse", *arguments])
        self.capture.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = self.capture.readouterr()
        assert isinstance(ended.value.code, int)
        return Outcome(ended.value.code, out, err.decode())

    def confirm(self, text: str, **_: object) -> bool:
        self.asked.append(text)
        return self.answer == "y"


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Shell:
    """A shell with a rehearsal of three promises and one step."""
    some = [
        each for each in PROMISES if each.name in ("delete-if-etag", "list-order", "legal-hold")
    ]
    monkeypatch.setattr(rehearse_module, "PROMISES", some)
    monkeypatch.setattr(life, "STEPS", STEPS[:1])
    monkeypatch.setattr(rehearse_module, "can_copy", lambda *_: False)
    return Shell(monkeypatch, capfdbinary)


def test_it_announces_what_it_will_do(shell: Shell) -> None:
    """It prints the place and the cost on standard error, then asks."""
    shell.answer = "n"
    outcome = shell()
    assert (outcome.code, outcome.out) == (3, b"")
    assert shell.asked == ["Continue?"]
    assert "It makes 2 buckets, and removes them again:" in outcome.err
    assert "at most $0.0" in outcome.err
    assert outcome.err.endswith("Nothing was written.\n")
    assert not shell.hands.exists("log-aggregator-rehearsal")
    assert shell.store.snapshot() == ()


def test_without_a_terminal_it_needs_yes(shell: Shell) -> None:
    outcome = shell()
    assert outcome.code == 2
    assert "--yes: expected it without a terminal" in outcome.err
    assert shell.hands.removed == []


def test_a_passing_rehearsal_shows_every_promise(shell: Shell) -> None:
    """The table gives the expected and the seen result of each promise."""
    outcome = shell("--yes")
    assert outcome.code == 0
    text = outcome.out.decode()
    assert "yes   DeleteObjects with an ETag deletes only" in text
    assert "a day of logs in a bucket without versions" in text
    assert "Everything that was made has been removed." in text
    assert text.endswith(
        "This S3 keeps every promise that safety depends on, and every log came back.\n"
    )
    assert all(len(line) <= sum(WIDTHS) for line in text.splitlines())


class NoConditions(MemoryStore):
    def delete_objects(self, bucket: str, deletions: Any) -> Any:
        for each in deletions:
            self.delete(bucket, each.key)
        return []


def test_a_broken_promise_exits_with_1(shell: Shell) -> None:
    shell.store = NoConditions()
    shell.hands = Hands(shell.store)
    outcome = shell("--yes")
    assert outcome.code == 1
    text = outcome.out.decode()
    assert "NO    DeleteObjects with an ETag" in text
    assert "broken: it deleted the object" in text
    assert "NOT SAFE: delete-if-etag" in text


def test_a_rehearsal_in_a_named_bucket_stays_under_its_prefix(shell: Shell) -> None:
    shell.store.create_bucket("mine")
    shell.store.put("mine", "k", b"mine")
    outcome = shell("--bucket", "mine", "--yes", "--json")
    told = json.loads(outcome.out)
    assert outcome.code == 0
    assert (told["bucket"], told["buckets_made"]) == ("mine", [])
    assert f"It writes and deletes under s3://mine/{told['prefix']}" in outcome.err
    assert shell.store.get_object("mine", "k").data == b"mine"
    assert len(shell.store.snapshot()) == 1


def test_a_missing_bucket_is_reported_first(shell: Shell) -> None:
    """A missing bucket is reported before any question."""
    outcome = shell("--bucket", "other", "--yes")
    assert outcome.code == 3
    assert "bucket 'other' cannot be examined" in outcome.err


def test_a_stop_prints_results_and_cleans_up(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """It also removes what it made."""

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(rehearse_module, "make_stage", stop)
    outcome = shell("--yes", "--json")
    told = json.loads(outcome.out)
    assert outcome.code == 130
    assert (told["stopped"], told["kept"], told["left"]) == (True, False, [])
    assert len(told["promises"]) == 3
    assert shell.store.snapshot() == ()


def test_leftovers_are_named_when_it_cannot_start(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second bucket cannot be made and the first cannot be removed."""
    create = shell.hands.create

    def create_first(bucket: str, *, has_lock: bool = False) -> None:
        if bucket.endswith("-versions"):
            raise AccessDenied("CreateBucket: AccessDenied", code="AccessDenied")
        create(bucket, has_lock=has_lock)

    def refuse(bucket: str) -> None:
        raise AccessDenied("DeleteBucket: AccessDenied", code="AccessDenied")

    monkeypatch.setattr(shell.hands, "create", create_first)
    monkeypatch.setattr(shell.hands, "remove", refuse)
    outcome = shell("--yes")
    assert (outcome.code, outcome.out) == (3, b"")
    assert "These could not be removed." in outcome.err
    assert "-plain: DeleteBucket: AccessDenied" in outcome.err


def flatten(value: Any, name: str = "") -> set[str]:
    """The names of a document's fields, as the page writes them."""
    if isinstance(value, dict):
        return {found for key, each in value.items() for found in flatten(each, f"{name}.{key}")}
    if isinstance(value, list):
        return {found for each in value for found in flatten(each, f"{name}[]")} or {f"{name}[]"}
    return {name.removeprefix(".")}


def test_the_fields_are_documented(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fields are exactly those of docs/reference/json.md, except that requests have their own
    names.
    """
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    fields = importlib.import_module("reference_pages.json_fields").json_fields("rehearse")
    told = json.loads(shell("--yes", "--json").out)
    count = sum(told["requests"].values())
    assert told["dollars_max"] == count * PRICES.standard.put_1000 / 1000
    told["requests"] = {"GetObject": 1}
    assert {name.removeprefix(".") for name in flatten(told)} == set(fields)


def test_leftovers_are_printed() -> None:
    described = {
        "promises": [],
        "lives": [],
        "left": ["bucket b: BucketNotEmpty"],
        "requests": {},
        "dollars_max": 0.0,
        "stopped": False,
        "kept": False,
    }
    lines = list(render_rehearsal(described))
    assert "These could not be removed. Remove them yourself:" in lines
    assert "  bucket b: BucketNotEmpty" in lines
    assert lines[-1].startswith("NOT SAFE: the removal of what was made failed.")
