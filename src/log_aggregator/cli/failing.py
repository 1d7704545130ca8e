"""How a failed command reports it: to people on standard error, and with --json also to programs on
standard output, which would otherwise be empty.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from log_aggregator.cli.printing import Results, print_error, print_json_lines
from log_aggregator.cli.variables import JSON_OPTION, JSON_VARIABLE, is_on
from log_aggregator.errors import Interrupted, LogAggregatorError, OutputFailed

NO_TIME = "stopped, without waiting for requests that still hang"


@dataclass(frozen=True, slots=True)
class Failing:
    """Reports the failure of one command."""

    is_json: bool
    results: Results

    @classmethod
    def of(cls, words: Sequence[str]) -> Self:
        """From the words that were typed, because no command reads them if they are wrong. What
        follows `--` is not an option.
        """
        words = list(words)
        options = words[: words.index("--")] if "--" in words else words
        is_json = JSON_OPTION in options or is_on(JSON_VARIABLE)
        return cls(is_json, Results.begin())

    def fail(self, error: LogAggregatorError) -> int:
        """Reports it both ways, and gives the exit code."""
        print_error("log-aggregator", error, error.advice)
        return self.tell(error)

    def tell(self, error: LogAggregatorError) -> int:
        """To programs alone, in one line, which is valid JSON Lines too. If a result is out already
        it says what failed, or what was found until then, and a second document would be in the
        way.
        """
        if self.is_json and not self.results.has_json:
            with suppress(OutputFailed):  # standard error has it
                print_json_lines([json.dumps(describe_error(error))])
        return error.exit_code

    def give_up(self) -> None:
        """The same, where the process is about to end while requests hang. It writes to the file
        descriptor, because anything above it may hold a lock.
        """
        if self.is_json and not self.results.has_json:
            document = json.dumps(describe_error(Interrupted(NO_TIME)))
            with suppress(OSError):
                os.write(sys.__stdout__.fileno() if sys.__stdout__ else 1, f"{document}\n".encode())


def describe_error(error: LogAggregatorError) -> dict[str, Any]:
    """Documented in docs/reference/json.md."""
    return {
        "error": error.state_name,
        "message": str(error),
        "advice": error.advice,
        "exit_code": error.exit_code,
    }
