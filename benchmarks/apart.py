"""Work in a separate process, so that its memory and CPU are its own."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.report import BenchmarkBroken

ROOT = Path(__file__).resolve().parent.parent


def run_apart(module: str, told: Mapping[str, Any], seconds_max: float) -> Mapping[str, Any]:
    """Runs `python -m module`, which reads `told` from its input and prints what it measured, both
    as JSON. Raises BenchmarkBroken.
    """
    done = subprocess.run(
        [sys.executable, "-m", module],
        input=json.dumps(told),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=seconds_max,
        check=False,
    )
    if done.returncode != 0:
        raise BenchmarkBroken(f"{module} ended with {done.returncode}")
    measured: Mapping[str, Any] = json.loads(done.stdout)
    return measured


def read_peak_bytes() -> int:
    """VmHWM where there is one: ru_maxrss also counts the process that started this one, up to the
    moment at which it did.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = (line.split() for line in status.read_text().splitlines())
        return next(int(line[1]) * 1024 for line in lines if line[0] == "VmHWM:")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )
