"""The end of a run: one result, the metrics, and an error where anything failed."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from log_aggregator.errors import Failure, OutOfMemory, RunFailed
from log_aggregator.escapes import escape
from log_aggregator.handlers.entry import Call, Event, Result, serve
from log_aggregator.handlers.metrics import write_night, write_outstanding, write_run_metrics
from log_aggregator.reports.run import Measured, describe_run
from log_aggregator.steps.cloudtrail.run_keys import archive_run_keys
from log_aggregator.steps.custody.recover import recover_runs
from log_aggregator.steps.custody.sign import sign_after_run
from log_aggregator.steps.custody.write import RunSpan, write_custody
from log_aggregator.steps.fanout.gather import read_record, summarize_run
from log_aggregator.steps.fanout.outstanding import record_outstanding
from log_aggregator.telemetry.logs import log_warning
from log_aggregator.telemetry.memory import peak_memory_bytes

NAMED_FAILURES_MAX = 20
CAUSE_CHARS_MAX = 8_000
"""Step Functions accepts 32,768 characters of a cause, and the stack trace needs some of them."""
OUT_OF_MEMORY = frozenset({OutOfMemory.__name__, "Runtime.OutOfMemory", "Runtime.ExitError"})
"""Names of the error of a function that ran out of memory. Lambda reports the second today; it used
to report the third, which means any process that died.
"""


@serve("finish")
def handler(event: Event, call: Call) -> Result:
    """`{"run", "error"?}` -> what was done, in a few numbers. The whole result goes to
    `runs/<run>/result.json`, in the form of `run --json`, with `planned`: what the work items held.
    A custody record and the public keys of CloudTrail digests are stored next to the packs; the
    record is signed where there is a key for that. Originals that were left behind or retained are
    added to those of earlier runs, in `outstanding/`.

    Raises RunFailed.
    """
    folder = call.folder(event["run"])
    record = read_record(folder)
    summary = summarize_run(folder, call.job.workers, call.settings.look_back_days)
    seen = summary.describe_seen(
        is_nightly=record.is_nightly, is_stopped=event.get("error") is not None
    )
    if event.get("error"):
        summary.result.failures.append(failure_of_state(event["error"]))
    began, ended = datetime.fromisoformat(record.began), call.job.clock.now()
    if not record.dry_run:
        job = call.job_of(record)
        span = RunSpan(folder.run, began, ended)
        archive_keys = partial(archive_run_keys, job, call.connect_keys)
        archive_keys(summary.result)
        write_custody(job, summary.result, span)
        recover_runs(job, summary.result, span, archive_keys)
        sign_after_run(job, summary.result, call.connect_signing)
    requests = summary.requests + Counter(call.job.requests)
    peak = max(summary.peak_memory_bytes, peak_memory_bytes())
    described = describe_run(
        summary.result, Measured(requests, (ended - began).total_seconds(), peak)
    )
    described["planned"] = {
        "objects": summary.planned_objects,
        "work_items": summary.planned_items,
        "dry_run": record.dry_run,
    }
    folder.write_json(folder.result_key, described)
    if not record.dry_run:
        write_run_metrics(folder.run, described, summary.left_behind)
        write_outstanding(folder.run, record_outstanding(call.job.store, folder.bucket, seen))
    for warning in described["warnings"]:
        log_warning(warning["message"], **{name: warning[name] for name in ("where", "advice")})
    where = f"s3://{folder.bucket}/{folder.result_key}"
    if described["failures"]:
        head, *named = describe_failures(described["failures"], where).split("\n")
        raise RunFailed(head, lines=named)
    if record.is_nightly:
        write_night(folder.run)
    done = {name: described[name] for name in ("objects", "planned", "dollars", "custody")}
    return {"run": folder.run, "result": where, **done, "packs": len(described["packs"])}


def describe_failures(failures: Sequence[Mapping[str, str]], where: str) -> str:
    """The number of failures, where the whole list is, and the first failures."""
    named = [
        f"{escape(failure['where'])}: {failure['error']}: {failure['message']}"
        for failure in failures[:NAMED_FAILURES_MAX]
    ]
    head = (
        f"{len(failures)} failures; nothing was deleted that is not in a verified pack; the whole "
        f"list is in {where}"
    )
    return "\n".join([head, *named])[:CAUSE_CHARS_MAX]


def failure_of_state(error: Mapping[str, Any]) -> Failure:
    """From a state's error, `{"Error": name, "Cause": text}`. The cause of a function's error is
    JSON.
    """
    cause = str(error.get("Cause", ""))
    with contextlib.suppress(ValueError, KeyError, TypeError):
        cause = str(json.loads(cause)["errorMessage"])
    name = str(error.get("Error", ""))
    advice = (
        OutOfMemory.advice
        if name in OUT_OF_MEMORY
        else "Look at the execution in the console of Step Functions."
    )
    return Failure("state machine", name, cause[:1000], advice)
