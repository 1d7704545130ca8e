"""One listing task: some accounts of a main bucket, or an auxiliary bucket or part of it, into work
items.
"""

from __future__ import annotations

from log_aggregator.handlers.entry import Event, Job, Result, serve
from log_aggregator.steps.fanout.gather import read_record
from log_aggregator.steps.fanout.results import encode_listed
from log_aggregator.steps.fanout.sorting import read_window
from log_aggregator.steps.fanout.tasks import ListingTask, list_inventory_task, list_task
from log_aggregator.steps.fanout.workitems import ItemLimits, WorkItem, encode_item


@serve("list")
def handler(event: Event, job: Job) -> Result:
    """A listing task -> its name. What it found lies in the run's folder."""
    task = ListingTask.decode(event)
    folder = job.folder(event["run"])
    done = {"run": folder.run, "kind": task.kind, "task": task.task}
    if folder.find_json(folder.listed_key(task.kind, task.task)) is not None:
        return done
    written = 0

    def write_item(item: WorkItem) -> str:
        """Named for this call: an earlier one that was killed may have left items of a listing that
        never ended, which do not count.
        """
        nonlocal written
        written += 1
        name = f"{task.task}-{job.request_id[:8]}-{written:05d}"
        folder.write(folder.work_key(task.kind, name), encode_item(item))
        return name

    record = read_record(folder)
    late_before = record.late_before(job.settings.look_back_days)
    rules = job.rules(record)
    if task.inventory:
        entries = (
            entry
            for _, entry in read_window(job.folder(task.inventory), task.window, task.bucket.name)
        )
        listed = list_inventory_task(
            job.workers, task, entries, rules, ItemLimits(), late_before, write_item
        )
    else:
        listed = list_task(
            job.store, job.workers, task, rules, ItemLimits(), late_before, write_item
        )
    folder.write_json(
        folder.listed_key(task.kind, task.task), encode_listed(listed, job.store.requests)
    )
    return done
