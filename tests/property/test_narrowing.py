"""What a query rules out cannot match: for keys of every layout, and for globs cut out of them
anywhere.
"""

from __future__ import annotations

import fnmatch
import tomllib
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from log_aggregator.core.layouts import Dated, parse_key
from log_aggregator.core.layouts.declarations import read_declarations
from log_aggregator.core.layouts.declared import Layouts
from log_aggregator.core.planning import group_of
from log_aggregator.core.query import Query
from log_aggregator.model import Group

_EXAMPLES_PATH = Path(__file__).parents[1] / "unit" / "core" / "layouts" / "rows.toml"
EXAMPLES: list[dict[str, Any]] = tomllib.loads(_EXAMPLES_PATH.read_text(encoding="utf-8"))["dated"]

DAYS = st.sampled_from(
    [
        date(2019, 3, 1),
        date(2019, 3, 10),
        date(2019, 3, 14),
        date(2019, 11, 1),
        date(2020, 3, 14),
        date(2006, 12, 31),
    ]
)
ACCOUNTS = st.sampled_from(["123456789012", "123456789013", "201903140000"])
REGIONS = st.sampled_from(["us-east-1", "us-east-2", "eu-west-1"])
ANY = st.sampled_from(EXAMPLES)
WRITINGS: tuple[Callable[[date], str], ...] = (
    lambda d: f"{d:year=%Y/month=%m/day=%d}/",
    lambda d: f"year={d.year}/month={d.month}/day={d.day}/",
    lambda d: f"{d:%Y/%m/%d}",
    lambda d: f"{d:%Y-%m-%d}",
    lambda d: f"{d:%Y%m%d}",
    lambda d: f"/{d.year}/{d.month}/{d.day}/",
)


@st.composite
def packed_keys(draw: st.DrawFn, examples: st.SearchStrategy[dict[str, Any]] = ANY) -> str:
    """A key of any layout, with few days, accounts and regions, so that two often begin alike."""
    example = draw(examples)
    key: str = example["key"].replace(example.get("account", "<none>"), "<account>")
    day = draw(DAYS)
    for writing in WRITINGS:
        key = key.replace(writing(example["date"]), writing(day))
    key = key.replace("<account>", draw(ACCOUNTS))
    if example.get("region") not in (None, "global", "cloudfront"):
        key = key.replace(example["region"], draw(REGIONS))
    return key


@st.composite
def globs_of(draw: st.DrawFn, key: str) -> str:
    """A glob that matches the key: cut off anywhere or with a part left open, with or without a
    bucket.
    """
    begin, end = sorted([draw(st.integers(0, len(key))), draw(st.integers(0, len(key)))])
    glob = draw(
        st.sampled_from(
            [
                key,
                f"{key[:end]}*",
                f"{key[:begin]}*{key[end:]}",
                f"{key[:begin]}{'?' * (end - begin)}{key[end:]}",
            ]
        )
    )
    return draw(
        st.sampled_from([glob, f"s3://logs/{glob}", f"s3://lo*/{glob}", f"s3://l*{key[end:]}"])
    )


@settings(max_examples=1500, deadline=None)
@given(st.data())
def test_no_index_with_a_wanted_key_is_ruled_out(data: st.DataObject) -> None:
    """A key that matches a glob is in a group that may hold it, with listed names and days,
    whatever the glob was cut from.
    """
    same = st.just(data.draw(ANY))
    glob = data.draw(packed_keys(same).flatmap(globs_of))
    key = data.draw(packed_keys(same) | packed_keys())
    query = Query(keys=(glob,))
    parsed = parse_key(key)
    assert isinstance(parsed, Dated)
    group = group_of("logs", parsed.facts)
    wanted = glob in (key, f"s3://logs/{key}") or fnmatch.fnmatchcase(
        f"s3://logs/{key}" if glob.startswith("s3://") else key, glob
    )
    assert query.matches(group, key) == wanted
    if wanted:
        assert query.may_hold(group)
        assert group.date in query.window_of(group.log_type)
        for names, name in (
            (query.bucket_names, group.bucket),
            (query.log_type_names, group.log_type),
            (query.account_names, group.account),
        ):
            assert names is None or name in names


