"""Finding the SAM CLI, and what is said when it fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployment.errors import DeploymentFailed
from deployment.samcli import Sam, find_sam
from log_aggregator.errors import CannotStart


def make_sam(folder: Path, body: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "sam"
    program.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    program.chmod(0o755)
    return program


def says(version: str) -> str:
    return f'echo "SAM CLI, version {version}"'


def test_the_one_on_path_comes_first(tmp_path: Path) -> None:
    program = make_sam(tmp_path / "bin", says("1.170.0"))
    make_sam(tmp_path / ".venv-sam" / "bin", says("1.170.0"))
    assert find_sam(tmp_path, str(tmp_path / "bin")) == str(program)


def test_one_that_is_too_old_is_passed_over(tmp_path: Path) -> None:
    """The folder's own is taken instead."""
    make_sam(tmp_path / "bin", says("1.99.9"))
    program = make_sam(tmp_path / ".venv-sam" / "bin", says("1.170.0"))
    assert find_sam(tmp_path, str(tmp_path / "bin")) == str(program)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (None, "there is no SAM CLI"),
        (says("1.153.1"), r"too old: .* is 1\.153\.1; 1\.154\.0 or newer"),
        ("echo hello", "does not say a version: hello"),
    ],
)
def test_no_usable_sam_says_how_to_get_one(tmp_path: Path, body: str | None, said: str) -> None:
    """Missing, too old, or something else of that name: each names `make .venv-sam`."""
    if body is not None:
        make_sam(tmp_path / "bin", body)
    with pytest.raises(CannotStart, match=said) as caught:
        find_sam(tmp_path, str(tmp_path / "bin"))
    assert "`make .venv-sam`" in caught.value.advice


def test_a_failure_shows_the_end_of_what_it_said(tmp_path: Path) -> None:
    """Without the lines of progress that sam writes over."""
    program = make_sam(
        tmp_path,
        r"i=0; while [ $i -lt 100 ]; do echo line $i; i=$((i+1)); done; "
        r"printf 'up 1%%\rup 2%%\rdone\n'; echo bad >&2; exit 1",
    )
    with pytest.raises(DeploymentFailed) as caught:
        Sam(str(program), tmp_path).run("build", "--parallel")
    lines = str(caught.value).splitlines()
    assert lines[0] == "sam build failed:"
    assert lines[-3:] == ["line 99", "done", "bad"]
    assert len(lines) <= 41


def test_sam_runs_where_the_template_is_with_our_variables(tmp_path: Path) -> None:
    program = make_sam(tmp_path, 'echo "$(pwd) $LAMBDA_PYTHON $SAM_CLI_TELEMETRY $1"')
    assert Sam(str(program), tmp_path, {"LAMBDA_PYTHON": "3.12"}).run("build").split() == [
        str(tmp_path.resolve()),
        "3.12",
        "0",
        "build",
    ]
