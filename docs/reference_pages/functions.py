"""Functions: what each Lambda function and state machine does and may do, from template.yaml and
the handlers' own words.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from reference_pages.table import TEXTS, table
from reference_pages.template import (
    Evaluation,
    functions_of,
    load_template,
    state_machines_of,
    statements_of,
)

PLACES = {True: "`UseCommonDestinationBucket` = Yes", False: "`UseCommonDestinationBucket` = No"}


def make_functions() -> Iterator[str]:
    template = load_template()
    yield "# Functions"
    yield ""
    yield ("The stack's Lambda functions and state machines, and the permissions of their roles.")
    yield "A role has only what its step needs."
    yield (
        "Only `DeleteFunction` can delete in source buckets, and `EmptyAccessLogsFunction` in the "
        "one bucket that it empties."
    )
    yield "No function can delete a pack."
    yield "`<Name>` stands for the value of a parameter, or for a resource of the stack."
    yield (
        "`<ControlTowerBucket>` and `<OtherBuckets>` are lists; a permission on them applies to "
        "every bucket in the list."
    )
    yield (
        "Permissions on a bucket or its objects apply only if the bucket belongs to the stack's "
        "own account (`aws:ResourceAccount`) or, for sources and inventories, to one that "
        "`BucketAccounts` names."
    )
    yield (
        "Every function can also write its own logs and traces, and Lambda Insights if "
        "`LambdaInsightsLayerArn` is given."
    )
    yield (
        "[Architecture](../internals/architecture.md#as-a-serverless-application) shows how a run "
        "passes through them."
    )
    yield ""
    yield from table(
        ("function", "what it does", "memory in MB", "seconds at most"), _overview(template)
    )
    for name, found in functions_of(template).items():
        yield ""
        yield f"## {name}"
        yield ""
        yield f"`{found['Properties']['Handler']}`: {_doc(found)}"
        if "Condition" in found:
            yield f"It exists only {_when(found['Condition'])}."
        yield ""
        yield from table(
            ("effect", "actions", "on", "where"), _statement_rows(template, found["Properties"])
        )
    for name, found in state_machines_of(template).items():
        yield ""
        yield f"## {name}"
        yield ""
        yield from _schedules(found["Properties"])
        yield ""
        yield from table(
            ("effect", "actions", "on", "where"), _statement_rows(template, found["Properties"])
        )
    yield ""
    yield from _bucket_policy(template)


def _overview(template: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    common = template["Globals"]["Function"]
    for name, found in functions_of(template).items():
        properties = found["Properties"]
        memory = Evaluation(template).value(properties.get("MemorySize", common["MemorySize"]))
        yield (
            f"[`{name}`](#{name.lower()})",
            _doc(found),
            f"`{memory}`",
            str(properties.get("Timeout", common["Timeout"])),
        )


def _doc(found: Mapping[str, Any]) -> str:
    module = importlib.import_module(found["Properties"]["Handler"].rpartition(".")[0])
    return re.sub(r"; see `steps[^`]*`", "", " ".join((module.__doc__ or "").split()))


def _schedules(properties: Mapping[str, Any]) -> Iterator[str]:
    events = properties.get("Events", {})
    if not events:
        yield "Started by hand."
    for name, event in events.items():
        found = event["Properties"]
        given = Evaluation({"Resources": {}}).value(found["Input"])
        yield (
            f"- {name}: `{found['ScheduleExpression']}` (UTC) with `{given}`. "
            f"{found['Description']}"
        )


def _statement_rows(
    template: Mapping[str, Any], properties: Mapping[str, Any]
) -> Iterator[tuple[str, str, str, str]]:
    for condition, statement in statements_of(properties):
        rows = {
            place: _row(Evaluation(template, _conditions(place)).value(statement))
            for place in PLACES
        }
        if condition in ("IsInPlace", "IsCommon"):
            place = condition == "IsCommon"
            yield *rows[place], PLACES[place]
        elif rows[True] == rows[False]:
            yield *rows[True], _when(condition)
        else:
            also = f", {_when(condition)}" if condition else ""
            for place, row in rows.items():
                yield *row, PLACES[place] + also


def _conditions(is_common: bool) -> dict[str, bool]:
    return {"IsCommon": is_common, "IsInPlace": not is_common, "HasDestinationKey": is_common}


def _row(statement: Mapping[str, Any]) -> tuple[str, str, str]:
    actions = "<br>".join(f"`{action}`" for action in _as_list(statement["Action"]))
    if "NotResource" in statement:
        places = "everything but " + "<br>".join(map(_place, _as_list(statement["NotResource"])))
    else:
        places = "<br>".join(map(_place, _as_list(statement["Resource"])))
    if conditions := list(_describe_condition(statement.get("Condition", {}))):
        places += "<br>if " + " and ".join(conditions)
    return statement["Effect"], actions, places


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _place(arn: str) -> str:
    mine = r"(s3:::|states:<region>:<account>:|events:<region>:<account>:)"
    return f"`{re.sub(rf'^arn:(aws|[*]):{mine}', '', arn)}`"


def _describe_condition(condition: Mapping[str, Any]) -> Iterator[str]:
    for operator, keys in condition.items():
        for key, value in keys.items():
            if key == "aws:ResourceAccount":  # told once, at the top of the page
                continue
            yield f"`{operator} {key} = {', '.join(_as_list(value))}`"


def _when(condition: str) -> str:
    return TEXTS["conditions"][condition] if condition else ""


def _bucket_policy(template: Mapping[str, Any]) -> Iterator[str]:
    policy = template["Resources"]["CommonDestinationBucketPolicy"]["Properties"]["PolicyDocument"]
    yield "## The destination bucket's policy"
    yield ""
    yield "It denies these to everyone, whatever a role allows:"
    yield ""
    rows = []
    for node in policy["Statement"]:
        statement = Evaluation(template, _conditions(is_common=True)).value(node)
        roles = statement.get("Condition", {}).get("ArnEquals", {}).get("aws:PrincipalArn", [])
        effect, actions, places = _row({**statement, "Condition": {}} if roles else statement)
        who = f"the roles of the {len(roles)} functions" if roles else "everyone"
        rows.append(
            (
                f"`{statement['Sid']}`",
                actions,
                places,
                who if effect == "Deny" else effect,
            )
        )
    yield from table(("statement", "denies", "on", "to"), rows)
    yield ""
    yield "The stack leaves this bucket and its policy where they are when it is deleted."
