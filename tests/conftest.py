"""Fixtures for all test folders: the embedded S3 server, one for each pytest process (so one for
each xdist worker).
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from log_aggregator.adapters.s3 import ClientSettings, S3Store
from log_aggregator.errors import CannotStart
from log_aggregator_lab.servers.s3 import EmbeddedS3, find_program

sys.path.insert(
    0, str(Path(__file__).parents[1])
)  # tests may import from each other: `from tests.conformance.harness ...`

# How long something takes here says nothing of it. What a test sets itself is put on top.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")


for _name in [name for name in os.environ if name.startswith("LOG_AGGREGATOR_")]:
    del os.environ[_name]  # settings of whoever runs the tests, which are options of every command


@pytest.fixture(scope="session")
def embedded_s3() -> Iterator[EmbeddedS3]:
    """The server, empty at the session's beginning. Tests share it, so each makes buckets of its
    own (see `bucket_name`).
    """
    try:
        find_program()
    except CannotStart as error:
        pytest.skip(str(error))
    with EmbeddedS3() as server:
        yield server


@pytest.fixture(scope="session")
def embedded_settings(embedded_s3: EmbeddedS3) -> ClientSettings:
    """How to connect to it."""
    return ClientSettings(
        region=embedded_s3.region,
        endpoint_url=embedded_s3.endpoint_url,
        access_key=embedded_s3.access_key,
        secret_key=embedded_s3.secret_key,
    )


@pytest.fixture(scope="session")
def embedded_store(embedded_settings: ClientSettings) -> S3Store:
    """A store of that server."""
    return S3Store.connect(embedded_settings)


@pytest.fixture(autouse=True)
def own_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Handlers log what Python would print, and set its hooks to do so; pytest has hooks of its
    own.
    """
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)


@pytest.fixture
def no_back_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries follow at once: no pauses of botocore's and of our reader's, no slower sending after
    a SlowDown. And a client may retry in this test although it did so in many others: botocore
    counts over all of a client's calls. How often one call is tried stays as it is.
    """
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    monkeypatch.setattr("botocore.retries.bucket.TokenBucket.acquire", lambda *_: True)
    monkeypatch.setattr("botocore.retries.quota.RetryQuota.acquire", lambda *_: True)

    monkeypatch.setattr("log_aggregator.adapters.s3.attempts.PAUSE_SECONDS_MAX", 0)
