"""The plan of a listing, and the listing of some of its tasks, alone in a process, over a bucket
that exists only as a function.

Reads from its input what to list, and prints how much it took. It imports what the real function
imports.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any, cast

from benchmarks import shapes
from benchmarks.generated import GeneratedBucket, GeneratedStore

from log_aggregator.core.windows import DateWindow
from log_aggregator.handlers import list_logs  # noqa: F401 - a function's memory begins with its imports
from log_aggregator.ports.store import ObjectStore
from log_aggregator.settings import read_settings
from log_aggregator.steps.fanout.results import encode_listed
from log_aggregator.steps.fanout.tasks import Cut, ListingTask, list_task, plan_listing
from log_aggregator.steps.fanout.workitems import ItemLimits, WorkItem, encode_item
from log_aggregator.steps.job import Job
from log_aggregator.steps.rules import RunRules
from log_aggregator.steps.workers import SerialWorkers
from log_aggregator.telemetry.memory import peak_memory_bytes
from log_aggregator.wiring import SystemClock, make_run_rules, make_workers

DAY = date(2026, 3, 14)
BUCKET = "generated-logs"
DAYS_KEPT = 4
"""Days that lie in a bucket whose logs are packed every night: those of the window, and the running
one.
"""
RUN = "2026-03-15/01234567-89ab-cdef-0123-456789abcdef_01234567-89ab-cdef-0123-456789abcdef"


@dataclass(slots=True)
class Written:
    """The work items, as far as they are of interest afterwards."""

    objects: list[int] = field(default_factory=list)
    size_bytes: list[int] = field(default_factory=list)

    def take(self, item: WorkItem) -> str:
        self.objects.append(item.objects)
        self.size_bytes.append(len(encode_item(item)))
        return f"00001-01234567-{len(self.objects):05d}"


def main() -> int:
    told = json.load(sys.stdin)
    bucket = SHAPES[told["shape"]](told["accounts"], told["objects_a_day"])
    generated = GeneratedStore({BUCKET: bucket}, b"\x1f\x8b" * 500)
    store = cast("ObjectStore", generated)
    own = {
        "control_tower_bucket" if told["is_main"] else "other_buckets": BUCKET,
        "destination_bucket": "generated-packs",
        "delete_originals": True,
    }
    settings = read_settings(None, own)
    first = DAY - timedelta(days=0 if told["shape"] == "access" else DAYS_KEPT - 1)
    rules = make_run_rules(
        settings, DateWindow(first, DAY - timedelta(days=0 if told["shape"] == "access" else 1))
    )
    tasks, planned = _plan(generated, store, rules, is_split=told["is_split"])
    wanted = tasks if told["is_full"] else tasks[-1:]
    written, answers, began, cpu = Written(), [], time.perf_counter(), time.process_time()
    listed, cut = 0, Cut(ItemLimits(), rules.group.combine.limits, date.min, written.take)
    for task in wanted:
        with make_workers(settings) as workers:
            found = list_task(Job(store, workers, rules, SystemClock()), task, cut)
        answers.append(len(json.dumps(encode_listed(found, generated.requests))))
        listed += found.selection.listed
    measured = {
        **planned,
        "tasks_listed": len(wanted),
        "requests": sum(generated.requests.values()),
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - cpu,
        "peak_bytes": peak_memory_bytes(),
        "listed": listed,
        "packed": sum(written.objects),
        "items": len(written.objects),
        "item_objects_max": max(written.objects, default=0),
        "item_bytes": sum(written.size_bytes),
        "item_bytes_max": max(written.size_bytes, default=0),
        "answer_bytes_max": max(answers),
        "items_entry_bytes": len(
            json.dumps({"run": RUN, "kind": "auxiliary", "item": "00001-01234567-00001"})
        )
        + 1,
    }
    json.dump(measured, sys.stdout)
    return 0


def _plan(
    generated: GeneratedStore, store: ObjectStore, rules: RunRules, *, is_split: bool
) -> tuple[list[ListingTask], Mapping[str, Any]]:
    began = time.perf_counter()
    plan = plan_listing(Job(store, SerialWorkers(), rules, SystemClock()))
    tasks = [task for found in plan.tasks.values() for task in found]
    if not is_split:
        tasks = [replace(tasks[0], prefixes=("",), skipped=())]
    events = [len(json.dumps(task.encode(RUN))) for task in tasks]
    planned = {
        "tasks": len(tasks),
        "plan_requests": sum(generated.requests.values()),
        "plan_seconds": time.perf_counter() - began,
        "event_bytes_max": max(events),
        "tasks_bytes": sum(events),
    }
    generated.requests.clear()
    return tasks, planned


SHAPES: dict[str, Callable[[int, int], GeneratedBucket]] = {
    "main": lambda accounts, objects: shapes.main_bucket(
        accounts, shapes.days_up_to(DAY, DAYS_KEPT), objects
    ),
    "flow": lambda accounts, objects: shapes.flow_bucket(
        accounts, shapes.days_up_to(DAY, DAYS_KEPT), objects
    ),
    "access": lambda _accounts, objects: shapes.access_bucket(shapes.days_up_to(DAY, 1), objects),
}

if __name__ == "__main__":
    sys.exit(main())
