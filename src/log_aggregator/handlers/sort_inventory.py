"""History by an inventory: one file of it, sorted into the windows of days."""

from __future__ import annotations

from log_aggregator.handlers.entry import Call, Event, Result, serve
from log_aggregator.steps.fanout.sorting import SortTask, sort_file


@serve("sort_inventory")
def handler(event: Event, call: Call) -> Result:
    """A file of an inventory -> how many rows it had of the wanted days. The rows lie in the run's
    folder.
    """
    folder, task = call.folder(event["run"]), SortTask.decode(event)
    done = folder.find_json(folder.sorted_key(task.number))
    return {
        "run": folder.run,
        **(done or sort_file(call.job.store, call.job.workers, task, folder)),
    }
