"""After a run: merges the terms of its packs into tables, for searching."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import Interrupted, RunFailed
from log_aggregator.handlers.entry import Call, Event, Result, serve
from log_aggregator.handlers.finish import CAUSE_CHARS_MAX, NAMED_FAILURES_MAX
from log_aggregator.steps.fanout.folder import RunFolder
from log_aggregator.steps.fanout.gather import read_buckets, read_record
from log_aggregator.steps.fanout.merging import Merged, Span, find_targets, merge_span
from log_aggregator.telemetry.metrics import write_metrics


@serve("merge_terms")
def handler(event: Event, call: Call) -> Result:
    """`{"run", "windows"?}` -> how much was merged, and whether that is all of it; if not, call it
    again. `windows` is where the windows of a history are, whose own runs merge nothing.

    No log depends on it, and it makes no run fail. Raises RunFailed where something could not be
    read; the rest is merged all the same. Raises OutOfTime where not even one table was finished.
    """
    folder = call.folder(event["run"])
    span = _read_span(call, folder, event.get("windows"))
    if span is None or call.job.rules.group.combine.terms is None:
        return _describe(folder.run, Merged(), is_done=True)
    try:
        merged = merge_span(call.job, folder, span)
    except Interrupted:
        # Whatever was written is a finished table or month: the next call continues after it.
        if not call.job.requests.get("PutObject"):
            raise
        return _describe(folder.run, Merged(), is_done=False)
    _write_metrics(folder.run, merged)
    if merged.failed:
        raise RunFailed(
            f"{merged.failed} could not be read while terms were merged; packs are not affected",
            lines=_name_failures(merged),
        )
    return _describe(folder.run, merged, is_done=True)


def _read_span(call: Call, folder: RunFolder, windows_key: str | None) -> Span | None:
    """None where there is nothing to merge, or where the run's history merges it."""
    if windows_key is not None:
        return _span_of_history(call, folder.read_json(windows_key))
    record = read_record(folder)
    if record.dry_run or record.history:
        return None
    targets = find_targets(call.job, read_buckets(folder))
    return Span(DateWindow(record.first, record.last), targets)


def _span_of_history(call: Call, windows: list[Mapping[str, Any]]) -> Span:
    given = [window["input"] for window in windows]
    first = min(date.fromisoformat(each["start_date"]) for each in given)
    last = max(date.fromisoformat(each["end_date"]) for each in given)
    targets = find_targets(call.job, {each["bucket_name"] for each in given})
    return Span(DateWindow(first, last), targets)


def _write_metrics(run: str, merged: Merged) -> None:
    values = {
        "PacksMerged": merged.packs,
        "TablesWritten": merged.tables,
        "MergeFailures": merged.failed,
    }
    write_metrics(values, properties={"run": run})


def _name_failures(merged: Merged) -> list[str]:
    named = [
        f"{failure.where}: {failure.error}: {failure.message}"
        for failure in merged.failures[:NAMED_FAILURES_MAX]
    ]
    return "\n".join(named)[:CAUSE_CHARS_MAX].split("\n")


def _describe(run: str, merged: Merged, *, is_done: bool) -> Result:
    return {"run": run, "is_done": is_done, "tables": merged.tables, "packs": merged.packs}
