"""Between listing and packing: checks the limits, and says what there is to do."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from log_aggregator.handlers.entry import Call, Event, Result, serve
from log_aggregator.handlers.prepare import describe_array
from log_aggregator.model import Group
from log_aggregator.steps.custody.write import RunSpan, open_custody
from log_aggregator.steps.fanout.folder import Kind
from log_aggregator.steps.fanout.gather import gather_items, read_record


@serve("plan")
def handler(event: Event, call: Call) -> Result:
    """`{"run", "at_once"}` -> for both kinds of logs where the work items are and how many, and
    whether it is a dry run. Opens the run's custody record, without which nothing is touched.
    """
    folder = call.folder(event["run"])
    record = read_record(folder)
    is_dry = record.dry_run

    def open_run(groups: Collection[Group]) -> None:
        if groups and not is_dry:
            began = datetime.fromisoformat(record.began)
            span = RunSpan(record.run, began, began)
            open_custody(call.job_of(record), span, record.first, record.last, groups)

    counts = gather_items(folder, call.job.workers, call.settings.objects_max, open_run)
    return {
        "run": folder.run,
        "dry_run": is_dry,
        "at_once": event.get("at_once", {}),
        **{kind: describe_array(folder, folder.items_key(kind), counts[kind]) for kind in Kind},
    }
