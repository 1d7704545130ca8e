"""The settings: every one of them, right and wrong."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from log_aggregator.errors import SettingsError
from log_aggregator.limits import GIB, KIB, MIB
from log_aggregator.settings import SETTINGS, HoldSettings, Settings, read_settings

ROWS = {row.name: row for row in SETTINGS}

GOOD: list[tuple[str, Any, Any]] = [
    ("control_tower_bucket", "logs", ("logs",)),
    ("control_tower_bucket", ["a-b", "c.d", "a-b"], ("a-b", "c.d")),
    ("control_tower_bucket", "one, two", ("one", "two")),
    ("other_buckets", ["logs-*", "aux"], ("logs-*", "aux")),
    ("organization_id", "o-abcd123456", "o-abcd123456"),
    ("organization_id", "", None),
    ("aggregation_regions", ["eu-west-1", "us-gov-west-1"], ("eu-west-1", "us-gov-west-1")),
    ("other_regions", "keep", "keep"),
    ("destination_bucket", "dest", "dest"),
    ("destination_bucket", "", None),
    ("final_aggregation_prefix", "/a/b/", "a/b"),
    ("storage_class", "DEEP_ARCHIVE", "DEEP_ARCHIVE"),
    (
        "kms_key_id",
        "arn:aws:kms:eu-west-1:111111111111:key/12345678-1234-1234-1234-123456789012",
        ...,
    ),
    ("kms_key_id", "alias/logs", "alias/logs"),
    ("glacier_object_size", "128 KiB", 128 * KIB),
    ("glacier_object_size", "5 TiB", 5 * 1024 * GIB),
    ("glacier_object_size", "1TB", 10**12),
    ("pack_size_max", 100 * MIB, 100 * MIB),
    ("pack_size_max", "0.5 GiB", GIB // 2),
    ("pack_size_max", " 2gb ", 2 * 10**9),
    ("pack_size_max", "64 MB", 64 * 10**6),
    ("members_max", 1, 1),
    ("members_max", "1000000", 1_000_000),
    ("look_back_days", 0, 0),
    ("look_back_days", 366, 366),
    ("verify", "read-back", "read-back"),
    ("keep_originals_days", 3660, 3660),
    ("objects_max", 10**9, 10**9),
    ("part_size", "5 MiB", 5 * MIB),
    ("copy_size_min", "5 GiB", 5 * GIB),
    ("readers", 512, 512),
    ("groups_at_once", 64, 64),
    ("holds", {}, HoldSettings()),
    (
        "holds",
        {"buckets": ["logs"], "accounts": ["111111111111"]},
        HoldSettings(("logs",), ("111111111111",)),
    ),
    ("holds", {"prefixes": ["a/b", "logs/ü"]}, HoldSettings(prefixes=("a/b", "logs/ü"))),
    (
        "holds",
        {"dates": ["2025-04-03"]},
        HoldSettings(dates=((date(2025, 4, 3), date(2025, 4, 3)),)),
    ),
    (
        "holds",
        {"dates": [date(2025, 4, 3)]},
        HoldSettings(dates=((date(2025, 4, 3), date(2025, 4, 3)),)),
    ),
    (
        "holds",
        {"dates": ["2025-04-03 .. 2025-05-01"]},
        HoldSettings(dates=((date(2025, 4, 3), date(2025, 5, 1)),)),
    ),
]

BAD: list[tuple[str, Any]] = [
    ("control_tower_bucket", "No_Bucket"),
    ("control_tower_bucket", "ab"),
    ("control_tower_bucket", 5),
    ("control_tower_bucket", [5]),
    ("control_tower_bucket", ["ok-bucket", "s3://logs"]),
    ("control_tower_bucket", "logs-*"),
    ("other_buckets", "*"),
    ("other_buckets", "a*b"),
    ("organization_id", "abcd"),
    ("organization_id", 5),
    ("aggregation_regions", "europe"),
    ("aggregation_regions", ["eu-west-1\n"]),
    ("other_regions", "drop"),
    ("other_regions", ""),
    ("destination_bucket", "Dest"),
    ("destination_bucket", "dest/"),
    ("final_aggregation_prefix", ""),
    ("final_aggregation_prefix", "/"),
    ("final_aggregation_prefix", "a//b"),
    ("final_aggregation_prefix", "ü"),
    ("storage_class", "glacier"),
    ("storage_class", "REDUCED_REDUNDANCY"),
    ("kms_key_id", "a key"),
    ("glacier_object_size", "127 KiB"),
    ("glacier_object_size", "6 TiB"),
    ("glacier_object_size", "9" * 400),
    ("pack_size_max", "1 GiB/s"),
    ("pack_size_max", "1 PiB"),
    ("pack_size_max", "1 MiB"),
    ("pack_size_max", "-1 GiB"),
    ("pack_size_max", True),
    ("pack_size_max", "one GiB"),
    ("members_max", 0),
    ("members_max", 1.5),
    ("members_max", True),
    ("members_max", "many"),
    ("look_back_days", -1),
    ("look_back_days", 367),
    ("verify", "yes"),
    ("keep_originals_days", 3661),
    ("objects_max", 0),
    ("part_size", "4 MiB"),
    ("copy_size_min", "9 MiB"),
    ("readers", 513),
    ("groups_at_once", 65),
    ("holds", "logs"),
    ("holds", ""),
    ("holds", []),
    ("holds", {"bucket": ["logs"]}),
    ("holds", {"accounts": ["1111"]}),
    ("holds", {"prefixes": [""]} | {"prefixes": [5]}),
    ("holds", {"dates": "2025-04-03"}),
    ("holds", {"dates": date(2025, 4, 3)}),
    ("holds", {"dates": ["2025-02-30"]}),
    ("holds", {"dates": ["2025-05-01..2025-04-03"]}),
    ("holds", {"dates": ["2025-04-03.."]}),
    ("holds", {"dates": ["..2025-04-03"]}),
]


def read(**values: Any) -> Settings:
    return read_settings(None, {"other_buckets": "aux"} | values)


@pytest.mark.parametrize(("name", "value", "expected"), GOOD)
def test_good_values(name: str, value: Any, expected: Any) -> None:
    """What is allowed is read as what it means."""
    assert getattr(read(**{name: value}), name) == (value if expected is ... else expected)


@pytest.mark.parametrize(("name", "value"), BAD)
def test_bad_values(name: str, value: Any) -> None:
    """What is not allowed is refused in one line that names the setting, the value and what is
    allowed.
    """
    with pytest.raises(SettingsError) as caught:
        read(**{name: value})
    message = str(caught.value)
    assert message.startswith(f"{name} = ")
    assert repr(value) in message
    assert ROWS[name].allowed in message
    assert "\n" not in message


def test_every_setting_is_tested_and_described() -> None:
    """Rows, fields and these tests name the same settings, and each row says what it means."""
    names = [row.name for row in SETTINGS]
    assert names == [item.name for item in fields(Settings)]
    assert {name for name, *_ in GOOD} == {name for name, _ in BAD} == set(names)
    assert all(row.meaning.endswith(".") and row.allowed for row in SETTINGS)


def test_defaults_are_allowed() -> None:
    """Every default can be written down as a value and is read as itself."""
    defaults = Settings(other_buckets=("aux",))
    values = {
        name: value
        for name, value in asdict(defaults).items()
        if value is not None and name != "holds"
    }
    assert read_settings(None, values) == defaults == read()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"other_buckets": ""}, "bucket"),
        ({"other_regions": "delete"}, "aggregation_regions"),
        ({"pack_size_max": "10 MiB", "part_size": "16 MiB"}, "part_size"),
        ({"no_such": 1}, "no_such: there is no such setting"),
    ],
)
def test_settings_that_do_not_go_together(values: dict[str, Any], expected: str) -> None:
    """What is wrong only together, or does not exist, is refused in one line too."""
    with pytest.raises(SettingsError, match=expected) as caught:
        read(**values)
    assert "\n" not in str(caught.value)


def test_a_file_with_overrides_on_top(tmp_path: Path) -> None:
    """The command line wins over the file; what it leaves out (None) does not."""
    path = tmp_path / "settings.toml"
    path.write_text(
        'other_buckets = ["aux"]\nreaders = 5\nlook_back_days = 1\n[holds]\ndates = [2025-04-03]\n'
    )
    settings = read_settings(path, {"readers": 7, "look_back_days": None})
    assert (settings.other_buckets, settings.readers, settings.look_back_days) == (("aux",), 7, 1)
    assert settings.holds.dates == ((date(2025, 4, 3), date(2025, 4, 3)),)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a = ", "not a TOML file"),
        (b"\xff", "not a TOML file"),
        (b'readers = "x"', "readers = 'x'"),
        (b"x = 1", "no such setting"),
    ],
)
def test_wrong_files(tmp_path: Path, content: bytes, expected: str) -> None:
    """A file that cannot be used is refused in one line that names it or the setting."""
    path = tmp_path / "settings.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=expected) as caught:
        read_settings(path, {"other_buckets": "aux"})
    assert "\n" not in str(caught.value)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    """A missing file, or a folder, is named."""
    with pytest.raises(SettingsError, match=r"missing\.toml: there is no such file"):
        read_settings(tmp_path / "missing.toml", {})
    with pytest.raises(SettingsError, match="cannot be read"):
        read_settings(tmp_path, {})


def test_a_file_with_a_number_that_is_too_long(tmp_path: Path) -> None:
    """What Python itself refuses to read is a slip in the file like any other."""
    path = tmp_path / "aggregator.toml"
    path.write_text(f"readers = {'9' * 5000}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="not a TOML file"):
        read_settings(path, {})
