"""One build for all tests, even across processes; a separate local AWS for each test file, with the
stack deployed into it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.building import (
    RIC_PYTHON,
    SAM,
    BuiltTemplate,
    Machine,
    build,
    read_built,
    this_machine,
)
from tests.e2e.local_aws import PROGRAM, LocalAws

_LOGS: list[Path] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says where to look when something failed."""
    if terminalreporter.stats.get("failed") or terminalreporter.stats.get("error"):
        for path in _LOGS:
            terminalreporter.write_line(f"log of the local AWS: {path}")


@pytest.fixture(scope="session")
def machine() -> Machine:
    missing = [str(path) for path in (SAM, PROGRAM, RIC_PYTHON) if not path.exists()]
    assert not missing, f"not installed: {', '.join(missing)}; start these tests with: make e2e"
    return this_machine()


@pytest.fixture(scope="session")
def built(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> BuiltTemplate:
    """The template built by `sam build`. The first process that needs it builds; the others
    wait.
    """
    session = tmp_path_factory.getbasetemp()
    folder = (session.parent if "PYTEST_XDIST_WORKER" in os.environ else session) / "sam"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "built").exists():
            build(machine, folder / "build")
            (folder / "built").touch()
    return read_built(folder / "build")


@pytest.fixture(scope="module")
def aws(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LocalAws]:
    """A test file that sets IS_ENFORCING gets a local AWS that checks permissions."""
    folder = tmp_path_factory.mktemp(request.path.stem)
    with LocalAws(folder, is_enforcing=getattr(request.module, "IS_ENFORCING", False)) as running:
        _LOGS.append(running.log_path)
        yield running
