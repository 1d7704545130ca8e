"""The end of the work on history, which fails where the run of any window failed."""

from __future__ import annotations

from log_aggregator.errors import RunFailed
from log_aggregator.handlers.entry import Call, Event, Result, serve
from log_aggregator.handlers.finish import CAUSE_CHARS_MAX


@serve("finish_history")
def handler(event: Event, call: Call) -> Result:
    """`{"run", "key", "done": [...]}` -> how many windows there were. Raises RunFailed, which names
    the runs that failed.

    `key` is where the windows are. `done` has the first day of each finished window, and something
    else for the others. A window that is not in it has failed.
    """
    windows = call.folder(event["run"]).read_json(event["key"])
    done = {first for first in event["done"] if isinstance(first, str)}
    failed = [window["name"] for window in windows if window["input"]["start_date"] not in done]
    if failed:
        head = (
            f"{len(failed)} of {len(windows)} runs failed; start the same range again, which does "
            "only what is left. Executions:"
        )
        head, *named = "\n".join([head, *failed])[:CAUSE_CHARS_MAX].split("\n")
        raise RunFailed(head, lines=named)
    return {"run": event["run"], "windows": len(windows)}
