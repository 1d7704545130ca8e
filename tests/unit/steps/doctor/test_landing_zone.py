"""What the doctor reports about the contents of a Control Tower bucket, and about logs that no
longer arrive.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support.account import ACCOUNT, OTHER_ACCOUNT
from tests.support.clinic import MAIN, NOW, ORGANIZATION, Clinic

from log_aggregator.ports.account import DeliveryChannel
from log_aggregator.steps.doctor.findings import Level
from log_aggregator_lab.stores.memory import MemoryStore


@pytest.fixture
def clinic() -> Clinic:
    return Clinic()


def test_both_layouts_are_counted(clinic: Clinic) -> None:
    """Accounts of the layouts before and since landing zone 3.0, and of trails without an
    organisation's prefix.
    """
    for number in range(3):
        clinic.put(
            f"{ORGANIZATION}/AWSLogs/{ORGANIZATION}/{number:012d}/CloudTrail/eu-west-1/2026/03/15/a.json.gz"
        )
    clinic.put("AWSLogs/000000000009/CloudTrail/eu-west-1/2026/03/15/a.json.gz")
    seen = {finding.seen for finding in clinic.examine() if finding.check == "layout"}
    assert seen == {
        f"{ORGANIZATION}: 4 accounts in the layout since landing zone 3.0",
        f"{ORGANIZATION}: 1 account in the layout before landing zone 3.0",
        "no organisation: 1 account in the layout before landing zone 3.0",
    }


def test_missing_config_logs_are_explained() -> None:
    """Without recent Config logs, landing zone 4.0 is explained, with the bucket's name if Config
    gives it, and what to do.
    """
    clinic = Clinic()
    clinic.store = MemoryStore()
    clinic.store.create_bucket(MAIN, versioning="Enabled")
    clinic.store.create_bucket("packs", versioning="Enabled")
    clinic.put(
        f"{ORGANIZATION}/AWSLogs/{ACCOUNT}/Config/eu-west-1/2026/3/1/ConfigHistory/a.json.gz"
    )
    bucket = f"aws-controltower-config-logs-{OTHER_ACCOUNT}-abc-def"
    clinic.account.channels.append(DeliveryChannel("default", bucket))
    for check, where in (("config-logs", MAIN), ("config-channel", "")):
        found = clinic.find(check, where)
        assert found.level is Level.WARNING
        assert bucket in found.seen
        assert "Deploy a second aggregator" in found.advice
    assert f"Audit account {OTHER_ACCOUNT}" in clinic.find("config-channel").seen


@pytest.mark.parametrize(
    ("age", "level"),
    [(0, Level.OK), (1, Level.OK), (7, Level.OK), (8, Level.WARNING), (-1, Level.WARNING)],
    ids=str,
)
@pytest.mark.parametrize("where", ["source", "index"])
def test_config_logs_are_also_found_in_packs(age: int, level: Level, where: str) -> None:
    """Logs that the nightly run packed yesterday count as recent. Days are padded in our keys, and
    not in Config's.
    """
    clinic = Clinic()
    clinic.store = MemoryStore()
    for name in (MAIN, "packs"):
        clinic.store.create_bucket(name, versioning="Enabled")
    day = NOW.date() - timedelta(days=age)
    clinic.put(f"{ORGANIZATION}/AWSLogs/{ACCOUNT}/CloudTrail/eu-west-1/2026/03/15/a.json.gz")
    if where == "source":
        clinic.put(
            f"{ORGANIZATION}/AWSLogs/{ACCOUNT}/Config/eu-west-1/{day.year}/{day.month}/{day.day}/ConfigHistory/a.json.gz"
        )
    else:
        clinic.put(f"indexes/{MAIN}/Config/{ACCOUNT}/{day:%Y/%m/%d}/a.index.jsonl.gz", "packs")
    assert clinic.find("config-logs", MAIN).level is level


def test_indexes_are_examined_for_any_number_of_accounts() -> None:
    """Only a few accounts of the source are examined, but the packs always are."""
    clinic = Clinic()
    clinic.store = MemoryStore()
    for name in (MAIN, "packs"):
        clinic.store.create_bucket(name, versioning="Enabled")
    for number in range(5):
        clinic.put(
            f"{ORGANIZATION}/AWSLogs/{number:012d}/Config/eu-west-1/2020/1/1/ConfigHistory/a.json.gz"
        )
    assert clinic.find("config-logs", MAIN).level is Level.WARNING
    clinic.put(f"indexes/{MAIN}/Config/{ACCOUNT}/2026/03/14/a.index.jsonl.gz", "packs")
    assert clinic.find("config-logs", MAIN).level is Level.OK


def test_a_config_bucket_of_this_account_must_be_in_the_settings(clinic: Clinic) -> None:
    """In the Audit account itself the bucket only has to be in the settings."""
    bucket = f"aws-controltower-config-logs-{ACCOUNT}-abc-def"
    clinic.account.channels.append(DeliveryChannel("default", bucket))
    found = clinic.find("config-channel")
    assert found.level is Level.WARNING
    assert "control_tower_bucket" in found.advice
