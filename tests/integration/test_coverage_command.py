"""The `coverage` command over a real server: before and after packing, and after a loss."""

from __future__ import annotations

import json
from typing import Any

from tests.integration.conftest import Site, Sites

from log_aggregator_lab.organisation.generate import OrganisationSpec

SPEC = OrganisationSpec(
    seed=11, accounts=1, objects=60, size_bytes_median=1_000, digest_chains=-1, days=2
)

UNREAD = "Digests of days with logs were not read. Add --every-digest"


def call(site: Site, *words: str) -> tuple[int, str, Any]:
    buckets = ("--control-tower-bucket", site.spec.control_tower_bucket)
    destination = ("--destination-bucket", str(site.destination))
    days = ("--from", "2026-03-14", "--to", "2026-03-15")
    done = site.forks.call([*words, *days, *buckets, *destination], site.environment)
    return done.code, done.out + done.err, json.loads(done.out) if "--json" in words else None


def test_coverage_before_and_after_packing_and_after_a_loss(sites: Sites) -> None:
    """The year is complete with originals or packs alone; without a day's logs, digests in the
    packs still name them.
    """
    site = sites.make(SPEC)
    code, out, _ = call(site, "coverage", "--log-type", "CloudTrail")
    assert (code, "Nothing is missing that is known to be expected." in out) == (0, True), out
    assert UNREAD in out
    assert UNREAD not in call(site, "coverage", "--log-type", "CloudTrail", "--every-digest")[1]
    (row,) = call(site, "coverage", "--json", "--log-type", "CloudTrail")[2]["rows"]
    assert row == {
        "log_type": "CloudTrail",
        "account": site.spec.account_ids[0],
        "region": "",
        "days": "oo",
    }

    code, out, _ = call(site, "run", "--delete-originals")
    assert code == 0, out
    code, _, told = call(site, "coverage", "--json", "--every-digest", "--log-type", "CloudTrail")
    assert (code, told["complete"], told["rows"][0]["days"]) == (0, True, "pp")

    found = site.client.list_objects_v2(Bucket=site.destination)["Contents"]
    account = site.spec.account_ids[0]
    gone = [one["Key"] for one in found if f"/CloudTrail/{account}/2026/03/14/" in one["Key"]]
    assert {key.partition("/")[0] for key in gone} >= {"packs", "indexes"}
    for key in gone:
        site.client.delete_object(Bucket=site.destination, Key=key)
    code, out, _ = call(site, "coverage", "--log-type", "CloudTrail")
    assert code == 1
    assert f"2026-03-14  CloudTrail {account}: no log object, but the digests name " in out
