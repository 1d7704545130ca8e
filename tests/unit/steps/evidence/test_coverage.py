"""Everything that is missing is found, and nothing else is called missing."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from random import Random

import pytest
from tests.support.trails import BUCKET, SPEC, Trails, trails

from log_aggregator.adapters.counting import CountingStore
from log_aggregator.core.digests import parse_digest_key
from log_aggregator.core.evidence.calendar import By, Calendar, DayState, GapKind, RowName
from log_aggregator.core.layouts import Dated, parse_key
from log_aggregator.core.windows import DateWindow
from log_aggregator.steps.evidence.coverage import cover
from log_aggregator.steps.evidence.presence import Asked
from log_aggregator.steps.packs.pages import list_all

DAYS = 4
LETTERS = dict(zip(DayState, "-?apboUHX", strict=True))
FIRST = SPEC.first_day
WINDOW = DateWindow(FIRST, FIRST + timedelta(days=DAYS - 1))


class Quiet:
    def listed(self, count: int) -> None: ...
    def checked(self, accounts: int, total: int) -> None: ...


def site_of(**changes: object) -> Trails:
    return trails(**{"days": DAYS, "objects": 400, "accounts": 1, "backfilled_logs": 0} | changes)


def look(site: Trails, **asked: object) -> Calendar:
    question = replace(Asked(WINDOW), **asked)  # type: ignore[arg-type]
    return cover(site.world.job(), question, Quiet())


def days(calendar: Calendar, log_type: str = "CloudTrail", region: str = "") -> str:
    (row,) = (
        row for row in calendar.rows if row.name.log_type == log_type and row.name.region == region
    )
    return "".join(LETTERS[DayState(state)] for state in row.states)


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def date_of(key: str) -> date:
    parsed = parse_key(key)
    assert isinstance(parsed, Dated)
    return parsed.facts.date


def region_in(key: str) -> str:
    parsed = parse_key(key)
    assert isinstance(parsed, Dated)
    return parsed.facts.region or ""


def delete(site: Trails, wanted: Callable[[str], bool]) -> list[str]:
    gone = [key for key in site.objects if wanted(key)]
    assert gone
    for key in gone:
        site.store.delete(BUCKET, key)
    return gone


def is_log(key: str) -> bool:
    return "/CloudTrail/" in key


def is_digest(key: str) -> bool:
    return "/CloudTrail-Digest/" in key


def gaps(calendar: Calendar) -> list[tuple[GapKind, int]]:
    return [(gap.kind, (gap.date - FIRST).days) for gap in calendar.gaps]


@pytest.mark.parametrize("by", list(By), ids=["account", "region"])
def test_each_day_shows_originals_and_packs(by: By) -> None:
    """Originals, both, or packs; archived if a pack lies in a Glacier class."""
    site = site_of()
    region = SPEC.home_region if by is By.REGION else ""
    before = look(site, by=by)
    assert days(before, region=region) == "oooo"
    assert before.is_complete
    assert not before.has_every_digest
    assert look(site, by=by, every_digest=True).has_every_digest
    site.pack()
    assert days(look(site, by=by), region=region) == "pppp"
    site.put_back([key for key in site.log_keys if date_of(key) == day(1)])
    site.put_back([key for key in site.objects if is_digest(key) and date_of(key) == day(2)])
    for found in list(list_all(site.store, "dest", "packs/")):
        if f"/CloudTrail/{found.key.split('/')[3]}/{day(3):%Y/%m/%d}/" in found.key:
            data = site.store.get_object("dest", found.key).data
            site.store.put("dest", found.key, data, storage_class="DEEP_ARCHIVE")
    after = look(site, by=by)
    assert days(after, region=region) == "pbpa"
    assert days(after, "CloudTrail-Digest", region) == "ppbp"
    assert after.is_complete


@pytest.mark.parametrize("is_packed", [False, True], ids=["originals", "packs"])
@pytest.mark.parametrize("every_digest", [False, True], ids=["silent days", "every digest"])
def test_a_day_whose_logs_are_all_lost_is_found(is_packed: bool, every_digest: bool) -> None:
    """Nothing of the day is left, and the digests still give the number of its logs."""
    site = site_of()
    gone = delete(site, lambda key: is_log(key) and date_of(key) == day(1))
    if is_packed:
        site.pack()
    calendar = look(site, every_digest=every_digest)
    assert days(calendar) == ("pXpp" if is_packed else "oXoo")
    (gap,) = calendar.gaps
    assert (gap.kind, gap.date, gap.named, gap.missing) == (
        GapKind.MISSING,
        day(1),
        len(gone),
        len(gone),
    )
    assert gap.text == f"no log object, but the digests name {len(gone)}"
    assert set(gap.samples) <= {f"s3://{BUCKET}/{key}" for key in gone}
    assert not calendar.is_complete


@pytest.mark.parametrize("is_packed", [False, True], ids=["originals", "packs"])
def test_a_single_lost_file_is_found(is_packed: bool) -> None:
    """Finding it takes reading every digest; otherwise nothing is claimed about it."""
    site = site_of()
    key = site.log_keys[11]
    site.store.delete(BUCKET, key)
    if is_packed:
        site.pack()
    assert look(site).is_complete
    for by, region in ((By.ACCOUNT, ""), (By.REGION, region_in(key))):
        calendar = look(site, every_digest=True, by=by)
        (gap,) = calendar.gaps
        assert (gap.date, gap.missing) == (date_of(key), 1)
        assert gap.samples == (f"s3://{BUCKET}/{key}",)
        assert gap.name.region == region
        assert gap.text == f"not found: 1 of the {gap.named} files that the digests name"


@pytest.mark.parametrize("seed", range(4))
def test_every_lost_file_is_counted(seed: int) -> None:
    """Whichever files of whichever days are deleted, before or after packing, the same number is
    missing.
    """
    random, site = Random(seed), site_of(objects=120)
    gone = set(random.sample(site.log_keys, random.randint(1, 40)))
    delete(site, gone.__contains__)
    if seed % 2:
        site.pack()
    calendar = look(site, every_digest=True, by=list(By)[seed // 2])
    assert sum(gap.missing for gap in calendar.gaps) == len(gone)
    assert {gap.date for gap in calendar.gaps} == {date_of(key) for key in gone}


def test_a_log_in_another_days_pack_is_not_missing() -> None:
    """Digests after midnight name logs of the evening before: they count for that day only."""
    site = site_of(objects=2_000, size_bytes_median=500)
    site.pack()
    assert look(site, every_digest=True).is_complete


@pytest.mark.parametrize("is_packed", [False, True], ids=["originals", "packs"])
@pytest.mark.parametrize("every_digest", [False, True], ids=["silent days", "every digest"])
def test_a_day_without_digests_is_a_hole(is_packed: bool, every_digest: bool) -> None:
    """The day is a hole, with its logs and without them."""
    site = site_of()
    delete(site, lambda key: is_digest(key) and date_of(key) in (day(1), day(2)))
    delete(site, lambda key: is_log(key) and date_of(key) == day(2))
    if is_packed:
        site.pack()
    calendar = look(site, every_digest=every_digest)
    assert days(calendar)[1:3] == days(calendar, "CloudTrail-Digest")[1:3] == "HH"
    assert (GapKind.HOLE, 1) in gaps(calendar)
    assert (GapKind.HOLE, 2) in gaps(calendar)
    assert not calendar.is_complete


def test_an_hour_without_a_digest_is_a_hole() -> None:
    site = site_of()
    key = next(key for key in site.digest_keys if "T05" in key and date_of(key) == day(1))
    name = parse_digest_key(BUCKET, key)
    assert name is not None
    site.store.delete(BUCKET, key)
    site.pack()
    assert look(site).is_complete
    calendar = look(site, every_digest=True)
    assert days(calendar) == "pHpp"
    (gap,) = (gap for gap in calendar.gaps if gap.kind is GapKind.HOLE)
    assert gap.hours == ((name.end - timedelta(hours=1), name.end),)
    assert gap.text.startswith(f"no digest covers {name.chain.region} 04:")


@pytest.mark.parametrize("every_digest", [False, True], ids=["silent days", "every digest"])
def test_nothing_is_missing_before_a_trail_began(every_digest: bool) -> None:
    """Nothing is missing if that digest says that it is the first; if it links to a missing one,
    there is a hole before it.
    """
    site = site_of()
    early = DateWindow(FIRST - timedelta(days=2), WINDOW.last)
    calendar = look(site, window=early, every_digest=every_digest)
    assert days(calendar) == "--oooo"
    assert calendar.is_complete
    delete(site, lambda key: date_of(key) == FIRST)
    calendar = look(site, every_digest=every_digest)
    assert days(calendar) == "Hooo"
    assert [gap.kind for gap in calendar.gaps][:1] == [GapKind.HOLE]


@pytest.mark.parametrize("every_digest", [False, True], ids=["silent days", "every digest"])
def test_a_trail_may_be_older_than_its_first_digest(every_digest: bool) -> None:
    """Logs before the first digest, separated from it by a day without any."""
    site = site_of()
    key = next(key for key in site.log_keys if date_of(key) == FIRST)
    before = FIRST - timedelta(days=2)
    older = key.replace(f"{FIRST:%Y/%m/%d}", f"{before:%Y/%m/%d}")
    older = older.replace(f"{FIRST:%Y%m%d}", f"{before:%Y%m%d}")
    site.put(older, site.store.get_object(BUCKET, key).data)
    early = DateWindow(before - timedelta(days=1), WINDOW.last)
    calendar = look(site, window=early, every_digest=every_digest)
    assert days(calendar) == "-o-oooo"
    assert calendar.is_complete


def test_undelivered_logs_are_not_missing() -> None:
    """Today's digests are still on their way."""
    site = site_of()
    today = site.world.clock.now().date()
    late = DateWindow(WINDOW.first, today + timedelta(days=1))
    states = days(look(site, window=late))
    assert states[-2:] == "??"
    assert set(states[DAYS + 1 : -2]) == {"H"}


