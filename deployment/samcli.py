"""The SAM CLI: where it is, and how it is called."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deployment.errors import DeploymentFailed
from log_aggregator.errors import CannotStart

VERSION_MIN = (1, 154, 0)  # for `parameter_overrides` as a table
VERSION_TRIED = "1.170.0"
OWN_ENVIRONMENT = ".venv-sam"
INSTALL = (
    f"`make {OWN_ENVIRONMENT}` installs {VERSION_TRIED} for this folder alone; or put a newer "
    "one on PATH"
)
SECONDS_MAX = 900
LINES_SHOWN = 40


class NoSamCli(CannotStart):
    """None that can be used."""

    advice = f"Nothing was touched. {INSTALL}."


@dataclass(frozen=True, slots=True)
class Sam:
    """One SAM CLI. `folder` is where the template is, `environment` what it gets beside our own."""

    program: str
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, *arguments: str) -> str:
        """What it said, on either stream. Raises DeploymentFailed with the end of that."""
        environment = {**os.environ, "SAM_CLI_TELEMETRY": "0", **self.environment}
        try:
            done = subprocess.run(
                [self.program, *arguments],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=SECONDS_MAX,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise DeploymentFailed(f"sam {arguments[0]}: not done after {SECONDS_MAX} s") from None
        said = done.stdout.decode(
            errors="replace"
        )  # text=True would make lines of the carriage returns
        if done.returncode != 0:
            raise DeploymentFailed(f"sam {arguments[0]} failed:", lines=_ending(said))
        return said


def find_sam(root: Path, search_path: str | None = None) -> str:
    """The first one that is new enough: on PATH, then in this folder's own environment. Raises
    NoSamCli.
    """
    candidates = (
        shutil.which("sam", path=search_path),
        shutil.which(str(root / OWN_ENVIRONMENT / "bin" / "sam")),
    )
    programs = [program for program in candidates if program is not None]
    too_old: list[str] = []
    for program in programs:
        version = read_version(program)
        if version >= VERSION_MIN:
            return program
        too_old.append(f"{program} is {_dotted(version)}")
    if too_old:
        raise NoSamCli(
            f"the SAM CLI is too old: {', '.join(too_old)}; {_dotted(VERSION_MIN)} or newer "
            "is needed"
        )
    raise NoSamCli("there is no SAM CLI: no sam on PATH")


def read_version(program: str) -> tuple[int, ...]:
    """(1, 170, 0). Raises NoSamCli where it does not start."""
    environment = {**os.environ, "SAM_CLI_TELEMETRY": "0"}
    try:
        done = subprocess.run(
            [program, "--version"],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoSamCli(f"{program} does not start: {error}") from None
    found = re.search(r"version (\d+)\.(\d+)\.(\d+)", done.stdout)
    if not found:
        first, *more = _ending(done.stdout + done.stderr) or [""]
        raise NoSamCli(f"{program} --version does not say a version: {first}", lines=more)
    return tuple(int(number) for number in found.groups())


def _dotted(version: Sequence[int]) -> str:
    return ".".join(map(str, version))


def _ending(text: str) -> list[str]:
    """The last lines without those of progress, which sam writes over with carriage returns."""
    lines = [line.rpartition("\r")[2].rstrip() for line in text.split("\n")]
    return [line for line in lines if line][-LINES_SHOWN:]
