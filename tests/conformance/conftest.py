"""Every test of this folder runs once for every kind of store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.conformance.deviations import DEVIATIONS, RACES
from tests.conformance.harness import Harness, MemoryHarness, ServerHarness, run_emulator

from log_aggregator.adapters.s3 import ClientSettings

STORES = ("memory", "seaweedfs", "moto", "ministack")


@pytest.fixture(scope="session")
def moto_settings() -> Iterator[ClientSettings]:
    with run_emulator("moto") as settings:
        yield settings


@pytest.fixture(scope="session")
def ministack_settings() -> Iterator[ClientSettings]:
    with run_emulator("ministack") as settings:
        yield settings


@pytest.fixture(
    params=[
        pytest.param(name, marks=[pytest.mark.server] if name != "memory" else [])
        for name in STORES
    ]
)
def lab(request: pytest.FixtureRequest) -> Harness:
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
    settings = request.getfixturevalue(
        "embedded_settings" if name == "seaweedfs" else f"{name}_settings"
    )
    return ServerHarness(name, settings)