def test_other_log_types_are_unknown_instead_of_missing() -> None:
    site = site_of()
    account = SPEC.account_ids[0]
    for number in (0, 2):
        key = (
            f"{SPEC.organization_id}/AWSLogs/{account}/Config/eu-west-1/"
            f"{day(number).year}/{day(number).month}/{day(number).day}/ConfigHistory/"
            f"{account}_Config_eu-west-1_ConfigHistory_AWS::EC2::Instance_"
            f"{day(number):%Y%m%d}T130841Z_{day(number):%Y%m%d}T190342Z_1.json.gz"
        )
        site.put(key, gzip.compress(b'{"configurationItems": []}'))
    calendar = look(site)
    assert days(calendar, "Config") == "o?o?"
    assert calendar.is_complete
    only = look(site, log_types=frozenset({"Config"}))
    assert [row.name for row in only.rows] == [RowName("Config", account)]


def test_a_missing_pack_is_found() -> None:
    """The index exists, but what it lists is nowhere, whatever the log type."""
    site = site_of()
    site.pack()
    pack = next(
        found.key
        for found in list_all(site.store, "dest", "packs/")
        if "/CloudTrail/" in found.key and f"/{day(2):%Y/%m/%d}/" in found.key
    )
    site.store.delete("dest", pack)
    calendar = look(site)
    assert days(calendar) == "ppXp"
    (gap,) = calendar.gaps
    assert gap.samples == (f"s3://dest/{pack}",)


