"""The `report` command over HTTP, on packs made by a run."""

from __future__ import annotations

import json
from pathlib import Path

from tests.integration.conftest import Site, Sites, store_of
from tests.support.inventories import entries_of

from log_aggregator_lab.organisation.generate import OrganisationSpec


def test_a_report_shows_what_a_run_left(site: Site, tmp_path: Path) -> None:
    """It has each record with its hash and each account with its days, and changes nothing."""
    site.call("run", *site.sources)
    store = store_of(site.server)
    before = list(entries_of(store, f"{site.destination}"))
    page = tmp_path / "report.html"
    place = site.sources.index("--date")
    day = site.sources[place + 1]
    sources = site.sources[:place] + site.sources[place + 2 :]
    days = ("--from", day, "--to", day)
    done = site.call("report", "--json", *sources, *days, "--output", str(page))
    described = json.loads(done.stdout)
    assert {each["section"] for each in described["verdicts"]} == {
        *("coverage", "integrity", "retention", "drills")
    }
    [chain] = described["custody"]["chains"]
    assert chain["findings"] == []
    assert chain["records"] > 0
    assert described["coverage"]["rows"] > 0
    text = page.read_text(encoding="utf-8")
    assert chain["newest"]["sha256"] in text
    assert "CloudTrail" in text
    assert list(entries_of(store, f"{site.destination}")) == before


def test_a_report_shows_what_was_lost(sites: Sites, tmp_path: Path) -> None:
    """A day's packs and a custody record were deleted: both are wrong, and the page says where."""
    spec = OrganisationSpec(
        seed=11, accounts=2, objects=80, size_bytes_median=1_000, digest_chains=-1, days=2
    )
    site = sites.make(spec)
    days = ("--from", "2026-03-14", "--to", "2026-03-15")
    place = (
        *("--control-tower-bucket", site.spec.control_tower_bucket),
        *("--destination-bucket", str(site.destination)),
    )
    assert site.forks.call(["run", "--delete-originals", *days, *place], site.environment).code == 0
    found = site.client.list_objects_v2(Bucket=site.destination)["Contents"]
    account = site.spec.account_ids[0]
    gone = [one["Key"] for one in found if f"/CloudTrail/{account}/2026/03/14/" in one["Key"]]
    gone.append("custody/0000000/0000000000.jsonl.gz")
    for key in gone:
        site.client.delete_object(Bucket=site.destination, Key=key)
    page = tmp_path / "report.html"
    done = site.forks.call(["report", *days, *place, "--output", f"{page}"], site.environment)
    assert done.code == 1, done.out + done.err
    assert done.out.count("✗ wrong") == 2
    text = page.read_text(encoding="utf-8")
    assert "custody/0000000/0000000000.jsonl.gz" in text
    assert '<a href="#gap-0">2026-03-14</a>' in text
    assert account in text
