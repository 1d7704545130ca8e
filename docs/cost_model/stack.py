"""What the serverless stack is charged besides S3: list prices, of the region and date that
`log_aggregator.core.costs.PRICES` names.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StackPrices:
    """What AWS charges for the serverless stack besides S3, without any free tier, for the same
    region and date.

    https://aws.amazon.com/lambda/pricing/, https://aws.amazon.com/step-functions/pricing/,
    https://aws.amazon.com/cloudwatch/pricing/, https://aws.amazon.com/kms/pricing/
    """

    lambda_arm64_gb_second: float = 0.0000133334
    lambda_x86_64_gb_second: float = 0.0000166667
    lambda_request_million: float = 0.20
    transition_1000: float = 0.025
    """Of a standard workflow."""
    alarm_month: float = 0.10
    metric_month: float = 0.30
    """Of 730 hours; only those in which it is written are billed."""
    dashboard_month: float = 3.00
    key_month: float = 1.00


STACK_PRICES = StackPrices()