@pytest.mark.parametrize("every_digest", [False, True], ids=["silent days", "every digest"])
def test_frozen_digests_are_unchecked(every_digest: bool) -> None:
    """What they name is unknown, neither missing nor fine; the packs to thaw are named."""
    site = replace_storage(site_of())
    delete(site, lambda key: is_log(key) and date_of(key) == day(1))
    site.pack()
    calendar = look(site, every_digest=every_digest)
    assert days(calendar)[1] == "U"
    assert (GapKind.UNCHECKED, 1) in gaps(calendar)
    assert all(failure.error == "ObjectFrozen" for failure in calendar.failures)
    assert calendar.failures
    assert not calendar.is_complete


def replace_storage(site: Trails) -> Trails:
    return Trails(site.spec, storage_class="GLACIER")


def test_regions_and_accounts_have_separate_rows() -> None:
    """Each Region has a row, and one account's gap is not another's."""
    site = site_of(accounts=2)
    other = SPEC.regions[1]
    gone = delete(
        site, lambda key: is_log(key) and region_in(key) == other and date_of(key) == day(3)
    )
    site.pack()
    assert look(site).is_complete  # other Regions of the account have logs of the day
    calendar = look(site, by=By.REGION)
    assert {gap.name.region for gap in calendar.gaps} == {other}
    assert sum(gap.missing for gap in calendar.gaps) == len(gone)


