"""The `evidence` command."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from tests.support.bundles import VERIFIER, about_of, make_trails
from tests.support.trails import Trails
from tests.support.world import fail_on
from tests.unit.cli.conftest import Command

from log_aggregator import verifier
from log_aggregator.adapters.forwarding import Call
from log_aggregator.errors import ObjectFrozen
from log_aggregator_lab.stores.faults import FaultyStore


@pytest.fixture(scope="module")
def found() -> Trails:
    return make_trails()


def asked(found: Trails, output: Path, *more: str) -> tuple[str, ...]:
    about = about_of(found)
    days = ("--from", str(about.first), "--to", str(about.last))
    return ("evidence", "--account", about.accounts[0], *days, "--output", str(output), *more)


def reads_a_pack(call: Call) -> bool:
    return call.operation == "GetObject" and call.key.startswith("packs/")


def test_a_bundle_is_made_and_verified(found: Trails, command: Command, tmp_path: Path) -> None:
    output, page = tmp_path / "evidence.zip", tmp_path / "page.html"
    page.write_bytes(b"<p>the page</p>")
    ended = command(
        found.world, *asked(found, output, "--originals", "--page", str(page), "--json")
    )
    told = json.loads(ended.out)
    assert ended.code == 0
    assert told["problems"] == told["failures"] == []
    assert (told["sha256"], told["bytes"]) == (
        verifier.verify(str(output)).sha256,
        output.stat().st_size,
    )
    with zipfile.ZipFile(output) as opened:
        assert opened.testzip() is None
        assert len(opened.namelist()) == told["files"]
        assert opened.read("page.html") == b"<p>the page</p>"
        assert opened.read("verify.py") == VERIFIER
        assert b"python3 verify.py" in opened.read("README.txt")


def test_originals_are_included_as_delivered(
    found: Trails, command: Command, tmp_path: Path
) -> None:
    output = tmp_path / "evidence.zip"
    assert command(found.world, *asked(found, output, "--originals")).code == 0
    with zipfile.ZipFile(output) as opened:
        names = [name for name in opened.namelist() if name.startswith("originals/")]
        for name in names:
            key = name.removeprefix("originals/").partition("/")[2]
            assert opened.read(name) == found.objects[key].body


def test_frozen_packs_are_named_and_fail_the_command(
    found: Trails, command: Command, tmp_path: Path
) -> None:
    output = tmp_path / "evidence.zip"
    frozen = ObjectFrozen("it is in DEEP_ARCHIVE")
    store = FaultyStore(found.store, fail_on(reads_a_pack, frozen))
    ended = command(found.world, *asked(found, output, "--originals", "--json"), store=store)
    told = json.loads(ended.out)
    assert ended.code == 1
    assert told["originals"] == 0
    assert told["lost"] > 0
    assert any("DEEP_ARCHIVE" in gap["why"] for gap in told["missing"])
    assert any("thaw" in failure["advice"] for failure in told["failures"])
    assert told["problems"] == []


def test_a_bundle_over_the_limit_is_not_made(
    found: Trails, command: Command, tmp_path: Path
) -> None:
    output = tmp_path / "evidence.zip"
    ended = command(found.world, *asked(found, output, "--originals", "--bytes-max", "20000"))
    assert ended.code == 3
    assert "--bytes-max" in ended.err
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_stays(found: Trails, command: Command, tmp_path: Path) -> None:
    output = tmp_path / "evidence.zip"
    output.write_bytes(b"mine")
    assert command(found.world, *asked(found, output)).code == 2
    assert output.read_bytes() == b"mine"
    assert command(found.world, *asked(found, output, "--force")).code == 0


def test_the_verifier_is_printed_byte_for_byte(found: Trails, command: Command) -> None:
    assert command(found.world, "evidence", "--verifier").out == VERIFIER


@pytest.mark.parametrize(
    "arguments",
    [(), ("--account", "111111111111"), ("--account", "1", "--from", "x", "--to", "y")],
    ids=["nothing", "no-days", "nonsense"],
)
def test_incomplete_requests_are_refused(
    found: Trails, command: Command, arguments: tuple[str, ...]
) -> None:
    assert command(found.world, "evidence", *arguments).code == 2


def test_an_account_without_packs_gives_no_bundle(
    found: Trails, command: Command, tmp_path: Path
) -> None:
    output = tmp_path / "evidence.zip"
    ended = command(found.world, *asked(found, output, "--log-type", "vpcflowlogs"))
    assert ended.code == 1
    assert not output.exists()
