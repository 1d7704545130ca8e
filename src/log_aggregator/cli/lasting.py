"""The reports of commands that change something: they cannot be made a second time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from log_aggregator.cli.printing import check_stdout, print_report, print_report_to_stderr
from log_aggregator.errors import CannotStart, OutputFailed

MAKE_ROOM = "Free some space, or send standard output elsewhere, and start again."


def require_room() -> None:
    """Called before anything is changed, paid for or asked. Raises CannotStart where standard
    output visibly takes nothing.
    """
    try:
        check_stdout()
    except OutputFailed as error:
        raise CannotStart(f"the report cannot be written: {error}").with_remedy(MAKE_ROOM) from None


def print_lasting_report(
    described: Any, lines: Sequence[str], what: str, *, as_json: bool, advice: str = ""
) -> None:
    """If standard output is full, the report goes to standard error. `what` was done; `advice`
    names another place that has the report. Raises OutputFailed.
    """
    try:
        print_report(described, lines, as_json=as_json)
    except OutputFailed as error:
        print_report_to_stderr(described, lines, as_json=as_json)
        failed = OutputFailed(f"{error}; {what} is done, and its report is shown above")
        failed.advice = advice
        raise failed from None


def name_records(records: Iterable[dict[str, Any]]) -> str:
    """The custody records of a run, which hold the same as its report."""
    named = ", ".join(f"s3://{each['bucket']}/{each['key']}" for each in records)
    return f"Its custody records hold the same: {named}" if named else ""
