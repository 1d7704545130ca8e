"""`plan --inventory` and `run --inventory`, as run by users."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.integration.conftest import Site, store_of
from tests.support.inventories import entries_of

from log_aggregator.core.inventory.manifest import Format
from log_aggregator_lab.inventory import InventorySpec, write_inventory
from log_aggregator_lab.upload import create_bucket


def take_inventories(site: Site, **options: Any) -> list[str]:
    """Write an encrypted inventory of every bucket, as S3 would now; returns their places."""
    bucket = f"{site.destination}-inventories"
    create_bucket(bucket, site.server, is_versioned=False)
    store = store_of(site.server)

    def put(key: str, data: bytes) -> None:
        site.client.put_object(Bucket=bucket, Key=key, Body=data, ServerSideEncryption="AES256")

    locations = []
    for name in site.spec.buckets:
        has_versions = store.get_bucket_versioning(name) is not None
        wanted: dict[str, Any] = {
            "rows_per_file": 30,
            "made": datetime.now(UTC),
            "has_versions": has_versions,
        } | options
        spec = InventorySpec(name, bucket, **wanted)
        locations.append(write_inventory(list(entries_of(store, name)), spec, put))
    return locations


def options_of(locations: list[str]) -> list[str]:
    return [word for location in locations for word in ("--inventory", location)]


@pytest.mark.parametrize("file_format", list(Format))
def test_a_run_by_inventories(site: Site, file_format: Format) -> None:
    """Every original of the organisation, found by encrypted inventories alone, comes back; a
    second run does nothing.
    """
    by = options_of(take_inventories(site, format=file_format))
    planned = json.loads(site.call("plan", "--json", *site.sources, *by).stdout)
    done = site.run_json(*by)
    assert {pack["key"] for group in planned["groups"] for pack in group["packs"]} == {
        pack["key"] for pack in done["packs"]
    }
    assert done["inventories"] == by[1::2]
    assert site.check().problems == []
    again = site.run_json(*by)
    assert (again["packs"], again["objects"]["deleted"], again["failures"]) == ([], 0, [])
    text = site.call("run", *site.sources, *by).stdout
    assert text.count("listed by") == len(by) // 2


def test_unsuitable_inventories_are_refused(site: Site) -> None:
    """There is an exit code and a sentence that says what to do; nothing is touched."""
    first, *_ = take_inventories(site)
    without_days = [word for word in site.sources if word not in ("--date", str(site.day))]
    missing = first.replace("/daily/", "/weekly/")
    folder = first.rpartition("/data")[0] or first.rpartition("/")[0]
    for arguments, code, said in (
        (["run", *without_days, "--inventory", first], 2, "--date"),
        (["run", *site.sources, "--inventory", "somewhere"], 2, "s3://BUCKET/"),
        (["run", *site.sources, "--inventory", missing], 3, "cannot be read"),
        (["run", *site.sources, "--inventory", f"{folder}/nothing"], 3, "no complete inventory"),
        (["run", *site.sources, "--inventory", first, "--inventory", first], 2, "is named too"),
        (
            [
                "plan",
                "--other-buckets",
                site.spec.flow_bucket,
                "--date",
                str(site.day),
                "--inventory",
                first,
            ],
            2,
            "neither in",
        ),
    ):
        failed = site.call(*arguments, code=code)
        assert said in failed.stderr
        assert "Traceback" not in failed.stderr
    assert site.client.list_objects_v2(Bucket=site.destination).get("KeyCount") == 0
