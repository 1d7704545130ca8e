"""The `verify`, `index rebuild` and `index adopt` commands: their output and exit codes."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from tests.support.world import (
    ACCOUNT,
    DAY,
    World,
    access_key,
    document,
    make_world,
    pack_gzip,
    trail_key,
)

from log_aggregator import wiring
from log_aggregator.adapters.counting import CountingStore
from log_aggregator.cli import commands
from log_aggregator.errors import NoSuchOriginal, SettingsError
from log_aggregator.model import Target
from log_aggregator.ports.store import Body
from log_aggregator.steps.job import Job
from log_aggregator.steps.packs.pages import list_all

OLD = "vpc-logs/2023/04/03/111111111111_vpcflowlogs_x.gz"


class Shell:
    """The command line, pointed at an in-memory world."""

    def __init__(self, world: World) -> None:
        self.world = world

    def call(self, *arguments: str, code: int = 0) -> str:
        result: Result = CliRunner().invoke(
            commands, [*arguments, "--destination-bucket", "dest"], standalone_mode=False
        )
        if result.exception is not None:
            raise result.exception
        assert result.return_value == code, result.output
        return result.stdout

    def call_json(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        described: dict[str, Any] = json.loads(self.call(*arguments, "--json", code=code))
        return described

    def keys(self, prefix: str = "packs/") -> list[str]:
        return [found.key for found in list_all(self.world.store, "dest", prefix)]


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    """Three packs of one day: CloudTrail of two accounts, and access logs."""
    world = make_world()
    for number in range(2):
        world.put("logs", trail_key(number), document(number))
        world.put("logs", trail_key(number, account="222222222222"), document(number))
        world.put("logs", access_key(number), b"line\n")
    assert world.run().failures == []
    world.store.create_bucket("old")
    world.store.create_bucket("elsewhere")
    monkeypatch.setattr(wiring, "connect", lambda *_: CountingStore(world.store))
    monkeypatch.chdir(tmp_path)
    return Shell(world)


def test_packs_can_be_chosen_by_key_date_or_range(shell: Shell) -> None:
    """Packs can be chosen in each way, with filters on top."""
    assert "3 packs verified (read-back): 6 members" in shell.call("verify", "--date", str(DAY))
    assert "3 packs verified" in shell.call("verify", "--from", "2025-04-01", "--to", "2025-04-30")
    assert "3 packs verified (checksum): 6 members" in shell.call(
        "verify", "--all", "--level", "checksum"
    )
    assert "2 packs verified (tail)" in shell.call(
        "verify", "--all", "--log-type", "cloudtrail", "--level", "tail"
    )
    assert "1 pack verified" in shell.call("verify", "--all", "--account", ACCOUNT)
    one, two, _ = shell.keys()
    index_key = f"indexes/{two.removeprefix('packs/')}.index.jsonl.gz"
    assert "2 packs verified" in shell.call("verify", one, f"s3://dest/{two}", two, index_key)


@pytest.mark.parametrize(
    "arguments",
    [["--date", "2024-01-01"], ["--all", "--account", "999999999999", "--sample", "5%", "--json"]],
)
def test_verifying_nothing_is_not_success(shell: Shell, arguments: list[str]) -> None:
    """A date or account without packs is not reported as verified."""
    with pytest.raises(NoSuchOriginal, match="nothing was verified; "):
        shell.call("verify", *arguments)


def test_a_sample_can_be_repeated(shell: Shell) -> None:
    """The seed is printed and gives the same packs; the JSON lists the sample."""
    first = shell.call_json("verify", "--all", "--sample", "50%")
    assert first["sample"] == {
        "percent": 50,
        "seed": first["sample"]["seed"],
        "found": 3,
        "chosen": 2,
    }
    again = shell.call_json(
        "verify", "--all", "--sample", "50", "--seed", str(first["sample"]["seed"])
    )
    assert again == first
    text = shell.call("verify", "--all", "--sample", "0.1%", "--seed", "7")
    assert "A sample: 1 of 3 (0.1%); to draw it again, add --seed 7" in text


def test_everything_wrong_is_reported(shell: Shell) -> None:
    """One call reports a broken pack, a pack without index, an index without pack and a frozen
    pack.
    """
    store, keys = shell.world.store, shell.keys()
    store.delete("dest", f"indexes/{keys[0].removeprefix('packs/')}.index.jsonl.gz")
    store.delete("dest", keys[1])
    data = store.get_object("dest", keys[2]).data
    store.put("dest", keys[2], data, storage_class="DEEP_ARCHIVE", with_checksum=True)
    text = shell.call("verify", "--all", code=1)
    for words in (
        "0 packs verified",
        "1 pack is in an archive class and could not be read",
        f"s3://dest/{keys[2]}: its checksum is right",
        "log-aggregator thaw",
        "2 packs failed",
        "NotFound: the pack has no index; `log-aggregator index rebuild` writes a new one",
        "NotFound: the index exists, but the pack does not",
    ):
        assert words in text
    described = shell.call_json("verify", "--all", code=1)
    assert described["frozen"] == [{"bucket": "dest", "key": keys[2], "checksum_compared": True}]
    assert len(described["failures"]) == 2
    assert "neither this pack nor its index exists" in shell.call(
        "verify", keys[2].replace("2025/04/03", "2024/04/03"), code=1
    )


def test_a_frozen_pack_alone_is_not_success(shell: Shell) -> None:
    """The request could not be fulfilled; at checksum level it can."""
    store, key = shell.world.store, shell.keys()[0]
    store.put(
        "dest", key, store.get_object("dest", key).data, storage_class="GLACIER", with_checksum=True
    )
    assert "failed" not in shell.call("verify", key, code=1)
    assert "1 pack verified (checksum)" in shell.call("verify", key, "--level", "checksum")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["verify", "nonsense"], "nonsense: not the key of a pack; expected s3://dest/packs/..."),
        (["verify", "s3://other/packs/a/b/c/2025/04/03/x.gz"], "not the key of a pack"),
        (
            ["verify", "packs/a/b/c/2025/04/03/x.gz", "--all"],
            "either keys of packs, or dates and filters",
        ),
        (["verify", "packs/a/b/c/2025/04/03/x.gz", "--date", "2025-04-03"], "either keys of packs"),
        (["verify", "--all", "--date", "2025-04-03"], "--all: expected either"),
        (["verify", "--all", "--account", "12"], "--account '12': expected the twelve digits"),
        (["verify", "--all", "--sample", "0"], "--sample '0': expected a share such as 5%"),
        (["verify", "--all", "--sample", "lots"], "--sample 'lots': expected"),
        (["verify", "--all", "--seed", "1"], "--seed: allowed only with --sample"),
        (
            [
                "index",
                "rebuild",
                "adopted/a/b/c/2025/04/03/0123456789abcdef0123456789abcdef.index.jsonl.gz",
            ],
            "an adopted aggregate is not a pack",
        ),
        (["index", "adopt", "old/key"], "expected s3://bucket/key"),
        (["index", "adopt", "s3://old"], "expected s3://bucket/key"),
        (
            ["index", "adopt", "s3://old/", "--date", "x"],
            "--date 'x': expected a date such as 2026-01-31",
        ),
        (
            ["index", "adopt", "s3://old/", "--account", "111111111111,222222222222"],
            "expected only one of them",
        ),
    ],
)
def test_wrong_arguments_are_refused(shell: Shell, arguments: list[str], message: str) -> None:
    """The message names the argument and what is allowed; the exit code is 2."""
    with pytest.raises(SettingsError, match=message.replace("(", r"\(").replace(".", r"\.")):
        shell.call(*arguments)


def test_a_key_needs_its_bucket_if_there_are_several(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With packs in place, several buckets may have the same key."""
    targets = [Target("dest"), Target("logs")]
    monkeypatch.setattr(Job, "list_targets", lambda _: targets)
    with pytest.raises(SettingsError, match="packs are in 2 buckets; expected s3://bucket/key"):
        shell.call("verify", shell.keys()[0])
    assert "1 pack verified" in shell.call("verify", f"s3://dest/{shell.keys()[0]}")


