"""What a change set says, as a table and as warnings; what a stack has put out."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ACTIONS = {
    "Add": "+ add",
    "Modify": "* change",
    "Remove": "- remove",
    "Import": "> import",
    "Dynamic": "? depends",
}
REPLACEMENTS = {"True": "yes", "False": "no", "Conditional": "perhaps"}
BUCKET = "AWS::S3::Bucket"


@dataclass(frozen=True, slots=True)
class Change:
    """One resource of a change set, in CloudFormation's words.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChange.html
    """

    action: str
    logical_id: str
    type: str
    replacement: str = ""
    policy_action: str = ""
    physical_id: str = ""

    @property
    def takes_away(self) -> bool:
        """What is there now will not be the stack's any more."""
        return self.action == "Remove" or self.replacement in ("True", "Conditional")


@dataclass(frozen=True, slots=True)
class Output:
    key: str
    value: str
    description: str


def parse_changes(answer: Mapping[str, Any]) -> list[Change]:
    """Those of one page of DescribeChangeSet."""
    return [
        Change(
            found["Action"],
            found["LogicalResourceId"],
            found["ResourceType"],
            found.get("Replacement") or "",
            found.get("PolicyAction") or "",
            found.get("PhysicalResourceId") or "",
        )
        for found in (
            change["ResourceChange"]
            for change in answer.get("Changes", ())
            if "ResourceChange" in change
        )
    ]


def render_changes(changes: Sequence[Change]) -> list[str]:
    """A table: what is added, changed, removed, and whether it is replaced. Then the warnings."""
    rows = [("action", "resource", "type", "replaced")]
    for change in sorted(
        changes, key=lambda change: (change.action, change.type, change.logical_id)
    ):
        replaced = REPLACEMENTS.get(change.replacement, "") if change.action == "Modify" else ""
        rows.append(
            (ACTIONS.get(change.action, change.action), change.logical_id, change.type, replaced)
        )
    return [*render_table(rows), "", count_changes(changes), *render_warnings(changes)]


def count_changes(changes: Sequence[Change]) -> str:
    counts = {
        action: sum(change.action == action for change in changes)
        for action in ("Add", "Modify", "Remove")
    }
    return f"{counts['Add']} to add, {counts['Modify']} to change, {counts['Remove']} to remove"


def render_warnings(changes: Sequence[Change]) -> list[str]:
    """Every resource that is replaced or removed; buckets first, because they hold logs."""
    taken = sorted(
        (change for change in changes if change.takes_away),
        key=lambda change: (change.type != BUCKET, change.logical_id),
    )
    return [f"WARNING: {_warn(change)}" for change in taken]


def _warn(change: Change) -> str:
    name = (
        f"{change.logical_id} "
        f"({change.type}{', ' + change.physical_id if change.physical_id else ''})"
    )
    kept = change.policy_action in ("Retain", "ReplaceAndRetain")
    verb = {"True": "is replaced", "Conditional": "may be replaced"}.get(
        change.replacement, "is removed from the stack"
    )
    if change.type != BUCKET:
        return f"{name} {verb}{'; what is there stays' if kept else ''}"
    fate = (
        "the bucket stays where it is, with all that is in it"
        if kept
        else "CloudFormation tries to delete the bucket"
    )
    return f"{name} {verb}: {fate}"


def render_outputs(outputs: Sequence[Output]) -> list[str]:
    """Each with what it is for."""
    return [
        line
        for output in outputs
        for line in (f"{output.key}: {output.value}", f"    {output.description}".rstrip())
        if line
    ]


def render_first_steps(
    parameters: Mapping[str, str], outputs: Sequence[Output], region: str
) -> list[str]:
    """What to do next: see what a run would do, without doing it."""
    options = [f"--region {region}"]
    for parameter, option in (
        ("ControlTowerBucket", "control-tower-bucket"),
        ("OtherBuckets", "other-buckets"),
    ):
        if parameters.get(parameter):
            options.append(f"--{option} {shlex.quote(parameters[parameter])}")
    destination = [
        output.value
        for output in outputs
        if output.key in ("CommonDestinationBucket", "CommonDestinationBucketName")
    ]
    if destination:
        options.append(f"--destination-bucket {destination[0]}")
    elif parameters.get("FinalAggregationPrefix"):
        options.append(f"--final-aggregation-prefix {parameters['FinalAggregationPrefix']}")
    lines = [
        "See what the next run will do; this changes nothing:",
        "  .venv/bin/log-aggregator plan " + " ".join(options),
    ]
    file = next((output.value for output in outputs if output.key == "LayoutsFile"), None)
    if parameters.get("OtherBuckets") and file:
        lines += [
            "Other logs than AWS's stay until you declare them (docs/how-to/declare-your-logs.md):",
            "  add --config layouts.toml to the command above, and if you like what you see:",
            f"  aws s3 cp layouts.toml {shlex.quote(file)} --region {region}",
        ]
    return lines


def render_table(rows: Sequence[Sequence[str]]) -> list[str]:
    """The first row is the head. Columns as wide as their widest entry, the last one ragged."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return [lines[0], "  ".join("-" * width for width in widths), *lines[1:]]
