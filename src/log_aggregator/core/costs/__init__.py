"""Costs: prices, requests, storage over years, compute. docs/internals/costs.md says what is
included and what is not.
"""

from __future__ import annotations

from log_aggregator.core.costs.prices import PRICES, RETRIEVALS, Prices, Retrieval, StorageClass
from log_aggregator.core.costs.requests import (
    CHAIN_REQUESTS_PER_OBJECT,
    REQUEST_DOLLARS,
    estimate_chain_dollars,
    estimate_dollars,
    estimate_hash_dollars,
    estimate_thaw_dollars,
)

__all__ = [
    "CHAIN_REQUESTS_PER_OBJECT",
    "PRICES",
    "REQUEST_DOLLARS",
    "RETRIEVALS",
    "Prices",
    "Retrieval",
    "StorageClass",
    "estimate_chain_dollars",
    "estimate_dollars",
    "estimate_hash_dollars",
    "estimate_thaw_dollars",
]
