"""The last message of a failed command, when it is about to be ended because something hangs."""

from __future__ import annotations

import json

import pytest

from log_aggregator.cli.failing import Failing
from log_aggregator.cli.printing import Results
from log_aggregator.errors import CannotStart, WrongSignature


def test_the_last_message_is_json_too(capfd: pytest.CaptureFixture[str]) -> None:
    """The last document is written without the stream's lock, which a hanging thread may hold."""
    Failing.of(["run", "--json"]).give_up()
    told = json.loads(capfd.readouterr().out)
    assert (told["error"], told["exit_code"]) == ("Interrupted", 130)


@pytest.mark.parametrize("failing", [Failing(False, Results()), Failing(True, Results(True))])
def test_json_is_written_only_once(failing: Failing, capfd: pytest.CaptureFixture[str]) -> None:
    """No JSON follows where none was requested or where the result is already out."""
    failing.give_up()
    assert failing.tell(CannotStart("no bucket")) == 3
    assert capfd.readouterr().out == ""


def test_advice_matches_the_cause() -> None:
    """An error before anything was touched carries its cause's advice; line breaks are kept."""
    cause = WrongSignature("SignatureDoesNotMatch")
    error = CannotStart.because(cause, "bucket 'b' cannot be looked at")
    assert str(error) == "bucket 'b' cannot be looked at: SignatureDoesNotMatch"
    assert error.advice == f"Nothing was touched. {cause.remedy}"
    assert CannotStart.advice != error.advice
