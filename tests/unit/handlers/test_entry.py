"""What all functions share: settings from the environment, ending in time, a stored reason for
failures, and few imports.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.account import FakeAccount
from tests.support.cloud import MODULES, Context
from tests.support.waiting import SECONDS_MAX
from tests.support.world import DAY, make_world

from log_aggregator import handlers
from log_aggregator.errors import (
    LimitExceeded,
    LogAggregatorError,
    NotAuthenticated,
    NotFound,
    OutOfMemory,
    OutOfTime,
    RequestFailed,
    SettingsError,
    Unexpected,
    Unreachable,
)
from log_aggregator.handlers import entry
from log_aggregator.handlers.entry import Call, settings_of
from log_aggregator.model import Stage
from log_aggregator.settings import Settings
from log_aggregator.steps.fanout.folder import Kind, RunFolder
from log_aggregator.steps.fanout.gather import RunRecord
from log_aggregator.wiring import BucketAccounts
from log_aggregator_lab.stores.faults import Fault, FaultyStore
from log_aggregator_lab.stores.memory import MemoryStore

PIECE = {"run": "2026-01-02/x", "kind": "main", "item": "00001-aaaa-00001"}
Serve = Callable[[Callable[[Any, Call], dict[str, Any]]], Any]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    store = MemoryStore()
    store.create_bucket("work")
    monkeypatch.setattr(entry, "_connect", lambda *_: store)
    monkeypatch.setenv("LOG_AGGREGATOR_OTHER_BUCKETS", "flow")
    monkeypatch.setenv(entry.WORK_BUCKET, "work")
    return store


def test_settings_come_from_the_environment() -> None:
    """Every setting by its name; lists with commas or as JSON, holds as JSON; empty ones are
    omitted.
    """
    settings = settings_of(
        {
            "LOG_AGGREGATOR_CONTROL_TOWER_BUCKET": "trail-a,trail-b",
            "LOG_AGGREGATOR_OTHER_BUCKETS": "",
            "LOG_AGGREGATOR_AGGREGATION_REGIONS": '["eu-west-1", "eu-north-1"]',
            "LOG_AGGREGATOR_HOLDS": '{"accounts": ["111111111111"]}',
            "LOG_AGGREGATOR_KEEP_ORIGINALS_DAYS": "7",
            "LOG_AGGREGATOR_ORGANIZATION_ID": "",
            "PATH": "/bin",
        }
    )
    assert settings.control_tower_bucket == ("trail-a", "trail-b")
    assert settings.other_buckets == ()
    assert settings.aggregation_regions == ("eu-west-1", "eu-north-1")
    assert settings.holds.accounts == ("111111111111",)
    assert settings.keep_originals_days == 7
    assert settings.organization_id is None


def test_a_function_expects_the_configured_owners(
    monkeypatch: pytest.MonkeyPatch, store: MemoryStore
) -> None:
    """The connection is made with them."""
    given: list[tuple[int, BucketAccounts]] = []

    def connect(readers: int, accounts: BucketAccounts) -> MemoryStore:
        given.append((readers, accounts))
        return store

    monkeypatch.setattr(entry, "_connect", connect)
    monkeypatch.setenv("LOG_AGGREGATOR_DESTINATION_BUCKET", "packs")
    monkeypatch.setenv("LOG_AGGREGATOR_DESTINATION_ACCOUNT", "444455556666")
    monkeypatch.setenv("LOG_AGGREGATOR_BUCKET_ACCOUNTS", "*=111122223333,flow=777788889999")
    entry.serve("plan")(lambda _event, _call: {})({}, Context("r"))
    ((_, accounts),) = given
    assert dict(accounts) == {
        "*": "111122223333",
        "flow": "777788889999",
        "packs": "444455556666",
    }


@pytest.mark.parametrize(
    "refusal",
    [
        NotAuthenticated("skewed", code="RequestTimeTooSkewed"),
        Unreachable("silent", code="ReadTimeoutError"),
    ],
    ids=["not authenticated", "no answer"],
)
def test_a_refusal_is_forgotten_by_the_next_invocation(
    refusal: RequestFailed, monkeypatch: pytest.MonkeyPatch, store: MemoryStore
) -> None:
    """A container is reused, even after being frozen for hours; a failure in one run must not fail
    all later ones.
    """
    faulty = FaultyStore(store, lambda number, _: Fault(before=refusal) if number < 3 else None)
    monkeypatch.undo()
    monkeypatch.setattr(entry, "connect_store", lambda *_: faulty)
    monkeypatch.setenv("LOG_AGGREGATOR_OTHER_BUCKETS", "flow")
    monkeypatch.setenv(entry.WORK_BUCKET, "work")
    entry._connect.cache_clear()
    function = entry.serve("plan")(lambda _, call: {"buckets": call.job.store.list_buckets()})
    try:
        for _ in range(3):
            with pytest.raises(type(refusal), match=str(refusal)):
                function({}, Context("r"))
        assert function({}, Context("r")) == {"buckets": ["work"]}
    finally:
        entry._connect.cache_clear()


def test_an_empty_json_list_is_an_empty_list() -> None:
    """`[]` is how an older stack's AggregationRegions says all Regions."""
    settings = settings_of(
        {"LOG_AGGREGATOR_OTHER_BUCKETS": "flow", "LOG_AGGREGATOR_AGGREGATION_REGIONS": "[]"}
    )
    assert settings.aggregation_regions == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KEEP_ORIGINALS_DAYS", "a week"),
        ("HOLDS", "{"),
        ("HOLDS", '{"account": []}'),
        ("AGGREGATION_REGIONS", '["a", 1'),
    ],
)
def test_a_wrong_value_is_named(name: str, value: str) -> None:
    """The error names the setting."""
    with pytest.raises(SettingsError, match=name.lower()):
        settings_of({"LOG_AGGREGATOR_OTHER_BUCKETS": "flow", f"LOG_AGGREGATOR_{name}": value})


