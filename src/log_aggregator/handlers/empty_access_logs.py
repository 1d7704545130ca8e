"""Runs hourly: empties the access-log bucket of a landing zone that logs access to that bucket into
itself; see `steps.packing.empty`. Not a part of any run.
"""

from __future__ import annotations

import os
from dataclasses import asdict

from log_aggregator.errors import Interrupted
from log_aggregator.handlers.entry import ACCESS_LOG_BUCKET, Call, Event, Result, required, serve
from log_aggregator.steps.packing.empty import EmptyReport, empty_access_logs
from log_aggregator.telemetry.logs import log_info
from log_aggregator.telemetry.metrics import write_metrics


@serve("empty_access_logs")
def handler(_event: Event, call: Call) -> Result:
    """Any event -> what was deleted, and what was left. If the time runs out, the next hour
    continues.
    """
    bucket = required(os.environ, ACCESS_LOG_BUCKET)
    settings = call.settings
    others = [
        *settings.control_tower_bucket,
        *settings.other_buckets,
        settings.destination_bucket or call.work_bucket,
        call.work_bucket,
    ]
    report = EmptyReport()
    try:
        empty_access_logs(call.job.store, call.job.workers, bucket, others, report)
    except Interrupted:
        log_info("the time is over; the next hour continues", deleted=report.deleted)
    finally:
        write_metrics(
            {
                "AccessLogsDeleted": report.deleted,
                "AccessLogsRetained": report.retained,
                "AccessLogsLeft": report.left,
            }
        )
    return asdict(report)
