"""Standard output and standard error that cannot be written to: full, closed, or without a
reader.
"""

from __future__ import annotations

import errno
import io
import json
import os
import sys
from pathlib import Path

import pytest
from tests.support.world import DAY, World, document, make_world, trail_key
from tests.unit.cli.conftest import Command

from log_aggregator.cli.printing import own_stream

FULL = Path("/dev/full")
RUN = ("run", "--delete-originals", "--other-buckets", "logs", "--date", str(DAY))
needs_full = pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")


class Filling(io.StringIO):
    """A stream with room until the first write, like a disk that fills up during a run."""

    def write(self, _text: str) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def filled() -> World:
    world = make_world()
    world.put("logs", trail_key(1), document(1))
    return world


@needs_full
def test_a_run_without_room_for_its_report_touches_nothing(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = filled()
    before = world.store.snapshot()
    with FULL.open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        done = command(world, *RUN)
    assert (done.code, world.store.snapshot()) == (3, before)
    assert "No space left on device" in done.err
    assert "Nothing was touched. Free some space" in done.err


def test_a_run_whose_reader_left_touches_nothing(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = filled()
    before = world.store.snapshot()
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        done = command(world, *RUN)
    assert (done.code, world.store.snapshot()) == (3, before)
    assert "standard output was closed by its reader" in done.err


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_report_that_does_not_fit_goes_to_standard_error(
    command: Command, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    """After deletion the report cannot be made again, so it goes to standard error, which also
    names the custody records already written.
    """
    world = filled()
    monkeypatch.setattr(sys, "stdout", Filling())
    done = command(world, *RUN, *more)
    assert not world.store.list_objects("logs").objects
    assert done.code == 1
    assert ('"deleted": 1' if more else "deleted    1 original") in done.err
    assert "the run is done, and its report is shown above" in done.err
    records = [found.key for found in world.store.list_objects("dest", prefix="custody/").objects]
    assert f"s3://dest/{records[-1]}" in done.err.splitlines()[-1]


@needs_full
@pytest.mark.parametrize(
    "words", [("find", "--date", str(DAY)), ("layouts", "list"), ("find", "--help")]
)
def test_a_result_that_does_not_fit_is_an_error_line(
    command: Command, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """The outcome is neither a traceback nor exit code 0."""
    world = filled()
    world.run()
    with FULL.open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        done = command(world, *words)
    assert done.code == 1
    assert done.err.startswith("log-aggregator: standard output: No space left on device\n")


@needs_full
@pytest.mark.parametrize("is_closed", [True, False])
def test_a_full_standard_error_stops_nothing(
    command: Command, monkeypatch: pytest.MonkeyPatch, is_closed: bool
) -> None:
    """A run continues where standard error is full or was closed by its parent."""
    world = filled()
    with FULL.open("w") as full:
        monkeypatch.setattr(sys, "stderr", None if is_closed else full)
        done = command(world, *RUN)
        own_stream(sys.stderr).close()
    assert (done.code, b"deleted    1 original" in done.out) == (0, True)


def test_a_closed_standard_output_is_accepted(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A closed stream discards the output; the exit code still gives the result."""
    world = filled()
    world.run()
    monkeypatch.setattr(sys, "stdout", None)
    assert command(world, "find", "--date", str(DAY)).code == 0
    own_stream(sys.stdout).close()


def test_a_bug_is_reported_in_json_too(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON names the place of the bug, not its message, which may quote a log. The traceback is for
    people.
    """

    def fail(*_: object) -> None:
        raise RuntimeError("a line of a log")

    out = io.StringIO()
    monkeypatch.setattr("log_aggregator.cli.find.find_packs", fail)
    monkeypatch.setattr(sys, "stdout", out)
    with pytest.raises(RuntimeError):
        command(filled(), "find", "--date", str(DAY), "--json")
    told = json.loads(out.getvalue())
    assert (told["error"], told["exit_code"]) == ("Unexpected", 1)
    assert "RuntimeError at log_aggregator/cli/find.py" in told["message"]
    assert "a line of a log" not in out.getvalue()