LAYOUTS = read_declarations(
    [
        {"name": "nginx", "pattern": "nginx/{host}/access.log-{YYYYMMDD}"},
        {"name": "app", "pattern": "app/{region}/{YYYY/MM/DD}/{HH}-{id}.log"},
        {"name": "flat", "pattern": "{YYYY-MM-DD}-{id}.txt"},
        {"name": "sessions", "pattern": "sessions/{**}", "date": "last-modified"},
    ]
)
FREE_KEYS: tuple[Callable[[date], str], ...] = (
    lambda d: f"nginx/web-1/access.log-{d:%Y%m%d}",
    lambda d: f"app/eu-west-1/{d:%Y/%m/%d}/10-7f.log",
    lambda d: f"{d:%Y-%m-%d}-7f.txt",
    lambda d: f"sessions/{d:%Y/%m/%d}/root-0123456789abcdef.log",
    lambda d: f"logs/{d:year=%Y/month=%m/day=%d}/x",
    lambda d: f"AWSLogs/123456789012/Macie/{d:%Y/%m/%d}/x",
    lambda d: f"{d:%d-%m-%Y}-10-11.log",
    lambda d: f"release-2019-01-01/{d:%Y/%m/%d}/x.log",
    lambda _: "no/date/in/it",
)


@settings(max_examples=1500, deadline=None)
@given(st.data())
def test_no_index_that_may_have_a_free_key_is_ruled_out(data: st.DataObject) -> None:
    """A free key is in packs of a formerly declared layout, with any name that is not built in and
    any day. A glob finds it in the first search, its own name at the latest in the second.
    """
    key = data.draw(st.sampled_from(FREE_KEYS))(data.draw(DAYS))
    assert not isinstance(parse_key(key), Dated)
    glob = data.draw(globs_of(key))
    name = data.draw(st.sampled_from(["nginx", "app", "flat", "sessions", "of-last-year"]))
    group = Group(
        "logs", name, data.draw(st.sampled_from(["all", "123456789012"])), data.draw(DAYS)
    )
    layouts = data.draw(st.sampled_from([LAYOUTS, Layouts()]))
    query = Query(keys=(glob,), layouts=layouts)
    assert query.matches(group, key)
    looks = [look for look in (query.first_look(), query.second_look([])) if look is not None]
    assert any(
        look.may_hold(group) and group.date in look.window_of(group.log_type) for look in looks
    )
    assert query.log_type_names is query.account_names is None
    assert query.bucket_names in (None, {"logs"})
    assert (len(looks) > 1) == (glob in query.hinted_keys)


@settings(max_examples=500, deadline=None)
@given(packed_keys(), st.integers(0, 18 * 24 * 60), st.integers(0, 3 * 24 * 60))
def test_a_range_matches_everything_that_overlaps_it(
    key: str, first_minute: int, minutes: int
) -> None:
    """A key is wanted if its hour, or otherwise its day, overlaps the range; then its group is not
    ruled out.
    """
    first = datetime(2019, 2, 27, tzinfo=UTC) + timedelta(minutes=first_minute)
    last = first + timedelta(minutes=minutes)
    query = Query(first=first, last=last)
    parsed = parse_key(key)
    assert isinstance(parsed, Dated)
    facts = parsed.facts
    begin = datetime(facts.date.year, facts.date.month, facts.date.day, facts.hour or 0, tzinfo=UTC)
    end = begin + (timedelta(days=1) if facts.hour is None else timedelta(hours=1))
    group = group_of("logs", facts)
    assert (query.may_hold(group) and query.matches(group, key)) == (begin <= last and end > first)
