"""Turns the results of runs and groups into metrics. Their names are those of
`telemetry.metrics.METRICS`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from log_aggregator.steps.doctor.findings import Finding
from log_aggregator.steps.fanout.outstanding import Outstanding
from log_aggregator.steps.fanout.results import ItemResult
from log_aggregator.steps.packing.results import GroupResult
from log_aggregator.telemetry.metrics import write_metrics

_SECONDS = {
    "list": "SecondsListing",
    "plan": "SecondsPlanning",
    "combine": "SecondsCombining",
    "verify": "SecondsVerifying",
    "delete": "SecondsDeleting",
}
_NAMED_PLACES_MAX = 50
_OBJECTS = {
    "listed": "ObjectsListed",
    "packed": "ObjectsPacked",
    "copied": "ObjectsCopied",
    "deleted": "ObjectsDeleted",
    "discarded": "ObjectsDiscarded",
    "kept": "ObjectsKept",
    "retained": "ObjectsRetained",
    "changed": "ObjectsChanged",
    "unknown": "ObjectsUnknown",
}


def write_run_metrics(run: str, described: Mapping[str, Any], left_behind: int) -> None:
    """The metrics of a whole run, from its result as `reports.run.describe_run` gives it."""
    objects, dollars, packs = described["objects"], described["dollars"], described["packs"]
    written = objects["packed"] + objects["copied"]
    values = {
        **{metric: objects[name] for name, metric in _OBJECTS.items()},
        **{
            metric: described["seconds_by_step"].get(step, 0.0) for step, metric in _SECONDS.items()
        },
        "ObjectsLeftBehind": left_behind,
        "BytesIn": described["bytes_in"],
        "BytesOut": described["bytes_out"],
        "PacksWritten": len(packs),
        "PacksWithoutTerms": described["packs_without_terms"],
        "GroupsTotal": described["groups"]["total"],
        "GroupsFailed": described["groups"]["failed"],
        "Failures": len(described["failures"]),
        "PublicKeyRegionsRefused": len(described["refused_regions"]),
        "RunSeconds": described["seconds"],
        "DollarsSpent": dollars["estimated"],
        "DollarsSaved": max(0.0, dollars["one_upload_per_object"] - dollars["estimated"]),
    }
    if packs:
        values["ObjectsPerPack"] = written / len(packs)
    properties = {
        "run": run,
        "first_date": described["first_date"],
        "last_date": described["last_date"],
    }
    write_metrics(values, properties=properties)
    for operation, count in described["requests"].items():
        write_metrics(
            {"Requests": count}, dimensions={"Operation": operation}, properties=properties
        )


def write_outstanding(run: str, outstanding: Outstanding) -> None:
    """What all runs so far have left, and the first buckets and days of it."""
    places = [f"{bucket} {day}" for bucket, day in sorted(outstanding.places)]
    write_metrics(
        {
            "OutstandingLeftBehind": outstanding.left_behind,
            "OutstandingRetained": outstanding.retained,
        },
        properties={"run": run, "outstanding": ", ".join(places[:_NAMED_PLACES_MAX])},
    )


def write_drift(run: str, drift: Sequence[Finding]) -> None:
    """The number of findings that are worse than what was accepted, and the first of them."""
    named = [f"{finding.where} {finding.check}" for finding in drift[:_NAMED_PLACES_MAX]]
    write_metrics({"Drift": len(drift)}, properties={"run": run, "findings": ", ".join(named)})


def write_night(run: str) -> None:
    """Records that a nightly run did everything it had to."""
    write_metrics({"NightsDone": 1}, properties={"run": run})


def write_group_metrics(run: str, result: ItemResult) -> None:
    """The metrics of a work item's groups, after its last step."""
    for state in result.states:
        group = state.result.group
        write_metrics(
            _group_values(state.result),
            dimensions={"SourceBucket": group.bucket, "LogType": group.log_type},
            properties={"run": run, "account": group.account, "date": group.date.isoformat()},
        )


def _group_values(result: GroupResult) -> dict[str, float]:
    return {
        "GroupObjects": result.packed + result.copied,
        "GroupBytesIn": result.bytes_in,
        "GroupBytesOut": result.bytes_out,
        "GroupPacks": len(result.packs),
        "GroupDeleted": result.deleted,
        "GroupRetained": result.retained,
        "GroupFailures": len(result.failures),
        "GroupSecondsCombining": result.seconds.get("combine", 0.0),
        "GroupSecondsVerifying": result.seconds.get("verify", 0.0),
        "GroupSecondsDeleting": result.seconds.get("delete", 0.0),
    }
