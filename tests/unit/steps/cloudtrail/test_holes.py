"""Every hour without a valid digest is reported, wherever it is and however many are missing."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest
from tests.support.trails import BUCKET, SPEC, Trails, holes, problems, trails

from log_aggregator.core.digests import PERIOD, parse_digest_key
from log_aggregator.reports.validate import describe_validation, render_summary
from log_aggregator.steps.cloudtrail.accounts import ReadFrom
from log_aggregator.steps.cloudtrail.findings import Request, State, Validation
from log_aggregator.steps.packs.pages import list_all

FIRST = datetime.combine(SPEC.first_day, time.min, UTC)
LAST = datetime.combine(SPEC.first_day, time(23, 59, 59), UTC)
CHAIN = 25


def end_of(key: str) -> datetime:
    name = parse_digest_key(BUCKET, key)
    assert name is not None
    return name.end


def delete(site: Trails, keys: list[str]) -> None:
    for key in keys:
        site.store.delete(BUCKET, key)


def summary(site: Trails, result: Validation) -> list[str]:
    return list(render_summary(describe_validation(result, Request(FIRST, LAST), site.ring)))


def claimed(lines: list[str]) -> str:
    return next(line for line in lines if line.startswith(("Results found", "Every hour")))


@pytest.mark.parametrize("is_packed", [False, True], ids=["originals", "packs"])
@pytest.mark.parametrize(
    ("first", "count"),
    [(9, 1), (3, 15), (0, 1), (0, 6), (24, 1), (20, 5), (1, 23)],
    ids=["one", "fifteen", "first", "first six", "last", "last five", "all but two"],
)
def test_missing_digests_leave_a_hole(first: int, count: int, is_packed: bool) -> None:
    """A hole reaches from the end of the digest before it to the beginning of the one after it,
    within the range.
    """
    site = trails()
    keys = site.digest_keys
    delete(site, keys[first : first + count])
    if is_packed:
        site.pack()
    result = site.validate(FIRST, LAST)
    assert not result.is_sound
    begin = max(FIRST, end_of(keys[first]) - PERIOD)
    end = min(LAST, end_of(keys[first + count - 1]))
    name = parse_digest_key(BUCKET, keys[0])
    assert name is not None
    assert holes(result) == {
        (name.chain.account, name.chain.region): [f"{begin:%dT%H:%M:%S} to {end:%dT%H:%M:%S}"]
    }
    text = claimed(summary(site, result))
    assert f"{FIRST:%Y-%m-%dT%H:%M:%SZ} to {LAST:%Y-%m-%dT%H:%M:%SZ}" not in text
    if begin > FIRST:
        assert f"{FIRST:%Y-%m-%dT%H:%M:%SZ} to {begin:%Y-%m-%dT%H:%M:%SZ}" in text
    if end < LAST:
        assert f"{end:%Y-%m-%dT%H:%M:%SZ} to {LAST:%Y-%m-%dT%H:%M:%SZ}" in text


def test_an_invalid_digest_covers_nothing() -> None:
    """Its hour is a hole, although the file exists and the next digest links to it."""
    site = trails()
    key = site.digest_keys[11]
    site.put(key, site.objects[key].body, {"signature": "00"})
    result = site.validate(FIRST, LAST)
    assert problems(result) == {("invalid", key): "signature verification failed"}
    (hole,) = result.holes
    assert (hole.begin, hole.end) == (end_of(key) - PERIOD, end_of(key))


@pytest.mark.parametrize("read_from", [ReadFrom.BOTH, ReadFrom.PACKS], ids=["both", "packs"])
def test_a_region_without_any_digest_is_a_hole(read_from: ReadFrom) -> None:
    """A Region whose digests are all gone is a hole if packs or the bucket have logs of it."""
    site = trails()
    name = parse_digest_key(BUCKET, site.digest_keys[0])
    assert name is not None
    delete(site, site.digest_keys)
    if read_from is ReadFrom.PACKS:
        site.pack()
    result = site.validate(FIRST, LAST, read_from=read_from)
    assert not result.is_sound
    assert holes(result) == {
        (name.chain.account, name.chain.region): ["14T00:00:00 to 14T23:59:59"]
    }
    assert claimed(summary(site, result)).startswith("Every hour")
    assert "although there are logs" in next(
        found.text for found in result.findings if found.state is State.HOLE
    )


@pytest.mark.parametrize("is_packed", [False, True], ids=["originals", "packs"])
def test_an_account_without_any_digest_is_a_hole(is_packed: bool) -> None:
    """Its logs show that there was a trail, and a digest of any other day shows that it had
    digests.
    """
    site = trails(accounts=1)
    delete(site, [key for key, item in site.objects.items() if item.source == "digest"])
    later = (
        site.digest_keys[3].replace("/2026/03/14/", "/2026/04/14/").replace("_202603", "_202604")
    )
    site.put(later, site.objects[site.digest_keys[3]].body)
    if is_packed:
        site.pack()
    result = site.validate(FIRST, LAST)
    assert not result.is_sound
    assert {region for _, region in holes(result)} == set(SPEC.regions)


def test_an_account_that_never_had_digests_has_no_hole() -> None:
    """Its trail may have no log file validation: that is reported, but not as a hole."""
    site = trails()
    account = site.spec.account_ids[1]
    delete(
        site,
        [key for key, item in site.objects.items() if item.source == "digest" and account in key],
    )
    result = site.validate(FIRST, LAST)
    assert result.is_sound
    assert {(state, text[:14]) for (state, _), text in problems(result).items()} == {
        ("note", "there are logs")
    }
    assert len(problems(result)) == len(SPEC.regions)


@pytest.mark.parametrize("is_packed", [False, True], ids=["originals", "packs"])
@pytest.mark.parametrize("day", [0, 1, 2], ids=["first day", "middle", "last day"])
def test_a_day_without_digests_or_logs_is_a_hole(day: int, is_packed: bool) -> None:
    """The days around it show that the trail existed: before it, or by a link after it."""
    site = trails(days=3)
    start = FIRST + timedelta(days=day)
    gone = [
        key
        for key, item in site.objects.items()
        if (item.source == "cloudtrail" and f"/{start:%Y/%m/%d}/" in key)
        or (
            item.source == "digest"
            and not key.endswith("_backfill.json.gz")
            and start <= end_of(key) <= start + timedelta(days=1, hours=1)
        )
    ]
    assert len(gone) > 4 * 24
    delete(site, gone)
    if is_packed:
        site.pack()
    result = site.validate(start, start + timedelta(days=1) - timedelta(seconds=1))
    expected = 4
    assert len(result.holes) == expected
    assert {(hole.begin, hole.end - hole.begin) for hole in result.holes} == {
        (start, timedelta(days=1) - timedelta(seconds=1))
    }
    assert not result.is_sound


def test_nothing_is_missing_before_a_trail_began() -> None:
    """A starting digest, in the range or after it, says that there was none before it."""
    site = trails()
    early = FIRST - timedelta(days=2)
    assert holes(site.validate(early, LAST)) == {}
    assert holes(site.validate(early, FIRST - timedelta(hours=3))) == {}


def test_undelivered_digests_are_not_missing() -> None:
    """The digests of the last hours may be on their way."""
    site = trails()
    delete(site, [key for number in range(4) for key in site.chain(number)[-2:]])
    delivered = LAST - timedelta(hours=2)
    assert site.validate(FIRST, LAST, delivered=delivered).is_sound
    assert not site.validate(FIRST, LAST).is_sound


def test_a_newer_trail_covers_the_hours_of_an_older_one() -> None:
    """Where an older trail ends, the newer one's digests cover the hours, and this is reported."""
    later = replace(SPEC, trail_name="the-new-one")
    site = Trails(others=(later,))
    old = [
        key
        for key, item in site.objects.items()
        if item.source == "digest" and SPEC.trail_name in key and "_backfill" not in key
    ]
    delete(site, [key for key in old if end_of(key) > FIRST + timedelta(hours=13)])
    result = site.validate(FIRST, LAST)
    assert result.is_sound
    assert {state for state, _ in problems(result)} == {"note"}
    gone = next(key for key in old if end_of(key).hour == 9)
    delete(site, [gone])
    assert len(site.validate(FIRST, LAST).holes) == 1


