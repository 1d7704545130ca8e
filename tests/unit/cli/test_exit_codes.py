"""Every command ends with an exit code listed in its help, and explains it with --json."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.world import World, document, make_world, trail_key
from tests.unit.cli.calls import ASKS_NOBODY, CALLS, DATE, OF_ITS_OWN, every_command
from tests.unit.cli.conftest import Command

from log_aggregator.adapters.patience import PatientStore
from log_aggregator.errors import (
    AccessDenied,
    NoSuchBucket,
    NotAuthenticated,
    RequestFailed,
    Unreachable,
    WrongClock,
    WrongSignature,
)
from log_aggregator_lab.stores.faults import Fault, FaultyStore

NOTHING_FOUND = set(CALLS) - {
    *("run", "plan", "delete", "backfill", "layouts suggest"),
    *("index rebuild", "index terms", "index tables"),
}
"""The others do or propose what there is to do, which may be nothing."""

REFUSALS: dict[str, tuple[RequestFailed, str]] = {
    "a missing bucket": (NoSuchBucket("NoSuchBucket", code="NoSuchBucket"), "bucket's name"),
    "a wrong secret": (WrongSignature("no match", code="SignatureDoesNotMatch"), "secret"),
    "an expired token": (NotAuthenticated("ExpiredToken", code="ExpiredToken"), "Renew"),
    "a skewed clock": (WrongClock("skewed", code="RequestTimeTooSkewed"), "Set the clock"),
    "a closed port": (Unreachable("no answer", code="NoAnswer"), "Check the network"),
    "a missing permission": (AccessDenied("AccessDenied", code="AccessDenied"), "Grant the"),
}


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def packed() -> World:
    world = make_world()
    world.put("logs", trail_key(1), document(1))
    assert world.run().failures == []
    return world


def test_every_command_has_a_row() -> None:
    """A new command needs a row, or a reason for having none."""
    known = {**CALLS, **ASKS_NOBODY, **OF_ITS_OWN}
    assert known.keys() == dict(every_command()).keys()


@pytest.mark.parametrize("why", REFUSALS)
@pytest.mark.parametrize("name", CALLS)
def test_without_access_to_s3_every_command_exits_with_3(
    command: Command, name: str, why: str
) -> None:
    """Every command gives the same code and only advice that helps, and JSON on standard output
    where asked for. Nothing is written.
    """
    error, remedy = REFUSALS[why]
    world = packed()
    before = world.store.snapshot()
    store = FaultyStore(world.store, lambda *_: Fault(before=error))
    done = command(world, *CALLS[name], "--json", store=PatientStore(store))
    told = json.loads(done.out)
    assert (done.code, told["exit_code"]) == (3, 3), done.err
    assert remedy in told["advice"]
    assert told["advice"] in done.err
    assert ("Grant" in told["advice"]) == (why == "a missing permission")
    assert world.store.snapshot() == before


@pytest.mark.parametrize("name", sorted(NOTHING_FOUND))
def test_nothing_found_exits_with_1(command: Command, name: str) -> None:
    """A script that goes by exit codes must not take it for "all is well"."""
    done = command(make_world(), *CALLS[name], "--json")
    assert done.code == 1, done.err
    assert json.loads(done.out)


@pytest.mark.parametrize("name", sorted(set(CALLS) - NOTHING_FOUND - {"backfill"}))
def test_nothing_to_do_exits_with_0(command: Command, name: str) -> None:
    done = command(make_world(), *CALLS[name], "--json")
    assert (done.code, bool(json.loads(done.out))) == (0, True)


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_option_exits_with_2(command: Command, name: str) -> None:
    done = command(make_world(), *CALLS[name], "--no-such-option", "--json")
    told = json.loads(done.out)
    assert (done.code, told["exit_code"], told["error"]) == (2, 2, "SettingsError")
    assert "--no-such-option" in told["message"]


def test_a_failure_after_a_write_exits_with_1(command: Command) -> None:
    """Once something may have been touched, the code is 1 and not 3."""
    world = packed()
    store = FaultyStore(
        world.store,
        lambda _, call: (
            Fault(before=Unreachable("gone")) if call.operation == "PutObject" else None
        ),
    )
    done = command(world, "put-back", *DATE, store=store)
    assert done.code == 1


def test_json_after_two_dashes_is_not_an_option(command: Command) -> None:
    done = command(make_world(), "find", *DATE, "--bad", "--", "--json")
    assert (done.code, done.out) == (2, b"")
