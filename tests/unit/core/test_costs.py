"""What requests cost."""

from __future__ import annotations

import pytest

from log_aggregator.core import costs
from log_aggregator.core.costs import REQUEST_DOLLARS, estimate_chain_dollars, estimate_dollars
from log_aggregator_lab.stores.memory_bucket import RESTORE_TIMES


def test_requests_for_a_million_objects() -> None:
    """The usual way costs 25 dollars a million; one GET each and large packs cost 41 cents."""
    assert estimate_chain_dollars(1_000_000) == pytest.approx(25.0)
    requests = {
        "GetObject": 1_000_000,
        "PutObject": 1000,
        "DeleteObjects": 1000,
        "ListObjectVersions": 1000,
    }
    assert estimate_dollars(requests) == pytest.approx(0.41)


def test_every_operation_has_a_price() -> None:
    """An operation without a price is an error, and deletes are free."""
    with pytest.raises(KeyError):
        estimate_dollars({"CopyObject": 1})
    assert estimate_dollars({"DeleteObjects": 1000, "AbortMultipartUpload": 1}) == 0
    assert all(price >= 0 for price in REQUEST_DOLLARS.values())


def test_thawing_has_a_price() -> None:
    """Retrieval is billed by the GB and by the request, and copies in Standard until the midnight
    after the last day.
    """
    assert costs.estimate_thaw_dollars("DEEP_ARCHIVE", "Bulk", 4, 2 * 10**9, 2) == pytest.approx(
        0.005 + 0.0001 + 2 * 0.023 / 10
    )
    assert costs.estimate_thaw_dollars("GLACIER", "Bulk", 4, 0, 2) == 0
    with pytest.raises(KeyError):
        costs.estimate_thaw_dollars("DEEP_ARCHIVE", "Expedited", 1, 1, 1)


def test_prices_have_the_same_tiers_as_the_store_in_memory() -> None:
    """Prices and simulated times have the same classes and tiers, and no time exceeds S3's
    documented one.
    """
    assert RESTORE_TIMES.keys() == costs.RETRIEVALS.keys()
    assert all(
        time.total_seconds() <= costs.RETRIEVALS[each].hours_max * 3600
        for each, time in RESTORE_TIMES.items()
    )
