"""Whatever runs once for every call runs with small objects."""

from __future__ import annotations

import pytest

from log_aggregator.limits import KIB
from log_aggregator.steps.packing import pack_writer


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """S3's smallest part is 5 KiB instead of 5 MiB; the calls of a run stay the same."""
    monkeypatch.setattr(pack_writer, "PART_SIZE_BYTES_MIN", 5 * KIB)
