"""What comes from CloudFormation, SAM and the command line, and acts on a terminal or hides."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support.hostile import HOSTILE, TYPED, find_harm
from tests.unit.deployment.fake_cloudformation import FakeCloudFormation
from tests.unit.deployment.test_changeset import run

from deployment import __main__ as entry
from deployment.command import announce, deploy, show_event
from deployment.rendering import Change, Output, render_changes, render_outputs
from deployment.samcli import Sam
from deployment.stack import Event
from log_aggregator.cli.printing import print_lines
from log_aggregator.errors import LogAggregatorError


def failing() -> FakeCloudFormation:
    return FakeCloudFormation(
        endings=[
            (
                "ROLLBACK_COMPLETE",
                [("Topic", "CREATE_FAILED", HOSTILE), ("logs", "ROLLBACK_COMPLETE", "")],
            )
        ]
    )


def failing_sam(folder: Path) -> Sam:
    """One that says why, and ends with an error."""
    program, said = folder / "sam", folder / "said"
    said.write_text(HOSTILE.replace("\r", ""), encoding="utf-8", newline="\n")
    program.write_text(f"#!/bin/sh\ncat '{said}'\nexit 1\n")
    program.chmod(0o700)
    return Sam(str(program), folder)


def call(monkeypatch: pytest.MonkeyPatch, work: Any, *arguments: str) -> tuple[str, str]:
    """What is written while the entry point does `work`, in place of deploying."""
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "argv", ["./deploy", *arguments])
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setattr(entry, "on_stop", lambda _: None)
    if work is not None:
        monkeypatch.setattr(deploy, "main", lambda **_: work())
    with pytest.raises(SystemExit):
        entry.main()
    return out.getvalue(), err.getvalue()


def test_nothing_that_aws_says_gets_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Changes, outputs, events, and the reasons of what failed; each is as many lines as it was."""

    def show() -> None:
        print_lines(render_changes([Change("Remove", HOSTILE, HOSTILE, physical_id=HOSTILE)]))
        print_lines(render_outputs([Output(HOSTILE, HOSTILE, HOSTILE)]))
        show_event(Event(HOSTILE, HOSTILE, HOSTILE, "UPDATE_FAILED", HOSTILE))
        announce(HOSTILE)
        sys.stderr.write(HOSTILE)

    out, err = call(monkeypatch, show)
    assert find_harm(out) == []
    assert [char for char in find_harm(err) if char != "q\nz"] == []
    assert "q\\x1bz" in out
    for fail in (
        lambda: run(failing()),
        lambda: run(FakeCloudFormation(refusal=HOSTILE)),
        lambda: failing_sam(tmp_path).run("build"),
    ):
        out, err = call(monkeypatch, fail)
        assert "q\\x1bz" in err
        assert [char for char in find_harm(out + err) if char != "q\nz"] == []


def test_a_reason_is_one_line() -> None:
    """Of CloudFormation; what SAM writes has lines of its own."""
    for cloudformation in (failing(), FakeCloudFormation(refusal=HOSTILE)):
        with pytest.raises(LogAggregatorError) as caught:
            run(cloudformation)
        assert find_harm(str(caught.value)) == []
        assert len(str(caught.value).split("\n")) == 2


@pytest.mark.parametrize(
    "arguments", [[f"--{TYPED}"], [TYPED], ["--parameter", TYPED], ["--config-file", TYPED]]
)
def test_nothing_that_is_typed_gets_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    out, err = call(monkeypatch, None, *arguments)
    assert find_harm(out + err) == []
    assert err != ""
