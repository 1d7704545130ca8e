"""The reading loop really reads. The proofs check the other programs in the comparison."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from benchmarks.bare import read_all
from benchmarks.report import BenchmarkBroken

from log_aggregator.model import LogObject


def test_a_loop_that_reads_too_little_is_refused() -> None:
    """The bytes received are counted, not only the answers."""
    log_object = LogObject("example", "key", "1", "0" * 32, 3, datetime(2026, 3, 14, tzinfo=UTC))
    with ThreadPoolExecutor(1) as pool:
        read_all(pool, lambda _: b"abc", [log_object])
        with pytest.raises(BenchmarkBroken):
            read_all(pool, lambda _: b"ab", [log_object])
