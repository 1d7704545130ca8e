"""The `layouts` command."""

from __future__ import annotations

import io
import json
import sys
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from tests.support.world import World, access_key, make_world, trail_key

from log_aggregator import wiring
from log_aggregator.adapters.counting import CountingStore
from log_aggregator.cli import main

FIELDS = [
    "key",
    "action",
    "reason",
    "layout",
    "certainty",
    "date",
    "account",
    "region",
    "log_type",
    "kind",
]
SETTINGS = """
control_tower_bucket = "app-main"

[[layouts]]
name = "app"
buckets = ["app-*"]
pattern = "app/{YYYY-MM-DD}.log"
"""


def type_in(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    *arguments: str,
    keys: bytes = b"",
) -> tuple[int, str, str]:
    """Run it without a store: nothing is asked of S3."""
    monkeypatch.setattr(sys, "argv", ["log-aggregator", "layouts", *arguments])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(keys)))
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capfd.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, out, err


def test_keys_from_standard_input(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each line gives one object with exactly these fields, whatever is in the key."""
    keys = [trail_key(1), "app/2025-04-03.log", "a\x1b[31m é/2025-04-03/manifest.json"]
    code, out, err = type_in(
        monkeypatch, capfd, "explain", "--json", keys="\n".join(keys).encode() + b"\r\n\n"
    )
    assert (code, err) == (0, "")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["key"] for row in rows] == keys
    assert [list(row) for row in rows] == [FIELDS] * 3
    assert [row["action"] for row in rows] == ["pack", "leave", "leave"]
    assert [row["certainty"] for row in rows] == ["head", "hint", "hint"]
    assert "\x1b" not in out


def test_declared_layouts_are_used(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The settings file's layouts for the named bucket apply, and so do patterns being tried."""
    config = tmp_path / "own.toml"
    config.write_text(SETTINGS, encoding="utf-8")

    def action(*more: str) -> str:
        asked = ("explain", "--config", str(config), "--json", *more, "app/2025-04-03.log")
        code, out, _ = type_in(monkeypatch, capfd, *asked)
        assert code == 0
        return str(json.loads(out)["action"])

    assert action() == "pack"
    assert action("--bucket", "app-logs") == "pack"
    assert action("--bucket", "other") == "leave"
    assert action("--bucket", "app-main") == "leave"
    assert action("--bucket", "app-mai") == "pack"
    assert action("--bucket", "other", "--pattern", "{**}{YYYY-MM-DD}.log") == "pack"


def test_a_wrong_pattern_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It names the pattern and what is wrong."""
    code, out, err = type_in(monkeypatch, capfd, "explain", "--pattern", "app/{YYYY", "x")
    assert (code, out) == (2, "")
    assert err.splitlines()[0].endswith("pattern = 'app/{YYYY': there is a { without a }")


def test_the_table_of_layouts_is_printed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The table has rows, declarations and markers, for people and for programs."""
    code, out, _ = type_in(monkeypatch, capfd, "list")
    assert code == 0
    assert "AWSLogs/[<organisation>/]<account>/CloudTrail/<region>/YYYY/MM/DD/" in out
    assert "(?" not in out
    code, out, _ = type_in(monkeypatch, capfd, "list", "--json")
    assert [*json.loads(out)] == ["built_in", "declared", "no_log"]


@pytest.fixture
def world() -> World:
    world = make_world()
    world.put("logs", access_key(1), b"line\n")
    world.put("logs", "app/web1/2025-04-03.log", b"line\n")
    world.put("logs", "app/\n[[layouts]]/x.parquet", b"PAR1")
    return world


Suggest = Callable[..., tuple[int, str, str]]


@pytest.fixture
def suggest(
    world: World, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> Suggest:
    """`suggest(bucket, ...)` without a settings file returns the exit code and the output."""
    monkeypatch.setattr(wiring, "connect", lambda *_: CountingStore(world.store))
    monkeypatch.chdir(tmp_path)
    return partial(type_in, monkeypatch, capfd, "suggest")


def test_output_can_be_pasted_into_settings(suggest: Suggest) -> None:
    """Standard output is TOML that a settings file accepts, whatever the keys are called."""
    code, out, _ = suggest("logs")
    assert code == 0
    assert tomllib.loads(out) == {
        "layouts": [{"name": "app", "buckets": ["logs"], "pattern": "app/{*}/{YYYY-MM-DD}.log"}]
    }
    assert "# already known: S3AccessLogs, 1 object" in out
    assert "a table's file" in out


def test_suggestions_as_json(suggest: Suggest) -> None:
    """JSON has counts, bytes, dates and samples."""
    code, out, _ = suggest("logs", "--json")
    assert code == 0
    said = json.loads(out)
    assert said["is_whole"]
    assert said["known"] == {"S3AccessLogs": 1}
    assert said["layouts"][0]["samples"] == ["app/web1/2025-04-03.log"]
    assert said["layouts"][0]["first_date"] == "2025-04-03"
    assert said["left"][0]["objects"] == 1


def test_unsuitable_buckets_are_refused(suggest: Suggest) -> None:
    """A Control Tower bucket, where nothing can be declared, a missing bucket and several buckets
    are each refused.
    """
    Path("aggregator.toml").write_text('control_tower_bucket = ["main-bucket"]', encoding="utf-8")
    for bucket, message in (
        ("main-bucket", "Control Tower bucket"),
        ("nowhere", "bucket 'nowhere' does not exist"),
        ("log*", "one bucket"),
    ):
        code, out, err = suggest(bucket)
        assert code != 0
        assert out == ""
        assert message in err
