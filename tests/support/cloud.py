"""The state machines and the functions in one process: the real definitions and handlers, and a
store in memory.
"""

from __future__ import annotations

import importlib
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from tests.support.account import FakeAccount
from tests.support.statemachine import StateError, StateMachine, load_definition
from tests.support.world import World

from log_aggregator.adapters.forwarding import Call
from log_aggregator.core.layouts.declarations import describe_declarations, render_declarations
from log_aggregator.core.layouts.declared import Layouts
from log_aggregator.core.windows import DateWindow
from log_aggregator.handlers import entry
from log_aggregator.handlers.prepare import LAYOUTS_KEY
from log_aggregator.ports.store import ObjectStore
from log_aggregator.ports.trail_keys import TrailKeys
from log_aggregator.settings import Settings
from log_aggregator.steps.rules import RunRules
from log_aggregator.steps.workers import SerialWorkers
from log_aggregator_lab.stores.faults import Decide, FaultyStore, Killed

WORK = "work"
MODULES = {
    "PrepareFunction": "prepare",
    "ExamineFunction": "examine",
    "ListFunction": "list_logs",
    "PlanFunction": "plan",
    "CombineFunction": "combine",
    "VerifyFunction": "verify",
    "DeleteFunction": "delete",
    "FinishFunction": "finish",
    "MergeTermsFunction": "merge_terms",
    "SplitHistoryFunction": "split_history",
    "SortInventoryFunction": "sort_inventory",
    "FinishHistoryFunction": "finish_history",
}
MACHINES = {
    "CombineLogFilesSM": "combine_log_files",
    "ProcessHistoricalMainLogsSM": "process_historical_main_logs",
}


class StoppableSerialWorkers(SerialWorkers):
    """As the functions need them."""

    def stop(self) -> None:
        """Nothing runs in parallel."""


@dataclass
class Context:
    """What Lambda passes to a handler."""

    aws_request_id: str
    remaining_millis: int = 900_000

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_millis


@dataclass
class Cloud:
    """A world with functions. Requests to its store are numbered over all invocations; `decide`
    says what happens to each.
    """

    world: World
    decide: Decide = field(default=lambda _number, _call: None)
    calls: list[tuple[str, Call]] = field(default_factory=list)
    """(function, request), in order."""
    account: FakeAccount = field(default_factory=FakeAccount)
    invocations: list[str] = field(default_factory=list)
    visited: list[str] = field(default_factory=list)
    raised: list[Exception] = field(default_factory=list)
    """Errors that left the functions, as Lambda's runtime gets them."""
    break_function: Callable[[str, Any], None] = field(default=lambda _function, _payload: None)
    trail_keys: TrailKeys | None = None
    view: Callable[[str, ObjectStore], ObjectStore] = field(default=lambda _function, store: store)
    """A function's view of the store, restricted by its role."""

    def run(
        self,
        given: dict[str, Any] | None = None,
        machine: str = "CombineLogFilesSM",
        name: str | None = None,
    ) -> Any:
        """One execution. Raises StateError."""
        definition = load_definition(MACHINES[machine])
        states = StateMachine(
            definition,
            self.call,
            lambda bucket, key: self.world.store.get_object(bucket, key).data,
            self._start,
        )
        try:
            return states.run(name or uuid.uuid4().hex, given or {})
        finally:
            self.visited += states.visited

    def call(self, function: str, payload: Any) -> Any:
        """One invocation, in a separate process as far as the store can tell."""
        self.invocations.append(function)
        self.break_function(function, payload)
        handler = importlib.import_module(f"log_aggregator.handlers.{MODULES[function]}").handler

        def decide(_number: int, call: Call) -> Any:
            self.calls.append((function, call))
            return self.decide(len(self.calls) - 1, call)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(entry, "_connect_keys", lambda: self.trail_keys)
            patch.setattr(entry, "_connect_account", lambda _: self.account)
            patch.setattr(
                entry,
                "_connect",
                lambda *_: self.view(function, FaultyStore(self.world.store, decide)),
            )
            try:
                return handler(payload, Context(uuid.uuid4().hex))
            except Killed:
                raise StateError("Runtime.ExitError", "the process died") from None
            except Exception as error:
                self.raised.append(error)
                cause = json.dumps({"errorMessage": str(error)})
                raise StateError(type(error).__name__, cause) from error

    def _start(self, machine: str, name: str, given: Any) -> Any:
        return self.run(given, machine, name)


@contextmanager
def make_cloud(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """Handlers that see the world's store, clock and rules; settings come from the environment, as
    in Lambda, and declared layouts from their file. No time passes, so no timer is needed for a
    function's deadline.
    """
    world.store.create_bucket(WORK)

    if world.rules.layouts.declared:
        rows = describe_declarations(world.rules.layouts)
        world.store.put(WORK, LAYOUTS_KEY, render_declarations(rows).encode())

    def make_rules(_settings: Settings, window: DateWindow) -> RunRules:
        selection = replace(world.rules.selection, window=window)
        return replace(world.rules, selection=selection, layouts=Layouts())

    @contextmanager
    def make_workers(_settings: Settings) -> Iterator[StoppableSerialWorkers]:
        yield StoppableSerialWorkers()

    monkeypatch.setenv(entry.WORK_BUCKET, WORK)
    monkeypatch.setenv("LOG_AGGREGATOR_CONTROL_TOWER_BUCKET", ",".join(world.rules.main_buckets))
    monkeypatch.setenv("LOG_AGGREGATOR_OTHER_BUCKETS", ",".join(world.rules.other_buckets))
    monkeypatch.setenv("LOG_AGGREGATOR_OBJECTS_MAX", str(world.rules.objects_max))
    monkeypatch.setattr(entry, "SystemClock", lambda: world.clock)
    monkeypatch.setattr(entry, "make_workers", make_workers)
    monkeypatch.setattr(entry, "_deadline", lambda _context, _workers: nullcontext())
    monkeypatch.setattr(entry, "make_rules", make_rules)
    yield Cloud(world)
