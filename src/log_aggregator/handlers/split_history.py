"""The beginning of the work on history: a range of days as windows of a few days, each a run of its own."""

from __future__ import annotations

from log_aggregator.core.windows import Days, make_window, split_window
from log_aggregator.errors import SettingsError
from log_aggregator.handlers.entry import Event, Job, Result, serve
from log_aggregator.handlers.prepare import describe_array

_NAME_CHARS_MAX = 80
"""Of an execution's name (https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html)."""


@serve("split_history")
def handler(event: Event, job: Job) -> Result:
    """`{"execution": name, "input": {"start_date", "end_date", "bucket_name"}}` -> where the windows are and how many.

    Only main logs are worked through, so `bucket_name` is a Control Tower bucket. A window that was done before costs a listing.
    Raises SettingsError.
    """
    given = event["input"]
    names = ("start_date", "end_date", "bucket_name")
    if sorted(given) != sorted(names) or not all(isinstance(value, str) for value in given.values()):
        raise SettingsError(f"input: needed are {', '.join(names)}, each as text, and nothing else")
    if given["bucket_name"] not in job.settings.control_tower_bucket:
        raise SettingsError(f"input: bucket_name = {given['bucket_name']!r}: allowed is {', '.join(job.settings.control_tower_bucket)}")
    today = job.clock.now().date()
    window = make_window(Days(first=given["start_date"], last=given["end_date"]), today, 0)
    folder = job.folder(f"{today}/{event['execution']}")
    windows = [
        {
            "name": f"{event['execution'][: _NAME_CHARS_MAX - 11]}-{part.first}",
            "input": {"start_date": str(part.first), "end_date": str(part.last), "bucket_name": given["bucket_name"]},
        }
        for part in split_window(window)
    ]
    key = f"runs/{folder.run}/windows.json"
    folder.write_json(key, windows)
    return {"run": folder.run, "windows": describe_array(folder, key, len(windows))}
