"""A program that fails stops the release, and cannot see the checkout or an account."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from release.programs import ReleaseError, run


def test_a_failure_carries_what_was_said(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('out'); raise SystemExit('err')"]
    with pytest.raises(ReleaseError, match=r"exit code 1:\nout\nerr"):
        run(command, tmp_path)


def test_variables_of_ours_are_kept_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    show = "import os; print(sorted({'AWS_PROFILE', 'PYTHONPATH', 'TZ'} & set(os.environ)))"
    assert run([sys.executable, "-c", show], tmp_path, {"TZ": "UTC"}) == "['TZ']\n"