def test_a_function_stops_before_its_time_is_over(store: MemoryStore) -> None:
    """Work that checks for a stop ends with OutOfTime, which the state machine retries, and leaves
    a reason.
    """

    @entry.serve("combine")
    def handler(event: Any, call: Call) -> dict[str, Any]:
        call.job.workers.pause(SECONDS_MAX)
        call.job.workers.check_stop()
        return {}

    with pytest.raises(OutOfTime):
        handler(PIECE, Context("r", remaining_millis=50))
    word = RunFolder(store, "work", PIECE["run"]).read_failure(Kind.MAIN, PIECE["item"], "nothing")
    assert (word.error, word.where) == ("OutOfTime", "main 00001-aaaa-00001")
    assert "shortly before" in word.message


def test_an_error_is_raised_logged_and_stored(
    store: MemoryStore, capsys: pytest.CaptureFixture[str]
) -> None:
    """The state machine sees the class, the log has name and advice, the run's end finds the
    reason.
    """

    @entry.serve("list")
    def handler(event: Any, call: Call) -> dict[str, Any]:
        raise LimitExceeded("too much")

    with pytest.raises(LimitExceeded):
        handler({"run": "2026-01-02/x", "kind": "auxiliary", "task": "00001"}, Context("r"))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [
        (line["message"], line["step"], line["request_id"], line["task"]) for line in lines
    ] == [
        ("begins", "list", "r", "00001"),
        ("failed", "list", "r", "00001"),
    ]
    assert lines[1]["error"] == "LimitExceeded"
    assert "narrow" in lines[1]["advice"] or lines[1]["advice"]
    word = RunFolder(store, "work", "2026-01-02/x").read_failure(Kind.AUXILIARY, "00001", "nothing")
    assert word.message == "too much"


