"""What the keys of other tools' aggregates tell, and the format of their indexes."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime

import pytest

from log_aggregator.core.adopted import (
    Adopted,
    AdoptedIndexEncoder,
    AdoptedQuery,
    Aggregate,
    Said,
    decode_adopted,
    group_of_aggregate,
    member_key,
)
from log_aggregator.core.layouts import NoLog, parse_key
from log_aggregator.core.packformat.index import decode_index, encode_index
from log_aggregator.core.packformat.split import GzipMember
from log_aggregator.core.query import Query
from log_aggregator.errors import BadPack, SettingsError
from log_aggregator.model import Encoding, Group, Index, Member, PackFormat, Target

DAY = date(2023, 4, 3)
OLDER = "aws-controltower-logs-111122223333-eu-west-1"


@pytest.mark.parametrize(
    ("key", "said", "expected"),
    [
        (
            f"{OLDER}/2023/04/03/111111111111_CloudTrail_eu-west-1_20230403T0.gz",
            Said(),
            (OLDER, "CloudTrail", "111111111111"),
        ),
        (
            f"{OLDER}/2023/04/03/111111111111_CloudTrail-Digest_eu-west-1.gz",
            Said(),
            (OLDER, "CloudTrail-Digest", "111111111111"),
        ),
        (f"{OLDER}/2023/04/03/111111111111_Config.gz", Said(), (OLDER, "Config", "111111111111")),
        (
            "vpc-logs/2023/04/03/111111111111_vpcflowlogs_eu-west-1_fl-1.gz",
            Said(),
            ("vpc-logs", "vpcflowlogs", "111111111111"),
        ),
        ("vpc-logs/2023/04/03/Aggregated-Logs.gz", Said(), ("vpc-logs", "Other", "all")),
        (
            "vpc-logs/2023/04/03/111111111111_strange_x.gz",
            Said(),
            ("vpc-logs", "Other", "111111111111"),
        ),
        (
            "daily/AWSLogs/111111111111/CloudTrail/eu-west-1/2023/04/03/day.json.gz",
            Said(),
            ("there", "CloudTrail", "111111111111"),
        ),
        (
            "2023-04-03.gz",
            Said("b-1", "WAFLogs", "222222222222"),
            ("b-1", "WAFLogs", "222222222222"),
        ),
        ("no-date.gz", Said(date=DAY), ("there", "Other", "all")),
        (
            f"{OLDER}/2023/04/03/111111111111_CloudTrail_x.gz",
            Said("b-1", "Config", "all", DAY),
            ("b-1", "Config", "all"),
        ),
        ("2022/01/01/x.gz", Said(date=DAY), ("there", "Other", "all")),
        ("daily/333333333333/app_20230403T0100.gz", Said(), ("there", "Other", "333333333333")),
        ("app/year=2023/month=4/day=3/x.gz", Said(), ("there", "Other", "all")),
        ("unload/2023-04-03/manifest.gz", Said(), ("there", "Other", "all")),
        ("daily/202304030100/x_2023-04-03.gz", Said(), ("there", "Other", "all")),
        ("2023-04-03/of-2023-04-04.gz", Said(), ("there", "Other", "all")),
        ("release-2022-01-01/a/2023/04/03/x.gz", Said(date=DAY), ("there", "Other", "all")),
    ],
)
def test_a_key_tells_bucket_type_account_and_date(
    key: str, said: Said, expected: tuple[str, str, str]
) -> None:
    """Source bucket, log type, account and date come from the older stack's keys, any known layout,
    or a search in any other key; stated values win.
    """
    assert group_of_aggregate("there", key, said) == Group(*expected, DAY)


def test_without_a_date_one_must_be_given() -> None:
    """The message says how to state the date."""
    with pytest.raises(SettingsError, match="--date"):
        group_of_aggregate("there", "some.gz", Said())


@pytest.mark.parametrize(
    "key",
    [
        "release-2022-01-01/2023/04/03/x.gz",
        f"2022/01/01/AWSLogs/{'1' * 12}/CloudTrail/eu-west-1/2023/04/03/x.json.gz",
    ],
)
def test_with_conflicting_dates_one_must_be_given(key: str) -> None:
    """One line names both dates, and the message says how to state one."""
    with pytest.raises(SettingsError, match=r"disagree \(2022-01-01, 2023-04-03\); set --date"):
        group_of_aggregate("there", key, Said())


def make_index(count: int = 3) -> tuple[Adopted, bytes]:
    aggregate = Aggregate(
        "there",
        "a/2023/04/03/x.json.gz",
        "etag",
        100,
        datetime(2023, 4, 4, tzinfo=UTC),
        Group("src", "Other", "all", DAY),
    )
    encoder = AdoptedIndexEncoder(aggregate)
    for number in range(count):
        encoder.take(GzipMember(number * 30, 30, f"{number:064x}"))
    return encoder.finish(0x1234, "a tool")


def test_an_adopted_index_survives_encoding() -> None:
    """First line and members come back; the index is JSON Lines in gzip, with the count and the
    padding in the first line.
    """
    adopted, data = make_index()
    read, members = decode_adopted(data)
    assert read == adopted
    assert (adopted.member_count, adopted.padding_bytes, adopted.crc64nvme) == (3, 10, 0x1234)
    found = list(members)
    assert [member.key for member in found] == [
        member_key("a/2023/04/03/x.json.gz", number) for number in (1, 2, 3)
    ]
    assert [(member.offset, member.length_bytes, member.size_bytes) for member in found] == [
        (0, 30, 30),
        (30, 30, 30),
        (60, 30, 30),
    ]
    assert {
        (member.encoding, member.flags, member.version_id, member.etag) for member in found
    } == {(Encoding.RAW, ("adopted",), None, "")}
    lines = [json.loads(line) for line in gzip.decompress(data).splitlines()]
    assert lines[0]["format"] == "log-aggregator-adopted-index"
    assert len(lines) == 1 + lines[0]["members"]


def test_an_adopted_index_is_not_an_index_of_a_pack() -> None:
    """Neither is taken for the other, so an adopted aggregate can never be verified as a pack, and
    no original deleted for it.
    """
    adopted, data = make_index()
    with pytest.raises(BadPack):
        decode_index(data)
    group = adopted.aggregate.group
    member = Member("k", None, "e", 1, datetime(2023, 4, 4, tzinfo=UTC), 0, 1, sha256="0" * 64)
    pack = encode_index(Index("packs/x", PackFormat.GZIP, group, 1, 1, (member,)))
    with pytest.raises(BadPack, match="the index of an adopted aggregate is of another format"):
        decode_adopted(pack)


def test_a_truncated_index_is_refused() -> None:
    """A cut of any kind and a surplus line are both found."""
    _, data = make_index()
    for size in range(len(data)):
        with pytest.raises(BadPack):
            list(decode_adopted(data[:size])[1])
    _, longer = make_index(4)
    first, *rest = gzip.decompress(longer).splitlines(keepends=True)
    _, members = decode_adopted(
        gzip.compress(first.replace(b'"members":4', b'"members":3')) + gzip.compress(b"".join(rest))
    )
    with pytest.raises(BadPack, match="announces 3 members and lists 4"):
        list(members)


def test_an_adopted_index_is_never_taken_for_a_log() -> None:
    """The aggregator never takes an adopted index for a log, in its own bucket or under a prefix;
    every aggregate has its own.
    """
    adopted, _ = make_index()
    for target in (Target("dest"), Target("src", "aggregated/")):
        key = adopted.aggregate.index_key(target)
        assert key.startswith(f"{target.root}adopted/src/Other/all/2023/04/03/")
        assert isinstance(parse_key(key), NoLog)
    other = Aggregate(
        "there",
        "a/2023/04/03/x.json.gz",
        "other etag",
        100,
        adopted.aggregate.last_modified,
        adopted.aggregate.group,
    )
    assert other.index_key(Target("dest")) != adopted.aggregate.index_key(Target("dest"))


def test_which_queries_find_adopted_aggregates() -> None:
    """Globs and made-up keys match; the key of a real original matches nothing and causes
    no query.
    """
    group = Group("src", "Other", "all", DAY)
    key = member_key("a/2023/04/03/111111111111_CloudTrail_eu-west-1_x.gz", 7)
    assert AdoptedQuery.of(Query(keys=("AWSLogs/1/x.gz", "s3://b/y"))) is None
    for patterns in ((), (key,), (f"s3://src/{key}",), ("*CloudTrail*",), ("no", "*#000007*")):
        asked = AdoptedQuery.of(Query(keys=patterns))
        assert asked is not None
        assert asked.matches(group, key)
        assert asked.place.may_hold(group)
    for query in (
        Query(keys=("*#000008*",)),
        Query(keys=(f"s3://other/{key}",)),
        Query(regions=frozenset({"us-east-1"})),
    ):
        asked = AdoptedQuery.of(query)
        assert asked is not None
        assert not asked.matches(group, key)
    other = member_key("a/eu-west-2/2023/04/03/x.gz", 1)
    region = AdoptedQuery.of(Query(regions=frozenset({"eu-west-2"})))
    assert region is not None
    assert (region.matches(group, other), region.matches(group, key)) == (True, False)
    hour = AdoptedQuery.of(
        Query(regions=frozenset({"eu-west-1"}), first=datetime(2023, 4, 3, 5, tzinfo=UTC))
    )
    assert hour is not None
    assert hour.place.may_hold(group)
    assert hour.matches(group, key)