def test_packs_make_up_for_deleted_originals() -> None:
    """Two digests whose originals were deleted are a hole when only originals are read; packs still
    hold them.
    """
    site = trails()
    site.pack()
    site.put_back([key for key, item in site.objects.items()])
    assert site.validate(FIRST, LAST, read_from=ReadFrom.ORIGINALS).is_sound
    delete(site, site.digest_keys[7:9])
    result = site.validate(FIRST, LAST, read_from=ReadFrom.ORIGINALS)
    assert len(result.holes) == 1
    assert not result.is_sound
    both = site.validate(FIRST, LAST)
    assert both.is_sound
    assert list(problems(both)) == [("note", site.digest_keys[7])]
    assert "2 originals are gone" in problems(both)["note", site.digest_keys[7]]


def test_unreadable_packs_leave_no_hole() -> None:
    """The digest may lie in the pack that cannot be read."""
    site = trails()
    site.pack()
    index = next(
        key
        for key in (found.key for found in list_all(site.store, "dest", "indexes/"))
        if "/CloudTrail-Digest/" in key
    )
    site.store.put("dest", index, b"no index")
    result = site.validate(FIRST, LAST)
    assert not result.is_sound
    assert result.holes == []
    assert any("in what could be read" in found.text for found in result.findings)


def test_a_forged_link_does_not_cover_hours() -> None:
    """A digest whose link was changed to skip missing ones is itself invalid."""
    site = trails()
    keys = site.digest_keys
    links = {
        name: value
        for name, value in json.loads(gzip.decompress(site.objects[keys[4]].body)).items()
        if name.startswith("previousDigest")
    }
    site.rewrite(keys[12], lambda fields: fields.update(links))
    delete(site, keys[4:12])
    (hole,) = site.validate(FIRST, LAST).holes
    assert (hole.begin, hole.end) == (end_of(keys[3]), end_of(keys[12]))
