"""One listing task: turns some accounts of a main bucket, or an auxiliary bucket or a part of it,
into work items.
"""

from __future__ import annotations

from log_aggregator.handlers.entry import Call, Event, Result, serve
from log_aggregator.steps.fanout.gather import read_record
from log_aggregator.steps.fanout.results import encode_listed
from log_aggregator.steps.fanout.sorting import read_window
from log_aggregator.steps.fanout.tasks import Cut, ListingTask, list_inventory_task, list_task
from log_aggregator.steps.fanout.workitems import ItemLimits, WorkItem, encode_item


@serve("list")
def handler(event: Event, call: Call) -> Result:
    """A listing task -> its name. What it found goes to the run's folder."""
    folder = call.folder(event["run"])
    record = read_record(folder)
    job = call.job_of(record)
    task = ListingTask.decode(event, job.rules)
    done = {"run": folder.run, "kind": task.kind, "task": task.task}
    if folder.find_json(folder.listed_key(task.kind, task.task)) is not None:
        return done
    folder.begin(task.kind, task.task)
    written = 0

    def write_item(item: WorkItem) -> str:
        """Its name contains this call's id: an earlier call that was killed may have left items of
        an unfinished listing, which must not count.
        """
        nonlocal written
        written += 1
        name = f"{task.task}-{call.request_id[:8]}-{written:05d}"
        folder.write(folder.work_key(task.kind, name), encode_item(item))
        return name

    late_before = record.late_before(call.settings.look_back_days)
    cut = Cut(ItemLimits(), job.rules.group.combine.limits, late_before, write_item)
    if task.inventory:
        entries = (
            entry
            for _, entry in read_window(call.folder(task.inventory), task.window, task.bucket.name)
        )
        listed = list_inventory_task(job, task, entries, cut)
    else:
        listed = list_task(job, task, cut)
    folder.write_json(
        folder.listed_key(task.kind, task.task), encode_listed(listed, call.job.requests)
    )
    return done
