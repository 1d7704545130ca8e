"""What leaves a function: whatever fails, log contents are not in what Lambda's runtime prints and
passes on, nor in its log, metrics, traces or the run's folder.
"""

from __future__ import annotations

import gzip
import json
import traceback
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from botocore.exceptions import ParamValidationError
from tests.simulation.test_statemachine import MakeCloud
from tests.support.cloud import WORK, Cloud, Context, make_cloud
from tests.support.inventories import DESTINATION, take_inventory
from tests.support.statemachine import StateError
from tests.support.world import World, make_world, pack_gzip, trail_key
from tests.support.xray import FakeDaemon, find_problems

from log_aggregator.adapters.forwarding import Call
from log_aggregator.errors import AccessDenied, LogAggregatorError
from log_aggregator.handlers import empty_access_logs, entry
from log_aggregator_lab.stores.faults import Fault, FaultyStore

SECRET = "Sw0rdfish in a Log"
RAW = SECRET.encode()

FOREIGN: tuple[Callable[[], Exception], ...] = (
    lambda: KeyError(SECRET),
    lambda: ValueError(f"invalid literal for int() with base 10: {SECRET!r}"),
    lambda: json.JSONDecodeError("Expecting value", SECRET, 0),
    lambda: UnicodeDecodeError("utf-8", RAW, 0, 1, SECRET),
    lambda: zlib.error(SECRET),
    lambda: ParamValidationError(report=f"Invalid type for parameter Body, value: {SECRET}"),
    lambda: MemoryError(SECRET),
    lambda: chained(RuntimeError(SECRET)),
    lambda: chained(AccessDenied("GetObject s3://trail/x: AccessDenied", code="AccessDenied")),
)
"""As Python and the libraries raise them over data they cannot read; and one of our errors caused
by them.
"""

GARBAGE: tuple[bytes, ...] = (
    RAW,
    b"\xff" + RAW,
    json.dumps({SECRET: SECRET}).encode(),
    json.dumps([SECRET, {"version": SECRET, "format": SECRET, "members": SECRET}]).encode(),
    json.dumps(
        {"version": "2016-11-30", "sourceBucket": SECRET, "destinationBucket": SECRET}
    ).encode(),
    gzip.compress(json.dumps({"format": SECRET, "version": 1, "members": SECRET}).encode()),
    gzip.compress(f'"{SECRET}","{SECRET}"\n'.encode()),
    gzip.compress(RAW)[:-4],
)
"""What may be stored in place of a record, an index, a work item, a manifest or a sorted file."""


def chained(error: Exception) -> Exception:
    """With a cause and a context that quote it too."""
    error.__cause__, error.__context__ = KeyError(SECRET), ValueError(SECRET)
    return error


@pytest.fixture
def clouds(monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeCloud]:
    with ExitStack() as stack:
        yield lambda world: stack.enter_context(make_cloud(world, monkeypatch))


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDaemon]:
    with FakeDaemon() as listening:
        monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", listening.address)
        monkeypatch.setenv(
            "_X_AMZN_TRACE_ID",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
        )
        yield listening


@dataclass
class Watch:
    """Everything that came out since the last look."""

    daemon: FakeDaemon
    capsys: pytest.CaptureFixture[str]
    seen: int = 0

    def find_leaks(self, raised: list[Exception], world: World | None = None) -> list[str]:
        """Where the secret is."""
        out, err = self.capsys.readouterr()
        told = {"stdout": out, "stderr": err}
        told |= {f"error {n}": describe(error) for n, error in enumerate(raised)}
        spans = self.daemon.read_all()[self.seen :]
        self.seen += len(spans)
        told |= {f"span {n}": repr(raw) for n, raw in enumerate(spans)}
        if world is not None:
            told |= {
                f"{WORK}/{found.key}": repr(world.store.get_object(WORK, found.key).data)
                for found in world.store.list_objects(WORK).objects
            }
        return [where for where, text in told.items() if SECRET in text]


@pytest.fixture
def watch(daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]) -> Watch:
    return Watch(daemon, capsys)


def describe(error: BaseException) -> str:
    """Everything that could be derived from it: text, arguments, frames, causes."""
    more = [cause for cause in (error.__cause__, error.__context__) if cause is not None]
    told = "".join(traceback.format_exception(error)) + repr(error.args)
    return told + "".join(map(describe, more))


def history() -> tuple[World, dict[str, Any]]:
    """Main logs that contain the secret, in an inventory; all functions of both machines process
    them.
    """
    world = make_world(control_tower_bucket="trail")
    world.store.create_bucket("trail", versioning="Enabled")
    for number in range(2):
        body = pack_gzip(json.dumps({"Records": [{"n": number, "said": SECRET}]}).encode())
        world.put("trail", trail_key(number, day=date(2025, 3, 1)), body)
    return world, {
        "start_date": "2025-03-01",
        "end_date": "2025-03-03",
        "bucket_name": "trail",
        "inventory": take_inventory(world.store, "trail", rows_per_file=4),
    }


def run(cloud: Cloud, given: dict[str, Any]) -> None:
    """Whether it fails does not matter here."""
    try:
        cloud.run(given, "ProcessHistoricalMainLogsSM", "history")
    except StateError as error:
        cloud.raised.append(error)


def firsts(calls: list[tuple[str, Call]]) -> dict[tuple[object, ...], int]:
    """The first request of each function to each kind of place, and its number."""
    found: dict[tuple[object, ...], int] = {}
    for number, (function, call) in enumerate(calls):
        folder = "/".join(part for part in call.key.split("/") if not any(map(str.isdigit, part)))
        found.setdefault((function, call.operation, call.bucket, folder), number)
    return found


