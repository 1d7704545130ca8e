"""What the doctor reports about other objects in a bucket, and about inventories written to it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.clinic import MAIN, Clinic

from log_aggregator.adapters.forwarding import Call
from log_aggregator.core.layouts import NoLog, parse_key
from log_aggregator.core.layouts.parse import NOT_DECLARED
from log_aggregator.errors import AccessDenied
from log_aggregator.ports.account import InventoryConfiguration
from log_aggregator.steps.bucket_sample import BucketSample, Kept
from log_aggregator.steps.doctor import contents
from log_aggregator.steps.doctor.findings import Finding, Level, Notebook
from log_aggregator.steps.packing.buckets import SourceBucket
from log_aggregator_lab.stores.faults import Decide, Fault, FaultyStore
from log_aggregator_lab.stores.memory import MemoryStore

UUID = "0a1b2c3d-0000-4000-8000-0123456789ab"
LOG = "AWSLogs/111122223333/vpcflowlogs/eu-west-1/2026/03/14/a.log.gz"
CORPUS = Path(__file__).parents[2] / "core" / "layouts" / "keys.jsonl"

WRITERS = [
    ("S3 Inventory", "trail/all/2026-03-14T00-00Z/manifest.json"),
    ("S3 Inventory", "trail/all/2026-03-14T00-00Z/manifest.checksum"),
    ("S3 Inventory", "trail/all/hive/dt=2026-03-14-00-00/symlink.txt"),
    ("S3 Inventory", f"trail/all/data/{UUID}.csv.gz"),
    ("S3 Inventory", f"trail/all/data/{UUID}.parquet"),
    ("Athena", f"results/Unsaved/2026/03/14/{UUID}.csv"),
    ("Athena", f"results/{UUID}.csv"),
    ("Athena", f"results/{UUID}.csv.metadata"),
    ("Athena", f"results/{UUID}.txt"),
    ("Athena", f"results/tables/{UUID}/20260314_000000_00000_abcde_{UUID}.gz"),
    (
        "Security Lake",
        "ext/x/region=eu-west-1/accountId=111122223333/eventDay=20260314/a.gz.parquet",
    ),
    ("an Iceberg table", f"lake/events/metadata/00001-{UUID}.metadata.json"),
    ("an Iceberg table", f"lake/events/metadata/snap-1-1-{UUID}.avro"),
    ("a Delta Lake table", "lake/events/_delta_log/00000000000000000001.json"),
    ("a Hudi table", "lake/events/.hoodie/hoodie.properties"),
    ("S3 Storage Lens", f"StorageLens/111122223333/dash/V_1/reports/dt=2026-03-14/{UUID}.csv"),
    ("an RDS or DynamoDB export", "AWSDynamoDB/01700000000000-abcdef01/data/abc.json.gz"),
    ("an RDS or DynamoDB export", f"rds-exports/db/db.orders/1/part-00000-{UUID}.gz.parquet"),
    ("Glue, Hive or Spark", "lake/events/day=2026-03-14/0001.snappy.parquet"),
    ("Glue, Hive or Spark", "lake/events/_SUCCESS"),
    ("Glue, Hive or Spark", f"lake/events/part-00000-{UUID}-c000.json.gz"),
]


@pytest.fixture
def clinic() -> Clinic:
    return Clinic()


def find_all(clinic: Clinic, check: str, where: str = "flow") -> list[Finding]:
    return [
        found
        for found in clinic.examine()
        if (found.check, found.where) == (check, f"s3://{where}")
    ]


@pytest.mark.parametrize(("writer", "key"), WRITERS)
def test_other_writers_of_a_bucket_are_named(clinic: Clinic, writer: str, key: str) -> None:
    """One object's key among logs is enough for a warning that names the writer, shows the key, and
    says what to do.
    """
    assert isinstance(parse_key(key), NoLog)
    clinic.put(LOG, "flow")
    assert find_all(clinic, "other-writers") == []
    clinic.put(key, "flow")
    (found,) = find_all(clinic, "other-writers")
    assert (found.level, found.seen) == (Level.WARNING, f"{writer} writes here: {key}")
    assert "other_buckets" in found.advice
    assert clinic.find("contents", "flow").level is Level.OK


def test_an_unidentified_writer_is_reported_with_a_reason(clinic: Clinic) -> None:
    """Objects that others read by key are reported with the reason; folder markers and temporary
    files reveal no writer.
    """
    clinic.put(LOG, "flow")
    for key in ("exports/", "a.tmp", "ConfigWritabilityCheckFile"):
        clinic.put(key, "flow")
    assert find_all(clinic, "other-writers") == []
    key = "unload/2026-03-14/0000_part_00.gz"
    clinic.put(key, "flow")
    (found,) = find_all(clinic, "other-writers")
    assert found.seen.startswith("another program (a data export")
    assert found.seen.endswith(f") writes here: {key}")


def test_each_writer_is_named_once(clinic: Clinic) -> None:
    """A writer is named once, however many objects it has."""
    for number in range(20):
        clinic.put(f"results/{number:08d}-0000-4000-8000-0123456789ab.csv.metadata", "flow")
    clinic.put("lake/events/_delta_log/00000000000000000001.json", "flow")
    seen = [found.seen.partition(" writes here")[0] for found in find_all(clinic, "other-writers")]
    assert sorted(seen) == ["Athena", "a Delta Lake table"]


def test_logs_do_not_count_as_other_writers() -> None:
    """No key of the corpus that is packed, or that could be declared, is attributed to another
    writer: only keys that are not logs are.
    """
    rows = [json.loads(line) for line in CORPUS.read_text().splitlines()]
    keys = [row["key"] for row in rows if not isinstance(parse_key(row["key"]), NoLog)]
    assert len(keys) > 50
    kept = {NOT_DECLARED: Kept(len(keys), 0, keys)}
    assert contents.find_writers(make_sample(kept=kept)) == {}


def examine_contents(clinic: Clinic, decide: Decide) -> tuple[list[Finding], list[Call]]:
    """Examine the bucket of flow logs alone; return the findings and the requests."""
    store, notebook = FaultyStore(clinic.store, decide), Notebook()
    contents.examine_contents(store, notebook, SourceBucket("flow", None), ())
    return notebook.findings, store.calls


def make_sample(**changes: Any) -> BucketSample:
    empty = BucketSample(
        "flow",
        pages=1,
        objects=1,
        is_whole=True,
        known=Counter(),
        suggestions=[],
        kept={},
    )
    return replace(empty, **changes)


def test_logs_without_a_layout_are_counted(clinic: Clinic) -> None:
    """A note if other logs are packed, and a warning if nothing else is there, as a run would do
    nothing. It says how to declare them.
    """
    keys = [f"app/2026/03/14/{number}.log" for number in range(3)]
    for key in keys:
        clinic.put(key, "flow")
    found = clinic.find("contents", "flow")
    assert found.level is Level.WARNING
    assert found.seen.startswith("of 3 objects looked at, 3 match no known layout")
    assert any(key in found.seen for key in keys)
    assert "layouts suggest flow" in found.advice
    clinic.put(LOG, "flow")
    assert clinic.find("contents", "flow").level is Level.NOTE
    clinic.settings["layouts"] = [{"name": "app", "pattern": "app/{YYYY}/{MM}/{DD}/{*}.log"}]
    found = clinic.find("contents", "flow")
    assert found.level is Level.OK
    assert found.seen == "of 4 objects looked at, 4 are logs: app, vpcflowlogs"


def test_a_bucket_without_logs_is_reported(clinic: Clinic) -> None:
    """A bucket in which nothing can be packed or declared is probably the wrong one. An empty one
    may only be new.
    """
    found = clinic.find("contents", "flow")
    assert (found.level, found.seen) == (Level.OK, "nothing lies here yet")
    clinic.put("readme.txt", "flow")
    found = clinic.find("contents", "flow")
    assert found.level is Level.WARNING
    assert found.seen == "of 1 object looked at, none is a log"


def test_own_packs_are_ignored(clinic: Clinic) -> None:
    """In place, packs and indexes in the source bucket are not contents."""
    clinic.settings["destination_bucket"] = ""
    clinic.put(f"aggregated/packs/flow/CloudTrail/all/2026/03/14/{'0' * 12}.json.gz", "flow")
    assert clinic.find("contents", "flow").seen == "nothing lies here yet"


def test_a_large_bucket_is_only_sampled() -> None:
    """The number of pages read per bucket is limited; objects after other folders are still
    seen.
    """
    clinic = Clinic(store=MemoryStore(page_size=10))
    for folder in ("a", "b", "c"):
        for number in range(200):
            clinic.put(f"{folder}/AWSLogs/111122223333/x/eu-west-1/2026/03/14/{number}.gz", "flow")
    clinic.put("results/Unsaved/2026/03/14/a.csv", "flow")
    findings, calls = examine_contents(clinic, lambda _index, _call: None)
    assert any(found.seen.startswith("Athena writes here") for found in findings)
    assert 3 < len(calls) <= contents.PAGES_MAX


def test_a_refused_listing_is_reported(clinic: Clinic) -> None:
    """Without a finding, silence would suggest that the contents are fine."""
    denied = AccessDenied("ListObjectsV2 s3://flow: AccessDenied", code="AccessDenied")
    (found,), _ = examine_contents(clinic, lambda _index, _call: Fault(before=denied))
    assert (found.level, found.check) == (Level.WARNING, "contents")
    assert "could not be checked" in found.seen
    assert "s3:ListBucket" in found.advice


@pytest.mark.parametrize("place", ["flow", MAIN])
def test_an_inventory_written_into_a_source_is_reported(clinic: Clinic, place: str) -> None:
    """An inventory from any source into any source is found; the finding is about the bucket that
    receives it.
    """
    made = (InventoryConfiguration("daily", place, "inventories"),)
    clinic.change(MAIN, inventories=made)
    found = clinic.find("inventory", place)
    assert found.level is Level.WARNING
    assert found.seen == f"the inventory daily of {MAIN} is written to s3://{place}/inventories"
    others = {"flow", MAIN} - {place}
    assert all(
        finding.level is Level.OK
        for name in others
        for finding in find_all(clinic, "inventory", name)
    )


def test_an_inventory_written_elsewhere_is_fine(clinic: Clinic) -> None:
    """An inventory written to a bucket that is not a source is fine."""
    clinic.change("flow", inventories=(InventoryConfiguration("daily", "inventories"),))
    assert {finding.level for finding in find_all(clinic, "inventory")} == {Level.OK}


def test_a_missing_permission_for_inventories_is_reported(clinic: Clinic) -> None:
    """A missing permission is named, and nothing else is said about inventories."""
    clinic.account.deny("ListBucketInventoryConfigurations")
    found = clinic.find("inventory", "flow")
    assert found.level is Level.WARNING
    assert "s3:GetInventoryConfiguration" in found.advice
    assert {finding.level for finding in find_all(clinic, "inventory")} == {Level.WARNING}


def test_a_main_bucket_is_judged_only_by_its_logs(clinic: Clinic) -> None:
    """A run reads only under AWSLogs/."""
    clinic.put("results/Unsaved/2026/03/14/a.csv")
    assert find_all(clinic, "other-writers", MAIN) == find_all(clinic, "contents", MAIN) == []
