"""Whole processes side by side, from their start to their end, over the same log objects: the
command line of this program with originals kept, s5cmd's `cat` into its `pipe`, and a process that
only reads.

s5cmd (https://github.com/peak/s5cmd) is written in Go, and joins the bytes of objects as they are.
amazon-s3-tar-tool, which makes a tar of them, is not in any package registry.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.report import BenchmarkBroken, Options, Outcome, Table, Target
from benchmarks.testbed import Logs, make_client, prepare_bucket, put_logs

from log_aggregator_lab.servers.s3 import EmbeddedS3

OBJECT_COUNT = 4_000
OBJECT_COUNT_QUICK = 400
ROUNDS = 5
ROUNDS_QUICK = 1
BARE_THREADS = 64
CPU_RATIO_MAX = 2.4
SECONDS_MAX = 300
ROOT = Path(__file__).resolve().parent.parent
S5CMD = Path(sys.executable).with_name("s5cmd")

BARE, S5CMD_NAME, THIS = "obstore, only reading", "s5cmd cat | s5cmd pipe", "this program"


@dataclass(frozen=True, slots=True)
class Spent:
    """What a process took, with what it started."""

    seconds: float
    cpu_seconds: float


def measure(options: Options) -> Outcome:
    count = OBJECT_COUNT_QUICK if options.is_quick else OBJECT_COUNT
    rounds: dict[str, list[Spent]] = {BARE: [], S5CMD_NAME: [], THIS: []}
    with EmbeddedS3() as server:
        logs = put_logs(server, "whole", count)
        for number in range(ROUNDS_QUICK if options.is_quick else ROUNDS):
            prepare_bucket(server, packs_of(number), is_versioned=True)
            rounds[BARE].append(spend(partial(read_bare, server, logs)))
            rounds[S5CMD_NAME].append(spend(partial(join_with_s5cmd, server, logs, number)))
            rounds[THIS].append(spend(partial(pack, server, logs, number)))
    return _compare(rounds, count, is_quick=options.is_quick)


def spend(work: Callable[[], None]) -> Spent:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Spent(time.perf_counter() - began, cpu)


def read_bare(server: EmbeddedS3, logs: Logs) -> None:
    command = [sys.executable, "-m", "benchmarks.bare_process"]
    command += [server.endpoint_url, logs.bucket, str(BARE_THREADS)]
    _check_bytes(int(_finish([command], server)), logs)


def join_with_s5cmd(server: EmbeddedS3, logs: Logs, number: int) -> None:
    bucket = packs_of(number)
    begin = [str(S5CMD), "--endpoint-url", server.endpoint_url]
    source = [*begin, "cat", f"s3://{logs.bucket}/*"]
    _finish([source, [*begin, "pipe", f"s3://{bucket}/joined"]], server)
    joined = make_client(server).head_object(Bucket=bucket, Key="joined")
    _check_bytes(joined["ContentLength"], logs)


def pack(server: EmbeddedS3, logs: Logs, number: int) -> None:
    """As a person would."""
    day = logs.spec.first_day.isoformat()
    command = [sys.executable, "-m", "log_aggregator", "run", "--date", day, "--json"]
    command += ["--endpoint-url", server.endpoint_url, "--control-tower-bucket", logs.bucket]
    command += ["--destination-bucket", packs_of(number), "--keep-originals-days", "3660"]
    objects = json.loads(_finish([command], server))["objects"]
    if objects["packed"] != logs.object_count or objects["deleted"]:
        raise BenchmarkBroken(f"{objects['packed']} packed, {objects['deleted']} deleted")


def packs_of(number: int) -> str:
    """Each round has a bucket of its own to write to, or it would find its work done."""
    return f"whole-packs-{number}"


def _check_bytes(count: int, logs: Logs) -> None:
    if count != logs.size_bytes:
        raise BenchmarkBroken(f"{count} bytes, expected {logs.size_bytes}")


def _finish(commands: Sequence[Sequence[str]], server: EmbeddedS3) -> str:
    """What the last of them prints; each reads what the one before writes."""
    with ExitStack() as stack:
        processes: list[subprocess.Popen[bytes]] = []
        for command in commands:
            stdin = processes[-1].stdout if processes else subprocess.DEVNULL
            process = subprocess.Popen(
                command, cwd=ROOT, env=_environment(server), stdin=stdin, stdout=subprocess.PIPE
            )
            processes.append(stack.enter_context(process))
        printed, _ = processes[-1].communicate(timeout=SECONDS_MAX)
        for process, command in zip(processes, commands, strict=True):
            if process.wait(SECONDS_MAX) != 0:
                raise BenchmarkBroken(f"{command[0]} ended with {process.returncode}")
    return printed.decode()


def _environment(server: EmbeddedS3) -> Mapping[str, str]:
    return os.environ | {
        "AWS_ACCESS_KEY_ID": server.access_key,
        "AWS_SECRET_ACCESS_KEY": server.secret_key,
        "AWS_REGION": server.region,
    }


def _compare(rounds: Mapping[str, Sequence[Spent]], count: int, *, is_quick: bool) -> Outcome:
    columns = {"process": "", "seconds": ".2f", "ms CPU an object": ".3f", "times": ".2f"}
    title = (
        f"Whole processes over {count:,} log objects of 8 KB in one group, originals kept; "
        f"medians of {len(rounds[BARE])} rounds"
    )
    outcome = Outcome([Table(title, columns)], is_quick=is_quick)
    for name, spent in rounds.items():
        seconds = statistics.median(each.seconds for each in spent)
        cpu = statistics.median(each.cpu_seconds for each in spent)
        times = statistics.median(
            each.cpu_seconds / bare.cpu_seconds
            for each, bare in zip(spent, rounds[BARE], strict=True)
        )
        outcome.tables[0].rows.append((name, seconds, cpu / count * 1000, times))
    what = "whole process, originals kept: CPU against only reading"
    outcome.targets.append(Target(what, outcome.tables[0].rows[-1][3], CPU_RATIO_MAX, "times"))
    return outcome