def test_foreign_error_texts_do_not_leak(clouds: MakeCloud, watch: Watch) -> None:
    """Whatever request of whatever function ends in an error that is not ours: the error that
    leaves the function is ours, and has neither a cause nor a context.
    """
    world, given = history()
    cloud = clouds(world)
    run(cloud, given)
    assert watch.find_leaks(cloud.raised, world) == []
    assert len({function for function, _ in cloud.calls}) == 11
    for turn, (where, number) in enumerate(firsts(cloud.calls).items()):
        error = FOREIGN[turn % len(FOREIGN)]()
        world, given = history()
        disturbed = clouds(world)
        disturbed.decide = raise_at(number, error)
        run(disturbed, given)
        assert disturbed.raised, where
        ours = [each for each in disturbed.raised if not isinstance(each, StateError)]
        assert all(isinstance(each, LogAggregatorError) for each in ours), where
        assert [each for each in ours if each.__cause__ or each.__context__] == [], where
        assert watch.find_leaks(disturbed.raised, world) == [], (where, error)
    assert [raw for raw in watch.daemon.read_all() if find_problems(raw)] == []


def raise_at(at: int, error: Exception) -> Callable[[int, Call], Fault | None]:
    return lambda number, _call: Fault(before=error) if number == at else None


def test_unreadable_data_is_not_quoted(clouds: MakeCloud, watch: Watch) -> None:
    """Whatever a function reads is replaced by something else that contains the secret."""
    world, given = history()
    cloud = clouds(world)
    run(cloud, given)
    reads = {
        where: number
        for where, number in firsts(cloud.calls).items()
        if cloud.calls[number][1].operation.startswith("GetObject")
    }
    assert {where[2] for where in reads} >= {WORK, DESTINATION, "trail"}
    for turn, (where, number) in enumerate(reads.items()):
        for garbage in GARBAGE[turn % 3 :: 3]:
            world, given = history()
            disturbed = clouds(world)
            disturbed.decide = alter_at(number, replace_with(garbage))
            run(disturbed, given)
            leaks = watch.find_leaks(disturbed.raised)
            assert leaks == [], (where, garbage, [str(error) for error in disturbed.raised])


def test_a_single_wrong_value_is_not_quoted(clouds: MakeCloud, watch: Watch) -> None:
    """An index, a custody record, a work item or a sorted file is valid except for one value, which
    is the secret. (An inventory is checked before it is read.)
    """
    world, given = history()
    cloud = clouds(world)
    run(cloud, given)
    spoiled = 0
    for where, number in firsts(cloud.calls).items():
        _, operation, bucket, folder = where
        is_list = bucket == "dest" or str(folder).endswith(("/work", "/sorted"))
        if not (str(operation).startswith("GetObject") and is_list):
            continue  # the other records of a run contain names given by functions, which are named
        for nth in range(LEAVES_MAX):
            world, given = history()
            disturbed = clouds(world)
            spoil = Spoiler(nth)
            disturbed.decide = alter_at(number, spoil)
            run(disturbed, given)
            if not spoil.is_done:
                break
            spoiled += 1
            leaks = watch.find_leaks(disturbed.raised)
            if spoil.path == "[0].pack":
                continue  # it then belongs to another pack, and our own error names that by its key
            assert leaks == [], (where, spoil.path, [str(error) for error in disturbed.raised])
    assert spoiled > 100


LEAVES_MAX = 24


@dataclass
class Spoiler:
    """Replaces the nth value in lines of JSON by the secret."""

    nth: int
    path: str = ""
    is_done: bool = False

    def __call__(self, body: bytes) -> bytes:
        is_gzip = body.startswith(b"\x1f\x8b")
        text = (gzip.decompress(body) if is_gzip else body).decode()
        spoiled = self._spoil([json.loads(line) for line in text.splitlines()], "")
        data = "\n".join([*map(json.dumps, spoiled), ""]).encode()
        return gzip.compress(data) if is_gzip else data

    def _spoil(self, value: Any, path: str) -> Any:
        match value:
            case dict():
                return {name: self._spoil(each, f"{path}.{name}") for name, each in value.items()}
            case list():
                return [self._spoil(each, f"{path}[{n}]") for n, each in enumerate(value)]
        self.nth -= 1
        if self.nth != -1:
            return value
        self.path, self.is_done = path, True
        return SECRET


def replace_with(body: bytes) -> Callable[[bytes], bytes]:
    return lambda _: body


def alter_at(at: int, alter: Callable[[bytes], bytes]) -> Callable[[int, Call], Fault | None]:
    return lambda number, _call: Fault(alter=alter) if number == at else None


@pytest.mark.parametrize("error", FOREIGN, ids=lambda make: type(make()).__name__)
def test_the_hourly_function_does_not_leak_either(
    error: Callable[[], Exception], watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not part of a state machine, and its errors only reach its own log."""
    world = make_world()
    failing = FaultyStore(world.store, lambda _number, _call: Fault(before=error()))
    monkeypatch.setattr(entry, "_connect", lambda *_: failing)
    monkeypatch.setenv(entry.WORK_BUCKET, "work")
    monkeypatch.setenv(entry.ACCESS_LOG_BUCKET, "logs")
    monkeypatch.setenv("LOG_AGGREGATOR_OTHER_BUCKETS", "aux")
    with pytest.raises(LogAggregatorError) as raised:
        empty_access_logs.handler({}, Context("r"))
    assert watch.find_leaks([raised.value]) == []
