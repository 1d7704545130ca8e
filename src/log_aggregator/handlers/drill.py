"""Runs daily, where drills are wanted: begins a drill when the last one is old enough, and
continues one that waits for packs to thaw. Not a part of any run.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from typing import Any

from log_aggregator.errors import RunFailed, SettingsError
from log_aggregator.handlers.entry import (
    DRILL_DOLLARS_MAX,
    DRILL_EVERY_DAYS,
    Call,
    Event,
    Result,
    required,
    serve,
)
from log_aggregator.handlers.finish import CAUSE_CHARS_MAX, NAMED_FAILURES_MAX
from log_aggregator.model import Target
from log_aggregator.reports.evidence.drills import describe_drills
from log_aggregator.steps.evidence.drills.draw import DrawRules
from log_aggregator.steps.evidence.drills.drill import (
    DrillOutcome,
    DrillRules,
    DrillWatch,
    advance_drill,
    find_early,
)
from log_aggregator.steps.evidence.drills.thawing import ThawRules
from log_aggregator.telemetry.metrics import write_metrics

_TOLD = ("bucket", "root", "state", "seed", "members", "waiting", "dollars", "record")


@serve("drill")
def handler(_event: Event, call: Call) -> Result:
    """Any event -> how far the drill of each target is.

    Raises RunFailed where something did not come back as it was packed, once that is recorded;
    LimitExceeded where thawing would cost more than allowed.
    """
    every_days = _read_number(int, DRILL_EVERY_DAYS)
    rules = DrillRules(
        DrawRules(secrets.randbits(32)),
        ThawRules(dollars_max=_read_number(float, DRILL_DOLLARS_MAX)),
    )
    outcomes = [
        outcome
        for target in _list_due(call, every_days)
        if (outcome := advance_drill(call.job, target, rules, DrillWatch())) is not None
    ]
    for outcome in outcomes:
        _write_metrics(outcome)
    failed = [each for outcome in outcomes for each in _name_failures(outcome)]
    if failed:
        raise RunFailed(
            f"{len(failed)} failures in a drill; its custody record lists them all",
            lines="\n".join(failed[:NAMED_FAILURES_MAX])[:CAUSE_CHARS_MAX].split("\n"),
        )
    return {"drills": [_tell(each) for each in describe_drills(outcomes, {})["drills"]]}


def _list_due(call: Call, every_days: int) -> Iterable[Target]:
    targets = call.job.list_targets()
    return [target for target in targets if find_early(call.job, target, every_days) is None]


def _read_number(kind: Any, name: str) -> Any:
    text = required(os.environ, name)
    try:
        return kind(text)
    except ValueError:
        raise SettingsError(f"{name} = {text!r}: expected a number") from None


def _write_metrics(outcome: DrillOutcome) -> None:
    """The metrics of a finished drill."""
    if outcome.drill is not None:
        values = {"DrillMembers": outcome.drill.members, "DrillMembersBad": outcome.drill.bad}
        write_metrics(values)


def _name_failures(outcome: DrillOutcome) -> list[str]:
    found = [": ".join(failure) for failure in outcome.sample.failures]
    return [*found, *(f"{each.where}: {each.error}: {each.message}" for each in outcome.failures)]


def _tell(described: Result) -> Result:
    return {name: described[name] for name in _TOLD}
