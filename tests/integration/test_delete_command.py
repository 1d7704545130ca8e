"""The `delete` command: it shows how many originals would be deleted, and deletes only those of
verified packs.
"""

from __future__ import annotations

import json

import pytest
from tests.integration.conftest import Site, Sites

from log_aggregator_lab.organisation.generate import flat

pytestmark = pytest.mark.server
COUNT = 20


@pytest.fixture
def kept(sites: Sites) -> Site:
    """A day that is packed and whose originals were kept."""
    site = sites.make(flat(COUNT, 300))
    assert site.run_json("--no-delete-originals")["objects"]["kept"] == COUNT
    return site


def still_there(site: Site) -> int:
    """The number of packed originals not deleted."""
    return sum(each.endswith("is packed, but was not deleted") for each in site.check().problems)


def options(site: Site) -> list[str]:
    return [each for each in site.sources if each != "--delete-originals"]


def test_a_first_run_keeps_the_originals(sites: Sites) -> None:
    """Without an explicit option nothing is deleted."""
    site = sites.make(flat(COUNT, 300))
    page = site.call("run", *options(site)).stdout
    assert f"kept       {COUNT} originals: nothing is deleted unless" in page
    assert "log-aggregator delete --verified --older-than 30d" in page
    assert "deleted" not in page.split("kept")[0]
    assert still_there(site) == COUNT
    (record, *_) = json.loads(
        site.call(
            "custody", "show", "--json", "--destination-bucket", site.destination or ""
        ).stdout
    )["records"]
    assert record["stage"] == "pack"


def test_originals_are_deleted_on_request(kept: Site) -> None:
    """Packs old enough are taken from all days, and the deletion is recorded."""
    days = [kept.sources.index("--date"), kept.sources.index("--date") + 1]
    everywhere = [each for at, each in enumerate(kept.sources) if at not in days]
    everywhere.remove("--delete-originals")
    nothing = kept.call("delete", "--verified", "--older-than", "30d", *everywhere)
    assert "Nothing to delete" in nothing.stdout
    assert f"{COUNT} originals in younger packs" in nothing.stdout
    told = kept.call("delete", "--verified", "--older-than", "0d", "--yes", "--json", *everywhere)
    done = json.loads(told.stdout)
    assert (done["objects"]["packed"], done["objects"]["deleted"]) == (0, COUNT)
    assert done["stage"] == "delete"
    assert kept.check().problems == []
    assert kept.check().found_in_packs == COUNT


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--older-than", "0d"], 2, "expected --verified"),
        (["--verified"], 2, "--older-than"),
        (["--verified", "--older-than", "a while"], 2, "expected a number of days, such as 30d"),
        (["--verified", "--older-than", "0d"], 2, "--yes: expected it without a terminal"),
    ],
    ids=["unverified", "without an age", "no age", "nobody to ask"],
)
def test_nothing_is_deleted_without_clear_confirmation(
    kept: Site, arguments: list[str], code: int, said: str
) -> None:
    """Nothing is deleted; without a terminal the table is still shown."""
    done = kept.call("delete", *arguments, *options(kept), code=code)
    assert said in done.stderr
    if "--yes" in said:
        assert f"{COUNT}" in done.stderr.split("together")[0]
    assert still_there(kept) == COUNT
