"""The `survey` command over HTTP, with versions, delete markers and unusual keys."""

from __future__ import annotations

import json
from pathlib import Path

from tests.integration.conftest import Site, store_of
from tests.support.inventories import entries_of


def test_a_survey_counts_what_a_plan_would_pack(site: Site, tmp_path: Path) -> None:
    """A day's survey counts as much as that day's plan, and adjacent days have their own logs; it
    changes nothing, needs no destination, and writes its page.
    """
    place = site.sources.index("--date")
    sources = site.sources[:place] + site.sources[place + 2 :]
    without_target = [
        word for word in sources if word not in ("--destination-bucket", site.destination)
    ]
    before = {name: list(entries_of(store_of(site.server), name)) for name in site.spec.buckets}
    page = tmp_path / "survey.html"
    done = site.call("survey", "--json", *without_target, "--html", str(page))
    surveyed = json.loads(done.stdout)
    planned = json.loads(site.call("plan", "--json", *site.sources).stdout)
    days = [f"{day:%Y-%m-%d}" for day in site.spec.neighbouring_days]
    others = [
        json.loads(site.call("plan", "--json", *sources, "--date", day).stdout)["objects"][
            "to_pack"
        ]
        for day in days
    ]
    assert others[0] > 0
    assert surveyed["total"]["objects"]["value"] == planned["objects"]["to_pack"] + sum(others)
    assert {row["way"] for row in surveyed["buckets"]} == {"counted"}
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    after = {name: list(entries_of(store_of(site.server), name)) for name in site.spec.buckets}
    assert after == before
