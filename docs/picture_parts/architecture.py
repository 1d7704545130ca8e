"""The architecture, drawn from template.yaml: what starts what, and what each function may do to
which bucket, by its permissions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reference_pages.template import (
    Evaluation,
    alarms_of,
    functions_of,
    state_machines_of,
    statements_of,
)

from log_aggregator.core.windows import WINDOW_DAYS_MAX
from picture_parts.drawing import (
    ARROWS,
    BAD,
    BUCKET,
    GOOD,
    INNER,
    MUTED,
    PLAIN,
    STATE,
    Drawing,
    wrap,
)

VERBS = {
    "s3:ListBucket": "list",
    "s3:ListBucketVersions": "list",
    "s3:GetObject": "read",
    "s3:GetObjectVersion": "read",
    "s3:PutObject": "write",
    "s3:AbortMultipartUpload": "abort dead uploads",
    "s3:DeleteObject": "delete",
    "s3:DeleteObjectVersion": "delete",
}
"""What is shown of a permission. What is not here (versioning, multipart uploads) is looked at, and
changes nothing.
"""

ON_THEIR_OWN = {
    "EmptyAccessLogsFunction": (
        BAD,
        ("ControlTowerBucketAccessLogBucket", "names a bucket: empties that one"),
    ),
    "DrillFunction": (
        GOOD,
        ("DrillEveryDays is not 0: brings a", "sample of packs back, and records it"),
    ),
    "ReportFunction": (
        GOOD,
        ("MonthlyReport is Yes: keeps a page", "for auditors under reports/"),
    ),
}
"""Functions that are in no state machine, and are there only where a parameter says so."""

SOURCES = ("<ControlTowerBucket>", "<OtherBuckets>")
LEFT, MIDDLE, RIGHT = 40.0, 494.0, 1004.0
SIDE_WIDTH, MIDDLE_WIDTH = 256.0, 290.0
ROW_HEIGHT, ROW_GAP = 50.0, 14.0
WIDTH = RIGHT + SIDE_WIDTH + LEFT


@dataclass(frozen=True, slots=True)
class Row:
    """A function, and what it may do to sources, destination and work bucket."""

    name: str
    sources: tuple[str, ...]
    destination: tuple[str, ...]
    folders: tuple[str, ...]
    """Of the destination bucket, those that it may write to."""


def draw_architecture(template: Mapping[str, Any]) -> str:
    """The stack with a common destination bucket and everything that a parameter can switch on."""
    drawing = Drawing(
        "The stack",
        "A schedule starts a state machine. Its functions list and read the source buckets, "
        "write packs into the destination bucket,"
        " and verify them. Only one function can delete originals, and none can delete packs.",
    )
    machines = state_machines_of(template)
    nightly, history = machines
    own = list(_functions_in(machines[nightly]))
    rows = [_row(template, name) for name in own]
    top = 206.0
    bottom = top + 52 + len(rows) * (ROW_HEIGHT + ROW_GAP)
    _draw_starts(drawing, template, nightly, history, top)
    _draw_functions(drawing, template, nightly, rows, top, bottom)
    _draw_buckets(drawing, template, top, bottom)
    end = _draw_below(drawing, template, bottom)
    return drawing.render(WIDTH, end + 28)


def _draw_starts(
    drawing: Drawing, template: Mapping[str, Any], nightly: str, history: str, top: float
) -> None:
    """Above the functions: what starts the state machines."""
    events = template["Resources"][nightly]["Properties"]["Events"]
    y, height = 64.0, 92.0
    drawing.text(LEFT, 40, "In the Log Archive account, one stack", size=17, bold=True)
    drawing.box(LEFT, y, SIDE_WIDTH, height, PLAIN)
    drawing.text(LEFT + 16, y + 24, "EventBridge Scheduler", size=13, bold=True)
    lines = [
        f"{name}: {event['Properties']['ScheduleExpression']}" for name, event in events.items()
    ]
    drawing.texts(LEFT + 16, y + 46, [*lines, "UTC"], size=11)
    drawing.box(MIDDLE, y, MIDDLE_WIDTH, height, PLAIN)
    drawing.text(MIDDLE + 16, y + 24, history, size=13, bold=True)
    drawing.text(MIDDLE + 16, y + 46, "by hand: a range of past days", size=11, color=MUTED)
    for number, name in enumerate(_functions_in(template["Resources"][history])):
        drawing.text(
            MIDDLE + 16 + 134 * (number % 2),
            y + 61 + 15 * (number // 2),
            name,
            size=11,
            color=MUTED,
        )
    x = MIDDLE + MIDDLE_WIDTH / 2
    drawing.arrow([(x, y + height), (x, top)])
    drawing.text(
        x + 8, y + height + 30, f"a run for every {WINDOW_DAYS_MAX} days", size=11, color=MUTED
    )
    drawing.arrow(
        [
            (LEFT + SIDE_WIDTH, y + height - 18),
            (MIDDLE - 60, y + height - 18),
            (MIDDLE - 60, top + 22),
            (MIDDLE - 16, top + 22),
        ]
    )
    drawing.text(LEFT + SIDE_WIDTH + 12, y + height - 26, "starts", size=11, color=MUTED)


def _draw_functions(
    drawing: Drawing,
    template: Mapping[str, Any],
    nightly: str,
    rows: Iterable[Row],
    top: float,
    bottom: float,
) -> None:
    drawing.box(MIDDLE - 16, top, MIDDLE_WIDTH + 32, bottom - top, PLAIN)
    drawing.text(MIDDLE, top + 26, nightly, size=15, bold=True)
    memory = template["Globals"]["Function"]["MemorySize"]
    y = top + 44
    for row in rows:
        properties = template["Resources"][row.name]["Properties"]
        look = BAD if "delete" in row.sources else GOOD if row.name.startswith("Verify") else STATE
        drawing.box(MIDDLE, y, MIDDLE_WIDTH, ROW_HEIGHT, look)
        drawing.text(MIDDLE + 16, y + 21, row.name, size=13, bold=True, color=look.title)
        size = Evaluation(template).value(properties.get("MemorySize", memory))
        drawing.text(
            MIDDLE + 16,
            y + 39,
            f"{str(size).strip('<>')}{' MB' if str(size).isdigit() else ''}",
            size=11,
            color=MUTED,
        )
        _draw_access(drawing, row, y + ROW_HEIGHT / 2)
        y += ROW_HEIGHT + ROW_GAP


def _draw_access(drawing: Drawing, row: Row, y: float) -> None:
    """On the left what is done to sources, on the right what is done to the destination. Arrows go
    where the data go.
    """
    left, right = (LEFT + SIDE_WIDTH, MIDDLE - 16), (MIDDLE + MIDDLE_WIDTH + 16, RIGHT)
    if "delete" in row.sources:
        _draw_line(drawing, left[1], left[0], y, "delete, by version or ETag", "red")
    elif row.sources:
        _draw_line(drawing, left[0], left[1], y, ", ".join(row.sources))
    if row.folders:
        _draw_line(drawing, right[0], right[1], y - 8, f"write: {', '.join(row.folders)}", "green")
        y += 16
    looks = [verb for verb in row.destination if verb in ("list", "read")]
    if "read" in looks:
        _draw_line(drawing, right[1], right[0], y, ", ".join(looks))
    elif "abort dead uploads" in row.destination:
        _draw_line(drawing, right[0], right[1], y, "abort dead uploads")


def _draw_line(
    drawing: Drawing, start: float, end: float, y: float, text: str, kind: str = "plain"
) -> None:
    drawing.arrow([(start, y), (end, y)], kind=kind)
    drawing.text(
        (start + end) / 2,
        y - 6,
        text,
        size=11,
        color=MUTED if kind == "plain" else ARROWS[kind],
        anchor="middle",
    )


def _draw_buckets(drawing: Drawing, template: Mapping[str, Any], top: float, bottom: float) -> None:
    height = bottom - top
    drawing.box(LEFT, top, SIDE_WIDTH, height, BUCKET)
    drawing.text(LEFT + 16, top + 26, "Source buckets", size=15, bold=True)
    drawing.texts(LEFT + 16, top + 46, ["outside the stack"], size=11)
    texts = {
        "ControlTowerBucket": (
            "CloudTrail with its digests, and Config, of every account: the main logs"
        ),
        "OtherBuckets": (
            "flow logs, load balancers, CloudFront, WAF, access logs and more: the auxiliary logs"
        ),
    }
    y = top + 76
    for name, text in texts.items():
        drawing.box(LEFT + 16, y, SIDE_WIDTH - 32, 104, INNER)
        drawing.text(LEFT + 30, y + 24, name, size=13, bold=True)
        drawing.texts(LEFT + 30, y + 46, wrap(text, SIDE_WIDTH - 60, 11), size=11)
        y += 122
    bucket = template["Resources"]["CommonDestinationBucket"]["Properties"]
    drawing.box(RIGHT, top, SIDE_WIDTH, height, BUCKET)
    drawing.text(RIGHT + 16, top + 26, "CommonDestinationBucket", size=14, bold=True)
    name = Evaluation(template).value(bucket["BucketName"])
    lines = wrap(str(name).replace("-<", " -<"), SIDE_WIDTH - 32, 11)
    drawing.texts(RIGHT + 16, top + 46, ["".join(line.split(" ")) for line in lines], size=11)
    y = top + 92
    for folder, rules in _lifecycle(bucket).items():
        height = 50 + 15 * len(rules)
        drawing.box(RIGHT + 16, y, SIDE_WIDTH - 32, height, INNER)
        drawing.text(RIGHT + 30, y + 24, folder, size=13, bold=True)
        drawing.texts(RIGHT + 30, y + 46, rules, size=11)
        y += height + 12
    drawing.texts(
        RIGHT + 16,
        y + 10,
        [
            "versioned, encrypted, TLS only;",
            "its policy lets no one overwrite a",
            "pack, and no function delete one",
        ],
        size=11,
    )


def _lifecycle(bucket: Mapping[str, Any]) -> dict[str, list[str]]:
    """What happens to each folder, by the rules that hold always."""
    found: dict[str, list[str]] = {}
    for node in bucket["LifecycleConfiguration"]["Rules"]:
        rule = Evaluation({"Resources": {}}).value(node) if "Fn::If" not in node else {}
        if "Prefix" not in rule:
            continue
        lines = found.setdefault(rule["Prefix"], [])
        for transition in rule.get("Transitions", ()):
            lines += _tell_transition(transition)
        if "ExpirationInDays" in rule:
            lines.append(f"expire after {str(rule['ExpirationInDays']).strip('<>')}")
    return found


def _tell_transition(transition: Mapping[str, Any]) -> list[str]:
    """One line for a number of days; the name of a parameter needs a second one."""
    begins, days = f"to {transition['StorageClass']} after", transition["TransitionInDays"]
    return [f"{begins} {days} days"] if isinstance(days, int) else [begins, f"  {days.strip('<>')}"]


def _draw_below(drawing: Drawing, template: Mapping[str, Any], bottom: float) -> float:
    """Work bucket, the hourly emptying, and notifications. Returns the lower end."""
    y, height = bottom + 44, 92.0
    drawing.box(MIDDLE, y, MIDDLE_WIDTH, height, BUCKET)
    drawing.text(MIDDLE + 16, y + 24, "WorkBucket", size=13, bold=True)
    days = template["Resources"]["WorkBucket"]["Properties"]["LifecycleConfiguration"]["Rules"][0][
        "ExpirationInDays"
    ]
    drawing.texts(
        MIDDLE + 16,
        y + 46,
        [
            "runs/: lists of tasks and work items,",
            "what each step did, result.json;",
            f"for {days} days",
        ],
        size=11,
    )
    x = MIDDLE + MIDDLE_WIDTH / 2
    drawing.arrow([(x - 14, bottom), (x - 14, y)])
    drawing.arrow([(x + 14, y), (x + 14, bottom)])
    drawing.text(x + 26, bottom + 27, "every function", size=11, color=MUTED)

    alarms = alarms_of(template)
    always = sum("Condition" not in found for found in alarms.values())
    drawing.box(RIGHT, y, SIDE_WIDTH, height, PLAIN)
    drawing.text(RIGHT + 16, y + 24, "CloudWatch and X-Ray", size=13, bold=True)
    drawing.texts(
        RIGHT + 16,
        y + 46,
        [
            "logs, metrics, traces, a dashboard,",
            f"{always} alarms to an SNS topic and",
            "AlarmEmail",
        ],
        size=11,
    )
    drawing.arrow(
        [
            (MIDDLE + MIDDLE_WIDTH + 16, bottom - 10),
            (MIDDLE + MIDDLE_WIDTH + 70, bottom - 10),
            (MIDDLE + MIDDLE_WIDTH + 70, y + height / 2),
            (RIGHT, y + height / 2),
        ]
    )
    drawing.text(MIDDLE + MIDDLE_WIDTH + 78, bottom + 22, "what happened", size=11, color=MUTED)

    for name, (look, lines) in ON_THEIR_OWN.items():
        found = functions_of(template)[name]
        schedule = next(iter(found["Properties"]["Events"].values()))["Properties"][
            "ScheduleExpression"
        ]
        drawing.box(LEFT, y, SIDE_WIDTH, height, look, dashed=True)
        drawing.text(LEFT + 16, y + 24, name, size=13, bold=True, color=look.title)
        drawing.texts(LEFT + 16, y + 46, [f"{schedule}, only if", *lines], size=11)
        y += height + ROW_GAP
    return y - ROW_GAP


def _functions_in(machine: Mapping[str, Any]) -> Iterator[str]:
    """The functions of a state machine, in its order."""
    for name in machine["Properties"]["DefinitionSubstitutions"]:
        if name.endswith("FunctionArn"):
            yield name.removesuffix("Arn")


def _row(template: Mapping[str, Any], name: str) -> Row:
    evaluation = Evaluation(template, {"IsInPlace": False})
    sources: list[str] = []
    destination: list[str] = []
    folders: list[str] = []
    for condition, node in statements_of(template["Resources"][name]["Properties"]):
        statement = evaluation.value(node)
        if statement["Effect"] != "Allow" or not evaluation.holds(condition or "always"):
            continue
        for place in _as_list(statement["Resource"]):
            bucket, _, path = place.rpartition(":")[2].partition("/")
            verbs = [VERBS[action] for action in _as_list(statement["Action"]) if action in VERBS]
            if bucket in SOURCES:
                sources += verbs
            elif bucket == "<CommonDestinationBucket>":
                destination += verbs
                folders += [path.removesuffix("*")] if "write" in verbs else []
    return Row(name, _ordered(sources), _ordered(destination), tuple(dict.fromkeys(folders)))


def _ordered(verbs: Iterable[str]) -> tuple[str, ...]:
    found = set(verbs)
    return tuple(verb for verb in dict.fromkeys(VERBS.values()) if verb in found)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
