"""ProcessHistoricalMainLogsSM with an S3 Inventory: its files are sorted by a separate function, in
CSV and in Parquet.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.e2e.building import BuiltTemplate, Machine
from tests.e2e.executions import run
from tests.e2e.local_aws import LocalAws
from tests.e2e.site import Site, make_site, many_days
from tests.support.inventories import entries_of

from log_aggregator.core.inventory.manifest import Format
from log_aggregator.core.windows import WINDOW_DAYS_MAX
from log_aggregator_lab.inventory import InventorySpec, write_inventory
from log_aggregator_lab.organisation.generate import generate
from log_aggregator_lab.upload import create_bucket

DAYS = 2 * WINDOW_DAYS_MAX + 2
WINDOWS = 3
INVENTORIES = "inventories-of-main-logs"
HISTORY = "ProcessHistoricalMainLogsSM"


def test_history_by_an_inventory(aws: LocalAws, built: BuiltTemplate, machine: Machine) -> None:
    """The first window with an inventory in CSV, all three with one in Parquet of the same time; a
    further run has nothing to do.
    """
    spec = many_days(seed=8, days=DAYS)
    site = make_site(aws, built, machine, spec, generate(spec), {"InventoryBuckets": INVENTORIES})
    source, last, first_end = (
        spec.control_tower_bucket,
        site.day + timedelta(days=DAYS - 1),
        site.day + timedelta(days=WINDOW_DAYS_MAX - 1),
    )
    main = [entry for entry in site.entries if entry.bucket == source]
    days = {site.day + timedelta(days=age) for age in range(WINDOW_DAYS_MAX)}
    create_bucket(INVENTORIES, aws, is_versioned=False)
    by = {file_format: _take_inventory(site, source, file_format) for file_format in Format}
    given = {"start_date": str(site.day), "end_date": str(last), "bucket_name": source}

    done = run(
        site.deployment, HISTORY, given | {"end_date": str(first_end), "inventory": by[Format.CSV]}
    )
    assert done.output["windows"] == 1
    assert (
        site.check(site.day, first_end, [entry for entry in main if entry.day in days]).problems
        == []
    )
    assert (
        run(site.deployment, HISTORY, given | {"inventory": by[Format.PARQUET]}).output["windows"]
        == WINDOWS
    )
    assert site.check(site.day, last, main).problems == []
    before = site.inventory()
    run(site.deployment, HISTORY, given | {"inventory": by[Format.PARQUET]})
    assert site.inventory() == before


def _take_inventory(site: Site, source: str, file_format: Format) -> str:
    """Writes an inventory of the source as S3 would now; returns its place."""
    spec = InventorySpec(
        source,
        INVENTORIES,
        file_format,
        rows_per_file=40,
        name=file_format.value,
        made=datetime.now(UTC),
    )

    def put(key: str, data: bytes) -> None:
        site.aws.client("s3").put_object(Bucket=INVENTORIES, Key=key, Body=data)

    return write_inventory(list(entries_of(site.store, source)), spec, put)
