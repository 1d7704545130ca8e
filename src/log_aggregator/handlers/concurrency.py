"""How many of a run's functions Lambda has room for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from log_aggregator.errors import LogAggregatorError
from log_aggregator.handlers.entry import Call
from log_aggregator.telemetry.logs import log_error, log_info

Fit = Callable[[Mapping[str, int], int], Mapping[str, int]]


def fit_steps(call: Call, wanted: Mapping[str, int], fit: Fit) -> Mapping[str, int]:
    """What the parameters want, made to fit into what no function has reserved. As they are where
    Lambda does not tell: a run does not depend on it, since what is refused is tried again.

    Nothing is wanted by a run that began before the stack was updated: its definition has numbers
    of its own.
    """
    if not wanted:
        return {}
    try:
        found = call.connect_account().get_lambda_concurrency()
    except LogAggregatorError as error:
        log_error("Lambda's quota could not be asked; the parameters hold as they are", error)
        return wanted
    fitting = fit(wanted, found.unreserved)
    log_info("room for functions", wanted=wanted, unreserved=found.unreserved, at_once=fitting)
    return fitting
