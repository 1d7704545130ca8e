"""What is looked for, and which indexes need be read for it."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from tests.support.world import ACCOUNT, DAY, access_key, flow_key, trail_key

from log_aggregator.core.query import Query
from log_aggregator.core.windows import DateWindow
from log_aggregator.model import Group

TRAIL = Group("logs", "CloudTrail", ACCOUNT, DAY)
OTHER_DAY = Group("logs", "CloudTrail", ACCOUNT, date(2025, 4, 4))
OTHER_ACCOUNT = Group("logs", "CloudTrail", "222222222222", DAY)
OTHER_TYPE = Group("logs", "vpcflowlogs", ACCOUNT, DAY)
OTHER_BUCKET = Group("more", "CloudTrail", ACCOUNT, DAY)
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
    """Exactly these groups' indexes are read: each condition rules out the others, and a key or a
    glob does so as far as it can.
    """
    assert {group for group in GROUPS if query.may_hold(group)} == groups


def test_levels_that_are_known_need_no_listing() -> None:
    """Buckets, log types, accounts and days come from the conditions and from the keys; where both
    say something, both must hold.
    """
    asked = Query(
        accounts=frozenset({ACCOUNT, "333333333333"}),
        keys=(f"s3://logs/{trail_key(1)}", f"s3://more/{BEGINNING}2025/04/1*"),
    )
    assert asked.bucket_names == frozenset({"logs", "more"})
    assert asked.log_type_names == frozenset({"CloudTrail"})
    assert asked.account_names == frozenset({ACCOUNT})
    assert asked.window == DateWindow(DAY, date(2025, 4, 19))
    assert Query(keys=("*",)).account_names is None
    assert Query(keys=("*",), accounts=frozenset({ACCOUNT})).account_names == frozenset({ACCOUNT})
    assert (
        Query(keys=(trail_key(1),), accounts=frozenset({"333333333333"})).account_names
        == frozenset()
    )
    assert Query(keys=(f"{BEGINNING}2025/*",)).window == DateWindow(
        date(2025, 1, 1), date(2025, 12, 31)
    )
    assert (
        Query(keys=(trail_key(1), "*")).window
        == Query().window
        == Query(keys=(trail_key(1), f"{BEGINNING}*")).window
    )
    assert Query().window == DateWindow(date.min, date.max)


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
def test_keys_and_globs(keys: tuple[str, ...], wanted: bool) -> None:
    """A key matches whole, a glob with its wildcards; with s3:// in front the bucket counts too;
    one of several is enough.
    """
    assert Query(keys=keys).matches("logs", access_key(1)) == wanted


def test_brackets_in_a_key_are_also_themselves() -> None:
    """A key that looks like a glob is found by itself."""
    assert Query(keys=("a[1]/2025/04/03/x.log",)).matches("logs", "a[1]/2025/04/03/x.log")


def test_hours_are_those_that_the_key_names() -> None:
    """From 01:30 to 02:00 are the hours 1 and 2; a key without an hour is wanted with its whole
    day.
    """
    query = Query(
        first=datetime(2025, 4, 3, 1, 30, tzinfo=UTC), last=datetime(2025, 4, 3, 2, tzinfo=UTC)
    )
    assert [hour for hour in range(24) if query.matches("logs", access_key(hour))] == [1, 2]
    assert Query(first=datetime(2025, 4, 3, 1, 59, 59, tzinfo=UTC)).matches("logs", access_key(1))
    assert not Query(first=datetime(2025, 4, 3, 2, tzinfo=UTC)).matches("logs", access_key(1))
    assert not Query(last=datetime(2025, 4, 3, 1, tzinfo=UTC)).matches("logs", access_key(2))
    assert query.matches("logs", flow_key("no-hour-in-it.log.gz"))
    assert not query.matches("logs", flow_key("no-hour-in-it.log.gz", day=date(2025, 4, 4)))


def test_regions_are_those_that_the_key_names() -> None:
    """A key without a region is in none."""
    query = Query(regions=frozenset({"eu-west-1"}))
    assert query.matches("logs", trail_key(1))
    assert not query.matches("logs", trail_key(1, region="eu-west-2"))
    assert not query.matches("logs", access_key(1))


def test_a_key_without_a_layout_has_its_groups_date() -> None:
    """What was packed by another tool is not hidden by a time of day, but by a region."""
    assert Query(first=datetime(2025, 4, 3, 1, tzinfo=UTC)).matches("logs", "aggregate-1.gz")
    assert not Query(regions=frozenset({"eu-west-1"})).matches("logs", "aggregate-1.gz")


def test_a_range_does_not_end_before_it_begins() -> None:
    """ValueError; the command line says it better."""
    with pytest.raises(ValueError, match="ends before it begins"):
        Query.of_days(DAY, date(2025, 4, 2))
