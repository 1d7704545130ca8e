"""What a command that changes something says of it: nothing makes its report anew."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from log_aggregator.cli.printing import check_stdout, print_report, print_report_to_stderr
from log_aggregator.errors import CannotStart, OutputFailed

MAKE_ROOM = "Make room, or send standard output elsewhere, and start again."


def require_room() -> None:
    """Before anything is changed, paid for or asked. Raises CannotStart where standard output takes
    nothing, as far as that can be seen.
    """
    try:
        check_stdout()
    except OutputFailed as error:
        raise CannotStart(f"the report has no place: {error}").with_remedy(MAKE_ROOM) from None


def print_lasting_report(
    described: Any, lines: Sequence[str], what: str, *, as_json: bool, advice: str = ""
) -> None:
    """Where it does not fit any more it goes to standard error. `what` was done; `advice` says
    where else it stands. Raises OutputFailed.
    """
    try:
        print_report(described, lines, as_json=as_json)
    except OutputFailed as error:
        print_report_to_stderr(described, lines, as_json=as_json)
        failed = OutputFailed(f"{error}; {what} is done, and its report stands above")
        failed.advice = advice
        raise failed from None


def name_records(records: Iterable[dict[str, Any]]) -> str:
    """The custody records of a run, which say the same as its report."""
    named = ", ".join(f"s3://{each['bucket']}/{each['key']}" for each in records)
    return f"Its custody records say the same: {named}" if named else ""
