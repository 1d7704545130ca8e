"""The SAM CLI: where it is, and how it is called."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from deployment.errors import DeploymentFailed
from log_aggregator.cli.printing import print_lines
from log_aggregator.errors import CannotStart

VERSION_MIN = (1, 154, 0)
"""The first version that accepts parameters as a table, in samconfig.toml or in a file."""

OURS = {"SAM_CLI_TELEMETRY": "0", "SAM_CLI_POLL_DELAY": "3"}
"""sam asks 120 times whether a change set is ready. By default it asks every half second and gives
up after a minute, but ours of about 150 resources may take longer.
"""

LINES_SHOWN = 20
"""Lines that are shown of a failed build: its error, without most of the output before it."""


class NoSamCli(CannotStart):
    """There is no usable SAM CLI."""

    advice = "Nothing was touched. `make .venv-sam` installs one, for this folder only."


def find_sam(root: Path) -> str:
    """The first one that is new enough: on PATH, or else in this folder's environment. Raises
    NoSamCli.
    """
    found = [shutil.which("sam"), shutil.which(str(root / ".venv-sam" / "bin" / "sam"))]
    programs = [program for program in found if program]
    for program in programs:
        if read_version(program) >= VERSION_MIN:
            return program
    wanted = f"{'.'.join(map(str, VERSION_MIN))} or newer is needed"
    raise NoSamCli(f"{', '.join(programs) or 'there is no SAM CLI'}: {wanted}")


def read_version(program: str) -> tuple[int, ...]:
    """(1, 170, 0); empty if it does not tell."""
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return ()
    found = re.search(r"version (\d+)\.(\d+)\.(\d+)", said.stdout)
    return tuple(map(int, found.groups())) if found else ()


def run(program: str, root: Path, arguments: Sequence[str], **variables: str) -> None:
    """Runs sam, which prints and asks by itself. But the output of a successful build is hidden,
    because it advises to continue without our checks. Raises DeploymentFailed.
    """
    is_build = arguments[0] == "build"
    done = subprocess.run(
        [program, *arguments],
        cwd=root,
        env={**OURS, **variables, **os.environ},
        stdout=subprocess.PIPE if is_build else None,
        stderr=subprocess.STDOUT if is_build else None,
        check=False,
    )
    if done.returncode != 0:
        said = (done.stdout or b"").decode(errors="replace").splitlines()
        print_lines(said[-LINES_SHOWN:], err=True)
        raise DeploymentFailed(f"sam {arguments[0]} failed; the reasons are shown above")
