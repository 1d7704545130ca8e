"""How many of a run's functions Lambda has room for at the same time."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from log_aggregator.errors import LogAggregatorError
from log_aggregator.handlers.entry import Call
from log_aggregator.telemetry.logs import log_error, log_info

Fit = Callable[[Mapping[str, int], int], Mapping[str, int]]


def fit_steps(call: Call, wanted: Mapping[str, int], fit: Fit) -> Mapping[str, int]:
    """The numbers that the parameters ask for, reduced to fit Lambda's unreserved concurrency.
    Where Lambda does not answer they stay as they are: refused calls are retried, so no run depends
    on this.

    `wanted` is empty for a run that began before the stack was updated: its definition has its own
    numbers.
    """
    if not wanted:
        return {}
    try:
        found = call.connect_account().get_lambda_concurrency()
    except LogAggregatorError as error:
        log_error("cannot read Lambda's quota; the parameters are used as they are", error)
        return wanted
    fitting = fit(wanted, found.unreserved)
    log_info("room for functions", wanted=wanted, unreserved=found.unreserved, at_once=fitting)
    return fitting
