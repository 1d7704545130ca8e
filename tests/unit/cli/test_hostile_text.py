"""Every command with keys, names and errors that contain terminal control characters or invisible
ones.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import pty
import re
import sys
import threading
import tty
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click
import pytest
from tests.support.account import FakeAccount, FakeBucket
from tests.support.custody import run_recorded
from tests.support.hostile import BITE, HARM, HOSTILE, NO_UTF8, TYPED, find_harm
from tests.support.signing import key_file
from tests.support.world import ACCOUNT, DAY, World, flow_key, make_world, pack_gzip, trail_key

from log_aggregator import wiring
from log_aggregator.adapters.counting import CountingStore
from log_aggregator.adapters.forwarding import Call
from log_aggregator.cli import commands, main
from log_aggregator.core.backfill.entries import (
    BackfillPlan,
    Entry,
    EntryPlace,
    Kind,
    backfill_folder,
    encode_entry,
    encode_plan,
)
from log_aggregator.core.planning import PackLimits
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import AccessDenied, RequestFailed, StoreError, Unreachable
from log_aggregator.escapes import is_harmless
from log_aggregator.ports.store import ObjectStore
from log_aggregator_lab.stores.faults import Fault, FaultyStore
from log_aggregator_lab.upload import UploadReport

KEY = flow_key(f"{HOSTILE}.log.gz")
LARGE = [flow_key(f"{HOSTILE}-large-{number}.log.gz") for number in range(2)]
DIGEST = (
    f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/eu-west-1/{DAY:%Y/%m/%d}/"
    f"{ACCOUNT}_CloudTrail-Digest_eu-west-1_{HOSTILE}_eu-west-1_{DAY:%Y%m%d}T010000Z.json.gz"
)
OLDER = f"older-{HOSTILE}.gz"
RUN = f"2025-04-05/{HOSTILE}"

OWN = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
"""What bars move and colour with."""


@dataclass(frozen=True)
class Leaf:
    """A command that does something, identified by its words."""

    words: tuple[str, ...]
    command: click.Command

    @property
    def name(self) -> str:
        return " ".join(self.words)

    @property
    def options(self) -> dict[str, click.Option]:
        return {
            option.opts[0]: option
            for option in self.command.params
            if isinstance(option, click.Option)
        }


def leaves(group: click.Group, words: tuple[str, ...] = ()) -> Iterator[Leaf]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from leaves(command, (*words, name))
        elif command is not None:
            yield Leaf((*words, name), command)


LEAVES = {leaf.name: leaf for leaf in leaves(commands)}
SERVERS = ("demo", "rehearse")
"""They have no input of others': one starts a server, the other brings all that it looks at."""

BY_LINE = ("find", "layouts explain")
"""Their JSON is an object a line."""

ASKS_NOBODY = ("athena-ddl", "completion")
"""They show their options, which are letters and digits, or nothing that comes from outside."""

ARGUMENTS = {
    "find": [KEY],
    "extract": [KEY],
    "thaw": [KEY],
    "drill": [],
    "put-back": [KEY],
    "custody show": [RUN],
    "custody sign": ["--sign-with", key_file()],
    "custody trace": [f"s3://logs/{KEY}"],
    "index adopt": [f"s3://logs/{OLDER}", "--date", f"{DAY}"],
    "index rebuild": ["--date", f"{DAY}"],
    "index terms": ["--date", f"{DAY}", "--again"],
    "validate-cloudtrail": ["--date", f"{DAY}", "--public-keys", "archive", "--verbose"],
    "coverage": ["--date", f"{DAY}", "--every-digest"],
    "run": ["--date", f"{DAY}", "--delete-originals"],
    "backfill": ["--from", f"{DAY}", "--to", f"{DAY}"],
    "status": [],
    "plan": ["--date", f"{DAY}"],
    "delete": ["--date", f"{DAY}", "--verified", "--older-than", "0d", "--yes"],
    "verify": ["--date", f"{DAY}"],
    "layouts explain": [KEY],
    "layouts suggest": ["logs"],
    "report": [],
    "evidence": ["--account", "111111111111", "--from", f"{DAY}", "--to", f"{DAY}", "--originals"],
    "keep-public-keys": [],
    "doctor": [],
    "init": ["--yes"],
    "iam-policy": ["--stage", "pack", "--look"],
    "generate": ["--bucket", TYPED],
    "athena-ddl": [],
    "completion": ["bash"],
}
"""What makes a command show what there is. A new command is called with what it insists on."""


