"""A run whose credentials end in the midst of it, as the command line tells it."""

from __future__ import annotations

import json

from tests.support.world import fail_on
from tests.unit.cli.conftest import Command
from tests.unit.steps.packing.test_credentials_end import ENDED, ending_at, make_long_world

from log_aggregator.adapters.patience import PatientStore
from log_aggregator.steps.packing.run import REST
from log_aggregator_lab.stores.faults import FaultyStore

RUN = (
    *("run", "--other-buckets", "logs", "--from", "2025-04-02", "--to", "2025-04-04"),
    *("--keep-originals-days", "0", "--groups-at-once", "1", "--json"),
)


def test_the_command_prints_its_report_and_says_to_renew(command: Command) -> None:
    """The exit code is that of a run in which something failed, and the record that could not be
    written is told. Whoever has renewed them starts again: it goes on.
    """
    world = make_long_world()
    store = PatientStore(FaultyStore(world.store, fail_on(ending_at(3), ENDED)))
    outcome = command(world, *RUN, store=store)
    described = json.loads(outcome.out)
    assert outcome.code == 1
    assert described["objects"]["packed"] == 2
    assert described["stopped"] is False
    advices = {failure["where"]: failure["advice"] for failure in described["failures"]}
    assert "Renew the credentials" in advices[REST]
    assert any(where.startswith("custody record in ") for where in advices)
    outcome = command(world, *RUN)
    described = json.loads(outcome.out)
    assert (outcome.code, described["failures"]) == (0, [])
    assert not world.store.list_objects("logs").objects
