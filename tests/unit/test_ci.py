"""What continuous integration runs, with a `make` that only records its arguments."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAKE = """#!/bin/sh
echo "made $*"
[ "$*" != "$FAILING" ] || exit 7
"""
PARTS = [
    "browser",
    "test",
    "proof",
    "fuzz SECONDS=5",
    "mutants",
    "policies",
    "sam-build",
    "release-check",
    "site-check",
    "e2e",
]


@pytest.mark.parametrize("failing", ["", "test", "mutants", "e2e"])
def test_parts_run_until_the_first_failure(tmp_path: Path, failing: str) -> None:
    """The exit code is that of the whole, and all parts that ran are timed at the end, whatever
    their result.
    """
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci")
    (tmp_path / "make").write_text(MAKE)
    (tmp_path / "make").chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    done = subprocess.run(
        [tmp_path / ".ci" / "run"],
        env=os.environ | {"PATH": path, "FAILING": failing},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    ran = PARTS[: PARTS.index(failing) + 1] if failing else PARTS
    assert done.returncode == (7 if failing else 0)
    assert re.findall(r"^made (.*)$", done.stdout, re.MULTILINE) == ran
    times = re.findall(r"^\d+ s, exit code (\d): make (.*)$", done.stdout, re.MULTILINE)
    assert times == [("7" if part == failing else "0", part) for part in ran]
    assert done.stdout.endswith(f"make {ran[-1]}\n")
