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


def test_which_names_packs_get() -> None:
    """A pack's key has group, date, format and an id of its members' identities."""
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


def test_an_id_depends_only_on_identities() -> None:
    """Another key, version, ETag or size changes the id; times and storage classes do not."""
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


def test_every_member_affects_the_id() -> None:
    """Packs with the same first log object but different others have different names, and so has
    one with an extra member.
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


def test_which_format_a_pack_gets() -> None:
    """Binary objects go into a tar, all others into gzip; very large ones are copied alone under
    their full key.
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
    """Where the copy's index key would exceed 1,024 bytes, the object is packed with the others."""
    plans = plan_packs(
        GROUP, [make_source("é" * 480, 1000)], TARGET, PackLimits(copy_alone_bytes_min=1000)
    )
    assert [plan.format for plan in plans] == [PackFormat.GZIP]


def test_a_full_pack_ends_at_a_change_of_hour() -> None:
    """A full pack ends where the hour or the region changes if that leaves it at least half full,
    otherwise where it is full.
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


def test_the_rest_after_a_cut_stays_within_the_limit() -> None:
    """After a cut at the hour, the rest and the next object together keep to the size limit."""
    small = [make_source(f"a{number}", 1, hour=0) for number in range(4)]
    large = [make_source(f"b{number}", 45, hour=1) for number in range(4)]
    plans = plan_packs(GROUP, [*small, *large], TARGET, PackLimits(pack_size_bytes_max=100))
    assert max(plan.size_bytes for plan in plans) <= 100


def test_an_object_over_the_limit_gets_its_own_pack() -> None:
    """It is not left out, and no other member joins it."""
    assert keys_of(
        [make_source("a"), make_source("b", 500), make_source("c")],
        PackLimits(pack_size_bytes_max=100),
    ) == [
        ["a"],
        ["b"],
        ["c"],
    ]


def test_delete_markers_go_with_the_newest_version() -> None:
    """Versions of a key are never parted, not even by the limits, and its old delete markers go
    into the same pack.
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
    """Only an object without other versions is copied alone, so that one task controls the order in
    which versions are deleted.
    """
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
def test_the_order_of_listing_does_not_matter(seed: int) -> None:
    """Versions of a key are ordered too, so the same log objects have the same packs in any order
    and with repeats.
    """
    sources = [
        make_source(key, version=version, is_latest=version == "v2")
        for key in "abc"
        for version in ("v2", "v10", "null", "v1")
    ]
    shuffled = Random(seed).choices(sources, k=9) + Random(seed).sample(sources, len(sources))
    limits = PackLimits(members_max=5)
    assert plan_packs(GROUP, shuffled, TARGET, limits) == plan_packs(GROUP, sources, TARGET, limits)


def test_an_empty_group_has_no_packs() -> None:
    """Without objects there are no packs."""
    assert plan_packs(GROUP, [], TARGET, PackLimits()) == ()


def test_keys_without_an_account_share_a_group() -> None:
    """A key without an account belongs to the group `all`."""
    facts = make_source("a").facts
    assert group_of("logs", facts) == GROUP
    assert (
        group_of("logs", KeyFacts("Other", GROUP.date, None, None, None, ContentKind.TEXT)).account
        == "all"
    )


@pytest.mark.parametrize(
    "values", [("a/b", "t", "all"), ("", "t", "all"), ("b", "t t", "all"), ("b", "t", "é")]
)
def test_a_group_name_is_a_safe_folder(values: tuple[str, str, str]) -> None:
    """A group's name must be valid as one segment of a key."""
    with pytest.raises(ValueError, match="segment"):
        Group(*values, GROUP.date)


def test_requests_for_a_small_pack() -> None:
    """A pack of one PUT takes a GET for each object, one for the index, two HEADs, two PUTs, and a
    DeleteObjects per thousand.
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
