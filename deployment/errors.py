"""What can go wrong beside log_aggregator's own errors."""

from __future__ import annotations

from log_aggregator.errors import CannotStart, LogAggregatorError


class DeploymentFailed(LogAggregatorError):
    """A step failed after it began. sam has said why."""

    exit_code = 1
    advice = "Correct what was said, and start ./deploy again."


class CheckFailed(CannotStart):
    """The account, the region or a permission is not what it must be. Nothing was built."""

    advice = "Nothing was built or changed. Correct it, or log in as somebody else (--profile)."
