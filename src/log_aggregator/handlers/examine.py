"""Checks every night whether anything changed in the account that a run depends on."""

from __future__ import annotations

from log_aggregator.handlers.entry import Call, Event, Result, serve
from log_aggregator.handlers.metrics import write_drift
from log_aggregator.reports.doctor import describe_findings
from log_aggregator.steps.doctor.drift import find_drift
from log_aggregator.steps.doctor.examine import examine_settings
from log_aggregator.telemetry.logs import log_warning


@serve("examine")
def handler(event: Event, call: Call) -> Result:
    """`{"run", "roles": ARNs with commas}` -> how many findings are worse than what was accepted.
    All findings go to `runs/<run>/examination.json`, in the form of `doctor --json`. Nothing is
    touched.
    """
    folder, roles = call.folder(event["run"]), event["roles"].split(",")
    job = call.job
    findings = examine_settings(call.connect_account(), job.store, job.clock, job.rules, roles)
    drift = find_drift(job.store, folder.bucket, findings)
    folder.write_json(folder.examination_key, describe_findings(findings))
    for finding in drift:
        log_warning(
            "drift",
            where=finding.where,
            check=finding.check,
            finding=finding.level,
            seen=finding.seen,
            advice=finding.advice,
        )
    write_drift(folder.run, drift)
    return {"run": folder.run, "drift": len(drift)}
