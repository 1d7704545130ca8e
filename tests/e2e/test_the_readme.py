"""The commands of the README and of the page First commands, typed as they are written, one after
the other, at a terminal: from an unexamined account to an original that was deleted and comes
back.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pytest
from tests.support.proxy import Exchange, Proxy, Request, pass_through
from tests.support.proxy_faults import on
from tests.support.terminal import CTRL_C, Typed

from log_aggregator.model import Target
from log_aggregator.steps.workers import SerialWorkers
from log_aggregator.wiring import Connection, connect
from log_aggregator_lab.check import check_originals, list_current
from log_aggregator_lab.organisation.generate import OrganisationSpec, generate, small
from log_aggregator_lab.organisation.leak import leak_days, list_leak
from log_aggregator_lab.organisation.synthetic import ManifestEntry, Purpose
from log_aggregator_lab.servers.s3 import EmbeddedS3
from log_aggregator_lab.upload import create_buckets, upload

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FIRST_COMMANDS = (ROOT / "docs" / "how-to" / "first-commands.md").read_text(encoding="utf-8")
FIRST, LAST = date(2026, 3, 8), date(2026, 3, 14)
_COMMAND = re.compile(r"^(log-aggregator .*?)(?: +#.*)?$", re.MULTILINE)
THE_WAY = (
    "init",
    "iam-policy",
    "rehearse",
    "survey",
    "plan",
    "run",
    "backfill",
    "status",
    "delete",
    "find",
    "extract",
    "stats",
    "search",
    "coverage",
    "drill",
    "report",
)
UNKNOWN_TO_SEAWEEDFS = {"put-public-access-block", "put-bucket-lifecycle-configuration"}
QUESTIONS = (
    "Take logs from all",
    "bucket that packs are to go to",
    "Days for which originals are kept",
    "Object Lock",
    "Deep Archive",
    "Days after which packs are deleted",
    "KMS key",
    "role or user that will run",
)
WITH_TLS_ONLY = "put-bucket-policy"  # its text would refuse everything here


@dataclass
class Place:
    """An account with a week of logs, and a folder to type in."""

    server: EmbeddedS3
    proxy: Proxy
    folder: Path
    spec: OrganisationSpec
    entries: list[ManifestEntry]

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("HOME", "TMPDIR", "LANG") if name in os.environ}
        return kept | {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "PYTHONPATH": ":".join(sys.path),
            "TERM": "xterm",
            "AWS_ACCESS_KEY_ID": self.server.access_key,
            "AWS_SECRET_ACCESS_KEY": self.server.secret_key,
            "AWS_ENDPOINT_URL": self.proxy.endpoint_url,
            "AWS_REGION": self.server.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "LOG_AGGREGATOR_PAGER": "cat",
        }

    def type(self, line: str) -> Typed:
        return Typed(line, self.folder, self.environment)

    def do(self, line: str, *answers: tuple[str, str]) -> str:
        """What it shows until it ends successfully."""
        with self.type(line) as typed:
            for question, keys in answers:
                typed.answer(question, keys)
            assert typed.end() == 0, f"{line}\n{typed.screen}"
            return typed.screen


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    spec = replace(small(seed=3), first_day=FIRST, days=(LAST - FIRST).days + 1)
    with EmbeddedS3() as server, Proxy(server.endpoint_url) as proxy:
        create_buckets(spec, server)
        entries = list(upload(generate(spec), server).entries)
        upload(list_leak(spec), server)
        yield Place(server, proxy, tmp_path_factory.mktemp("typed"), spec, entries)


def test_every_command_of_the_readme_works(place: Place) -> None:
    """Every command does what its comment says, in the page's order, and every original ends up
    where it should.
    """
    lines = {shlex.split(line)[1]: line for line in _COMMAND.findall(FIRST_COMMANDS)}
    assert tuple(lines) == THE_WAY

    shown = take_defaults(place, lines["init"])
    assert "Written: aggregator.toml" in shown
    settings = tomllib.loads(read(place, "aggregator.toml"))
    make_bucket(place, shown)

    policy = place.do(lines["iam-policy"])
    assert "s3:ListBucket" in policy
    assert "s3:DeleteObject" not in policy
    assert "This S3 keeps every promise that safety depends on" in place.do(
        lines["rehearse"], ("[y/N]", "y")
    )
    assert "pay for themselves" in place.do(lines["survey"])
    assert read(place, "survey.html").startswith("<!DOCTYPE html>")
    before = count(place)
    assert "nothing has been written or deleted" in place.do(lines["plan"])

    assert "Nothing failed." in place.do(lines["run"])
    for number in range(3):
        stop(place, lines["backfill"], number)
    assert "11 windows: 11 done" in place.do(lines["backfill"])
    assert "11 windows: 11 done" in place.do(lines["status"])
    assert count(place) == before  # the originals stay

    assert "has a pack that is 30 days old" in place.do(lines["delete"])
    assert count(place) == before
    gone = delete_all(place, lines["delete"].replace("30d", "0d"))
    keys = sum(before.values()) - sum(count(place).values())
    assert gone >= keys > 350  # some keys have several versions

    assert "log object" in place.do(lines["find"])
    assert "original" in place.do(lines["extract"])
    assert [path for path in (place.folder / "logs-back").rglob("*.json.gz") if path.is_file()]
    assert f"{gone:,} originals deleted" in place.do(lines["stats"])
    seen = place.do(lines["search"])
    assert all(account in seen for account in place.spec.account_ids[:2])
    assert all(str(day) in seen for day in leak_days(place.spec))
    assert "Nothing is missing" in place.do(lines["coverage"])
    assert "50 of 50" in place.do(lines["drill"])
    place.do(lines["report"])
    assert read(place, "report.html").startswith("<!DOCTYPE html>")
    check_all(place, settings["destination_bucket"])


def test_the_readme_names_commands_of_the_way() -> None:
    """So that each of them was typed above."""
    named = _COMMAND.findall(README)
    assert len(named) >= 3
    assert set(named) <= set(_COMMAND.findall(FIRST_COMMANDS))


def take_defaults(place: Place, line: str) -> str:
    """Presses Enter at each of its questions."""
    with place.type(line) as typed:
        for question in QUESTIONS:
            typed.answer(question, "")
        assert typed.end() == 0, typed.screen
        return typed.screen


def make_bucket(place: Place, shown: str) -> None:
    """Runs the commands printed by `init`, except those that the embedded server cannot do."""
    commands = re.findall(r"^aws s3api .*?(?=^aws s3api |^\s*$)", shown, re.MULTILINE | re.DOTALL)
    names = [shlex.split(command)[2] for command in commands]
    assert UNKNOWN_TO_SEAWEEDFS | {WITH_TLS_ONLY} < set(names)
    for name, command in zip(names, commands, strict=True):
        if name not in UNKNOWN_TO_SEAWEEDFS | {WITH_TLS_ONLY}:
            place.do(command.replace("\n", ""))


def stop(place: Place, line: str, number: int) -> None:
    """By Ctrl-C, while it writes a pack for the first time."""

    def interrupt(exchange: Exchange) -> None:
        typed.press(CTRL_C)
        pass_through(exchange)

    def writes_pack(request: Request) -> bool:
        return request.key.startswith("packs/") and request.method in ("PUT", "POST")

    place.proxy.restart(on(writes_pack, interrupt, times=1, skip=number))
    with place.type(line) as typed:
        assert typed.end() == 130, typed.screen
        assert "stopping" in typed.screen
    place.proxy.restart(on(lambda _request: False, pass_through))


def delete_all(place: Place, line: str) -> int:
    """Types the number shown in its table."""
    with place.type(line) as typed:
        typed.answer("Type that number", "yes")
        assert typed.end() == 3
        assert "'yes' is not" in typed.screen
    with place.type(line) as typed:
        found = re.search(r"([\d,]+) +[\d,]+ +total", typed.wait_for("Type that number"))
        assert found, typed.screen
        typed.press(f"{found[1]}\n")
        assert typed.end() == 0, typed.screen
        return int(found[1].replace(",", ""))


def count(place: Place) -> dict[str, int]:
    store = connect(connection_of(place))
    return {bucket: len(list(list_current(store, bucket))) for bucket in place.spec.buckets}


def check_all(place: Place, target: str) -> None:
    """Each original is in a pack, byte for byte, and everything else is where it was. All Regions
    were packed; logs that would have to be declared were not.
    """
    taken = [
        replace(entry, purpose=Purpose.LOG) if entry.purpose is Purpose.OTHER_REGION else entry
        for entry in place.entries
        if entry.bucket != place.spec.app_bucket and entry.purpose is not Purpose.OTHER_DAY
    ]
    store = connect(connection_of(place))
    result = check_originals(store, SerialWorkers(), [Target(target)], taken, FIRST, LAST)
    assert result.problems == []
    assert result.found_in_packs > 350


def connection_of(place: Place) -> Connection:
    server = place.server
    return Connection(
        None, server.region, server.endpoint_url, server.access_key, server.secret_key
    )


def read(place: Place, name: str) -> str:
    return (place.folder / name).read_text(encoding="utf-8")
