"""The combine step against a bare loop of GETs over the same objects, as the network is: near and
plain, by TLS, and with answers that come 30 and 100 ms late, read by one core only.

The loop is a yardstick that stays the same: obstore with as many threads, the bytes thrown away.
Late answers come out of a relay, which has a core of its own together with the server, and
remembers the log objects: so neither of them is what is measured.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.apart import run_apart
from benchmarks.relay import relay
from benchmarks.report import Options, Outcome, Table, Target
from benchmarks.testbed import (
    DESTINATION,
    LOG_SIZE_BYTES,
    make_connection,
    prepare_bucket,
    put_logs,
)
from tests.support.stalling import make_context

from log_aggregator_lab.servers.s3 import EmbeddedS3

OBJECT_COUNT = 8_000
OBJECT_COUNT_QUICK = 400
ROUNDS = 5
ROUNDS_QUICK = 2
RATE_RATIO_MIN = 0.85
LATE_RATE_MIN = 3_000.0
JOB_SECONDS_MAX = 600
PREFIX = "combine-"


@dataclass(frozen=True, slots=True)
class Line:
    """A way to the server."""

    name: str
    has_tls: bool = False
    late_ms: int = 0
    readers: int = 64


NEAR, TLS = Line("near"), Line("TLS", has_tls=True)
LINES = (
    NEAR,
    TLS,
    Line("30 ms late", late_ms=30),
    Line("30 ms late, 128 readers", late_ms=30, readers=128),
    Line("100 ms late, 128 readers", late_ms=100, readers=128),
    Line("100 ms late, 256 readers", late_ms=100, readers=256),
)
COLUMNS = {
    "": "",
    "seconds": ".2f",
    "objects/s": ",.0f",
    "ms CPU an object": ".3f",
    "rate": ".2f",
    "CPU": ".2f",
}


def measure(options: Options) -> Outcome:
    count = OBJECT_COUNT_QUICK if options.is_quick else OBJECT_COUNT
    rounds = ROUNDS_QUICK if options.is_quick else ROUNDS
    table = Table(
        f"Combining {count:,} log objects of 8 KB against only reading them; medians of {rounds} "
        "rounds, late answers read by one core",
        COLUMNS,
    )
    outcome = Outcome([table], is_quick=options.is_quick)
    with EmbeddedS3() as server:
        prepare_bucket(server, DESTINATION, is_versioned=True)
        put_logs(server, PREFIX.rstrip("-"), count)
        for line in LINES:
            with connected(server, line) as told:
                job = {
                    **told,
                    "count": count,
                    "size_bytes": LOG_SIZE_BYTES,
                    "prefix": PREFIX,
                    "readers": line.readers,
                }
                pairs = run_apart(
                    "benchmarks.combine_job", job | {"rounds": rounds}, JOB_SECONDS_MAX
                )
            _add(outcome, line, pairs, count)
    return outcome


@contextmanager
def connected(server: EmbeddedS3, line: Line) -> Iterator[Mapping[str, Any]]:
    """What a job is told of the way to the server."""
    connection = make_connection(server)
    name = line.name.replace(",", "").replace(" ", "-").lower()
    if not line.late_ms and not line.has_tls:
        yield {"server": asdict(connection), "core": None, "name": name}
        return
    core = 0 if line.late_ms else None
    if core is not None:
        pin(server, 1)
    with tempfile.TemporaryDirectory() as folder:
        if line.has_tls:
            make_context(Path(folder))
            os.environ["AWS_CA_BUNDLE"] = str(Path(folder) / "certificate.pem")
        try:
            with relay(
                server.endpoint_url,
                late_ms=line.late_ms,
                tls_folder=Path(folder) if line.has_tls else None,
                core=None if core is None else 1,
                remembers=bool(line.late_ms),
            ) as url:
                there = asdict(replace(connection, endpoint_url=url))
                yield {"server": there, "core": core, "name": name}
        finally:
            os.environ.pop("AWS_CA_BUNDLE", None)


def pin(server: EmbeddedS3, core: int) -> None:
    """All threads that the server has by now."""
    for task in Path(f"/proc/{server.pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {core})


def _add(outcome: Outcome, line: Line, pairs: Any, count: int) -> None:
    medians = {}
    for name, column in (("bare GET loop", 0), ("combine", 1)):
        seconds = statistics.median(pair[column][0] for pair in pairs)
        cpu = statistics.median(pair[column][1] for pair in pairs) / count * 1000
        rate = statistics.median(pair[0][0] / pair[column][0] for pair in pairs)
        ratio = statistics.median(pair[column][1] / pair[0][1] for pair in pairs)
        medians[name] = count / seconds
        outcome.tables[0].rows.append(
            (f"{line.name}: {name}", seconds, count / seconds, cpu, rate, ratio)
        )
        if column and not line.late_ms:
            what = f"combine, {line.name}: rate against a bare GET loop"
            outcome.targets.append(Target(what, rate, RATE_RATIO_MIN, is_minimum=True))
    if line.late_ms == 30 and line.readers > 64:
        what = "combine, 30 ms late, one core: objects a second"
        outcome.targets.append(Target(what, medians["combine"], LATE_RATE_MIN, is_minimum=True))