def test_lost_indexes_are_rebuilt(shell: Shell) -> None:
    """A dry run lists them, then they are made; a further run has nothing to do and everything
    verifies. Other indexes are untouched.
    """
    store, before = shell.world.store, shell.keys("")
    lost = shell.keys("indexes/")[:2]
    for key in lost:
        store.delete("dest", key)
    dry = shell.call("index", "rebuild", "--date", str(DAY), "--dry-run")
    assert "2 indexes would be made again" in dry
    assert shell.keys()[0] in dry
    described = shell.call_json("index", "rebuild", "--all")
    assert [row["key"] for row in described["rebuilt"]] == shell.keys()[:2]
    assert described["packs"] == [{"bucket": "dest", "key": key} for key in shell.keys()[:2]]
    assert shell.keys("") == before
    assert "0 indexes made again: 0 members; all dates" in shell.call("index", "rebuild", "--all")
    assert "1 pack has its index: nothing to do" in shell.call("index", "rebuild", shell.keys()[0])
    shell.call("verify", "--all")


def test_an_index_that_cannot_be_rebuilt_is_a_failure(shell: Shell) -> None:
    """Frozen and damaged packs and wrong existing indexes are named; the exit code is 1 and the
    others are made.
    """
    store, keys = shell.world.store, shell.keys()
    for key in shell.keys("indexes/"):
        store.delete("dest", key)
    store.put("dest", keys[0], store.get_object("dest", keys[0]).data, storage_class="GLACIER")
    store.put("dest", keys[1], store.get_object("dest", keys[1]).data[:-3])
    text = shell.call("index", "rebuild", "--all", code=1)
    assert "1 index made again: 2 members" in text
    assert "2 packs failed" in text
    assert "Thaw it first" in text
    wrong = shell.keys("indexes/")[0]
    store.put("dest", wrong, b"wrong")
    assert "an existing index is never overwritten" in shell.call(
        "index", "rebuild", keys[2], code=1
    )


