"""CPU time until a command begins to work: a process that only imports, compared with one that
imports only boto3.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping

from benchmarks.report import BenchmarkBroken, Options, Outcome, Table, Target

ROUNDS = 25
ROUNDS_QUICK = 3
RATIO_MAX = 1.3
BOTO3 = "import boto3"
CONNECTED = "find, with what it connects with"

_CONNECTED = """
import gc
from log_aggregator.__main__ import GARBAGE_THRESHOLD
gc.set_threshold(GARBAGE_THRESHOLD)
import log_aggregator.cli.find
import log_aggregator.adapters.s3.store
"""
WAYS: Mapping[str, tuple[str, ...]] = {
    BOTO3: ("-c", "import boto3"),
    "log-aggregator --version": ("-m", "log_aggregator", "--version"),
    "log-aggregator --help": ("-m", "log_aggregator", "--help"),
    "log-aggregator find --help": ("-m", "log_aggregator", "find", "--help"),
    CONNECTED: ("-c", _CONNECTED),
}


def measure(options: Options) -> Outcome:
    rounds = ROUNDS_QUICK if options.is_quick else ROUNDS
    with tempfile.TemporaryDirectory() as cache:
        for arguments in WAYS.values():  # compiles the modules
            _measure_process(arguments, cache)
        taken = [
            {name: _measure_process(arguments, cache) for name, arguments in WAYS.items()}
            for _ in range(rounds)
        ]
    return _report(taken, is_quick=options.is_quick)


def _measure_process(arguments: tuple[str, ...], cache: str) -> float:
    """Milliseconds of CPU."""
    environment = {
        name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
    }
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.DEVNULL,
        env=environment | {"PYTHONPYCACHEPREFIX": cache},
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise BenchmarkBroken(f"python {' '.join(arguments)} ended with {process.returncode}")
    return (used.ru_utime + used.ru_stime) * 1000


def _report(taken: list[dict[str, float]], *, is_quick: bool) -> Outcome:
    table = Table(
        "CPU of a process until a command begins to work, side by side; medians of "
        f"{len(taken)} rounds",
        {"process": "", "ms CPU": ".0f", "fastest": ".0f", "of importing boto3": ".2f"},
    )
    for name in WAYS:
        own = [each[name] for each in taken]
        table.rows.append((name, statistics.median(own), min(own), _ratio(taken, name)))
    target = Target(
        "CPU until `find` begins to work / importing boto3",
        _ratio(taken, CONNECTED),
        RATIO_MAX,
        "times",
    )
    note = "A command imports what it uses, and AWS's clients when it connects."
    return Outcome([table], [note], [target], is_quick)


def _ratio(taken: list[dict[str, float]], name: str) -> float:
    return statistics.median(each[name] / each[BOTO3] for each in taken)
