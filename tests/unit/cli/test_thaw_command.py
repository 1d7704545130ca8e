"""The `thaw` command."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest
from tests.support.world import (
    DAY,
    World,
    document,
    fail_on,
    flow_key,
    make_world,
    pack_gzip,
    trail_key,
)
from tests.unit.cli.conftest import Command

from log_aggregator import wiring
from log_aggregator.adapters.counting import CountingStore
from log_aggregator.adapters.forwarding import Call, ForwardingStore
from log_aggregator.core.costs import estimate_thaw_dollars
from log_aggregator.errors import StoreError
from log_aggregator.model import Restore, StoredObject, Target
from log_aggregator.ports.store import ObjectStore
from log_aggregator_lab.stores.faults import Fault, FaultyStore

T = TypeVar("T")
ON_THE_DAY = ("--date", f"{DAY}")
TARGET = Target("dest")


def frozen(storage_class: str = "DEEP_ARCHIVE") -> World:
    """Two packs in an archive class."""
    world = make_world(storage_class=storage_class)
    world.put("logs", trail_key(1), document(1))
    world.put("logs", trail_key(2), document(2))
    world.put("logs", flow_key("a.log.gz"), pack_gzip(b"flow\n"))
    assert world.run().failures == []
    return world


@pytest.fixture
def sleeps(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Returns a function that makes waits advance the world's clock in no time and lists the
    pauses.
    """

    def set_up(world: World) -> list[float]:
        pauses: list[float] = []

        def sleep(seconds: float) -> None:
            pauses.append(seconds)
            world.clock.advance(seconds=seconds)

        monkeypatch.setattr(time, "sleep", sleep)
        monkeypatch.setattr(wiring, "SystemClock", lambda: world.clock)
        return pauses

    return set_up


def test_a_dry_run_shows_what_thawing_costs(command: Command) -> None:
    """A dry run names the packs, their classes and bytes, and each tier's price and duration; it
    starts nothing.
    """
    world = frozen()
    store = CountingStore(world.store)
    done = command(world, "thaw", *ON_THE_DAY, "--dry-run", store=store)
    text = done.out.decode()
    assert done.code == 0
    assert "2 packs with 3 log objects" in text
    assert "up to 48 hours" in text
    assert "not available for all of these classes" in text
    assert "RestoreObject" not in store.requests
    described = json.loads(command(world, "thaw", *ON_THE_DAY, "--dry-run", "--json").out)
    sizes = [pack["bytes"] for pack in described["packs"]]
    assert described["totals"]["frozen"] == {
        "packs": 2,
        "bytes": sum(sizes),
        "classes": ["DEEP_ARCHIVE"],
    }
    assert described["tiers"][0] == {
        "tier": "Bulk",
        "dollars": pytest.approx(
            estimate_thaw_dollars("DEEP_ARCHIVE", "Bulk", 2, sum(sizes), 7), abs=1e-6
        ),
        "takes": "up to 48 hours",
    }
    assert described["tiers"][2]["dollars"] is None


def test_an_expensive_thaw_needs_yes(command: Command) -> None:
    """Above the limit nothing is started without --yes, and the exit code says so."""
    world = frozen()
    for arguments, code in ((["--dollars-max", "0"], 3), (["--dollars-max", "0", "--yes"], 0)):
        store = CountingStore(world.store)
        done = command(world, "thaw", *ON_THE_DAY, *arguments, store=store)
        assert done.code == code
        assert store.requests.get("RestoreObject", 0) == (2 if code == 0 else 0)
    assert "2 restores started" in done.out.decode()


def test_a_hint_about_missing_terms_comes_while_packs_are_readable(
    command: Command, sleeps: Any
) -> None:
    """Once they freeze again, making their terms would cost another thaw."""
    world = frozen()
    terms = [found.key for found in world.store.list_objects("dest", prefix="terms/").objects]
    assert len(terms) == 2
    world.store.delete("dest", terms[0])
    assert "no terms" not in command(world, "thaw", *ON_THE_DAY).out.decode()
    sleeps(world)
    waited = command(world, "thaw", *ON_THE_DAY, "--wait")
    assert "1 of these packs has no terms: `log-aggregator index terms`" in waited.out.decode()
    again = json.loads(command(world, "thaw", *ON_THE_DAY, "--json").out)
    assert (again["thawed"], again["without_terms"]) == (2, 1)
    assert command(world, "index", "terms", *ON_THE_DAY).code == 0
    assert json.loads(command(world, "thaw", *ON_THE_DAY, "--json").out)["without_terms"] == 0