def make_answer(folder: Path) -> Path:
    """A file that looks like an answer from CloudTrail but is not."""
    path = folder / "keys.json"
    times = dict.fromkeys(("ValidityStartTime", "ValidityEndTime"), 0)
    entry = {"Value": "MAA=", "Fingerprint": HOSTILE, **times}
    path.write_text(json.dumps({"PublicKeyList": [entry]}), encoding="utf-8")
    return path


def make_settings(folder: Path) -> Path:
    """Settings with the buckets, a held prefix and a declared layout."""
    path = folder / "aggregator.toml"
    held, pattern = (
        json.dumps(f"{name}-{HOSTILE}".replace("\n", ""), ensure_ascii=False)
        for name in ("held", "{YYYYMMDD}")
    )
    settings = [
        'control_tower_bucket = ["trails"]',
        'other_buckets = ["logs"]',
        'destination_bucket = "dest"',
        f"[holds]\nprefixes = [{held}]".replace("\x7f", "\\u007f"),
        f'[[layouts]]\nname = "own"\npattern = {pattern}'.replace("\x7f", "\\u007f"),
    ]
    path.write_text("\n".join(settings), encoding="utf-8")
    return path


def make_hostile(*, is_packed: bool) -> World:
    """Keys with and without a date, two of them large enough for their own pack, and objects that
    are neither packs nor indexes. Once packed, one pack is damaged and the other's index is lost.
    """
    world = make_world(limits=PackLimits(copy_alone_bytes_min=5_000))
    world.put("logs", KEY, pack_gzip(b"flow\n"), metadata={"m": HOSTILE})
    for key in LARGE:
        world.put("logs", key, os.urandom(6_000))
    world.put("logs", trail_key(1), pack_gzip(b"{}"))
    world.store.create_bucket("trails")
    world.store.put("trails", DIGEST, b"no digest")
    world.store.put("logs", f"junk-{HOSTILE}", b"x")
    world.store.put("logs", OLDER, b"no gzip")
    for folder, end in (("packs", ""), ("indexes", ".index.jsonl.gz")):
        name = f"{BITE}/{BITE}/{BITE}/{DAY:%Y/%m/%d}/{HOSTILE}.json.gz{end}"
        world.store.put("dest", f"{folder}/{name}", b"x")
    put_ledger(world)
    if is_packed:
        assert run_recorded(world, RUN).failures == []
        packs = [found.key for found in world.store.list_objects("dest", prefix="packs/").objects]
        damaged, bare = (key for key in packs if key.endswith(tuple(LARGE)))
        world.store.put("dest", damaged, b"damaged", with_checksum=True)
        world.store.delete("dest", world.targets[0].index_key(bare))
        run_recorded(world, f"{RUN}-again")
        world.store.put("dest", f"custody/0000000/{HOSTILE}", b"no record")
    return world


def put_ledger(world: World) -> None:
    """Write the ledger of another process's backfill, and stray objects next to it."""
    window = DateWindow(DAY, DAY)
    plan = BackfillPlan("theirs", window, 7, (HOSTILE,), world.clock.now())
    place = EntryPlace(window, 1, Kind.FAILED)
    entry = Entry(place, HOSTILE, failures=(HOSTILE,), custody=(HOSTILE,))
    folder = backfill_folder(world.targets[0], "theirs")
    world.store.put("dest", f"{folder}plan.json", encode_plan(plan))
    world.store.put("dest", place.key(folder), encode_entry(entry))
    for name in (HOSTILE, "damaged"):
        world.store.put("dest", f"backfills/{name}/plan.json", b"x")


Refusal = Callable[[], RequestFailed]
REFUSALS: dict[str, Refusal | None] = {
    "healthy": None,
    "denied": lambda: AccessDenied(f"GetObject: {HOSTILE}", code=HOSTILE),
    "broken": lambda: StoreError(f"GetObject: {HOSTILE}", code=HOSTILE),
    "no answer": lambda: Unreachable(f"GetObject: {HOSTILE}", code=HOSTILE),
}


def refuse(make: Refusal | None) -> Callable[[int, Call], Fault | None]:
    """Refuse everything except listings, so that there is something to refuse."""

    def decide(_: int, call: Call) -> Fault | None:
        is_listing = call.operation.startswith(("List", "GetBucket"))
        return None if make is None or is_listing else Fault(before=make())

    return decide


@dataclass
class Told:
    """The output of both streams."""

    code: object
    out: str
    err: str


