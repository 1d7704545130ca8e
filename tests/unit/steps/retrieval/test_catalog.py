"""Which packs exist, listing only what can match."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from tests.support.world import ACCOUNT, DAY, READS, make_world, nothing, trail_key

from log_aggregator.core.query import Query
from log_aggregator.model import Group, Target
from log_aggregator.steps.retrieval.catalog import CatalogEntry, list_packs
from log_aggregator.steps.workers import SerialWorkers
from log_aggregator_lab.stores.faults import FaultyStore
from log_aggregator_lab.stores.memory import MemoryStore

OTHER = "222222222222"
GROUPS = [
    Group(bucket, log_type, account, DAY + timedelta(days=days))
    for bucket in ("logs", "logs-b")
    for log_type in ("CloudTrail", "Config")
    for account in (ACCOUNT, OTHER)
    for days in (-400, -1, 0, 1, 30)
]


def make_catalog(root: str = "", page_size: int = 1000) -> FaultyStore:
    """An empty pack and an empty index for each group."""
    store = MemoryStore(page_size=page_size)
    store.create_bucket("dest")
    target = Target("dest", root)
    for group in GROUPS:
        store.put("dest", pack_key_of(group, root), b"pack")
        store.put("dest", target.index_key(pack_key_of(group, root)), b"index")
    return FaultyStore(store, nothing)


def pack_key_of(group: Group, root: str = "") -> str:
    folder = Target("dest", root).packs_prefix(group)
    return f"{folder}{group.log_type}-0123456789abcdef0123456789abcdef.json.gz"


def listings(store: FaultyStore) -> list[str]:
    return [call.key for call in store.calls if call.operation == "ListObjectsV2"]


QUERIES = [
    Query(),
    Query.of_days(DAY, DAY),
    Query.of_days(DAY, DAY + timedelta(days=1)),
    Query.of_days(DAY - timedelta(days=1), DAY + timedelta(days=40)),
    Query.of_days(DAY - timedelta(days=500), DAY),
    Query.of_days(DAY + timedelta(days=2), DAY + timedelta(days=3)),
    Query(accounts=frozenset({OTHER, "333333333333"})),
    Query(log_types=frozenset({"Config"}), buckets=frozenset({"logs"})),
    Query(keys=(trail_key(1),)),
    Query(keys=(f"s3://logs/{trail_key(1)}", f"s3://logs-b/{trail_key(1, account=OTHER)}")),
    Query(keys=("*",), last=None),
]


@pytest.mark.parametrize("root", ["", "aggregated/"])
@pytest.mark.parametrize("page_size", [1, 3, 1000])
@pytest.mark.parametrize("query", QUERIES)
def test_the_catalog_lists_exactly_the_matching_packs(
    query: Query, root: str, page_size: int
) -> None:
    """Exactly the packs whose group may match, sorted, whatever the pages."""
    store = make_catalog(root, page_size)
    target = Target("dest", root)
    wanted = sorted(
        CatalogEntry(group, pack_key_of(group, root)) for group in GROUPS if query.may_hold(group)
    )
    assert list_packs(store, SerialWorkers(), target, query) == wanted
    assert {call.operation for call in store.calls} <= {"ListObjectsV2"} <= READS


def test_only_the_wanted_account_and_day_are_listed() -> None:
    """Levels whose names are known are not listed, and only the wanted day of an account is,
    however many there are.
    """
    store = make_catalog(page_size=1)
    query = Query(
        accounts=frozenset({ACCOUNT}),
        log_types=frozenset({"Config"}),
        first=Query.of_days(DAY, DAY).first,
        last=None,
    )
    list_packs(store, SerialWorkers(), Target("dest"), query)
    assert listings(store)[:2] == ["indexes/", "packs/"]
    assert {key.rpartition("/Config/")[2] for key in listings(store)[2:]} == {f"{ACCOUNT}/"}
    store.calls.clear()
    query = Query(keys=(f"s3://logs/{trail_key(1)}",))
    list_packs(store, SerialWorkers(), Target("dest"), query)
    day = f"logs/CloudTrail/{ACCOUNT}/{DAY:%Y/%m/%d}/"
    assert listings(store) == [f"indexes/{day}", f"packs/{day}"]


def test_a_range_is_listed_by_its_common_prefix() -> None:
    """A day, a month or a year: pages are not filled with keys of other days."""
    for first, last, shared in [
        (date(2025, 4, 3), date(2025, 4, 3), "2025/04/03/"),
        (date(2025, 4, 3), date(2025, 4, 5), "2025/04/"),
        (date(2025, 4, 3), date(2025, 12, 5), "2025/"),
        (date(2024, 4, 3), date(2025, 4, 3), ""),
    ]:
        store = make_catalog()
        query = Query(
            buckets=frozenset({"logs"}),
            log_types=frozenset({"Config"}),
            accounts=frozenset({ACCOUNT}),
            first=Query.of_days(first, last).first,
            last=Query.of_days(first, last).last,
        )
        list_packs(store, SerialWorkers(), Target("dest"), query)
        days = f"logs/Config/{ACCOUNT}/{shared}"
        assert listings(store) == [f"indexes/{days}", f"packs/{days}"]


def test_the_catalog_contains_what_listings_show() -> None:
    """Sizes and storage class cost no request; None stands for a missing index or pack."""
    store = make_catalog()
    group = GROUPS[0]
    inner = store.inner
    assert isinstance(inner, MemoryStore)
    lonely = f"packs/{group.path}lonely-0123456789abcdef0123456789abcdef.tar"
    gone = f"indexes/{group.path}gone-0123456789abcdef0123456789abcdef.tar.index.jsonl.gz"
    inner.put("dest", lonely, b"pack", storage_class="DEEP_ARCHIVE")
    inner.put("dest", gone, b"an index")
    found = {
        entry.pack_key: entry
        for entry in list_packs(store, SerialWorkers(), Target("dest"), Query())
    }
    usual = found[pack_key_of(group)]
    assert (usual.index_bytes, usual.pack_bytes, usual.storage_class) == (5, 4, "STANDARD")
    assert (found[lonely].index_bytes, found[lonely].pack_bytes, found[lonely].storage_class) == (
        None,
        4,
        "DEEP_ARCHIVE",
    )
    missing = found[Target("dest").pack_key(gone)]
    assert (missing.index_bytes, missing.pack_bytes, missing.storage_class) == (8, None, None)


@pytest.mark.parametrize(
    "key",
    [
        "indexes/readme.txt",
        "indexes/logs/readme.txt",
        "indexes/logs/Config/readme.txt",
        f"indexes/logs/Config/{ACCOUNT}/readme.txt",
        f"indexes/logs/Config/{ACCOUNT}/2025/04/03/readme.txt",
        f"indexes/logs/Config/{ACCOUNT}/2025/04/03/",
        f"indexes/logs/Config/{ACCOUNT}/2025/02/30/x.tar.index.jsonl.gz",
        f"indexes/logs/Config/{ACCOUNT}/2025/04/03",
        "indexes/a b/c/d/2025/04/03/x.tar.index.jsonl.gz",
        "indexes/a//d/2025/04/03/x.tar.index.jsonl.gz",
        f"packs/logs/Config/{ACCOUNT}/2025/04/03/",
        f"packs/logs/Config/{ACCOUNT}/notes/2025/x.tar",
        "packs/é/c/d/2025/04/03/x.tar",
    ],
)
def test_other_objects_are_ignored(key: str) -> None:
    """Foreign objects in our folders neither appear nor stop anything."""
    store = make_catalog()
    before = list_packs(store, SerialWorkers(), Target("dest"), Query())
    assert isinstance(store.inner, MemoryStore)
    store.inner.put("dest", key, b"x")
    assert list_packs(store, SerialWorkers(), Target("dest"), Query()) == before


def test_an_empty_destination_has_no_packs() -> None:
    """The catalog is empty, without an error."""
    assert (
        list_packs(make_world().store, SerialWorkers(), Target("dest"), Query.of_days(DAY, DAY))
        == []
    )
