"""Names and settings that a release has published are still there, and mean the same.
docs/reference/compatibility.md promises it.
"""

from __future__ import annotations

import tomllib
from datetime import date

import pytest
from tests.golden.golden_formats import FORMATS
from tests.golden.published import list_names, read_published

from log_aggregator.core.layouts.declarations import describe_declarations
from log_aggregator.limits import GIB, MIB
from log_aggregator.settings import SETTINGS, HoldSettings, read_settings

SETTINGS_FILE = FORMATS / "settings" / "v1" / "aggregator.toml"
KMS = "arn:aws:kms:eu-west-1:111122223333:key/"
VALUES = {
    "control_tower_bucket": ("example-trail-logs",),
    "other_buckets": ("example-vpc-flow-logs", "example-app-*"),
    "organization_id": "o-abc123defg",
    "aggregation_regions": ("eu-west-1", "us-east-1"),
    "other_regions": "delete",
    "destination_bucket": "example-packs",
    "destination_account": "111122223333",
    "bucket_accounts": (
        ("example-app-*", "444455556666"),
        ("example-vpc-flow-logs", "444455556666"),
    ),
    "final_aggregation_prefix": "packed",
    "storage_class": "DEEP_ARCHIVE",
    "kms_key_id": f"{KMS}00000000-0000-0000-0000-000000000000",
    "search": "hashed",
    "search_kms_key_id": f"{KMS}22222222-2222-2222-2222-222222222222",
    "sign_with": f"kms:{KMS}33333333-3333-3333-3333-333333333333",
    "time_stamp_url": "http://timestamp.example.com",
    "glacier_object_size": 2 * GIB,
    "pack_size_max": 512 * MIB,
    "members_max": 1000,
    "look_back_days": 3,
    "verify": "checksum",
    "delete_originals": True,
    "keep_originals_days": 30,
    "holds": HoldSettings(
        ("example-legal",),
        ("123456789012",),
        ("legal/", "example-elb-logs/AWSLogs/"),
        ((date(2026, 3, 1), date(2026, 3, 14)), (date(2026, 5, 9), date(2026, 5, 9))),
    ),
    "objects_max": 100_000,
    "part_size": 8 * MIB,
    "copy_size_min": 32 * MIB,
    "readers": 16,
    "groups_at_once": 2,
}


def test_what_was_published_is_still_there() -> None:
    """Commands, options, exit codes, errors, fields of JSON, settings, parameters, outputs,
    metrics, alarms, and names of the Python API.
    """
    gone = sorted(read_published() - list_names())
    assert gone == [], (
        "Released names that are gone or changed. Programs rely on them: bring them back, and "
        "where one has to go, deprecate it first (docs/reference/compatibility.md). A name that "
        "no release had yet is taken out of tests/golden/published.txt by hand."
    )


def test_everything_is_published() -> None:
    """A name that is new is promised from the next release on."""
    new = sorted(list_names() - read_published())
    assert new == [], (
        "New names, which will be promised once they are released: look whether they are good, and "
        "add them with `python -m tests.golden.published`."
    )


@pytest.mark.parametrize("name", VALUES)
def test_a_released_settings_file_means_the_same(name: str) -> None:
    assert getattr(read_settings(SETTINGS_FILE, {}), name) == VALUES[name]


def test_released_declarations_mean_the_same() -> None:
    written = tomllib.loads(SETTINGS_FILE.read_text())["layouts"]
    assert describe_declarations(read_settings(SETTINGS_FILE, {}).layouts) == written


def test_the_settings_file_has_every_setting() -> None:
    """Those of its release, and none is taken on trust."""
    written = set(tomllib.loads(SETTINGS_FILE.read_text()))
    assert written == {*VALUES, "layouts"}
    assert written <= {row.name for row in SETTINGS}
    published = {line.removeprefix("setting: ") for line in read_published() if "setting: " in line}
    assert published >= written
