"""Metrics in CloudWatch's Embedded Metric Format: a line of JSON on stdout, which CloudWatch Logs
turns into metrics. No client.

`METRICS` defines all of them: names, units, meanings, dimensions. Nothing else can be written.

Dimensions. Every different set of dimension values is a separate metric, and is billed as one for
each hour in which it is written (https://aws.amazon.com/cloudwatch/pricing/). Hence:

    of a run      once without dimensions, for everything in this account and region; and once by
                  `Stack`, where there is one, so that a second stack next to the first does not
                  disturb its alarms. Alarms should use `Stack`.
    of a group    by `SourceBucket`, and by `SourceBucket` and `LogType`: a few hundred at most.

Account, date and run are properties, never dimensions: 5,000 accounts times a few log types times
ten metrics would be hundreds of thousands of metrics, for up to $0.30 a month each. As properties
they cost nothing more, and Logs Insights finds them:

    filter ispresent(GroupBytesIn) | stats sum(GroupBytesIn) by account, LogType

Specification:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

NAMESPACE = "LogAggregator"
STACK = "Stack"
STACK_VARIABLE = "LOG_AGGREGATOR_STACK"
"""The environment variable that holds the stack's name; the value of the dimension `Stack`."""

UNITS = frozenset({"Count", "Bytes", "Seconds", "None"})
"""CloudWatch's units, as far as they are used."""

# The format's own limits.
DIMENSIONS_IN_SET_MAX = 30
DIMENSION_VALUE_CHARS_MAX = 1024

DimensionSets = tuple[tuple[str, ...], ...]

_RUN: DimensionSets = ((), (STACK,))
_REQUESTS: DimensionSets = (("Operation",), (STACK, "Operation"))
_GROUP: DimensionSets = (("SourceBucket",), ("SourceBucket", "LogType"))


@dataclass(frozen=True, slots=True)
class Metric:
    """One row. `unit` is CloudWatch's name; dollars have none. Sets with `Stack` are left out where
    there is no stack.
    """

    name: str
    unit: str
    meaning: str
    dimension_sets: DimensionSets

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise ValueError(f"{self.name}: not a unit that is used here: {self.unit!r}")
        if not self.dimension_sets or any(
            len(names) > DIMENSIONS_IN_SET_MAX for names in self.dimension_sets
        ):
            raise ValueError(
                f"{self.name}: at least one dimension set, of at most "
                f"{DIMENSIONS_IN_SET_MAX} dimensions"
            )


