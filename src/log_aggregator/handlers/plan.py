"""Between listing and packing: is it within the limits, and what is there to do?"""

from __future__ import annotations

from log_aggregator.handlers.entry import Call, Event, Result, serve
from log_aggregator.handlers.prepare import describe_array
from log_aggregator.steps.fanout.folder import Kind
from log_aggregator.steps.fanout.gather import gather_items, read_record


@serve("plan")
def handler(event: Event, call: Call) -> Result:
    """`{"run"}` -> for both kinds of logs where the work items are and how many, and whether that
    is all that is wanted.
    """
    folder = call.folder(event["run"])
    counts = gather_items(folder, call.job.workers, call.settings.objects_max)
    is_dry = read_record(folder).dry_run
    return {
        "run": folder.run,
        "dry_run": is_dry,
        **{kind: describe_array(folder, folder.items_key(kind), counts[kind]) for kind in Kind},
    }
