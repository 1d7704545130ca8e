"""What search costs while packing, one part at a time, in a process of its own."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, cast

from benchmarks.apart import read_peak_bytes
from benchmarks.everyday import Account
from benchmarks.jobsteps import Listed, list_group, plan_one_pack, warm_up
from benchmarks.search_job import FolderStore
from benchmarks.searching import LOG_TYPE, SOURCE, TARGET
from benchmarks.testbed import LOG_SIZE_BYTES, Logs, make_settings

from log_aggregator.core.terms.collect import Collector
from log_aggregator.core.terms.packterms import decode_terms
from log_aggregator.model import PackPlan
from log_aggregator.ports.store import ObjectStore, WriteOptions
from log_aggregator.settings import Settings
from log_aggregator.steps.packing.combine import combine
from log_aggregator.steps.packs.terms import finish_terms
from log_aggregator.steps.rules import TermsOptions
from log_aggregator.steps.search.merge import Merging, merge_terms
from log_aggregator.steps.workers import Workers
from log_aggregator.wiring import Connection, connect, make_workers
from log_aggregator_lab.organisation.compression import gzip_member
from log_aggregator_lab.organisation.documents import CloudTrailDocument, cloudtrail_bytes
from log_aggregator_lab.organisation.specification import flat

DAY = datetime(2026, 3, 1, tzinfo=UTC)
LAB_EVENTS = 55
PACKS_AT_ONCE = 4
PACK_LOGS = 50_000
TERMS_OF_A_LOG = 300


def main() -> int:
    told = json.load(sys.stdin)
    json.dump(PARTS[told["part"]](told), sys.stdout)
    return 0


def collecting(told: Mapping[str, Any]) -> Mapping[str, Any]:
    """ms of CPU for a log, of each kind, with its share of finishing the pack; and its size."""
    measured = {}
    for name, logs in _kinds(told["logs"]).items():
        rounds = [_time_pack(logs) for _ in range(told["rounds"])]
        members, finishing = (statistics.median(column) for column in zip(*rounds, strict=True))
        size = sum(map(len, logs)) / len(logs)
        measured[name] = [size, members / len(logs) * 1000, finishing / len(logs) * 1000]
    return measured


def _kinds(count: int) -> Mapping[str, Sequence[bytes]]:
    return {
        "lab": list(_lab_logs(0, DAY, count)),
        "everyday": list(Account(0).logs(DAY, count)),
    }


def _lab_logs(account: int, day: datetime, count: int) -> Iterator[bytes]:
    for number in range(count):
        moment = day + timedelta(seconds=86_000 * number // count)
        seed, name = f"{account}/{day}/{number}", f"{100_000_000_000 + account}"
        yield cloudtrail_bytes(CloudTrailDocument(seed, name, "eu-west-1", moment, LAB_EVENTS))


def _time_pack(logs: Sequence[bytes]) -> tuple[float, float]:
    collector = Collector(LOG_TYPE)
    began = time.process_time()
    for place, log in enumerate(logs):
        collector.add(place, log)
    between = time.process_time()
    collector.finish("packs/a", int)
    return between - began, time.process_time() - between


def combining(told: Mapping[str, Any]) -> Mapping[str, Any]:
    """CPU seconds of combining the same logs without terms and with them, round by round."""
    connection = Connection(**told["server"])
    spec = flat(told["count"], LOG_SIZE_BYTES, seed=1).with_bucket_prefix(told["prefix"])
    logs = Logs(spec.control_tower_bucket, spec, told["count"], 0)
    settings = make_settings(logs.bucket)
    store = connect(connection, settings.readers)
    rounds = []
    with make_workers(settings) as workers:
        listed = list_group(store, workers, settings, logs)
        warm_up(store, workers, listed)
        for number in range(told["rounds"]):
            pair = []
            for name, terms in (("without", None), ("with", TermsOptions())):
                plan = plan_one_pack(store, workers, listed, f"{name}-{number}/")
                pair.append(_time_combine(store, workers, (listed, plan), terms))
            rounds.append(pair)
    return {"rounds": rounds}


def _time_combine(
    store: ObjectStore,
    workers: Workers,
    work: tuple[Listed, PackPlan],
    terms: TermsOptions | None,
) -> float:
    listed, plan = work
    options = replace(listed.rules.group.combine, terms=terms)
    began = time.process_time()
    combine(store, workers, plan, options)
    return time.process_time() - began


def remembering(told: Mapping[str, Any]) -> Mapping[str, Any]:
    """Peak memory that several packs at once take for their terms, of logs that share none."""
    with ThreadPoolExecutor(PACKS_AT_ONCE) as pool:
        list(pool.map(partial(_fill_pack, logs=2), range(PACKS_AT_ONCE)))  # threads, caches
        before = read_peak_bytes()
        sizes = list(pool.map(partial(_fill_pack, logs=told["logs"]), range(PACKS_AT_ONCE)))
    return {"more_bytes": read_peak_bytes() - before, "terms_bytes": sizes}


def _fill_pack(pack: int, logs: int) -> int:
    collector, random = Collector(LOG_TYPE), Random(pack)
    for place in range(logs):
        ids = ",".join(f'"i-{random.getrandbits(68):017x}"' for _ in range(TERMS_OF_A_LOG))
        text = f'{{"Records":[{{"requestParameters":{{"instanceIds":[{ids}]}}}}]}}'
        collector.add(place, text.encode())
    return len(finish_terms(collector, "packs/a", int))


def keeping(told: Mapping[str, Any]) -> Mapping[str, Any]:
    """Bytes of packs, of their terms, and of the month's table over them; how many terms."""
    make: Callable[[int, datetime, int], Iterator[bytes]]
    if told["kind"] == "lab":
        make = _lab_logs
    else:
        accounts = [Account(number) for number in range(told["accounts"])]
        make = lambda account, day, count: accounts[account].logs(day, count)  # noqa: E731
    packs = kept = terms = 0
    keys = []
    with tempfile.TemporaryDirectory() as folder:
        store = FolderStore(Path(folder))
        for account in range(told["accounts"]):
            for number in range(told["days"]):
                day = DAY + timedelta(days=number)
                collector = Collector(LOG_TYPE)
                for place, log in enumerate(make(account, day, told["logs"])):
                    collector.add(place, log)
                    packs += len(gzip_member(log, 6))
                keys.append(_pack_key(account, day))
                data = collector.finish(keys[-1], int)
                kept += len(data)
                terms += sum(1 for _ in decode_terms(data)[1])
                store.keep(TARGET.terms_key(keys[-1]), data)
        _merge(store, keys)
    return {"packs": packs, "terms": kept, "table": store.written_bytes, "count": terms}


def _pack_key(account: int, day: datetime) -> str:
    number = 100_000_000_000 + account
    name = f"{number}_{LOG_TYPE}_{day:%Y%m%d}-{account:032x}.json.gz"
    return f"packs/{SOURCE}/{LOG_TYPE}/{number}/{day:%Y/%m/%d}/{name}"


def _merge(store: FolderStore, keys: Sequence[str]) -> None:
    with make_workers(Settings()) as workers:
        there = cast("ObjectStore", store)
        result = merge_terms(Merging(there, workers, TARGET, WriteOptions(), DAY.date()), keys)
    if result.failures or result.packs != len(keys):
        raise SystemExit(f"{result.packs} of {len(keys)} packs merged: {result.failures[:3]}")


PARTS: Mapping[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {
    "collecting": collecting,
    "combining": combining,
    "remembering": remembering,
    "keeping": keeping,
}

if __name__ == "__main__":
    sys.exit(main())
