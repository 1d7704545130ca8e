"""Work on history by an inventory: sorts one file of the inventory into windows of days."""

from __future__ import annotations

from log_aggregator.handlers.entry import Call, Event, Result, serve
from log_aggregator.steps.fanout.sorting import SortTask, sort_file


@serve("sort_inventory")
def handler(event: Event, call: Call) -> Result:
    """A file of an inventory -> how many rows it has for the wanted days. The rows go to the run's
    folder.
    """
    folder, task = call.folder(event["run"]), SortTask.decode(event)
    done = folder.find_json(folder.sorted_key(task.number))
    return {
        "run": folder.run,
        **(done or sort_file(call.job.store, call.job.workers, task, folder)),
    }
