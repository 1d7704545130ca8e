"""Errors: the classes of `log_aggregator.errors`."""

from __future__ import annotations

from collections.abc import Iterator

from log_aggregator import errors
from log_aggregator.errors import LogAggregatorError
from reference_pages.table import ROOT, table
from reference_pages.template import load_definition


def make_errors() -> Iterator[str]:
    yield "# Errors"
    yield ""
    yield "Each error says what was met and what to do."
    yield (
        "Errors of a group never end the run: the other groups go on, and the run ends with exit "
        "code 1 and a list of what failed."
    )
    yield "The name in the first column stands in the report and in `failures[].error` of the JSON."
    yield "No error's text ever holds contents of a log."
    yield ""
    yield "In the stack a function ends with such an error, and the state machine goes by its name."
    yield (
        "What may go away by itself is tried again, with growing pauses; everything else is not, "
        "and is a failure of the run."
    )
    yield ""
    retries = _retries()
    rows = (
        (
            f"`{kind.__name__}`",
            _first_line(kind),
            kind.advice or "-",
            str(kind.exit_code),
            _tries(retries.get(kind.__name__, 0)),
        )
        for kind in error_classes()
    )
    yield from table(("error", "what happened", "what to do", "exit code", "in the stack"), rows)
    yield ""
    yield "Besides its own errors the state machine tries again after these:"
    yield ""
    own = {kind.__name__ for kind in error_classes()}
    yield from (
        f"- `{name}`, up to {count} times" for name, count in retries.items() if name not in own
    )
    yield ""
    yield "[When something fails](../how-to/when-something-fails.md) goes through them one by one."
    yield "[Respond to alarms](../how-to/respond-to-alarms.md) tells where they show in the stack."


def error_classes() -> list[type[LogAggregatorError]]:
    """All errors of `errors.py`, parents first."""
    found: list[type[LogAggregatorError]] = []
    waiting: list[type[LogAggregatorError]] = [LogAggregatorError]
    while waiting:
        kind = waiting.pop(0)
        if kind.__module__ == errors.__name__ and kind not in found:
            found.append(kind)
            waiting += sorted(kind.__subclasses__(), key=lambda child: child.__name__)
    return found[1:]


def _retries() -> dict[str, int]:
    """How often a state is tried again, by the name of the error. All states that call a function
    say the same.
    """
    definition = load_definition(ROOT / "statemachines" / "combine_log_files.asl.json")
    found = definition["States"]["Prepare"]["Retry"]
    return {name: retry["MaxAttempts"] for retry in found for name in retry["ErrorEquals"]}


def _tries(count: int) -> str:
    return f"up to {count} times again" if count else "-"


def _first_line(kind: type) -> str:
    return " ".join((kind.__doc__ or "").split())
