"""The last function of a run stores CloudTrail's public keys next to the packs, with only the
permissions of its role.
"""

from __future__ import annotations

import json

import pytest
from tests.simulation.test_roles import deploy_for, put_in_roles
from tests.support.cloud import WORK, Cloud, make_cloud
from tests.support.statemachine import StateError
from tests.support.trails import BUCKET, SPEC, Denying, RegionDeny, Trails, trails
from tests.support.world import make_rules
from tests.unit.steps.cloudtrail.test_public_keys import stored_keys

from log_aggregator_lab.servers.trail_api import LabTrailKeys

FINGERPRINT = LabTrailKeys(SPEC).keys[0].fingerprint
NAMES = [f"keys/cloudtrail/{region}/{FINGERPRINT}.json" for region in sorted(SPEC.regions)]


def run(site: Trails, cloud: Cloud, name: str) -> None:
    put_in_roles(cloud, deploy_for(site.world))
    cloud.run({"start_date": str(SPEC.first_day), "end_date": str(SPEC.first_day)}, name=name)


@pytest.mark.parametrize("in_place", [False, True])
def test_public_keys_are_kept(in_place: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the template's roles, in the destination bucket or in the log bucket's own folder; a
    second run changes nothing.
    """
    site = trails()
    if in_place:
        window = site.world.rules.selection.window
        site.world.rules = make_rules(
            window, control_tower_bucket=BUCKET, final_aggregation_prefix="aggregated"
        )
    with make_cloud(site.world, monkeypatch) as cloud:
        cloud.trail_keys = LabTrailKeys(SPEC)
        run(site, cloud, "first")
        bucket, root = (BUCKET, "aggregated/") if in_place else ("dest", "")
        assert stored_keys(site, bucket, root) == [f"{root}{name}" for name in NAMES]
        before = [found for found in site.store.snapshot() if "keys/" in str(found[1])]
        run(site, cloud, "second")
        assert [found for found in site.store.snapshot() if "keys/" in str(found[1])] == before


@pytest.mark.parametrize("in_place", [False, True])
def test_a_refusing_region_does_not_fail_the_run(
    in_place: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The roles may record and read which Region refuses; the execution ends well."""
    site = trails()
    closed, *opened = sorted(SPEC.regions)
    if in_place:
        site.world.rules = make_rules(
            site.world.rules.selection.window,
            control_tower_bucket=BUCKET,
            final_aggregation_prefix="aggregated",
        )
    with make_cloud(site.world, monkeypatch) as cloud:
        cloud.trail_keys = RegionDeny(SPEC, closed)
        run(site, cloud, "denied")
    bucket, root = (BUCKET, "aggregated/") if in_place else ("dest", "")
    assert {
        tuple(key.removeprefix(root).split("/")[:3]) for key in stored_keys(site, bucket, root)
    } == {
        ("keys", "regions", closed),
        *(("keys", "cloudtrail", region) for region in opened),
    }
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line[:1] == "{"]
    assert [line["PublicKeyRegionsRefused"] for line in lines if "RunSeconds" in line] == [1]
    told = [line["where"] for line in lines if line.get("level") == "WARN"]
    assert told == [f"public keys of CloudTrail in {closed}"]


def test_missing_public_keys_fail_the_run_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is packed and deleted, and the execution fails naming the Regions whose keys are
    missing, so that someone is told.
    """
    site = trails()
    with make_cloud(site.world, monkeypatch) as cloud:
        cloud.trail_keys = Denying()
        with pytest.raises(
            StateError, match="public keys of CloudTrail in eu-west-1: AccessDenied"
        ):
            run(site, cloud, "denied")
    key = next(
        found.key
        for found in site.store.list_objects(WORK).objects
        if found.key.endswith("/denied/result.json")
    )
    result = json.loads(site.store.get_object(WORK, key).data)
    assert result["objects"]["deleted"] == result["objects"]["packed"] > 0
    assert [failure["where"] for failure in result["failures"]] == [
        f"public keys of CloudTrail in {region}" for region in sorted(SPEC.regions)
    ]
