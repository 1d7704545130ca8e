"""Finding the SAM CLI, and calling it."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployment.errors import DeploymentFailed
from deployment.samcli import find_sam, run
from log_aggregator.errors import CannotStart


def make_sam(folder: Path, body: str) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "sam"
    program.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    program.chmod(0o755)
    return str(program)


def says(version: str) -> str:
    return f'echo "SAM CLI, version {version}"'


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "bin"


def test_sam_on_the_path_comes_first(tmp_path: Path, path: Path) -> None:
    program = make_sam(path, says("1.170.0"))
    make_sam(tmp_path / ".venv-sam" / "bin", says("1.170.0"))
    assert find_sam(tmp_path) == program


@pytest.mark.parametrize("body", [says("1.99.9"), "echo hello", "exit 1"])
def test_an_outdated_sam_is_skipped(tmp_path: Path, path: Path, body: str) -> None:
    """The sam in the project's own folder is used instead."""
    make_sam(path, body)
    program = make_sam(tmp_path / ".venv-sam" / "bin", says("1.154.0"))
    assert find_sam(tmp_path) == program


@pytest.mark.parametrize("body", [None, says("1.153.1")])
def test_a_missing_sam_comes_with_advice(tmp_path: Path, path: Path, body: str | None) -> None:
    """It may be missing or too old."""
    if body is not None:
        make_sam(path, body)
    with pytest.raises(CannotStart, match=r"1\.154\.0 or newer is needed") as caught:
        find_sam(tmp_path)
    assert "`make .venv-sam`" in caught.value.advice


def test_a_build_prints_only_errors(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Its error messages go to standard error, escaped."""
    run(make_sam(tmp_path, "echo deploy it yourself"), tmp_path, ["build"])
    assert capfd.readouterr() == ("", "")
    program = make_sam(tmp_path, r"printf 'no pip\033[2J\n'; echo and >&2; exit 1")
    with pytest.raises(DeploymentFailed, match="sam build failed"):
        run(program, tmp_path, ["build"])
    assert capfd.readouterr() == ("", "no pip\\x1b[2J\nand\n")


def test_a_deployment_prints_its_own_output(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DeploymentFailed, match="sam deploy failed"):
        run(make_sam(tmp_path, "echo $2; exit 1"), tmp_path, ["deploy", "--dry"])
    assert capfd.readouterr() == ("--dry\n", "")


def test_sam_runs_in_the_folder_with_the_callers_environment(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAMBDA_ARCHITECTURE", "x86_64")
    for name in ("SAM_CLI_TELEMETRY", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    program = make_sam(tmp_path, 'echo "$PWD $SAM_CLI_TELEMETRY $LAMBDA_ARCHITECTURE $COLUMNS"')
    run(program, tmp_path, ["deploy"], LAMBDA_ARCHITECTURE="arm64", COLUMNS="160")
    assert capfd.readouterr().out == f"{tmp_path} 0 x86_64 160\n"