def test_a_thaw_is_started_once_and_resumed(command: Command, sleeps: Any, tmp_path: Path) -> None:
    """A restarted command requests no second restore: it waits, then extracts."""
    world = frozen()
    store = CountingStore(world.store)
    assert command(world, "thaw", *ON_THE_DAY, store=store).code == 0
    assert store.requests["RestoreObject"] == 2
    pauses = sleeps(world)
    done = command(
        world,
        "thaw",
        *ON_THE_DAY,
        "--then-extract",
        str(tmp_path / "out"),
        "--interval",
        "3600",
        "--json",
        store=store,
    )
    described = json.loads(done.out)
    assert (
        done.code,
        described["started"],
        described["thawed"],
        described["extracted"]["originals"],
    ) == (0, 0, 2, 3)
    assert store.requests["RestoreObject"] == 2
    assert len(pauses) == 48
    assert {path.read_bytes() for path in tmp_path.rglob("*.gz")} == {
        stored.data for stored in world.originals
    }


def test_waiting_prints_its_progress(command: Command, sleeps: Any) -> None:
    """Without a terminal there is a line for every change."""
    world = frozen("GLACIER")
    sleeps(world)
    done = command(world, "thaw", *ON_THE_DAY, "--wait", "--tier", "Expedited")
    assert done.code == 0
    assert "thawing: 0 of 2 packs" in done.err
    assert "thawing: 2 of 2 packs" in done.err
    assert "2 packs can be read" in done.out.decode()


