"""`sam build` for the interpreter and processor of this machine, and the resulting template."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse
from tests.e2e.local_aws import ROOT
from tests.support.waiting import SECONDS_MAX

SAM = ROOT / ".venv-sam" / "bin" / "sam"
RIC_PYTHON = ROOT / ".venv-ric" / "bin" / "python"
ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64"}
"""Linux's processor names -> Lambda's."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What the functions are built for. `python` is the version in .venv-ric, because that
    interpreter runs them.
    """

    python: str
    architecture: str


@dataclass(frozen=True, slots=True)
class BuiltTemplate:
    """The result of `sam build`: the template with long-form intrinsic functions, and the folder
    that its relative paths start in.
    """

    template: dict[str, Any]
    folder: Path

    @property
    def functions(self) -> dict[str, dict[str, Any]]:
        """Logical id -> properties."""
        return resources_of(self.template, "AWS::Serverless::Function")


def this_machine() -> Machine:
    """Asks the interpreter that the functions will run under. Raises KeyError if Lambda does not
    have this processor.
    """
    question = "import sys; print('%d.%d' % sys.version_info[:2])"
    answer = subprocess.run(
        [str(RIC_PYTHON), "-c", question],
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=True,
    )
    return Machine(answer.stdout.strip(), ARCHITECTURES[platform.machine()])


def build(machine: Machine, folder: Path) -> None:
    """Runs `sam build --parallel` as a user does, with both build parameters set, into its own
    folder.
    """
    command = [
        str(SAM),
        "build",
        "--parallel",
        "--build-dir",
        str(folder),
        "--template",
        str(ROOT / "template.yaml"),
    ]
    kept = {
        name: os.environ[name]
        for name in os.environ
        if name in ("PATH", "HOME", "LANG") or name.startswith(("PIP_", "SSL_"))
    }
    kept["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', os.defpath)}"
    environment = kept | {
        "LAMBDA_PYTHON": machine.python,
        "LAMBDA_ARCHITECTURE": machine.architecture,
        "SAM_CLI_TELEMETRY": "0",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, (
        f"sam build ended with {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    )


def read_built(folder: Path) -> BuiltTemplate:
    """Reads what `build` left in the folder."""
    return BuiltTemplate(yaml_parse((folder / "template.yaml").read_text(encoding="utf-8")), folder)


def resources_of(template: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Logical id -> properties of all resources of one type."""
    return {
        name: resource.setdefault("Properties", {})
        for name, resource in template["Resources"].items()
        if resource["Type"] == kind
    }
