"""What is searched for, and which indexes have to be read for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from tests.support.world import ACCOUNT, DAY, access_key, flow_key, trail_key

from log_aggregator.core.layouts import LAYOUTS as LAYOUT_ROWS
from log_aggregator.core.layouts import Layout
from log_aggregator.core.layouts.declarations import read_declarations
from log_aggregator.core.layouts.declared import Layouts
from log_aggregator.core.layouts.pattern import PatternError
from log_aggregator.core.layouts.table import OTHER
from log_aggregator.core.query import Query
from log_aggregator.core.windows import DateWindow
from log_aggregator.model import Group

TRAIL = Group("logs", "CloudTrail", ACCOUNT, DAY)
OTHER_DAY = Group("logs", "CloudTrail", ACCOUNT, date(2025, 4, 4))
OTHER_ACCOUNT = Group("logs", "CloudTrail", "222222222222", DAY)
OTHER_TYPE = Group("logs", "vpcflowlogs", ACCOUNT, DAY)
OTHER_BUCKET = Group("more", "CloudTrail", ACCOUNT, DAY)
ALWAYS = DateWindow(date.min, date.max)
GROUPS = {TRAIL, OTHER_DAY, OTHER_ACCOUNT, OTHER_TYPE, OTHER_BUCKET}

BEGINNING = f"o-abcd1234/AWSLogs/o-abcd1234/{ACCOUNT}/CloudTrail/eu-west-1/"


@pytest.mark.parametrize(
    ("query", "groups"),
    [
        (Query(), GROUPS),
        (Query(buckets=frozenset({"logs"})), GROUPS - {OTHER_BUCKET}),
        (Query(log_types=frozenset({"CloudTrail", "Config"})), GROUPS - {OTHER_TYPE}),
        (Query(accounts=frozenset({ACCOUNT})), GROUPS - {OTHER_ACCOUNT}),
        (Query.of_days(DAY, DAY), GROUPS - {OTHER_DAY}),
        (Query(keys=(trail_key(1),)), {TRAIL, OTHER_BUCKET}),
        (Query(keys=(f"s3://logs/{trail_key(1)}",)), {TRAIL}),
        (Query(keys=(f"s3://l*s/{trail_key(1)}",)), GROUPS),
        (Query(keys=(f"{BEGINNING}2025/04/03/*",)), {TRAIL, OTHER_BUCKET}),
        (Query(keys=(f"{BEGINNING}2025/04/*",)), {TRAIL, OTHER_BUCKET, OTHER_DAY}),
        (Query(keys=(f"{BEGINNING}2025/05/*",)), set()),
        (Query(keys=(f"{BEGINNING}*",)), {TRAIL, OTHER_BUCKET, OTHER_DAY}),
        (Query(keys=("*/CloudTrail/*",)), GROUPS),
        (Query(keys=("2025-04-03-1*",)), GROUPS - {OTHER_DAY}),
        (Query(keys=(trail_key(1), "anything")), GROUPS),
        (
            Query(keys=(trail_key(1), flow_key("a")), buckets=frozenset({"logs"})),
            {TRAIL, OTHER_TYPE},
        ),
        (Query(keys=(trail_key(1),), accounts=frozenset({"222222222222"})), set()),
    ],
)
def test_groups_that_cannot_match_are_ruled_out(query: Query, groups: set[Group]) -> None:
    """Exactly these groups' indexes are read: each condition rules out others, and a key or a glob
    does so where it can.
    """
    assert {group for group in GROUPS if query.may_hold(group)} == groups


def test_known_levels_are_not_listed() -> None:
    """Buckets, log types, accounts and days come from conditions and keys; where both give one,
    both must hold.
    """
    asked = Query(
        accounts=frozenset({ACCOUNT, "333333333333"}),
        keys=(f"s3://logs/{trail_key(1)}", f"s3://more/{BEGINNING}2025/04/1*"),
    )
    assert asked.bucket_names == frozenset({"logs", "more"})
    assert asked.log_type_names == frozenset({"CloudTrail"})
    assert asked.account_names == frozenset({ACCOUNT})
    assert asked.window_of("CloudTrail") == DateWindow(DAY, date(2025, 4, 19))
    assert Query(keys=("*",)).account_names is None
    assert Query(keys=("*",), accounts=frozenset({ACCOUNT})).account_names == frozenset({ACCOUNT})
    assert (
        Query(keys=(trail_key(1),), accounts=frozenset({"333333333333"})).account_names
        == frozenset()
    )
    assert Query(keys=(f"{BEGINNING}2025/*",)).window_of("any") == DateWindow(
        date(2025, 1, 1), date(2025, 12, 31)
    )
    for keys in ((), (trail_key(1), "*"), (trail_key(1), f"{BEGINNING}*")):
        assert Query(keys=keys).window_of("CloudTrail") == ALWAYS


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        (("2025-04-03-01-00-00-0000000000000001",), True),
        (("s3://logs/2025-04-03-01-00-00-0000000000000001",), True),
        (("s3://more/2025-04-03-01-00-00-0000000000000001",), False),
        (("2025-04-03-01-00-00-000000000000000",), False),
        (("2025-04-03-*",), True),
        (("s3://*/2025-04-03-*",), True),
        (("s3://*1",), True),
        (("s3://more/*",), False),
        (("?025-04-03-0[0-2]-*",), True),
        (("2025-04-03-0[!0-2]-*",), False),
        (("no", "*1"), True),
    ],
)
def test_keys_and_globs_match(keys: tuple[str, ...], wanted: bool) -> None:
    """A key matches whole, a glob with its wildcards; after s3:// the bucket counts too; one match
    of several is enough.
    """
    assert Query(keys=keys).matches(TRAIL, access_key(1)) == wanted


def test_a_key_with_brackets_matches_itself() -> None:
    """A key that looks like a glob also matches itself."""
    assert Query(keys=("a[1]/2025/04/03/x.log",)).matches(TRAIL, "a[1]/2025/04/03/x.log")


def test_hours_are_taken_from_the_key() -> None:
    """From 01:30 to 02:00 covers the hours 1 and 2; a key without an hour matches on its
    whole day.
    """
    query = Query(
        first=datetime(2025, 4, 3, 1, 30, tzinfo=UTC), last=datetime(2025, 4, 3, 2, tzinfo=UTC)
    )
    assert [hour for hour in range(24) if query.matches(TRAIL, access_key(hour))] == [1, 2]
    assert Query(first=datetime(2025, 4, 3, 1, 59, 59, tzinfo=UTC)).matches(TRAIL, access_key(1))
    assert not Query(first=datetime(2025, 4, 3, 2, tzinfo=UTC)).matches(TRAIL, access_key(1))
    assert not Query(last=datetime(2025, 4, 3, 1, tzinfo=UTC)).matches(TRAIL, access_key(2))
    assert query.matches(TRAIL, flow_key("no-hour-in-it.log.gz"))
    assert not query.matches(TRAIL, flow_key("no-hour-in-it.log.gz", day=date(2025, 4, 4)))


def test_regions_are_taken_from_the_key() -> None:
    """A key without a region matches none."""
    query = Query(regions=frozenset({"eu-west-1"}))
    assert query.matches(TRAIL, trail_key(1))
    assert not query.matches(TRAIL, trail_key(1, region="eu-west-2"))
    assert not query.matches(TRAIL, access_key(1))


FREE = "app/eu-west-1/2025/04/03/10/web-1.log"
APP = Group("logs", "app", "all", DAY)
APP_LATER = Group("logs", "app", "all", date(2025, 5, 9))
LAYOUTS = read_declarations(
    [
        {"name": "app", "pattern": "app/{region}/{YYYY/MM/DD}/{HH}/{host}.log"},
        {"name": "day-first", "pattern": "back-{region}-{DD}-{MM}-{YYYY}-{HH}.log"},
        {"name": "sessions", "pattern": "sessions/{YYYY-MM-DD}/{id}", "date": "last-modified"},
    ]
)


def test_a_declared_glob_rules_out_no_declared_group() -> None:
    """For built-in log types, keys that begin with a date are packed under it. A declared layout
    may date them differently.
    """
    access = Group("logs", "S3AccessLogs", "all", date(2025, 4, 4))
    query = Query(keys=("app/2025-04-03-*",))
    assert not query.may_hold(access)
    assert query.may_hold(replace(access, date=DAY))
    assert query.may_hold(APP_LATER)
    assert query.window_of("S3AccessLogs") == DateWindow(DAY, DAY)
    assert query.window_of("app") == ALWAYS


@pytest.mark.parametrize("row", LAYOUT_ROWS, ids=lambda row: row.name)
def test_a_declared_layout_cannot_have_a_built_in_name(row: Layout) -> None:
    """Otherwise a glob would rule out its groups."""
    for name in {row.log_type, row.service, OTHER} - {None}:
        with pytest.raises(PatternError, match="built-in"):
            read_declarations([{"name": name, "pattern": "x/{YYYYMMDD}"}])


def test_a_free_key_rules_out_no_group() -> None:
    """Its hint only decides where to look first: on all its dates and the days around them."""
    query = Query(keys=(f"s3://logs/{FREE}",))
    assert query.hinted_keys == (f"s3://logs/{FREE}",)
    assert query.may_hold(APP)
    assert query.may_hold(APP_LATER)
    first = query.first_look()
    assert first.may_hold(APP)
    assert not first.may_hold(APP_LATER)
    assert not first.may_hold(replace(APP, bucket="more"))
    assert first.window_of("app") == DateWindow(date(2025, 4, 2), date(2025, 4, 4))
    two_dates = Query(keys=("release-2025-01-01/2025/04/03/x.log",)).first_look()
    assert two_dates.may_hold(replace(APP, date=date(2025, 1, 1)))
    assert two_dates.may_hold(APP)
    assert not two_dates.may_hold(APP_LATER)


@pytest.mark.parametrize(
    ("key", "days"),
    [
        (FREE, {DAY}),  # the very day
        ("back-eu-west-1-03-04-2025-10.log", {DAY}),  # which no search would find
        ("s3://logs/back-eu-west-1-03-04-2025-10.log", {DAY}),
        ("sessions/2025-04-03/x", None),  # its key does not say when it was written
        ("no/date", None),
        ("app/*", None),
        (access_key(1), None),  # that is certain
    ],
)
def test_where_declared_keys_are_searched_first(key: str, days: set[date] | None) -> None:
    """They are first sought on their layout's day, or everywhere where it gives none."""
    query = Query(keys=(key,), layouts=LAYOUTS)
    assert query.hinted_keys == ((key,) if days else ())
    if days:
        window = query.first_look().window_of("app")
        assert {window.first, window.last} == days
    else:
        assert query.first_look().window_of("app") == query.window_of("app")


