"""Client CPU for one page of ListObjectVersions: our adapter, which parses the answer itself,
against boto3 as it comes.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from benchmarks.report import BenchmarkBroken, Options, Outcome, Table, Target
from benchmarks.testbed import make_client, make_connection, put_logs

from log_aggregator.limits import LIST_PAGE_COUNT_MAX
from log_aggregator.wiring import connect
from log_aggregator_lab.servers.s3 import EmbeddedS3

ROUNDS = 25
ROUNDS_QUICK = 3
SAVING_MIN = 4.0


def measure(options: Options) -> Outcome:
    rounds = ROUNDS_QUICK if options.is_quick else ROUNDS
    with EmbeddedS3() as server:
        logs = put_logs(server, "listing", LIST_PAGE_COUNT_MAX)
        store, client = connect(make_connection(server)), make_client(server)
        ways: dict[str, Callable[[], int]] = {
            "boto3": lambda: len(
                client.list_object_versions(Bucket=logs.bucket, MaxKeys=LIST_PAGE_COUNT_MAX)[
                    "Versions"
                ]
            ),
            "our adapter": lambda: len(store.list_object_versions(logs.bucket).objects),
        }
        for list_page in ways.values():
            _measure_page(list_page)
        taken = [[_measure_page(list_page) for list_page in ways.values()] for _ in range(rounds)]
    return _report(tuple(ways), taken, is_quick=options.is_quick)


def _measure_page(list_page: Callable[[], int]) -> float:
    """Milliseconds of CPU."""
    began = time.process_time()
    count = list_page()
    taken = (time.process_time() - began) * 1000
    if count != LIST_PAGE_COUNT_MAX:
        raise BenchmarkBroken(f"a page of {count} entries")
    return taken


def _report(names: tuple[str, ...], taken: list[list[float]], *, is_quick: bool) -> Outcome:
    columns = {"client": "", "ms CPU a page": ".1f", "fastest": ".1f", "times less": ".1f"}
    table = Table(
        f"Client CPU for a page of 1,000 versions, side by side; medians of {len(taken)} rounds",
        columns,
    )
    for number, name in enumerate(names):
        own = [pair[number] for pair in taken]
        saving = statistics.median(pair[0] / pair[number] for pair in taken)
        table.rows.append((name, statistics.median(own), min(own), saving))
    target = Target(
        "CPU for a page of versions, boto3 / ours", saving, SAVING_MIN, "times", is_minimum=True
    )
    return Outcome([table], [], [target], is_quick)
