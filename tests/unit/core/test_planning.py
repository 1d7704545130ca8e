"""From log objects to packs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from random import Random

import pytest

from log_aggregator.core.planning import (
    PackLimits,
    Source,
    estimate_requests,
    group_of,
    pack_id,
    plan_packs,
)
from log_aggregator.model import (
    ContentKind,
    DeleteMarker,
    Group,
    KeyFacts,
    LogObject,
    PackFormat,
    Target,
)

GROUP = Group("logs", "CloudTrail", "111111111111", date(2025, 4, 3))
TARGET = Target("dest")
TIME = datetime(2025, 4, 3, tzinfo=UTC)


def make_source(
    key: str,
    size: int = 10,
    *,
    kind: ContentKind = ContentKind.GZIP_DOCUMENT,
    hour: int | None = None,
    region: str | None = None,
    version: str = "v1",
    is_latest: bool = True,
) -> Source:
    log_object = LogObject("logs", key, version, "e", size, TIME, is_latest=is_latest)
    return Source(log_object, KeyFacts("CloudTrail", GROUP.date, GROUP.account, region, hour, kind))


def keys_of(sources: list[Source], limits: PackLimits) -> list[list[str]]:
    return [
        [source.key for source in plan.sources]
        for plan in plan_packs(GROUP, sources, TARGET, limits)
    ]


def test_names() -> None:
    """A pack's key holds group, date, format and an id of its members' identities."""
    plans = plan_packs(
        GROUP,
        [make_source("a.json.gz"), make_source("b.parquet", kind=ContentKind.BINARY)],
        TARGET,
        PackLimits(),
    )
    folder = "packs/logs/CloudTrail/111111111111/2025/04/03/"
    assert [plan.key for plan in plans] == [
        f"{folder}111111111111_CloudTrail_20250403-{pack_id(plans[0].sources)}.json.gz",
        f"{folder}111111111111_CloudTrail_20250403-{pack_id(plans[1].sources)}.tar",
    ]
    everyone = Group("logs", "S3AccessLogs", "all", GROUP.date)
    assert plan_packs(everyone, [make_source("a", kind=ContentKind.TEXT)], TARGET, PackLimits())[
        0
    ].key.startswith("packs/logs/S3AccessLogs/all/2025/04/03/S3AccessLogs_20250403-")


def test_an_id_follows_from_identities_alone() -> None:
    """Another key, version, ETag or size is another id; times and storage classes are not looked
    at.
    """
    base = LogObject("logs", "a", "v", "e", 1, TIME)
    others = [
        replace(base, key="b"),
        replace(base, version_id=None),
        replace(base, etag="f"),
        replace(base, size_bytes=2),
    ]
    assert len({pack_id([each]) for each in [base, *others]}) == 5
    assert pack_id(
        [LogObject("logs", "a", "v", "e", 1, datetime(2020, 1, 1, tzinfo=UTC), "GLACIER_IR")]
    ) == pack_id([base])
    assert len(pack_id([base])) == 32


def test_every_member_is_in_the_id() -> None:
    """Packs that begin with the same log object and go on with others have names of their own, and
    so has one with a member more.
    """
    first, second, third = (make_source(key).log_object for key in "abc")
    assert (
        len(
            {
                pack_id(members)
                for members in ([first], [first, second], [first, third], [first, second, third])
            }
        )
        == 4
    )


def test_formats() -> None:
    """Binary objects go into a tar, all others into gzip; the very large ones are copied alone,
    under their full key.
    """
    sources = [
        make_source("a.gz"),
        make_source("b.log", kind=ContentKind.TEXT),
        make_source("c.parquet", kind=ContentKind.BINARY),
        make_source("d/e.gz", 1000),
    ]
    plans = plan_packs(GROUP, sources, TARGET, PackLimits(copy_alone_bytes_min=1000))
    assert [(plan.format, len(plan.sources)) for plan in plans] == [
        (PackFormat.GZIP, 2),
        (PackFormat.TAR, 1),
        (PackFormat.COPY, 1),
    ]
    assert plans[2].key == f"{TARGET.packs_prefix(GROUP)}{pack_id(plans[2].sources)}/d/e.gz"
    assert plans[0].document_keys == {"a.gz"}


def test_a_key_too_long_to_be_copied_alone_is_packed() -> None:
    """Where the copy's index would have a key over 1,024 bytes, the object is packed with the
    others.
    """
    plans = plan_packs(
        GROUP, [make_source("é" * 480, 1000)], TARGET, PackLimits(copy_alone_bytes_min=1000)
    )
    assert [plan.format for plan in plans] == [PackFormat.GZIP]


def test_a_pack_is_cut_at_the_hour() -> None:
    """A full pack ends where the hour or the region changes, if it is at least half full then, else
    right there.
    """
    hours = [make_source(f"{number}", hour=number // 3) for number in range(6)]
    assert keys_of(hours, PackLimits(members_max=4)) == [["0", "1", "2"], ["3", "4", "5"]]
    one_hour = [make_source(f"{number}", hour=1) for number in range(6)]
    assert keys_of(one_hour, PackLimits(members_max=4)) == [["0", "1", "2", "3"], ["4", "5"]]
    early = [make_source(f"{number}", hour=min(number, 1)) for number in range(6)]
    assert keys_of(early, PackLimits(members_max=4)) == [["0", "1", "2", "3"], ["4", "5"]]
    regions = [
        make_source(f"{number}", region="eu-west-1" if number < 2 else "us-east-1")
        for number in range(5)
    ]
    assert keys_of(regions, PackLimits(members_max=4)) == [["0", "1"], ["2", "3", "4"]]


def test_what_remains_after_a_cut_is_not_too_large() -> None:
    """When a pack was cut at the hour, what is left and the next object together still keep to the
    size limit.
    """
    small = [make_source(f"a{number}", 1, hour=0) for number in range(4)]
    large = [make_source(f"b{number}", 45, hour=1) for number in range(4)]
    plans = plan_packs(GROUP, [*small, *large], TARGET, PackLimits(pack_size_bytes_max=100))
    assert max(plan.size_bytes for plan in plans) <= 100


def test_an_object_over_the_limit_has_a_pack_of_its_own() -> None:
    """It is neither left out nor does it take others with it."""
    assert keys_of(
        [make_source("a"), make_source("b", 500), make_source("c")],
        PackLimits(pack_size_bytes_max=100),
    ) == [
        ["a"],
        ["b"],
        ["c"],
    ]


def test_markers_go_with_the_newest_version() -> None:
    """Versions of a key are never parted, not even by the limits, and its old delete markers go
    with them into the same pack.
    """
    marker = DeleteMarker("logs", "a", "m", TIME, is_latest=False)
    sources = [
        make_source("a", version="v1", is_latest=False),
        make_source("a", version="v2"),
        make_source("b"),
    ]
    plans = plan_packs(GROUP, sources, TARGET, PackLimits(members_max=1), {"a": (marker,)})
    assert [[source.key for source in plan.sources] for plan in plans] == [["a", "a"], ["b"]]
    assert [plan.markers for plan in plans] == [(marker,), ()]


def test_large_versions_of_a_key_stay_together() -> None:
    """Only what has no other version is copied alone: in which order versions go is in one hand."""
    sources = [
        make_source("a", 1000, version="v1", is_latest=False),
        make_source("a", 1000, version="v2"),
        make_source("b", 1000),
    ]
    plans = plan_packs(GROUP, sources, TARGET, PackLimits(copy_alone_bytes_min=1000))
    assert [(plan.format, [source.key for source in plan.sources]) for plan in plans] == [
        (PackFormat.GZIP, ["a", "a"]),
        (PackFormat.COPY, ["b"]),
    ]


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_a_listing_does_not_matter(seed: int) -> None:
    """Versions of one key have an order too; so the same log objects, however they come and however
    often, have the same packs.
    """
    sources = [
        make_source(key, version=version, is_latest=version == "v2")
        for key in "abc"
        for version in ("v2", "v10", "null", "v1")
    ]
    shuffled = Random(seed).choices(sources, k=9) + Random(seed).sample(sources, len(sources))
    limits = PackLimits(members_max=5)
    assert plan_packs(GROUP, shuffled, TARGET, limits) == plan_packs(GROUP, sources, TARGET, limits)


def test_nothing_to_pack() -> None:
    """No objects, no packs."""
    assert plan_packs(GROUP, [], TARGET, PackLimits()) == ()


def test_group_of() -> None:
    """A key that names no account belongs to the group of all."""
    facts = make_source("a").facts
    assert group_of("logs", facts) == GROUP
    assert (
        group_of("logs", KeyFacts("Other", GROUP.date, None, None, None, ContentKind.TEXT)).account
        == "all"
    )


@pytest.mark.parametrize(
    "values", [("a/b", "t", "all"), ("", "t", "all"), ("b", "t t", "all"), ("b", "t", "é")]
)
def test_a_group_is_a_safe_folder(values: tuple[str, str, str]) -> None:
    """What cannot be one segment of a key cannot name a group."""
    with pytest.raises(ValueError, match="segment"):
        Group(*values, GROUP.date)


def test_requests_of_a_small_pack() -> None:
    """A pack that is one PUT: one GET for each object, one for the index, two HEADs, two PUTs, a
    DeleteObjects for each thousand.
    """
    plans = plan_packs(
        GROUP, [make_source(f"{number:04}") for number in range(1001)], TARGET, PackLimits()
    )
    assert dict(estimate_requests(plans, PackLimits())) == {
        "GetObject": 1002,
        "HeadObject": 2,
        "PutObject": 2,
        "DeleteObjects": 2,
    }
