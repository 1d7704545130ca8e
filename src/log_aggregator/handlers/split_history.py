"""The beginning of the work on history: splits a range of days into windows of a few days, each a
run of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from log_aggregator.core.concurrency import fit_history
from log_aggregator.core.windows import WINDOW_DAYS_MAX, DateWindow, Days, make_window, split_window
from log_aggregator.errors import SettingsError
from log_aggregator.handlers.concurrency import fit_steps
from log_aggregator.handlers.entry import Call, Event, Result, serve
from log_aggregator.handlers.prepare import describe_array
from log_aggregator.steps.fanout.sorting import SortTask, plan_sorting
from log_aggregator.steps.inventory import InventorySource, check_age, find_inventory
from log_aggregator.steps.packing.buckets import look_at_bucket

_NAME_CHARS_MAX = 80
"""The longest name of an execution
(https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html).
"""


@serve("split_history")
def handler(event: Event, call: Call) -> Result:
    """`{"execution": name, "input": {"start_date", "end_date", "bucket_name", "inventory"?},
    "at_once": {"sort", "windows", "pack"}}` -> where the windows are, how many, and how many run at
    the same time. With an inventory, the same for its files.

    `bucket_name` is a Control Tower bucket: history of other buckets is not worked on. A window
    that was done before costs only a listing. Raises SettingsError, CannotStart.
    """
    given = event["input"]
    check_input(given, call.settings.control_tower_bucket)
    today, name = call.job.clock.now().date(), given["bucket_name"]
    window = make_window(Days(first=given["start_date"], last=given["end_date"]), today, 0)
    folder = call.folder(f"{today}/{event['execution']}")
    tasks = _plan_sorting(call, given["inventory"], name, window) if "inventory" in given else []
    more = {"inventory": folder.run} if tasks else {}
    days_each = tasks[0].days_each if tasks else WINDOW_DAYS_MAX
    windows = [
        {
            "name": f"{event['execution'][: _NAME_CHARS_MAX - 11]}-{part.first}",
            "input": {
                "start_date": str(part.first),
                "end_date": str(part.last),
                "bucket_name": name,
                "history": folder.run,
                **more,
            },
        }
        for part in split_window(window, days_each)
    ]
    files = folder.write_array(folder.files_key, [task.encode(folder.run) for task in tasks])
    folder.write_json(folder.windows_key, windows)
    return {
        "run": folder.run,
        "at_once": fit_steps(call, event.get("at_once", {}), fit_history),
        "files": describe_array(folder, folder.files_key, files),
        "windows": describe_array(folder, folder.windows_key, len(windows)),
    }


def check_input(given: Mapping[str, Any], buckets: Sequence[str]) -> None:
    """Raises SettingsError, which names what was expected."""
    names = ("start_date", "end_date", "bucket_name")
    if sorted({*given} - {"inventory"}) != sorted(names) or not all(
        isinstance(value, str) for value in given.values()
    ):
        raise SettingsError(
            f"input: expected {', '.join(names)} and optionally inventory, each as text, and "
            "nothing else"
        )
    if given["bucket_name"] not in buckets:
        raise SettingsError(
            f"input: bucket_name = {given['bucket_name']!r}: expected {', '.join(buckets)}"
        )


def _plan_sorting(call: Call, location: str, bucket: str, window: DateWindow) -> list[SortTask]:
    inventory = find_inventory(call.job.store, location)
    if inventory.manifest.source_bucket != bucket:
        raise SettingsError(
            f"input: inventory = {location!r}: expected one of {bucket!r}; this is of "
            f"{inventory.manifest.source_bucket!r}"
        )
    check_age(inventory, window)
    source = InventorySource.of(look_at_bucket(call.job, bucket), call.job.rules)
    return plan_sorting(inventory, source, window)
