"""Listing: complete keys, the wanted days, and nothing of our own."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from tests.support.world import (
    DAY,
    WINDOW,
    access_key,
    job_over,
    list_whole,
    nothing,
    trail_key,
)

from log_aggregator.core.windows import DateWindow
from log_aggregator.ports.store import ListStart, Page
from log_aggregator.steps.job import Job
from log_aggregator.steps.packing import scan as scan_module
from log_aggregator.steps.packing.buckets import Area, SourceBucket
from log_aggregator.steps.packing.prefixes import list_prefixes
from log_aggregator.steps.packing.scan import find_present, list_window
from log_aggregator.steps.packing.selection import Left, Selection
from log_aggregator.steps.rules import Rules
from log_aggregator.steps.workers import ThreadWorkers, Workers
from log_aggregator_lab.stores.faults import FaultyStore
from log_aggregator_lab.stores.memory import MemoryStore

BUCKET = SourceBucket("logs", "Enabled")
WHOLE = Area(BUCKET, "")


def make_store(keys: list[str], page_size: int = 1000, versions: int = 1) -> MemoryStore:
    store = MemoryStore(page_size=page_size)
    store.create_bucket("logs", versioning="Enabled")
    for key in keys:
        for version in range(versions):
            store.put("logs", key, f"{version}".encode())
    return store


def main_job(keys: list[str], workers: Workers | None = None, **settings: Any) -> Job:
    """A job over a Control Tower bucket."""
    own = {"control_tower_bucket": "logs", "destination_bucket": "dest"} | settings
    return job_over(make_store(keys), workers, **own)


@pytest.mark.parametrize("page_size", [1, 2, 3, 4, 5, 1000])
@pytest.mark.parametrize("versions", [1, 2, 5])
def test_a_key_is_listed_with_all_its_versions(page_size: int, versions: int) -> None:
    """All versions and markers of a key come together, newest first, wherever a page ends; each key
    comes once.
    """
    store = make_store([access_key(number) for number in range(4)], page_size, versions)
    store.delete("logs", access_key(2))
    found = list(list_window(store, WHOLE, WINDOW))
    assert [listed.key for listed in found] == [access_key(number) for number in range(4)]
    for listed in found:
        assert len(listed.versions) == versions
        assert [version.last_modified for version in listed.versions] == sorted(
            (v.last_modified for v in listed.versions), reverse=True
        )
        assert listed.is_deleted == (listed.key == access_key(2))
        assert len(listed.markers) == listed.is_deleted


@pytest.mark.parametrize("page_size", [1, 2, 5, 1000])
def test_other_days_are_skipped_and_wanted_ones_never(page_size: int) -> None:
    """From four months, all keys of the window come, however pages are cut, and most others are not
    even listed.
    """
    days = [date(2025, month, day) for month in range(2, 6) for day in range(1, 29)]
    keys = [access_key(number, day=day) for day in days for number in range(5)]
    store = FaultyStore(make_store(keys, page_size), nothing)
    found = [listed.key for listed in list_window(store, WHOLE, WINDOW)]
    wanted = [key for key in keys if date.fromisoformat(key[:10]) in WINDOW]
    assert [key for key in found if date.fromisoformat(key[:10]) in WINDOW] == wanted
    assert len(store.calls) <= len(wanted) // page_size + 4


def test_main_prefixes_are_listed_separately() -> None:
    """In a Control Tower bucket every account and service of both organisation layouts is listed
    separately; anything else is reported.
    """
    keys = [
        trail_key(1),
        trail_key(1, service="Config"),
        trail_key(2, account="222222222222", region="us-east-1").removeprefix("o-abcd1234/"),
        f"AWSLogs/333333333333/CloudTrail/eu-west-1/{DAY:%Y/%m/%d}/x.json.gz",
        f"AWSLogs/333333333333/vpcflowlogs/eu-west-1/{DAY:%Y/%m/%d}/x.log.gz",
        "elsewhere/x",
        "readme.txt",
    ]
    selection = Selection()
    prefixes = list_prefixes(main_job(keys), "logs", selection)
    assert sorted(prefixes) == [
        "AWSLogs/333333333333/CloudTrail/",
        "AWSLogs/o-abcd1234/222222222222/CloudTrail/",
        "o-abcd1234/AWSLogs/o-abcd1234/111111111111/CloudTrail/",
        "o-abcd1234/AWSLogs/o-abcd1234/111111111111/Config/",
    ]
    reported = {"AWSLogs/333333333333/vpcflowlogs/", "elsewhere/", "elsewhere/x", "readme.txt"}
    assert set(selection.samples) == {f"s3://logs/{place}" for place in reported}


@pytest.mark.parametrize("tops", [["", "zzz/"], ["a/"], ["a/", "zzz/"], ["a/", "", "b/", "c/"]])
def test_one_folder_of_logs_is_enough(tops: list[str]) -> None:
    """A bucket passes as right wherever AWSLogs/ lies among its folders, before or after them, and
    as wrong without it.
    """
    log = f"AWSLogs/333333333333/CloudTrail/eu-west-1/{DAY:%Y/%m/%d}/x.json.gz"
    for place in range(len(tops)):
        keys = [f"{top or 'other/'}x" for top in tops] + [f"{tops[place]}{log}"]
        selection = Selection()
        assert list_prefixes(main_job(keys), "logs", selection) == [
            f"{tops[place]}AWSLogs/333333333333/CloudTrail/"
        ]
        assert not any(why.left is Left.NOTHING for why in selection.left_why)
        selection = Selection()
        assert list_prefixes(main_job(keys[:-1]), "logs", selection) == []
        assert any(why.left is Left.NOTHING for why in selection.left_why)


def test_threads_count_each_folder_once() -> None:
    """However many threads read accounts, every stray folder is counted: none writes into what
    another reads.
    """
    accounts = [f"{number:012d}" for number in range(200)]
    keys = [f"AWSLogs/{account}/stray{number}/x" for account in accounts for number in range(3)]
    selection = Selection()
    writers: set[int] = set()
    merge = Selection.merge_counts

    def watched(self: Selection, other: Selection) -> None:
        if self is selection:
            writers.add(threading.get_ident())
        merge(self, other)

    with ThreadWorkers(groups=8) as workers, pytest.MonkeyPatch.context() as patch:
        patch.setattr(Selection, "merge_counts", watched)
        assert list_prefixes(main_job(keys, workers), "logs", selection) == []
    assert selection.left[Left.UNKNOWN] == 600
    assert writers == {threading.get_ident()}


def test_a_prefix_is_listed_from_its_beginning() -> None:
    """Whatever character follows a prefix, nothing under it is skipped."""
    names = [" x", "-x", "0/x", "2025/04/03/x", "9x", "A/x", "z", "\u00e9"]
    keys = [f"AWSLogs/111111111111/{name}" for name in names]
    area = Area(BUCKET, "AWSLogs/111111111111/")
    found = [listed.key for listed in list_window(make_store(keys), area, WINDOW)]
    assert found == sorted(keys, key=str.encode)


def test_another_organisation_is_left() -> None:
    """If the organisation is named, another one's folder is reported and left."""
    other = trail_key(1).replace("o-abcd1234", "o-other9999")
    selection = Selection()
    job = main_job([trail_key(1), other], organization_id="o-abcd1234")
    found = list_prefixes(job, "logs", selection)
    assert found == ["o-abcd1234/AWSLogs/o-abcd1234/111111111111/CloudTrail/"]
    assert list(selection.samples) == ["s3://logs/o-other9999/"]


