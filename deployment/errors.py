"""Errors in addition to log_aggregator's own."""

from __future__ import annotations

from log_aggregator.errors import CannotStart, LogAggregatorError


class DeploymentFailed(LogAggregatorError):
    """A step failed after it began. sam has printed why."""

    exit_code = 1
    advice = "Correct what the messages above name, and start ./deploy again."


class CheckFailed(CannotStart):
    """The account, the region or a permission is wrong. Nothing was built."""

    advice = "Nothing was built or changed. Correct it, or log in as another user (--profile)."
