"""Nights in an account where a Region deny refuses CloudTrail's public keys."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tests.e2e import telemetry
from tests.e2e.building import BuiltTemplate, Machine
from tests.e2e.executions import run
from tests.e2e.local_aws import LocalAws
from tests.e2e.site import Site, make_site, one_day, read_json

from log_aggregator_lab.organisation.generate import generate
from log_aggregator_lab.servers.trail_api import TrailApi

IS_ENFORCING = True
DIGESTS = "/CloudTrail-Digest/"


def test_a_refusing_region_is_reported_once(
    aws: LocalAws, built: BuiltTemplate, machine: Machine
) -> None:
    """The first night warns and records it, under the template's roles; the second neither asks the
    Region again nor warns. Neither fails.
    """
    spec = replace(one_day(seed=19), objects=40)
    site = make_site(aws, built, machine, spec, generate(spec))
    digests = [each for each in generate(spec) if DIGESTS in each.key]
    regions = regions_of(each.key for each in digests)
    closed, *opened = sorted(regions)
    assert opened
    with TrailApi(spec) as trail_api:
        trail_api.refused.add(closed)
        _point_at(site, trail_api)
        first = run(site.deployment, "CombineLogFilesSM", {"date": str(site.day)})
        assert set(trail_api.asked) == regions
        notes = site.list_keys("keys/regions/")
        assert [key.split("/")[2] for key in notes] == [closed]
        kept = site.list_keys("keys/cloudtrail/")
        assert sorted({key.split("/")[2] for key in kept}) == opened

        site.put(digests)  # delivered again, so that the second night has digests too
        trail_api.asked.clear()
        second = run(site.deployment, "CombineLogFilesSM", {"date": str(site.day)})
        assert sorted(set(trail_api.asked)) == opened
        assert site.list_keys("keys/regions/") == notes
    results = [read_json(site, done.output["result"]) for done in (first, second)]
    assert [result["refused_regions"] for result in results] == [[closed]] * 2
    assert [len(result["warnings"]) for result in results] == [1, 0]
    assert [result["failures"] for result in results] == [[], []]
    written = telemetry.read_metrics(site.deployment, "FinishFunction")
    assert [datum.value for datum in written if datum.name == "PublicKeyRegionsRefused"] == [1, 1]
    records = telemetry.read_records(site.deployment, "FinishFunction")
    told = [record for record in records if record.get("level") == "WARN"]
    assert [record["where"] for record in told] == [f"public keys of CloudTrail in {closed}"]


def regions_of(keys: Iterable[str]) -> set[str]:
    return {key.partition(DIGESTS)[2].partition("/")[0] for key in keys}


def _point_at(site: Site, trail_api: TrailApi) -> None:
    """The local AWS has no CloudTrail, so its functions would ask no one."""
    function = site.deployment.functions["FinishFunction"]
    functions = site.aws.client("lambda")
    variables = functions.get_function_configuration(FunctionName=function)["Environment"]
    functions.update_function_configuration(
        FunctionName=function,
        Environment={"Variables": variables["Variables"] | trail_api.environment},
    )