def test_unwanted_regions_are_left_and_counted() -> None:
    """Each is counted; if they are to be discarded they become discards, in a main bucket only."""
    job = main_job(
        [trail_key(1), trail_key(2, region="us-east-1"), trail_key(3, region="us-east-1")]
    )
    main = SourceBucket("logs", BUCKET.versioning, is_main=True)
    for bucket, discards, left in ((main, False, 2), (main, True, 0), (BUCKET, True, 2)):
        rules = Rules(WINDOW, regions=frozenset({"eu-west-1"}), discard_other_regions=discards)
        (prefix,) = list_prefixes(job, "logs", Selection())
        selection = list_whole(job.store, Area(bucket, prefix), rules)
        (found,) = selection.groups.values()
        assert (len(found.sources), len(found.discards), selection.left[Left.OTHER_REGION]) == (
            1,
            2 - left,
            left,
        )


def test_a_service_is_listed_in_few_pages() -> None:
    """Seventeen Regions with only the wanted days left are a page or two; with old days each costs
    at most two more.
    """
    regions = [f"eu-west-{number}" for number in range(17)]
    for days, pages in (((2, 3, 4), 2), (range(1, 29), 3 * 17)):
        keys = [
            trail_key(n, region=region, day=date(2025, 4, day))
            for region in regions
            for day in days
            for n in range(20)
        ]
        store = FaultyStore(make_store(keys), nothing)
        area = Area(BUCKET, keys[0].partition("/eu-")[0] + "/")
        selection = list_whole(store, area, Rules(DateWindow(DAY, DAY)))
        assert sum(len(found.sources) for found in selection.groups.values()) == 17 * 20
        assert len(store.calls) <= pages