def test_keys_not_found_are_searched_everywhere() -> None:
    """The second search covers only the missing keys, by key or by address; there is none if all
    were found or certain.
    """
    keys = (FREE, f"s3://logs/{FREE}", "b/2025/04/03", access_key(1), "no/date", "*")
    query = Query(keys=keys, regions=frozenset({"eu-west-1"}), layouts=LAYOUTS)
    remaining = query.second_look([])
    assert remaining is not None
    assert remaining.keys == keys[:3]
    assert (remaining.regions, remaining.layouts) == (query.regions, LAYOUTS)
    assert remaining.may_hold(APP_LATER)
    found = query.first_look().second_look([FREE])
    assert found is not None
    assert found.keys == (f"s3://logs/{FREE}", "b/2025/04/03")
    assert found.may_hold(APP_LATER)
    assert query.second_look(keys[:3]) is None
    assert Query().second_look([]) is None


@pytest.mark.parametrize("layouts", [Layouts(), LAYOUTS])
def test_regions_and_hours_of_free_keys_come_from_hints(layouts: Layouts) -> None:
    """A hint gives them where no layout does."""
    hour = Query(
        first=datetime(2025, 4, 3, 10, 30, tzinfo=UTC),
        last=datetime(2025, 4, 3, 10, 40, tzinfo=UTC),
        layouts=layouts,
    )
    assert hour.matches(APP, FREE)
    assert not hour.matches(APP, FREE.replace("/10/", "/11/"))
    region = Query(regions=frozenset({"eu-west-1"}), layouts=layouts)
    assert region.matches(APP, FREE)
    assert not region.matches(APP, FREE.replace("eu-west-1", "eu-west-2"))
    assert not region.matches(APP, FREE.replace("eu-west-1", "web-server-1"))
    hidden = "back-eu-west-1-03-04-2025-10.log"
    assert region.matches(APP, hidden) == bool(layouts.declared)


def test_an_hour_of_another_date_is_ignored() -> None:
    """An hour in a key does not hide a pack whose keys were dated by LastModified."""
    query = Query(first=datetime(2025, 5, 9, 12, tzinfo=UTC))
    assert query.matches(APP_LATER, FREE)


def test_a_key_without_a_layout_gets_its_groups_date() -> None:
    """Another tool's aggregates are not hidden by a time of day, but by a region."""
    assert Query(first=datetime(2025, 4, 3, 1, tzinfo=UTC)).matches(TRAIL, "aggregate-1.gz")
    assert not Query(regions=frozenset({"eu-west-1"})).matches(TRAIL, "aggregate-1.gz")


def test_a_backward_range_is_refused() -> None:
    """It is a ValueError; the command line has a clearer message."""
    with pytest.raises(ValueError, match="ends before it begins"):
        Query.of_days(DAY, date(2025, 4, 2))