@pytest.mark.parametrize(
    ("error", "kind", "advice"),
    [
        (KeyError("what a log says"), Unexpected, "Report it"),
        (MemoryError("what a log says"), OutOfMemory, "CombineMemorySize"),
    ],
    ids=["foreign", "memory"],
)
def test_a_foreign_error_is_reported_by_name_and_place(
    store: MemoryStore,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    kind: type[LogAggregatorError],
    advice: str,
) -> None:
    """The function raises one line of text, without causes or frames other than the handler's; the
    log has the lines that led to it; and the run's end finds the reason.
    """

    @entry.serve("combine")
    def handler(event: Any, call: Call) -> dict[str, Any]:
        raise error

    with pytest.raises(kind) as raised:
        handler(PIECE, Context("r"))
    name = type(error).__name__
    place = rf"{name} at log_aggregator/handlers/entry\.py:[0-9]+ in _work"
    assert re.fullmatch(place, str(raised.value))
    assert (raised.value.__cause__, raised.value.__context__) == (None, None)
    output = capsys.readouterr().out
    assert "what a log says" not in output
    assert json.loads(output.splitlines()[1])["error"] == name
    word = RunFolder(store, "work", PIECE["run"]).read_failure(Kind.MAIN, PIECE["item"], "nothing")
    assert (word.error, word.message) == (kind.__name__, str(raised.value))
    assert advice in word.advice


def test_a_second_error_does_not_hide_the_first(
    monkeypatch: pytest.MonkeyPatch, store: MemoryStore
) -> None:
    """If the reason cannot be stored either, the first error is raised."""
    monkeypatch.setenv(entry.WORK_BUCKET, "not-there")

    @entry.serve("combine")
    def handler(event: Any, call: Call) -> dict[str, Any]:
        raise NotFound("the first")

    with pytest.raises(NotFound, match="the first"):
        handler(PIECE, Context("r"))


def test_without_a_work_bucket_it_fails(
    monkeypatch: pytest.MonkeyPatch, store: MemoryStore
) -> None:
    """A function that was deployed without its environment says what is missing."""
    monkeypatch.delenv(entry.WORK_BUCKET)

    @entry.serve("combine")
    def handler(event: Any, call: Call) -> dict[str, Any]:
        return {}

    with pytest.raises(SettingsError, match="LOG_AGGREGATOR_WORK_BUCKET"):
        handler(PIECE, Context("r"))


def test_each_module_is_a_handler() -> None:
    """Every module of the package is a Lambda function unless it says otherwise, and the state
    machines know all except those with a schedule.
    """
    shared = {"__init__", "entry", "pieces", "metrics", "concurrency"}
    modules = {path.stem for path in Path(handlers.__path__[0]).glob("*.py")} - shared
    assert modules == {*MODULES.values(), "empty_access_logs", "drill", "report"}


def test_a_cold_start_imports_little() -> None:
    """No handler imports what only the command line, the lab or the tests need: every cold start
    would pay for it. It does import what it connects with: a function has more processor time while
    loading than in its first call.
    """
    imports = ";".join(
        f"import log_aggregator.handlers.{module}"
        for module in [*MODULES.values(), "empty_access_logs", "drill"]
    )
    script = f"{imports}\nimport sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    assert {name.split(".")[0] for name in loaded} & {
        "click",
        "rich",
        "cryptography",
        "pyarrow",
        "arro3",
        "boto3",
        "asyncio",
        "hypothesis",
    } == set()
    assert {"botocore.session", "pycurl", "awscrt.checksums"} <= set(loaded)
    assert [
        name for name in loaded if name.startswith(("log_aggregator.cli", "log_aggregator_lab"))
    ] == []


@pytest.mark.parametrize(
    ("began", "now", "expected"),
    [("pack", "delete", "pack"), ("delete", "pack", "pack"), ("delete", "delete", "delete")],
)
def test_deletion_needs_both_the_old_and_the_new_setting(
    began: str, now: str, expected: str
) -> None:
    """If a stack is updated during a run, withdrawing deletion takes effect immediately, and
    requesting it from the next run on.
    """
    world = make_world(delete_originals=now == "delete")
    record = RunRecord("r", DAY, DAY, DAY, "", stage=Stage(began))
    call = Call(Settings(), world.job(), "work", "", lambda: None, lambda: None, FakeAccount)
    assert call.job_of(record).rules.group.stage == expected
