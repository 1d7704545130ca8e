"""Outputs that cannot be written to: every command ends with a message and its documented exit
code, and a command that changes something has changed nothing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from tests.support.account import FakeAccount, FakeBucket
from tests.support.world import World, document, make_world, pack_gzip, trail_key
from tests.unit.cli.calls import ASKS_NOBODY, CALLS, OF_ITS_OWN, every_command
from tests.unit.cli.conftest import PLACE, Command, Outcome
from tests.unit.cli.test_full_streams import FULL, Filling, needs_full

from log_aggregator.cli import lasting, output
from log_aggregator.cli.printing import Results
from log_aggregator.errors import OutputFailed, SettingsError

LEAVES = dict(every_command())
ALL = {
    **CALLS,
    **ASKS_NOBODY,
    **OF_ITS_OWN,
    "custody trace": ("custody", "trace", f"s3://logs/{trail_key(1)}"),
}
CHANGES = {
    *("run", "delete", "backfill", "put-back", "thaw", "drill", "keep-public-keys"),
    *("index rebuild", "index adopt", "index terms", "index tables", "generate", "init"),
    *("rehearse", "custody sign"),
}
"""In a bucket, or here."""
IS_DEAR = {"evidence", "survey"}
"""It changes nothing, but asks much."""
ELSEWHERE = {"extract"}
"""Into a folder; what it says goes to standard error. See below."""
READS = {
    *("plan", "verify", "validate-cloudtrail", "find", "layouts suggest", "layouts list"),
    *("layouts explain", "stats", "status", "custody verify", "custody show", "custody trace"),
    *("athena-ddl", "completion", "iam-policy", "doctor", "demo", "search", "report", "coverage"),
}
"""The last one stops before its server starts."""
TO_A_FILE = {
    "extract --output": ("extract", trail_key(1), "--output"),
    "extract --lines": ("extract", *ALL["find"][1:], "--lines", "--output"),
    "survey --html": (*ALL["survey"], "--html"),
    "report --output": (*ALL["report"], "--output"),
    "evidence --output": (*ALL["evidence"][:-2], "--output"),
    "init --output": (*ALL["init"], "--output"),
}
TO_A_FOLDER = {
    "extract --directory": ("extract", *ALL["find"][1:], "--directory"),
    "thaw --then-extract": (*ALL["thaw"], "--then-extract"),
    "iam-policy --directory": (*ALL["iam-policy"], "--directory"),
}
TO_FILES = {**TO_A_FILE, **TO_A_FOLDER}
EVENT = {"userIdentity": {"accessKeyId": ALL["search"][1]}}
READ_FROM = {
    *("--config", "--prices", "--log-file", "--public-key", "--time-stamp-authority", "--page"),
}
"""The third is appended to, whatever it is: /dev/stderr is a good place."""


@pytest.fixture
def world(command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: Any) -> World:
    """A world in which every command has something to report."""
    monkeypatch.chdir(tmp_path)
    world = make_world()
    world.put("logs", trail_key(1), pack_gzip(json.dumps({"Records": [EVENT]}).encode()))
    world.store.put("dest", "old/a.gz", document(3))
    account = FakeAccount({"logs": FakeBucket(), "dest": FakeBucket()})
    for name in ("doctor", "backfill", "report"):
        monkeypatch.setattr(f"log_aggregator.cli.{name}.connect_inspector", lambda *_: account)
    monkeypatch.setattr("log_aggregator.cli.doctor.connect", lambda *_: world.store)
    assert command(world, *ALL["run"]).code == 0
    if "status" in request.node.name:
        assert command(world, *ALL["backfill"]).code == 0
    world.put("logs", trail_key(2), document(2))
    return world


def place_of(name: str) -> tuple[str, ...]:
    names = {option.name for option in LEAVES[name].params}
    return PLACE if "destination_bucket" in names and name != "init" else ()


def type_it(command: Command, world: World, name: str, *more: str) -> Outcome:
    return command(world, *ALL[name], *more, place=place_of(name))


def test_every_command_is_known_to_change_or_read() -> None:
    """A new command needs a row, and `require_room` if it changes something."""
    kinds = [CHANGES, READS, ELSEWHERE, IS_DEAR]
    assert sorted(name for kind in kinds for name in kind) == sorted(LEAVES)


@needs_full
@pytest.mark.parametrize("name", LEAVES)
def test_a_full_standard_output_is_reported(
    command: Command, world: World, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    before = world.store.snapshot()
    with FULL.open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        done = type_it(command, world, name)
    if name in ELSEWHERE:
        assert done.code == 0
        return
    assert "standard output: No space left on device" in done.err
    assert done.code == (3 if name in CHANGES | IS_DEAR else 1)
    assert world.store.snapshot() == before
    assert list(Path().iterdir()) == []


@needs_full
@pytest.mark.parametrize("more", [("--json",), ("--directory", "out", "--json")])
def test_commands_with_files_check_standard_output_too(
    command: Command, world: World, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    """`extract` needs room for a report on stdout, and `iam-policy` needs it when writing files."""
    name = "extract" if len(more) > 1 else "iam-policy"
    words = ("--directory", "out") if name == "iam-policy" else more
    with FULL.open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        done = type_it(command, world, name, *words)
    assert (done.code, list(Path().iterdir())) == (3, [])


@pytest.mark.parametrize("name", sorted(CALLS.keys() - ELSEWHERE))
def test_a_standard_output_that_fills_up_is_reported(
    command: Command, world: World, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(sys, "stdout", Filling())
    done = type_it(command, world, name)
    assert (done.code, "No space left on device" in done.err) == (1, True)


@pytest.mark.parametrize(
    "name", ["delete", "backfill", "put-back", "thaw", "drill", "custody sign"]
)
def test_a_report_that_cannot_be_repeated_goes_to_standard_error(
    command: Command, world: World, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """It is too late to stop before changes, so the report goes to standard error."""
    monkeypatch.setattr(sys, "stdout", Filling())
    done = type_it(command, world, name, "--json")
    assert (done.code, "is done, and its report is shown above" in done.err) == (1, True)
    assert '"failures": ' in done.err or '"windows": ' in done.err


def list_file_options() -> Iterator[str]:
    for name, command in LEAVES.items():
        for option in command.params:
            is_path = isinstance(option.type, click.Path) or option.metavar in ("FILE", "DIR")
            long_name = max(option.opts, key=len)
            if is_path and isinstance(option, click.Option) and long_name not in READ_FROM:
                yield f"{name} {long_name}"


def test_every_file_option_is_tested() -> None:
    assert set(TO_FILES) - {"extract --lines"} == set(list_file_options())


@needs_full
@pytest.mark.parametrize("name", TO_FILES)
@pytest.mark.parametrize("is_forced", [False, True])
def test_an_output_that_is_not_a_file_is_refused(
    command: Command, world: World, name: str, is_forced: bool
) -> None:
    """A file would replace the device for every process, so it is refused first. (The test uses a
    link, so that a mistake does not cost this machine its /dev/full.)
    """
    link = Path("full")
    link.symlink_to(FULL)
    before, words = world.store.snapshot(), TO_FILES[name]
    can_force = any("--force" in option.opts for option in LEAVES[words[0]].params)
    force = ("--force",) if is_forced and can_force else ()
    done = command(world, *words, str(link), *force, place=place_of(words[0]))
    assert (done.code, f"{link}: " in done.err) == (2, True), done.err
    assert link.is_char_device()
    assert (world.store.snapshot(), list(Path().iterdir())) == (before, [link])


@pytest.mark.parametrize("name", TO_A_FILE)
def test_a_file_in_a_missing_folder_is_refused(command: Command, world: World, name: str) -> None:
    """The missing folder is noticed before any question or wait."""
    words = TO_A_FILE[name]
    done = command(world, *words, "nowhere/file", place=place_of(words[0]))
    assert (done.code, "there is no folder nowhere" in done.err) == (2, True), done.err


@needs_full
@pytest.mark.parametrize("name", ["find", "run"])
def test_a_full_log_file_stops_nothing(command: Command, world: World, name: str) -> None:
    assert type_it(command, world, name, "--log-file", str(FULL)).code == 0
    Results.begin()


@needs_full
def test_a_device_that_appeared_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    """The function that puts a file under its name checks again."""
    link = tmp_path / "link"
    link.symlink_to(FULL)
    with pytest.raises(OutputFailed, match="a device or a pipe"):
        output.write_file(link, [b"x"], None)
    assert list(tmp_path.iterdir()) == [link]
    assert link.is_char_device()


def test_an_unwritable_folder_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(SettingsError, match=r"--html .*file: Permission denied"):
        output.check_file(tmp_path / "file", "--html")


def test_custody_records_are_named_if_there_are_any() -> None:
    assert lasting.name_records([]) == ""
    assert lasting.name_records([{"bucket": "b", "key": "k"}]).endswith(": s3://b/k")
