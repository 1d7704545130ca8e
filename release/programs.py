"""Programs that a release is made with, and what stops a release."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

OURS = ("PYTHON", "LOG_AGGREGATOR", "VIRTUAL_ENV", "AWS_")
"""Variables that begin like this would let the checkout, or somebody's account, take part."""


class ReleaseError(Exception):
    """The release cannot go out like this; the message says what to change."""


def run(
    command: Sequence[str | Path], folder: Path, variables: Mapping[str, str] | None = None
) -> str:
    """What a program prints. Raises ReleaseError, with all that it said, where it fails."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    done = subprocess.run(
        command,
        cwd=folder,
        env=clean | dict(variables or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ReleaseError(
            f"`{' '.join(map(str, command))}` ended with exit code {done.returncode}:\n"
            f"{done.stdout}{done.stderr}"
        )
    return done.stdout


def run_module(
    module: str, *arguments: str | Path, folder: Path, variables: Mapping[str, str] | None = None
) -> str:
    """The same for a module of the environment that this runs in."""
    return run([sys.executable, "-m", module, *arguments], folder, variables)