@pytest.mark.parametrize("stems_max", [1, 4, 5, 100])
def test_a_lookup_finds_all_places(stems_max: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Place by place, or, for many, by everything between the first and last key; no other version
    or key is found.
    """
    monkeypatch.setattr(scan_module, "_STEMS_MAX", stems_max)
    accounts = [f"{number:02}1111111111" for number in (1, 2, 13, 24, 25)]
    keys = [trail_key(n, account=account) for account in accounts for n in range(3)]
    store = make_store([*keys, access_key(1), "zzz"], page_size=2, versions=2)
    listed = store.list_object_versions
    there = [each for key in keys[::2] for each in listed("logs", prefix=key).objects[:1]]
    gone = [replace(each, version_id="gone") for each in there]
    for order in (there, there[::-1], there[1:] + there[:1]):
        wanted = {each.identity: None for each in (*order, *gone)}
        assert find_present(store, BUCKET, wanted, DAY) == {each.identity for each in there}


def test_a_lookup_of_one_key_in_many_folders_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first and last key may share nothing, or a whole key."""
    monkeypatch.setattr(scan_module, "_STEMS_MAX", 0)
    store = make_store([access_key(1), trail_key(1)])
    both = list(store.list_object_versions("logs").objects)
    for some in (both, both[:1], both[1:]):
        wanted = {each.identity for each in some}
        assert find_present(store, BUCKET, wanted, DAY) == wanted


@pytest.mark.parametrize("empty", [0, 1, 2])
def test_an_empty_page_does_not_end_a_listing(empty: int) -> None:
    """S3 may return a page without keys and say that there is more: the listing continues."""

    class Sparse(FaultyStore):
        pages = 0

        def list_object_versions(
            self, bucket: str, *, prefix: str = "", start: ListStart | None = None
        ) -> Page:
            self.pages += 1
            if self.pages == empty + 1:
                return Page((), next_start=start or ListStart(" "))
            return super().list_object_versions(bucket, prefix=prefix, start=start)

    keys = [access_key(number) for number in range(5)]
    store = Sparse(make_store(keys, page_size=2, versions=3), nothing)
    found = list(list_window(store, WHOLE, WINDOW))
    assert [listed.key for listed in found] == keys
    assert [len(listed.versions) for listed in found] == [3] * 5


def test_own_packs_are_not_logs() -> None:
    """Objects under our own prefixes are not logs, and are not counted."""
    ours = [f"mine/packs/{access_key(number)}" for number in range(50)]
    store = FaultyStore(make_store([access_key(1), *ours], page_size=5), nothing)
    selection = list_whole(store, Area(BUCKET, "", ("mine/packs/",)), Rules(WINDOW))
    assert [
        source.log_object.key for group in selection.groups.values() for source in group.sources
    ] == [access_key(1)]
    assert selection.left == {}
    assert len(store.calls) == 2, "however many they are"


def test_a_window_may_be_one_day() -> None:
    """Both ends of a window are included."""
    store = make_store([access_key(1, day=date(2025, 4, day)) for day in (2, 3, 4)])
    selection = list_whole(store, WHOLE, Rules(DateWindow(DAY, DAY)))
    assert [group.date for group in selection.groups] == [DAY]
