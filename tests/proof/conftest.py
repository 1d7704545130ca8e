"""A server, a proxy in front of it, and processes that start quickly."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.proof.ground import Ground, make_ground

from log_aggregator_lab.servers.s3 import EmbeddedS3


@pytest.fixture(scope="module")
def ground(embedded_s3: EmbeddedS3) -> Iterator[Ground]:
    with make_ground(embedded_s3) as found:
        yield found
