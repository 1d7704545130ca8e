"""The last message of a failed command, when it is about to be ended because something hangs."""

from __future__ import annotations

import json

import pytest

from log_aggregator.cli.failing import Failing
from log_aggregator.cli.printing import Results
from log_aggregator.errors import CannotStart, WrongSignature


def test_the_last_word_is_json_too(capfd: pytest.CaptureFixture[str]) -> None:
    """Below everything that may hang: the stream may be locked by who hangs."""
    Failing.of(["run", "--json"]).give_up()
    told = json.loads(capfd.readouterr().out)
    assert (told["error"], told["exit_code"]) == ("Interrupted", 130)


@pytest.mark.parametrize("failing", [Failing(False, Results()), Failing(True, Results(True))])
def test_it_is_no_second_document(failing: Failing, capfd: pytest.CaptureFixture[str]) -> None:
    """Where nobody asked for JSON, or where the result is out."""
    failing.give_up()
    assert failing.tell(CannotStart("no bucket")) == 3
    assert capfd.readouterr().out == ""


def test_advice_is_that_of_the_cause() -> None:
    """Of what failed before anything was touched; several lines stay several."""
    cause = WrongSignature("SignatureDoesNotMatch")
    error = CannotStart.because(cause, "bucket 'b' cannot be looked at")
    assert str(error) == "bucket 'b' cannot be looked at: SignatureDoesNotMatch"
    assert error.advice == f"Nothing was touched. {cause.remedy}"
    assert CannotStart.advice != error.advice