METRICS: tuple[Metric, ...] = (
    Metric(
        "ObjectsListed", "Count", "Log objects (versions) of the run's dates that were found.", _RUN
    ),
    Metric("ObjectsPacked", "Count", "Log objects that were written into packs.", _RUN),
    Metric("ObjectsCopied", "Count", "Large log objects that S3 copied one by one.", _RUN),
    Metric(
        "ObjectsDeleted",
        "Count",
        "Originals that were deleted, each after its pack was verified.",
        _RUN,
    ),
    Metric(
        "ObjectsDiscarded",
        "Count",
        "Log objects of other regions, deleted without a pack because the settings say so.",
        _RUN,
    ),
    Metric(
        "ObjectsKept", "Count", "Originals that stay until keep_originals_days have passed.", _RUN
    ),
    Metric(
        "ObjectsRetained",
        "Count",
        "Originals that S3 refuses to delete: Object Lock, legal hold, MFA delete, a policy.",
        _RUN,
    ),
    Metric(
        "ObjectsChanged",
        "Count",
        "Log objects that changed or vanished after the listing; the next run takes them.",
        _RUN,
    ),
    Metric("ObjectsUnknown", "Count", "Keys of unknown layout or date, left alone.", _RUN),
    Metric(
        "ObjectsLeftBehind",
        "Count",
        "Log objects of dates before the look-back that are still in their source bucket.",
        _RUN,
    ),
    Metric(
        "Drift",
        "Count",
        "Findings of the nightly examination that are worse than what was accepted, and problems. "
        "The newest `examination.json` in the work bucket lists them.",
        _RUN,
    ),
    Metric(
        "OutstandingLeftBehind",
        "Count",
        "Log objects that this run or an earlier one left behind, and that are still there as far "
        "as runs have seen. Listed by day in `outstanding/` of the work bucket.",
        _RUN,
    ),
    Metric(
        "OutstandingRetained",
        "Count",
        "Originals that S3 refused to delete in this run or an earlier one, and that are still "
        "there as far as runs have seen. Listed by day in `outstanding/` of the work bucket.",
        _RUN,
    ),
    Metric(
        "NightsDone",
        "Count",
        "1 where a run did everything that a nightly run does, and nothing failed. Runs over named "
        "dates or one bucket, and windows of history, do not write it.",
        _RUN,
    ),
    Metric("BytesIn", "Bytes", "Bytes of the log objects that were packed or copied.", _RUN),
    Metric("BytesOut", "Bytes", "Bytes of the packs that were written.", _RUN),
    Metric("PacksWritten", "Count", "Packs that were written.", _RUN),
    Metric(
        "PacksWithoutTerms",
        "Count",
        "Packs that were written but cannot be searched, because writing their terms failed. Not a "
        "failure of the run: `index terms` makes them.",
        _RUN,
    ),
    Metric("PacksMerged", "Count", "Packs whose terms were merged into a table.", _RUN),
    Metric("TablesWritten", "Count", "Tables of terms that were written.", _RUN),
    Metric(
        "MergeFailures",
        "Count",
        "Terms and tables that could not be read while terms were merged. A search reads terms of "
        "these packs one by one, or reports the packs as unsearched.",
        _RUN,
    ),
    Metric("ObjectsPerPack", "Count", "Members of a pack, averaged over the run.", _RUN),
    Metric("GroupsTotal", "Count", "Groups of the run.", _RUN),
    Metric("GroupsFailed", "Count", "Groups in which something failed.", _RUN),
    Metric("Failures", "Count", "Everything that could not be done, groups and others.", _RUN),
    Metric(
        "PublicKeyRegionsRefused",
        "Count",
        "Regions of the run's digests in which CloudTrail refuses to give its public keys, "
        "including those known to refuse, which were not asked. Not a failure, and no alarm.",
        _RUN,
    ),
    Metric(
        "RunSeconds",
        "Seconds",
        "The run from its beginning to its end. Written once per run, so its sample count is the "
        "number of runs.",
        _RUN,
    ),
    Metric("SecondsListing", "Seconds", "Listing, summed over parallel work.", _RUN),
    Metric("SecondsPlanning", "Seconds", "Planning, summed over parallel work.", _RUN),
    Metric("SecondsCombining", "Seconds", "Combining, summed over parallel work.", _RUN),
    Metric("SecondsVerifying", "Seconds", "Verifying, summed over parallel work.", _RUN),
    Metric("SecondsDeleting", "Seconds", "Deleting, summed over parallel work.", _RUN),
    Metric("Requests", "Count", "S3 requests, by S3's name of the operation.", _REQUESTS),
    Metric("DollarsSpent", "None", "Estimated dollars of the run's S3 requests.", _RUN),
    Metric(
        "DollarsSaved",
        "None",
        "Estimated dollars that one upload per log object would have cost in addition.",
        _RUN,
    ),
    Metric("GroupObjects", "Count", "Log objects of a group that were packed or copied.", _GROUP),
    Metric(
        "GroupBytesIn",
        "Bytes",
        "Bytes of a group's log objects that were packed or copied.",
        _GROUP,
    ),
    Metric("GroupBytesOut", "Bytes", "Bytes of a group's packs that were written.", _GROUP),
    Metric("GroupPacks", "Count", "Packs of a group that were written.", _GROUP),
    Metric("GroupDeleted", "Count", "Originals of a group that were deleted.", _GROUP),
    Metric("GroupRetained", "Count", "Originals of a group that S3 refuses to delete.", _GROUP),
    Metric("GroupFailures", "Count", "What could not be done in a group.", _GROUP),
    Metric("GroupSecondsCombining", "Seconds", "Combining a group.", _GROUP),
    Metric("GroupSecondsVerifying", "Seconds", "Verifying a group's packs.", _GROUP),
    Metric("GroupSecondsDeleting", "Seconds", "Deleting a group's originals.", _GROUP),
    Metric(
        "DrillMembers",
        "Count",
        "Members that a drill drew and compared. Written once per drill, when it is over.",
        _RUN,
    ),
    Metric(
        "DrillMembersBad",
        "Count",
        "Members of the drill that did not come back as they were packed.",
        _RUN,
    ),
    Metric(
        "ReportFilesMissing",
        "Count",
        "Log files that digests of the last year name, and that are nowhere. Written once a month, "
        "with the report.",
        _RUN,
    ),
    Metric(
        "ReportHoursWithoutDigest",
        "Count",
        "Hours of days without a log that no digest covers, of all accounts and Regions.",
        _RUN,
    ),
    Metric(
        "ReportDrillAgeDays",
        "Count",
        "Days from the end of the last drill to the report. Not written before the first drill.",
        _RUN,
    ),
    Metric(
        "ReportPartsWrong",
        "Count",
        "Sections of the report in which something is wrong.",
        _RUN,
    ),
    Metric(
        "AccessLogsDeleted",
        "Count",
        "Entries that the hourly emptying of the access-log bucket deleted.",
        _RUN,
    ),
    Metric(
        "AccessLogsRetained",
        "Count",
        "Entries of the access-log bucket that S3 refuses to delete.",
        _RUN,
    ),
    Metric(
        "AccessLogsLeft",
        "Count",
        "Entries of the access-log bucket that are not access logs, and were left alone.",
        _RUN,
    ),
)

