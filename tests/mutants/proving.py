"""Runs proofs in a copy of the tree, each in its own process with a time limit."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from tests.mutants.planting import SIMULATION
from tests.support.waiting import PATIENCE

SEEDS = 300
"""Seeds of the simulator, tried on each bug that it must catch."""

PYTEST = ("-m", "pytest", "-x", "-q", "--tb=line")
PLUGINS = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")
"""Hypothesis works without its plugin, which takes half of pytest's start-up time."""

_FAILED = re.compile(r"^FAILED (.+?)(?: - (.*))?$", re.MULTILINE)
_SEED = re.compile(r"seed\W+(\d+)", re.IGNORECASE)


class Outcome(StrEnum):
    """The result of a proof."""

    CAUGHT = "caught"
    SURVIVED = "SURVIVED"
    TIMED_OUT = "TIMED OUT"
    BROKEN = "BROKEN"  # the proof could not even be run


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a proof ended, by which test or seed, and its last output."""

    outcome: Outcome
    by: str = ""
    said: str = ""
    seconds: float = 0.0


@dataclass(slots=True)
class Prover:
    """Runs proofs, several in parallel. `stop` ends those still running, so that none outlives an
    interrupted run.
    """

    seeds: int
    timeout_seconds: float
    _running: set[subprocess.Popen[str]] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopped: bool = False

    def prove(self, tree: Path, proof: str, proofs: int = 1) -> Verdict:
        """Runs until something in the proof fails or all of it has held. `proofs`: how many proofs
        it combines; the time limit grows with it.
        """
        began, timeout_seconds = time.monotonic(), self.timeout_seconds * proofs
        verdict = self._run(tree, command_of(proof, self.seeds), timeout_seconds)
        return replace(verdict, seconds=time.monotonic() - began)

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            for process in self._running:
                kill_group(process)

    def _run(self, tree: Path, command: Sequence[str], timeout_seconds: float) -> Verdict:
        with self._start(tree, command) as process:
            try:
                text, _ = process.communicate(timeout=timeout_seconds)
            except subprocess.TimeoutExpired:
                return Verdict(Outcome.TIMED_OUT, said=f"not done after {timeout_seconds:.0f} s")
        return judge(process.returncode, text)

    @contextlib.contextmanager
    def _start(self, tree: Path, command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
        environment = os.environ | {
            "PYTHONPATH": str(tree / "src"),
            "PYTHONHASHSEED": "0",
            "CI": "true",  # Hypothesis then tries the same examples on every machine
            PATIENCE: "60",
        }
        with self._lock:
            if self._stopped:
                raise KeyboardInterrupt
            process = subprocess.Popen(
                [sys.executable, *command],
                cwd=tree,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )
            self._running.add(process)
        try:
            yield process
        finally:
            kill_group(process)
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
            with self._lock:
                self._running.discard(process)


def command_of(proof: str, seeds: int) -> list[str]:
    """The arguments for Python."""
    if proof == SIMULATION:
        return ["-m", "tests.simulation.simulate", "--seed", "0", "--count", str(seeds)]
    return [*PYTEST, *PLUGINS, *proof.split()]


def judge(exit_code: int, text: str) -> Verdict:
    """For pytest and for the simulator, 0 means that everything held and 1 that something did not.
    Anything else proves nothing.
    """
    if exit_code == 0:
        return Verdict(Outcome.SURVIVED)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    last = lines[-1] if lines else ""
    failed = _FAILED.search(text)
    if exit_code != 1:
        by = failed[1] if failed else ""  # parallel tests end with 2 if one of them fails
        return Verdict(Outcome.BROKEN, by, f"exit code {exit_code}: {last}")
    if failed:
        return Verdict(Outcome.CAUGHT, failed[1].rpartition("/")[2], failed[2] or last)
    seed = _SEED.search(text)
    return Verdict(Outcome.CAUGHT, f"seed {seed[1]}" if seed else "simulator", last)


def kill_group(process: subprocess.Popen[str]) -> None:
    """With everything it has started; a group that is already gone is fine."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
