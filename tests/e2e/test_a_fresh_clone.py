"""What the README says to type in a fresh clone works there, and makes everything that it needs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from log_aggregator import __version__
from release.metadata import list_committed

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
OURS = ("PYTHON", "AWS_", "LOG_AGGREGATOR", "VIRTUAL_ENV", "MAKE", "MFLAGS")


def test_the_readme_is_followed(tmp_path: Path) -> None:
    """All lines of its blocks up to the program's own commands, which test_the_readme.py types, in
    one shell. It takes minutes: packages are installed twice, and the demo runs.
    """
    blocks = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    typed = [line for line in lines if not line.startswith("log-aggregator ")]
    assert [line.split()[0] for line in typed] == ["make", "python3", ".", "pip"]
    done = subprocess.run(
        ["/bin/sh", "-eux"],
        cwd=copy_committed(tmp_path / "clone"),
        env=make_environment(tmp_path / "programs"),
        input="\n".join([*typed, "log-aggregator --version"]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith(f"log-aggregator, version {__version__}\n")


def copy_committed(clone: Path) -> Path:
    committed = list_committed(ROOT)
    if committed is None:  # a copy without git's folder
        ignored = shutil.ignore_patterns(".venv*", ".*_cache", ".hypothesis", ".aws-sam", "build")
        return Path(shutil.copytree(ROOT, clone, ignore=ignored))
    for name in committed:
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, clone / name)
    return clone


def make_environment(programs: Path) -> dict[str, str]:
    """Of somebody who has the Python of these tests, and no variables of theirs."""
    programs.mkdir()
    (programs / "python3").symlink_to(Path(sys.executable).resolve())
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return kept | {"PATH": f"{programs}:/usr/bin:/bin"}
