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
    yield (
        "Every error of the program, its exit code, and what to do about it; each message says "
        "what happened and what to do."
    )
    yield (
        "An error in one group does not end the run: the other groups continue, and the run ends "
        "with exit code 1 and a list of what failed."
    )
    yield "The report, and `failures[].error` in the JSON, have the name in the first column."
    yield "Error messages never contain the contents of a log."
    yield ""
    yield (
        "In the stack a function ends with one of these errors, and its name decides what the "
        "state machine does."
    )
    yield "Temporary errors are retried, with growing pauses; all others fail the run."
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
    yield "The state machine also retries these:"
    yield ""
    own = {kind.__name__ for kind in error_classes()}
    yield from (
        f"- `{name}`, up to {count} times" for name, count in retries.items() if name not in own
    )
    yield ""
    yield "[When something fails](../how-to/when-something-fails.md) explains them one by one."
    yield "[Respond to alarms](../how-to/respond-to-alarms.md) says where they appear in the stack."


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