def test_an_account_without_digests_has_no_gap() -> None:
    """Nothing is expected without log file validation; one digest of any day shows that there was
    some.
    """
    site = site_of(accounts=2)
    account = site.spec.account_ids[1]
    gone = delete(site, lambda key: is_digest(key) and f"/{account}/" in key)
    site.pack()
    calendar = look(site)
    assert calendar.is_complete
    later = gone[0].replace("/2026/03/", "/2026/04/").replace("_202603", "_202604")
    site.put(later, b"a digest")
    calendar = look(site)
    assert {gap.name.account for gap in calendar.gaps} == {account}
    assert [gap.kind for gap in calendar.gaps] == [GapKind.HOLE] * DAYS


def test_a_trail_with_another_bucket_is_covered() -> None:
    """A trail that delivers to a bucket other than Control Tower's is treated like any other."""
    site = site_of()
    site.store.create_bucket("own-trail", versioning="Enabled")
    gone = [key for key in site.log_keys if date_of(key) == day(1)]
    for key, item in site.objects.items():
        if key not in gone:
            body = item.body
            if is_digest(key):
                fields = json.loads(gzip.decompress(body))
                text = json.dumps(fields).replace(BUCKET, "own-trail")
                body = gzip.compress(text.encode())
            site.store.put("own-trail", key, body, metadata=item.metadata)
        site.store.delete(BUCKET, key)
    window = replace(site.world.rules.selection, window=WINDOW)
    rules = replace(site.world.rules, other_buckets=("own-trail",), selection=window)
    calendar = cover(site.world.job(rules=rules), Asked(WINDOW), Quiet())
    assert days(calendar) == "oXoo"
    (gap,) = calendar.gaps
    assert gap.missing == len(gone)


def test_accounts_can_be_chosen() -> None:
    site = site_of(accounts=2)
    account = site.spec.account_ids[1]
    calendar = look(site, accounts=frozenset({account}))
    assert {row.name.account for row in calendar.rows} == {account}


def test_the_list_of_gaps_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("log_aggregator.steps.evidence.coverage.GAPS_MAX", 1)
    site = site_of()
    delete(site, lambda key: is_log(key) and date_of(key) in (day(1), day(2)))
    calendar = look(site)
    assert (len(calendar.gaps), calendar.unlisted) == (1, 1)
    assert days(calendar) == "oXXo"


def test_coverage_by_account_only_lists() -> None:
    """By account, packs and originals are only listed, never read."""
    site = site_of()
    site.pack()
    store = CountingStore(site.store)
    job = site.world.job(store)
    assert cover(job, Asked(WINDOW), Quiet()).is_complete
    assert set(store.requests) <= {"ListObjectsV2", "ListObjectVersions", "GetBucketVersioning"}
    assert sum(store.requests.values()) < 30


def test_a_damaged_index_hides_no_log() -> None:
    """By Region the index is read: if that fails, the day is present without a Region, and this is
    reported.
    """
    site = site_of()
    site.pack()
    index = next(
        found.key
        for found in list_all(site.store, "dest", "indexes/")
        if "/CloudTrail/" in found.key
    )
    site.store.put("dest", index, b"no index")
    calendar = look(site, by=By.REGION)
    assert not calendar.is_complete
    assert days(calendar, region="") == "p???"
    assert [failure.error for failure in calendar.failures] == ["BadPack"]


def test_an_invalid_digest_is_unchecked() -> None:
    site = site_of()
    key = next(key for key in site.digest_keys if "T05" in key and date_of(key) == day(1))
    site.put(key, gzip.compress(json.dumps({}).encode()), site.objects[key].metadata)
    calendar = look(site, every_digest=True)
    assert (GapKind.UNCHECKED, 1) in gaps(calendar)
    assert not calendar.is_complete
