"""Every test of this folder runs once for every kind of store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.conformance.deviations import DEVIATIONS, RACES
from tests.conformance.harness import Harness, MemoryHarness, ServerHarness, run_emulator

from log_aggregator.adapters.s3 import S3Store
from log_aggregator_lab.servers.s3 import EmbeddedS3

STORES = ("memory", "seaweedfs", "moto", "ministack")


@pytest.fixture(scope="session")
def moto_store() -> Iterator[S3Store]:
    with run_emulator("moto") as settings:
        yield S3Store.connect(settings)


@pytest.fixture(scope="session")
def ministack_store() -> Iterator[S3Store]:
    with run_emulator("ministack") as settings:
        yield S3Store.connect(settings)


@pytest.fixture(
    params=[
        pytest.param(name, marks=[pytest.mark.server] if name != "memory" else [])
        for name in STORES
    ]
)
def lab(request: pytest.FixtureRequest, no_back_off: None) -> Harness:
    name: str = request.param
    for table, is_strict in ((DEVIATIONS, True), (RACES, False)):
        for test, reason in table[name].items():
            if test in (request.node.originalname, request.node.name.replace(f"[{name}-", "[")):
                request.applymarker(pytest.mark.xfail(reason=f"{name}: {reason}", strict=is_strict))
    if name == "memory":
        return MemoryHarness()
    if name == "seaweedfs":
        server: EmbeddedS3 = request.getfixturevalue("embedded_s3")
        return ServerHarness(name, request.getfixturevalue("embedded_store"), server.make_room)
    return ServerHarness(name, request.getfixturevalue(f"{name}_store"))