class Site:
    """Calls the command line in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self._patch = monkeypatch
        self._settings = make_settings(folder)
        self._folder = folder / "out"
        self._answer = make_answer(folder)

    def connect(self, store: ObjectStore) -> None:
        """Replace everything that connects to AWS, under each name that a command imports."""
        account = FakeAccount()
        account.buckets |= {name: FakeBucket() for name in ("logs", "trails", "dest")}
        account.broken["GetBucketEncryption"] = AccessDenied(HOSTILE, code=HOSTILE)
        stand_ins: dict[str, Any] = {
            "connect": lambda *_: CountingStore(store),
            "connect_inspector": lambda *_: account,
            "connect_trail_keys": lambda *_: None,
            "find_endpoint": lambda *_: None,
            "create_bucket": lambda *_, **__: None,
            "create_buckets": lambda *_: None,
            "leave_public_keys": lambda *_: None,
            "upload": lambda *_, **__: UploadReport((), 1, 0, 1, 1.0),
        }
        modules = [wiring, *(importlib.import_module(place_of(leaf)) for leaf in LEAVES.values())]
        for module in modules:
            for name in stand_ins.keys() & vars(module).keys():
                self._patch.setattr(module, name, stand_ins[name])

    def words(self, leaf: Leaf, *more: str) -> list[str]:
        """A call that gets as far as possible; of a repeated option the last counts."""
        words = [*leaf.words, *ARGUMENTS.get(leaf.name, insisted(leaf))]
        if leaf.name == "keep-public-keys":
            words += [str(self._answer), "--log-region", "eu-west-1"]
        if "--config" in leaf.options:
            words += ["--config", str(self._settings)]
        if "--directory" in leaf.options:
            words += ["--directory", str(self._folder), "--force"]
        if leaf.name == "init":
            words += ["--output", str(self._settings.with_name("made.toml")), "--force"]
        if leaf.name in ("report", "evidence"):
            words += ["--output", str(self._settings.with_name("made"))]
        if leaf.name == "evidence":
            words += ["--force"]
        return [*words, *more]

    def call(self, words: list[str], out: io.TextIOWrapper, err: io.TextIOWrapper) -> object:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["log-aggregator", *words])
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            with pytest.raises(SystemExit) as ended:
                main()
            out.flush()
            err.flush()
        return ended.value.code

    def call_in_pipe(self, words: list[str]) -> Told:
        written, said = io.BytesIO(), io.BytesIO()
        code = self.call(words, io.TextIOWrapper(written, "utf-8"), io.TextIOWrapper(said, "utf-8"))
        return Told(code, written.getvalue().decode(), said.getvalue().decode())

    def call_on_terminal(self, words: list[str]) -> Told:
        """Call with both streams on a terminal that passes on every byte unchanged."""
        terminal, its_end = pty.openpty()
        tty.setraw(its_end)
        seen: list[bytes] = []
        reader = threading.Thread(target=read_all, args=(terminal, seen))
        reader.start()
        try:
            with open_end(its_end) as out, open_end(its_end) as err:
                code = self.call(words, out, err)
        finally:
            os.close(its_end)
            reader.join()
            os.close(terminal)
        return Told(code, b"".join(seen).decode(), "")


def open_end(its_end: int) -> io.TextIOWrapper:
    return open(its_end, "w", encoding="utf-8", closefd=False)


def read_all(terminal: int, seen: list[bytes]) -> None:
    try:
        while data := os.read(terminal, 65536):
            seen.append(data)
    except OSError:  # its other end was closed
        return


def place_of(leaf: Leaf) -> str:
    callback = leaf.command.callback
    assert callback is not None
    return str(callback.__module__)


def insisted(leaf: Leaf) -> list[str]:
    """A value for every required parameter of a command."""
    words: list[str] = []
    for parameter in leaf.command.params:
        if parameter.required:
            words += [parameter.opts[0]] if isinstance(parameter, click.Option) else []
            words += [TYPED] * max(1, parameter.nargs)
    return words


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Site:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return Site(monkeypatch, tmp_path)


def make_store(refusal: Refusal | None, *, is_packed: bool) -> ObjectStore:
    return FaultyStore(make_hostile(is_packed=is_packed).store, refuse(refusal))


def worlds() -> Iterator[tuple[str, Callable[[], ObjectStore]]]:
    """Healthy and damaged stores, packed and unpacked."""
    for name, refusal in REFUSALS.items():
        for is_packed in (True, False):
            at = f"{name}, {'packed' if is_packed else 'not packed'}"
            yield at, partial(make_store, refusal, is_packed=is_packed)


def test_the_hostile_characters_are_really_used() -> None:
    """Check the test itself: each character is harmful and is detected on its own."""
    assert not any(map(is_harmless, (*HARM, NO_UTF8)))
    for char in (*HARM, NO_UTF8):
        assert find_harm(f"a line\nq{char}z\n") != []
    assert find_harm("Grün\n\tda\n", tabs=True) == []


@pytest.mark.parametrize("name", [name for name in LEAVES if name not in SERVERS])
def test_hostile_characters_are_escaped_in_all_output(name: str, site: Site) -> None:
    """Output on a pipe, on a terminal and as JSON is harmless and readable, whatever a command
    finds and however S3 refuses.
    """
    leaf = LEAVES[name]
    tabs = name == "validate-cloudtrail"  # its own, as `aws cloudtrail validate-logs` has them
    codes, shown = set(), ""
    for at, make in worlds():
        for is_json in (False, True) if "--json" in leaf.options else (False,):
            words = site.words(leaf, *(["--json"] if is_json else []))
            site.connect(make())
            told = site.call_in_pipe(words)
            codes.add(told.code)
            shown += told.out + told.err
            assert find_harm(told.out, tabs=tabs) == [], f"{at}: {told.out!r}"
            assert find_harm(told.err) == [], f"{at}: {told.err!r}"
            if is_json:
                for document in told.out.splitlines() if name in BY_LINE else [told.out or "0"]:
                    json.loads(document)
        site.connect(make())
        seen = site.call_on_terminal(site.words(leaf))
        assert "q\x1b" not in seen.out, at
        assert find_harm(OWN.sub("", seen.out), tabs=tabs) == [], f"{at}: {seen.out!r}"
    assert codes & {0, 1}, "it never got as far as to do something"
    assert "q\\x1bz" in shown or name in (*ASKS_NOBODY, "delete"), (
        "it showed nothing that was to be escaped"
    )


@pytest.mark.parametrize("name", LEAVES)
def test_hostile_arguments_are_escaped(name: str, site: Site) -> None:
    """Typed text is escaped as a surplus argument, an unknown option and each option's value; click
    quotes it, and so do we.
    """
    leaf = LEAVES[name]
    site.connect(make_hostile(is_packed=False).store)
    *group, _ = leaf.words
    calls = [[*leaf.words, f"--{TYPED}"], [*leaf.words, *([TYPED] * 3)], [*group, TYPED]]
    for option, parameter in leaf.options.items():
        if not parameter.is_flag and option not in ("--directory", "--output", "--then-extract"):
            start = [*leaf.words] if name in SERVERS else site.words(leaf)
            calls.append([*start, option, TYPED])
    for words in calls:
        if name in SERVERS and not any(TYPED in word for word in words):
            continue
        told = site.call_in_pipe(words)
        assert told.code != 0 or name not in SERVERS
        assert find_harm(told.out, tabs=name == "validate-cloudtrail") == [], words
        assert find_harm(told.err) == [], words
    for words in calls[:3]:
        seen = site.call_on_terminal(words)
        assert find_harm(OWN.sub("", seen.out)) == [], words


def test_keys_in_json_are_restored_exactly(site: Site) -> None:
    """JSON escapes them and a parser restores them."""
    site.connect(make_hostile(is_packed=False).store)
    told = site.call_in_pipe(site.words(LEAVES["run"], "--json"))
    described = json.loads(told.out)
    samples = [*described["unknown_samples"]]
    assert any(f"junk-{HOSTILE}" in sample for sample in samples)


def test_extracted_files_have_visible_names(site: Site, tmp_path: Path) -> None:
    """`extract --directory` makes no file name that acts or hides; the files' content and metadata
    are unchanged.
    """
    site.connect(make_hostile(is_packed=True).store)
    told = site.call_in_pipe(site.words(LEAVES["extract"], "--metadata"))
    names = [path.relative_to(tmp_path) for path in (tmp_path / "out").rglob("*")]
    assert [name for name in names if not is_harmless(str(name))] == []
    files = list((tmp_path / "out").rglob("*.log.gz"))
    assert len(files) == 1, told
    assert files[0].read_bytes() == pack_gzip(b"flow\n")
    beside = files[0].with_name(f"{files[0].name}.metadata.json").read_text(encoding="utf-8")
    assert find_harm(beside) == []
    assert (json.loads(beside)["key"], json.loads(beside)["metadata"]) == (KEY, {"m": HOSTILE})