def test_ctrl_c_while_waiting_exits_with_130(
    command: Command, sleeps: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ctrl-C gives exit code 130 and the advice to start it again."""
    world = frozen()
    sleeps(world)

    def stop(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", stop)
    done = command(world, "thaw", *ON_THE_DAY, "--wait")
    assert (done.code, "Start the same command again" in done.err) == (130, True)


def test_warm_packs_are_extracted_immediately(command: Command, tmp_path: Path) -> None:
    """Readable packs are extracted immediately."""
    world = frozen("STANDARD_IA")
    store = CountingStore(world.store)
    done = command(world, "thaw", *ON_THE_DAY, "--then-extract", str(tmp_path / "out"), store=store)
    assert (done.code, len(list(tmp_path.rglob("*.gz")))) == (0, 3)
    assert not {"RestoreObject", "HeadObject"} & set(store.requests)


def test_a_refused_thaw_exits_with_1(command: Command) -> None:
    """The refusal is named; the exit code is 1, and the other restore has begun."""
    world = frozen("GLACIER")
    error = StoreError(
        "no capacity", code="GlacierExpeditedRetrievalNotAvailable", operation="RestoreObject"
    )
    store = FaultyStore(
        world.store, fail_on(lambda call: call.operation == "RestoreObject", error, times=1)
    )
    done = command(world, "thaw", *ON_THE_DAY, "--tier", "Expedited", "--json", store=store)
    described = json.loads(done.out)
    assert (
        done.code,
        described["started"],
        [failure["message"] for failure in described["failures"]],
    ) == (1, 1, ["no capacity"])


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "expected at least one condition"),
        (["--date", "2019-01-01"], 1, "nothing found"),
        (["--date", f"{DAY}", "--tier", "Expedited"], 2, "DEEP_ARCHIVE does not have it"),
        (["--date", f"{DAY}", "--tier", "Slow"], 2, "--tier"),
        (["--date", f"{DAY}", "--days", "0"], 2, "--days"),
        (["--date", f"{DAY}", "--force"], 2, "allowed only with --then-extract"),
    ],
)
def test_bad_arguments_are_refused(
    command: Command, arguments: list[str], code: int, message: str
) -> None:
    """Impossible requests are reported, and nothing is started."""
    world = frozen()
    store = CountingStore(world.store)
    done = command(world, "thaw", *arguments, store=store)
    assert (done.code, message in done.err) == (code, True), done.err
    assert "RestoreObject" not in store.requests


def test_a_folder_that_is_not_empty_is_refused_first(command: Command, tmp_path: Path) -> None:
    """It is noticed before a wait of two days."""
    (tmp_path / "mine").write_text("mine")
    world = frozen()
    store = CountingStore(world.store)
    done = command(world, "thaw", *ON_THE_DAY, "--then-extract", str(tmp_path), store=store)
    assert (done.code, "RestoreObject" in store.requests) == (2, False)
    assert f"--then-extract {tmp_path}: the folder is not empty; --force writes into it" in done.err


def test_extraction_after_ctrl_c_can_be_resumed(
    command: Command, sleeps: Any, tmp_path: Path
) -> None:
    """The folder is not empty then; with --force the same command continues and extracts
    everything.
    """
    world, folder = frozen(), tmp_path / "out"
    sleeps(world)
    seen = [0]

    def stop(_: int, call: Call) -> Fault | None:
        seen[0] += call.operation == "GetObject" and call.key.startswith("packs/")
        return Fault(before=KeyboardInterrupt()) if seen[0] == 2 else None

    first = ("thaw", *ON_THE_DAY, "--then-extract", str(folder))
    assert command(world, *first, store=FaultyStore(world.store, stop)).code == 130
    assert 0 < len(list(folder.rglob("*.gz"))) < 3
    assert command(world, *first).code == 2
    assert command(world, *first, "--force").code == 0
    assert {path.read_bytes() for path in folder.rglob("*.gz")} == {
        stored.data for stored in world.originals
    }


def test_a_missing_pack_is_a_failure(command: Command) -> None:
    """An index without its pack is a failure; the other pack is thawed."""
    world = frozen()
    key = world.store.list_objects("dest", prefix="packs/logs/vpc").objects[0].key
    world.store.delete("dest", key)
    described = json.loads(command(world, "thaw", *ON_THE_DAY, "--json").out)
    assert described["started"] == 1
    assert [failure["error"] for failure in described["failures"]] == ["NotFound"]


@dataclass(slots=True)
class Tiers(ForwardingStore):
    """Intelligent-Tiering has moved every pack to an archive tier, visible to HEAD alone; after
    this many HEADs it is back.
    """

    inner: ObjectStore
    restore: Restore | None = None
    heads_until_back: int = 10**6
    asked: list[str] = field(default_factory=list)

    def _call(self, call: Call, run: Callable[[], T]) -> T:
        result: Any = run()
        self.asked.append(call.operation)
        if (
            isinstance(result, StoredObject)
            and self.asked.count("HeadObject") <= self.heads_until_back
        ):
            return cast(
                "T", replace(result, archive_tier="DEEP_ARCHIVE_ACCESS", restore=self.restore)
            )
        return cast("T", result)


def test_an_archive_tier_is_reported(command: Command) -> None:
    """Although its class looks readable, it is not; the needed request is named, so that `extract`
    and `thaw` do not send the user to and fro.
    """
    store = Tiers(frozen("INTELLIGENT_TIERING").store)
    done = command(frozen("INTELLIGENT_TIERING"), "thaw", *ON_THE_DAY, store=store)
    told = done.out.decode()
    assert done.code == 1
    assert told.count("Intelligent-Tiering has moved it to DEEP_ARCHIVE_ACCESS") == 2
    assert "aws s3api restore-object" in told
    assert "readable" not in told
    assert "RestoreObject" not in store.asked


def test_a_pack_returning_from_an_archive_tier_is_waited_for(command: Command, sleeps: Any) -> None:
    world = frozen("INTELLIGENT_TIERING")
    pauses = sleeps(world)
    store = Tiers(world.store, Restore(is_ongoing=True), heads_until_back=4)
    done = command(world, "thaw", *ON_THE_DAY, "--wait", store=store)
    assert (done.code, len(pauses), "2 packs can be read" in done.out.decode()) == (0, 1, True)
