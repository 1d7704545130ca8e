"""UseCommonDestinationBucket = No, with permissions enforced: each bucket keeps its own packs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from botocore.exceptions import ClientError
from tests.e2e.building import BuiltTemplate, Machine
from tests.e2e.executions import run
from tests.e2e.local_aws import LocalAws
from tests.e2e.site import IN_PLACE_PREFIX, make_site, one_day

from log_aggregator_lab.organisation.generate import generate

IS_ENFORCING = True


def test_in_place_packs_are_never_packed_again(
    aws: LocalAws, built: BuiltTemplate, machine: Machine
) -> None:
    """Everything comes back; packs lie in a folder of their own source bucket; the next run leaves
    them alone; no one may delete them.
    """
    spec = replace(one_day(seed=13), objects=40)
    site = make_site(
        aws, built, machine, spec, generate(spec), {"UseCommonDestinationBucket": "No"}
    )
    run(site.deployment, "CombineLogFilesSM", {"date": str(site.day)})
    assert site.check().problems == []
    assert "CommonDestinationBucket" not in site.deployment.resources
    after = site.inventory()
    packs = [place for place in after if place[1].startswith(f"{IN_PLACE_PREFIX}/packs/")]
    assert {bucket for (bucket, _, _) in packs} == set(spec.buckets)
    assert all(key.startswith(f"{IN_PLACE_PREFIX}/packs/{bucket}/") for (bucket, key, _) in packs)
    second = run(site.deployment, "CombineLogFilesSM", {"date": str(site.day)})
    assert second.output["packs"] == 0
    assert site.inventory() == after
    bucket, key, version = packs[0]
    with pytest.raises(ClientError, match="AccessDenied"):
        site.client_of("DeleteFunctionRole").delete_object(
            Bucket=bucket, Key=key, VersionId=version
        )
