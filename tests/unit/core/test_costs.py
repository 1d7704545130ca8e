"""What requests cost."""

from __future__ import annotations

import pytest

from log_aggregator.core.costs import REQUEST_DOLLARS, estimate_chain_dollars, estimate_dollars


def test_a_million_objects() -> None:
    """The usual way costs 25 dollars a million; one GET each and large packs cost 41 cents."""
    assert estimate_chain_dollars(1_000_000) == pytest.approx(25.0)
    requests = {"GetObject": 1_000_000, "PutObject": 1000, "DeleteObjects": 1000, "ListObjectVersions": 1000}
    assert estimate_dollars(requests) == pytest.approx(0.41)


def test_no_operation_is_forgotten() -> None:
    """An operation without a price is an error, and deletes are free."""
    with pytest.raises(KeyError):
        estimate_dollars({"CopyObject": 1})
    assert estimate_dollars({"DeleteObjects": 1000, "AbortMultipartUpload": 1}) == 0
    assert all(price >= 0 for price in REQUEST_DOLLARS.values())
