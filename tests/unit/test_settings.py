"""All settings, valid and invalid."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, fields
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from log_aggregator.core.layouts.declarations import (
    describe_declarations,
    read_declarations,
    render_declarations,
)
from log_aggregator.core.layouts.declared import Layouts
from log_aggregator.errors import SettingsError
from log_aggregator.limits import GIB, KIB, MIB
from log_aggregator.settings import (
    SETTINGS,
    HoldSettings,
    Settings,
    parse_layouts,
    read_settings,
)

ROWS = {row.name: row for row in SETTINGS}
APP = {"name": "app", "pattern": "app/{YYYY}/{MM}/{DD}/{*}"}

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
    ("destination_account", "", None),
    ("bucket_accounts", {}, ()),
    ("bucket_accounts", "", ()),
    ("bucket_accounts", {"logs": "000011112222"}, (("logs", "000011112222"),)),
    (
        "bucket_accounts",
        {"*": "111122223333", "logs-*": "444455556666"},
        (("*", "111122223333"), ("logs-*", "444455556666")),
    ),
    (
        "bucket_accounts",
        "logs = 111122223333, aux*=444455556666,",
        (("aux*", "444455556666"), ("logs", "111122223333")),
    ),
    ("bucket_accounts", "logs=111122223333,logs=111122223333", (("logs", "111122223333"),)),
    ("final_aggregation_prefix", "/a/b/", "a/b"),
    ("storage_class", "DEEP_ARCHIVE", "DEEP_ARCHIVE"),
    (
        "kms_key_id",
        "arn:aws:kms:eu-west-1:111111111111:key/12345678-1234-1234-1234-123456789012",
        ...,
    ),
    ("kms_key_id", "alias/logs", "alias/logs"),
    ("search", "plain", "plain"),
    ("search", "hashed", "hashed"),
    ("search", "off", "off"),
    ("search_kms_key_id", "alias/search", "alias/search"),
    ("sign_with", "", None),
    ("sign_with", "keys/custody.pem", "keys/custody.pem"),
    ("sign_with", "kms:arn:aws:kms:eu-west-1:111122223333:key/0-1", ...),
    ("sign_with", "kms:arn:aws-cn:kms:cn-north-1:111122223333:alias/custody", ...),
    ("time_stamp_url", "", None),
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
    ("delete_originals", True, True),
    ("delete_originals", "true", True),
    ("delete_originals", "false", False),
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
    ("layouts", [], Layouts()),
    ("layouts", [APP], read_declarations([APP])),
]

BAD_LAYOUTS: list[tuple[Any, str]] = [
    ({}, "layouts: expected tables that begin with [[layouts]]"),
    ({"name": "app"}, "layouts: expected tables that begin with [[layouts]]"),
    ("app", "layouts: expected tables that begin with [[layouts]]"),
    (5, "layouts: expected tables that begin with [[layouts]]"),
    (["app/{YYYYMMDD}"], "layouts: expected tables that begin with [[layouts]]"),
    ([{"name": f"n{n}", "pattern": "{YYYYMMDD}"} for n in range(201)], "expected at most 200"),
    ([APP, APP], "layouts: two are called 'app'; expected a name for each"),
    ([{}], "layouts: number 1: name = None: expected up to 64 letters"),
    ([APP, APP | {"name": ""}], "layouts: number 2: name = '': expected up to 64 letters"),
    ([APP | {"name": "a/b"}], "layouts: number 1: name = 'a/b': expected up to 64 letters"),
    ([APP | {"name": 5}], "layouts: number 1: name = 5: expected up to 64 letters"),
    ([APP | {"name": "CloudTrail"}], "layouts: CloudTrail: this is the name of a built-in"),
    ([APP | {"patern": "x"}], "layouts: app: patern is not known; expected name, pattern"),
    ([APP | {"buckets": ["A_B"]}], "layouts: app: buckets = ['A_B']: expected names of buckets"),
    ([APP | {"buckets": 5}], "layouts: app: buckets = 5: expected names of buckets"),
    ([APP | {"buckets": {}}], "layouts: app: buckets = {}: expected names of buckets"),
    ([APP | {"kind": "json"}], "layouts: app: kind = 'json': expected gzip, text, binary"),
    ([APP | {"kind": ["text"]}], "layouts: app: kind = ['text']: expected gzip, text, binary"),
    ([APP | {"date": "today"}], "layouts: app: date = 'today': expected \"last-modified\""),
    (
        [APP | {"date": date(2025, 4, 3)}],
        "layouts: app: date = datetime.date(2025, 4, 3): expected",
    ),
    ([{"name": "app"}], "layouts: app: pattern = None: expected text"),
    ([APP | {"pattern": 5}], "layouts: app: pattern = 5: expected text"),
    ([APP | {"pattern": ""}], "layouts: app: pattern = '': "),
    ([APP | {"pattern": "app/{DAY}"}], "layouts: app: pattern = 'app/{DAY}': "),
    ([APP | {"pattern": "app/{YYYYMMDD"}], "layouts: app: pattern = 'app/{YYYYMMDD': "),
    ([APP | {"pattern": "app/{*}"}], "layouts: app: pattern = 'app/{*}': it has no date; expected"),
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
    ("destination_account", "11112222333"),
    ("destination_account", "1111222233334"),
    ("destination_account", "1111-2222-3333"),
    ("destination_account", "\u0661" * 12),
    ("destination_account", 111122223333),
    ("bucket_accounts", "logs"),
    ("bucket_accounts", "logs=1=2"),
    ("bucket_accounts", "=111122223333"),
    ("bucket_accounts", "Logs=111122223333"),
    ("bucket_accounts", "a*b=111122223333"),
    ("bucket_accounts", "logs=111122223333,logs=444455556666"),
    ("bucket_accounts", {"logs": 111122223333}),
    ("bucket_accounts", {"logs": "me"}),
    ("bucket_accounts", {"logs": ["111122223333"]}),
    ("bucket_accounts", ["logs"]),
    ("bucket_accounts", 5),
    ("final_aggregation_prefix", ""),
    ("final_aggregation_prefix", "/"),
    ("final_aggregation_prefix", "a//b"),
    ("final_aggregation_prefix", "ü"),
    ("storage_class", "glacier"),
    ("storage_class", "REDUCED_REDUNDANCY"),
    ("kms_key_id", "a key"),
    ("search", "hash"),
    ("search", True),
    ("search", ""),
    ("search_kms_key_id", "a key"),
    ("sign_with", "kms:alias/custody"),
    ("sign_with", "kms:"),
    ("sign_with", 5),
    ("sign_with", "a\nb"),
    ("time_stamp_url", "ftp://example.com"),
    ("time_stamp_url", "http://a b"),
    ("time_stamp_url", 5),
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
    ("delete_originals", "yes"),
    ("delete_originals", 1),
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
def test_good_values_are_read(name: str, value: Any, expected: Any) -> None:
    """An allowed value is read as its meaning."""
    assert getattr(read(**{name: value}), name) == (value if expected is ... else expected)


@pytest.mark.parametrize(
    "text",
    [
        "[holds]\naccounts = [111122223333]",
        "[holds]\naccounts = 111122223333",
        "[holds]\naccounts = [\n  011122223333,\n]",
        "destination_account = 111122223333",
        "[bucket_accounts]\naux = 111122223333",
    ],
)
def test_an_account_without_quotes_is_refused_with_advice(tmp_path: Path, text: str) -> None:
    """TOML reads it as a number, or with a leading zero not at all; the message says what
    to write.
    """
    path = tmp_path / "aggregator.toml"
    path.write_text(f'destination_bucket = "dest"\n{text}\n', encoding="utf-8")
    with pytest.raises(SettingsError, match=r'write it in quotes: "[01]11122223333"$'):
        read_settings(path, {})


@pytest.mark.parametrize("value", [{"accounts": [1]}, {"accounts": ["1111"]}, 5, [True]])
def test_useless_advice_about_quotes_is_not_given(value: Any) -> None:
    with pytest.raises(SettingsError) as caught:
        read(holds=value)
    assert "quotes" not in str(caught.value)


@pytest.mark.parametrize(("name", "value"), BAD)
def test_bad_values_are_refused(name: str, value: Any) -> None:
    """A wrong value is refused in one line that names the setting, the value and what is
    allowed.
    """
    with pytest.raises(SettingsError) as caught:
        read(**{name: value})
    message = str(caught.value)
    assert message.startswith(f"{name} = ")
    assert repr(value) in message
    assert ROWS[name].allowed in message
    assert "\n" not in message


@pytest.mark.parametrize(("value", "expected"), BAD_LAYOUTS)
def test_bad_layouts_are_refused(value: Any, expected: str) -> None:
    """A wrong declaration is refused in one line that names it, the error and what is expected."""
    with pytest.raises(SettingsError) as caught:
        read(layouts=value)
    message = str(caught.value)
    assert message.startswith("layouts: ")
    assert expected in message
    assert "\n" not in message


@pytest.mark.parametrize(("value", "expected"), BAD_LAYOUTS)
def test_bad_layouts_in_a_file_are_refused(value: Any, expected: str) -> None:
    """A separate file of declarations gets the same line, after its name."""
    with (
        patch("tomllib.loads", return_value={"layouts": value}),
        pytest.raises(SettingsError) as caught,
    ):
        parse_layouts(b"", "s3://work/layouts.toml")
    message = str(caught.value)
    assert message.startswith("s3://work/layouts.toml: layouts: ")
    assert expected in message
    assert "\n" not in message


def test_layouts_are_read_from_a_file() -> None:
    """Declarations valid in the settings are valid as a separate file; an empty one declares
    nothing.
    """
    layouts = read_declarations([APP, APP | {"name": "b", "buckets": ["x*"], "kind": "text"}])
    text = render_declarations(describe_declarations(layouts))
    assert parse_layouts(text.encode(), "file") == layouts
    assert read_settings(None, {"other_buckets": "aux"} | tomllib.loads(text)).layouts == layouts
    assert parse_layouts(b"\xef\xbb\xbf# none\r\n", "file") == Layouts()


def test_every_setting_is_tested_and_described() -> None:
    """Rows, fields and these tests name the same settings, and each row says what it means."""
    names = [row.name for row in SETTINGS]
    assert names == [item.name for item in fields(Settings)]
    assert {name for name, *_ in GOOD} == set(names)
    assert {name for name, _ in BAD} == set(names) - {"layouts"}
    assert all(row.meaning.endswith(".") and row.allowed for row in SETTINGS)


def test_defaults_are_valid_values() -> None:
    """Every default can be written as a value and is read as itself."""
    defaults = Settings(other_buckets=("aux",))
    values = {
        name: value
        for name, value in asdict(defaults).items()
        if value is not None and name not in ("holds", "layouts")
    }
    assert read_settings(None, values) == defaults == read()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"other_buckets": ""}, "bucket"),
        ({"other_regions": "delete"}, "aggregation_regions"),
        ({"pack_size_max": "10 MiB", "part_size": "16 MiB"}, "part_size"),
        ({"no_such": 1}, "no_such: there is no such setting"),
        ({"destination_account": "111122223333"}, "together with destination_bucket"),
        (
            {
                "destination_bucket": "dest",
                "destination_account": "111122223333",
                "bucket_accounts": "dest=444455556666",
            },
            "expected '444455556666', as bucket_accounts says of dest",
        ),
    ],
)
def test_conflicting_settings_are_refused(values: dict[str, Any], expected: str) -> None:
    """A combination that is wrong, or an unknown setting, is refused in one line too."""
    with pytest.raises(SettingsError, match=expected) as caught:
        read(**values)
    assert "\n" not in str(caught.value)


def test_the_owner_of_a_bucket_is_found() -> None:
    """The destination's own account precedes patterns and is added to the other owners."""
    named = {"destination_bucket": "dest", "bucket_accounts": {"d*": "444455556666"}}
    assert read().bucket_owners == ()
    assert read(**named).bucket_owners == (("d*", "444455556666"),)
    settings = read(**named, destination_account="111122223333")
    assert dict(settings.bucket_owners) == {"d*": "444455556666", "dest": "111122223333"}
    assert hash(settings.bucket_owners)  # a function keeps its connection by them


def test_options_override_the_file(tmp_path: Path) -> None:
    """The command line precedes the file; options left out (None) do not."""
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
        (b'[[layouts]]\nname = "a"\npattern = "a/{*}"', "layouts: a: pattern = .* no date"),
        (b'layouts = ["a"]', "expected tables that begin with"),
        (b"x = 1", "no such setting"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, content: bytes, expected: str) -> None:
    """An unusable file is refused in one line that names it or the setting."""
    path = tmp_path / "settings.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=expected) as caught:
        read_settings(path, {"other_buckets": "aux"})
    assert "\n" not in str(caught.value)


def test_missing_files_are_named(tmp_path: Path) -> None:
    """A missing file, or a folder, is named."""
    with pytest.raises(SettingsError, match=r"missing\.toml: there is no such file"):
        read_settings(tmp_path / "missing.toml", {})
    with pytest.raises(SettingsError, match="cannot be read"):
        read_settings(tmp_path, {})


def test_a_file_with_an_oversized_number_is_refused(tmp_path: Path) -> None:
    """A number that Python itself refuses to read is an ordinary error in the file."""
    path = tmp_path / "aggregator.toml"
    path.write_text(f"readers = {'9' * 5000}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="not a TOML file"):
        read_settings(path, {})
