"""The `drill` command against a real S3 server."""

from __future__ import annotations

import json

import pytest
from tests.integration.conftest import Site, Sites

from log_aggregator_lab.organisation.generate import small

pytestmark = pytest.mark.server


@pytest.fixture
def packed(sites: Sites) -> Site:
    site = sites.make(small())
    site.run_json()
    return site


def test_a_drill_finds_a_changed_byte(packed: Site) -> None:
    """Twenty members come back by their seed; after a byte of a pack is changed, all are tried. The
    chain records both drills.
    """
    place = ["--destination-bucket", packed.destination or ""]
    (first,) = json.loads(
        packed.call("drill", "--sample", "20", "--seed", "3", "--json", *place).stdout
    )["drills"]
    assert (first["members"], first["result"]["bad"], first["result"]["is_sound"]) == (20, 0, True)
    assert first["population"] > 20
    pack = packed.client.list_objects_v2(Bucket=packed.destination, Prefix="packs/")["Contents"][0]
    where = {"Bucket": packed.destination, "Key": pack["Key"]}
    data = bytearray(packed.client.get_object(**where)["Body"].read())
    data[20] ^= 1
    packed.client.put_object(**where, Body=bytes(data))
    told = packed.call("drill", "--sample", "100000", *place, code=1).stdout
    assert "FAILED" in told
    assert pack["Key"] in told
    shown = packed.call("custody", "show", "--last", "2", *place).stdout
    assert "seed 3" in shown
    assert "unbroken" in packed.call("custody", "verify", *place).stdout


def test_planted_damage_is_found_and_removed(packed: Site) -> None:
    place = ["--destination-bucket", packed.destination or ""]
    (found,) = json.loads(packed.call("drill", "--planted", "--json", *place).stdout)["planted"]
    assert [trial["is_found"] for trial in found["trials"]] == [False, True, True, True]
    assert (found["is_kept"], found["left"]) == (True, [])
    left = packed.client.list_objects_v2(Bucket=packed.destination, Prefix="probes/drill-")
    assert left["KeyCount"] == 0
