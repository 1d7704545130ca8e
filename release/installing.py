"""Installs the wheel as a stranger would, into an empty environment, and tries it."""

from __future__ import annotations

import venv
from pathlib import Path

from release.programs import run, run_module


def install(wheel: Path, constraints: Path, folder: Path) -> Path:
    """An environment with the wheel and what it needs, in the versions that the tests ran with."""
    environment = folder / "environment"
    venv.create(environment, with_pip=False)
    _pip(environment, "install", "-c", constraints, wheel)
    return environment


def write_bill(environment: Path, project: Path, version: str, bill: Path) -> None:
    """What an installation consists of, as CycloneDX JSON: the same bytes each time.

    `project` is our pyproject.toml, which leaves the version to the code.
    """
    described = environment / "pyproject.toml"
    text = project.read_text(encoding="utf-8")
    described.write_text(text.replace('dynamic = ["version"]', f'version = "{version}"', 1))
    run_module(
        *("cyclonedx_py", "environment", "--output-reproducible"),
        *("--pyproject", described, "--output-file", bill, environment),
        folder=environment,
    )


def run_demo(environment: Path, wheel: Path, constraints: Path, folder: Path) -> None:
    """The demo, outside of the checkout; it needs the extra `lab`."""
    _pip(environment, "install", "-c", constraints, f"{wheel}[lab]")
    program = environment / "bin" / "log-aggregator"
    run([program, "--version"], folder)
    run([program, "demo"], folder)


def _pip(environment: Path, *arguments: str | Path) -> None:
    # Our own pip installs into the other environment, so that it holds only what the wheel needs.
    quiet = ("--disable-pip-version-check", "--quiet")
    run_module("pip", "--python", environment, *quiet, *arguments, folder=environment)
