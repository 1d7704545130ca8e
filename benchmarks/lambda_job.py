"""One call of a function of the deployment, alone in a process: reads from its input what to do,
says that it is ready, waits for a line, and prints what it took. What the function does around the
step (reading the event, writing the result) is left out.

It imports what the real function imports, and of the lab nothing.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, cast

from benchmarks.generated import GeneratedBucket, GeneratedStore

from log_aggregator.core.windows import DateWindow
from log_aggregator.model import Group
from log_aggregator.ports.store import ObjectStore
from log_aggregator.settings import Settings, read_settings
from log_aggregator.steps.fanout.results import ItemResult, decode_item_result, encode_item_result
from log_aggregator.steps.fanout.settle import ItemWork
from log_aggregator.steps.fanout.workitems import decode_item
from log_aggregator.steps.job import Job
from log_aggregator.telemetry.memory import peak_memory_bytes
from log_aggregator.wiring import (
    Connection,
    SystemClock,
    connect_store,
    make_run_rules,
    make_workers,
)

TODAY = date(2099, 1, 1)


def main() -> int:
    told = json.loads(sys.stdin.readline())
    folder = Path(told["folder"])
    data = (folder / told["item"]).read_bytes()
    settings = read_settings(None, told["settings"])
    store = _open_store(told, settings, folder)
    start_bytes = peak_memory_bytes()
    print("ready", flush=True)
    sys.stdin.readline()
    cpu, began = time.process_time(), time.perf_counter()
    with make_workers(settings) as workers:
        day = date.fromisoformat(told["day"])
        rules = make_run_rules(settings, DateWindow(day, day))
        work = ItemWork(Job(store, workers, rules, SystemClock()), TODAY, _watch)
        result = STEPS[told["step"]](work, data, folder)
    measured = {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - cpu,
        "start_bytes": start_bytes,
        "peak_bytes": peak_memory_bytes(),
        "failures": [
            failure.message for state in result.states for failure in state.result.failures
        ],
        "done": sum(getattr(state.result, told["count"]) for state in result.states),
    }
    (folder / f"{told['step']}.json").write_text(json.dumps(encode_item_result(result)))
    if isinstance(store, GeneratedStore):
        store.save(folder / "written")
    json.dump(measured, sys.stdout)
    return 0


def _open_store(told: Mapping[str, Any], settings: Settings, folder: Path) -> ObjectStore:
    if told["server"] is not None:
        return connect_store(Connection(**told["server"]), settings.readers)
    # A bucket of its name, whose objects are read and never listed.
    generated = GeneratedStore(
        {told["bucket"]: GeneratedBucket(0, str, "Enabled")}, (folder / "body").read_bytes()
    )
    if (folder / "written").exists():
        generated.restore(folder / "written")
    return cast("ObjectStore", generated)


def _combine(work: ItemWork, data: bytes, _folder: Path) -> ItemResult:
    return work.combine(decode_item(data, work.job.rules.layouts_of))


def _verify(work: ItemWork, _data: bytes, folder: Path) -> ItemResult:
    return work.verify(_read_result(folder, "combine"))


def _delete(work: ItemWork, data: bytes, folder: Path) -> ItemResult:
    item = decode_item(data, work.job.rules.layouts_of)
    return work.delete(item, _read_result(folder, "verify"))


def _read_result(folder: Path, step: str) -> ItemResult:
    return decode_item_result(json.loads((folder / f"{step}.json").read_text()))


def _watch(_group: Group) -> contextlib.AbstractContextManager[None]:
    return contextlib.nullcontext()


STEPS: dict[str, Callable[[ItemWork, bytes, Path], ItemResult]] = {
    "combine": _combine,
    "verify": _verify,
    "delete": _delete,
}

if __name__ == "__main__":
    sys.exit(main())