def test_an_adopted_aggregate_works_like_a_pack(shell: Shell, tmp_path: Path) -> None:
    """The aggregate's gzip members are extracted as files."""
    store = shell.world.store
    parts = [pack_gzip(b"first\n"), pack_gzip(b"second\n")]
    store.put("old", OLD, b"".join(parts), with_checksum=True)
    planned = shell.call("index", "adopt", "s3://old/vpc-logs/", "--dry-run")
    assert "1 aggregate would be read and adopted" in planned
    assert "0 aggregates" not in planned
    assert shell.keys("adopted/") == []
    text = shell.call("index", "adopt", "s3://old/vpc-logs/")
    assert "1 aggregate adopted: " in text
    assert f"s3://old/{OLD}: vpc-logs vpcflowlogs 111111111111 2023-04-03" in text
    assert "1 aggregate was adopted before" in shell.call("index", "adopt", f"s3://old/{OLD}")
    assert f"{OLD}#000002.gz" in shell.call(
        "find", "--log-type", "vpcflowlogs", "--date", "2023-04-03"
    )
    shell.call("extract", f"{OLD}#000002.gz", "--output", "one.gz")
    assert (tmp_path / "one.gz").read_bytes() == parts[1]
    shell.call("extract", "--date", "2023-04-03", "--directory", "all")
    assert sorted(path.read_bytes() for path in (tmp_path / "all").rglob("*.gz")) == sorted(parts)
    text = shell.call("verify", "--date", "2023-04-03")
    assert "1 adopted aggregate verified (read-back): 2 members" in text
    (index_key,) = shell.keys("adopted/")
    assert "1 adopted aggregate verified (checksum)" in shell.call(
        "verify", index_key, "--level", "checksum"
    )
    with pytest.raises(
        SettingsError, match="its members' own keys are lost; put them back with --to-bucket"
    ):
        shell.call("put-back", "--date", "2023-04-03")
    shell.call("put-back", "--date", "2023-04-03", "--to-bucket", "elsewhere")
    assert store.get_object("elsewhere", f"{OLD}#000001.gz").data == parts[0]
    store.put("old", OLD, b"".join(parts)[:-1] + b"x", with_checksum=True)
    assert shell.call_json("verify", "--all", code=1)["failures"][0]["error"] == "VerificationError"


def test_a_frozen_adopted_aggregate_can_be_thawed(shell: Shell) -> None:
    """`find` and `thaw` know it by its index alone, although it lies outside `packs/`."""
    store = shell.world.store
    store.put("old", OLD, pack_gzip(b"first\n"), with_checksum=True)
    shell.call("index", "adopt", f"s3://old/{OLD}")
    store.put("old", OLD, pack_gzip(b"first\n"), storage_class="DEEP_ARCHIVE", with_checksum=True)
    assert "1 pack is in an archive class" in shell.call("verify", "--date", "2023-04-03", code=1)
    assert "DEEP_ARCHIVE" in shell.call("find", "--date", "2023-04-03")
    (pack,) = shell.call_json("thaw", "--date", "2023-04-03", "--dry-run")["packs"]
    assert (pack["bucket"], pack["key"], pack["state"]) == ("old", OLD, "frozen")


