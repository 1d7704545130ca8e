"""`report`, as its users start it: over HTTP, on packs that a run made."""

from __future__ import annotations

import json
from pathlib import Path

from tests.integration.conftest import Site, store_of
from tests.support.inventories import entries_of


def test_a_report_shows_what_a_run_left(site: Site, tmp_path: Path) -> None:
    """Each record with its hash, each account with its days; it changes nothing."""
    site.call("run", *site.sources)
    store = store_of(site.server)
    before = list(entries_of(store, site.destination))
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
    assert list(entries_of(store, site.destination)) == before