_ROWS = {metric.name: metric for metric in METRICS}
_DIMENSION_VALUE = re.compile(f"(?=.*[!-~])[ -~]{{1,{DIMENSION_VALUE_CHARS_MAX}}}")


def write_metrics(
    values: Mapping[str, float],
    *,
    dimensions: Mapping[str, str] | None = None,
    properties: Mapping[str, object] | None = None,
) -> None:
    """Writes them to stdout, with the current time and the stack's name. Raises ValueError, as
    `encode_metrics` does.
    """
    stack = os.environ.get(STACK_VARIABLE)
    named = {STACK: stack} if stack else {}
    line = encode_metrics(
        values, {**named, **(dimensions or {})}, properties or {}, datetime.now(UTC)
    )
    sys.stdout.write(line + "\n")  # in one write, so that lines of several threads do not mix
    sys.stdout.flush()


def encode_metrics(
    values: Mapping[str, float],
    dimensions: Mapping[str, str],
    properties: Mapping[str, object],
    now: datetime,
) -> str:
    """One line in the Embedded Metric Format. `dimensions` and `properties` are by name; the table
    says which sets the dimensions go into.

    `now` has a time zone. Raises ValueError for a metric that is not in the table, a value that is
    not a finite number, a dimension that is missing, unused, or not printable ASCII, and a name
    that is used twice.
    """
    rows = [_find(name) for name in values]
    directives = [
        {
            "Namespace": NAMESPACE,
            "Dimensions": [list(names) for names in _complete_sets(dimension_sets, dimensions)],
            "Metrics": [
                {"Name": row.name, "Unit": row.unit}
                for row in rows
                if row.dimension_sets == dimension_sets
            ],
        }
        for dimension_sets in dict.fromkeys(row.dimension_sets for row in rows)
    ]
    _check_values(values)
    _check_dimensions(
        dimensions,
        {name for directive in directives for names in directive["Dimensions"] for name in names},
    )
    _check_names([*values, *dimensions, *properties, "_aws"])
    metadata = {"Timestamp": int(now.timestamp() * 1000), "CloudWatchMetrics": directives}
    return json.dumps(
        {"_aws": metadata, **dimensions, **values, **properties}, default=_plain, allow_nan=False
    )


def _find(name: str) -> Metric:
    if name not in _ROWS:
        raise ValueError(f"there is no metric {name!r}; the table is METRICS")
    return _ROWS[name]


def _complete_sets(
    dimension_sets: DimensionSets, dimensions: Mapping[str, str]
) -> list[tuple[str, ...]]:
    """The sets whose dimensions all have values. Only the stack may be missing."""
    missing = {name for names in dimension_sets for name in names} - set(dimensions) - {STACK}
    if missing:
        raise ValueError(f"dimensions without a value: {', '.join(sorted(missing))}")
    return [names for names in dimension_sets if set(names) <= set(dimensions)]


def _check_values(values: Mapping[str, float]) -> None:
    if not values:
        raise ValueError("no metrics")
    for name, value in values.items():
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, float))
            or not math.isfinite(value)
        ):
            raise ValueError(f"{name} = {value!r}: not a finite number")


def _check_dimensions(dimensions: Mapping[str, str], used: set[str]) -> None:
    # The stack's name is always given, even where metrics of groups do not use it.
    unused = set(dimensions) - used - {STACK}
    if unused:
        raise ValueError(
            f"dimensions that none of these metrics has: {', '.join(sorted(unused))}; pass "
            "them as properties"
        )
    for name, value in dimensions.items():
        if not _DIMENSION_VALUE.fullmatch(value):
            raise ValueError(
                f"{name} = {value!r}: expected printable ASCII, at most "
                f"{DIMENSION_VALUE_CHARS_MAX} characters"
            )


def _check_names(names: list[str]) -> None:
    if len(set(names)) != len(names):
        raise ValueError(
            "the same name is used twice: "
            + ", ".join(sorted({name for name in names if names.count(name) > 1}))
        )


def _plain(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    raise ValueError(f"a property is text, a number or a date, not {type(value).__name__}")
