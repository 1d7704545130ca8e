"""Every test of this folder runs once for every kind of store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.conformance.deviations import DEVIATIONS, RACES
from tests.conformance.harness import Harness, MemoryHarness, ServerHarness, run_emulator

from log_aggregator.adapters.s3 import ClientSettings, S3Store
from log_aggregator_lab.servers.s3 import EmbeddedS3

STORES = ("memory", "seaweedfs", "moto", "ministack")


@pytest.fixture(scope="session")
def moto_settings() -> Iterator[ClientSettings]:
    with run_emulator("moto") as settings:
        yield settings


@pytest.fixture(scope="session")
def moto_store(moto_settings: ClientSettings) -> S3Store:
    return S3Store.connect(moto_settings)


@pytest.fixture(scope="session")
def ministack_settings() -> Iterator[ClientSettings]:
    with run_emulator("ministack") as settings:
        yield settings


@pytest.fixture(scope="session")
def ministack_store(ministack_settings: ClientSettings) -> S3Store:
    return S3Store.connect(ministack_settings)


@pytest.fixture(
    params=[
        pytest.param(name, marks=[pytest.mark.server] if name != "memory" else [])
        for name in STORES
    ]
)
def lab(request: pytest.FixtureRequest, no_back_off: None) -> Harness:
    name: str = request.param
    names = (request.node.originalname, request.node.name.replace(f"[{name}-", "["))
    for test, reason in RACES[name].items():
        if test in names:
            pytest.skip(f"{name}: {reason}")
    for test, reason in DEVIATIONS[name].items():
        if test in names:
            request.applymarker(pytest.mark.xfail(reason=f"{name}: {reason}", strict=True))
    if name == "memory":
        return MemoryHarness()
    if name == "seaweedfs":
        server: EmbeddedS3 = request.getfixturevalue("embedded_s3")
        return ServerHarness(name, request.getfixturevalue("embedded_store"), server.make_room)
    return ServerHarness(name, request.getfixturevalue(f"{name}_store"))