def test_aggregates_that_cannot_be_adopted_are_named(shell: Shell) -> None:
    """Each is named with its place and the others are adopted; where the date is missing, the
    message says how to give it.
    """
    store = shell.world.store
    store.put("old", "a/2023/04/03/good.gz", document(1))
    store.put("old", "a/2023/04/03/text.gz", document(1) + b"plain text")
    store.put("old", "a/no-date.gz", document(1))
    store.put("old", "a/2023/04/03/frozen.gz", document(1), storage_class="DEEP_ARCHIVE")
    described = shell.call_json(
        "index",
        "adopt",
        "s3://old/a/",
        "--bucket",
        "src",
        "--log-type",
        "Config",
        "--account",
        "none",
        code=1,
    )
    (row,) = described["adopted"]
    assert (row["key"], row["source_bucket"], row["log_type"], row["account"], row["members"]) == (
        "a/2023/04/03/good.gz",
        "src",
        "Config",
        "all",
        1,
    )
    assert [failure["error"] for failure in described["failures"]] == [
        "ObjectFrozen",
        "BadPack",
        "SettingsError",
    ]
    assert f"the data at byte {len(document(1))} is not gzip" in described["failures"][1]["message"]
    text = shell.call("index", "adopt", "s3://old/a/no-date.gz", code=1)
    assert "there is no date in its key; set --date to the day that it holds" in text
    assert "1 aggregate adopted" in shell.call(
        "index", "adopt", "s3://old/a/no-date.gz", "--date", "2023-04-03"
    )


@pytest.mark.parametrize(
    "arguments",
    [["verify", "--all"], ["index", "rebuild", "--all"], ["index", "adopt", "s3://old/a/"]],
)
def test_ctrl_c_writes_nothing(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    """A read is interrupted, no index is half written, and `main` ends with exit code 130."""
    store = shell.world.store
    store.put("old", "a/2023/04/03/x.gz", document(1))
    if "rebuild" in arguments:
        store.delete("dest", shell.keys("indexes/")[0])
    before = store.snapshot()
    read = store.get_object

    def stop(bucket: str, key: str, **more: Any) -> Body:
        if more.get("byte_range"):
            raise KeyboardInterrupt
        return read(bucket, key, **more)

    monkeypatch.setattr(store, "get_object", stop)
    with pytest.raises((KeyboardInterrupt, click.Abort)):
        shell.call(*arguments)
    assert store.snapshot() == before


def test_the_index_commands_are_a_group() -> None:
    """`index` alone lists its commands."""
    group = commands.get_command(click.Context(commands), "index")
    assert isinstance(group, click.Group)
    assert set(group.commands) == {"rebuild", "adopt", "terms", "tables"}


ROOT = Path(__file__).parents[3]


def test_the_json_of_index_commands_is_documented(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fields are exactly those of docs/reference/json.md for indexes made, present and
    impossible, and for aggregates adoptable, adopted, adopted before and refused.
    """
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    page = importlib.import_module("reference_pages.json_fields")
    store, (one, two, three) = shell.world.store, shell.keys()
    lost, wrong, _ = shell.keys("indexes/")
    store.delete("dest", lost)
    store.put("dest", wrong, b"wrong")
    fields = set(page.flatten(shell.call_json("index", "rebuild", one, two, three, code=1)))
    assert fields == set(page.json_fields("index rebuild"))
    store.put("old", OLD, document(1))
    shell.call("index", "adopt", "s3://old/vpc-logs/")
    store.put("old", "vpc-logs/2023/04/04/x.gz", document(1))
    store.put("old", "vpc-logs/no-date.gz", document(1))
    planned = shell.call_json("index", "adopt", "s3://old/vpc-logs/", "--dry-run", code=1)
    done = shell.call_json("index", "adopt", "s3://old/vpc-logs/", code=1)
    assert set(page.flatten(planned)) | set(page.flatten(done)) == set(
        page.json_fields("index adopt")
    )
