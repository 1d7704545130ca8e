"""Everything in the terms of a pack is found, in exactly that pack; whatever was not searched is
reported.
"""

from __future__ import annotations

import zlib
from datetime import date
from typing import Any

import pytest
from tests.support.term_tables import SOURCE, TermsShelf, seconds, sighting

from log_aggregator.core.query import Query
from log_aggregator.core.tables.directory import find_end, footer_bytes
from log_aggregator.core.tables.wanted import parse_wanted
from log_aggregator.core.terms.model import Field, Unsearched
from log_aggregator.errors import LimitExceeded
from log_aggregator.ports.store import ListStart, Page
from log_aggregator.steps.search import look_up as module
from log_aggregator.steps.search.answers import Answer
from log_aggregator.steps.search.look_up import Asked, Room, look_up
from log_aggregator.steps.workers import SerialWorkers

KEY = "AKIAIOSFODNN7EXAMPLE"
DAY, LATER, NEXT_MONTH = date(2021, 3, 5), date(2021, 3, 6), date(2021, 4, 2)


def search(
    shelf: TermsShelf, *texts: str, query: Query | None = None, is_prefix: bool = False, **more: Any
) -> Answer:
    wanted = [parse_wanted(text, is_prefix=is_prefix) for text in texts]
    return look_up(
        shelf.store, SerialWorkers(), [shelf.target], Asked(wanted, query or Query(), **more)
    )


def packs_of(answer: Answer) -> set[str]:
    return {each.pack.pack_key for each in answer.sighted}


def shelf_with_key() -> tuple[TermsShelf, set[str]]:
    shelf = TermsShelf()
    at = seconds(2021, 3, 5)
    with_key = {
        shelf.add_pack(DAY, sighting(Field.ACCESS_KEY, KEY, 3, at)),
        shelf.add_pack(NEXT_MONTH, sighting(Field.ACCESS_KEY, KEY, 4, at + 86400)),
    }
    shelf.add_pack(DAY, sighting(Field.ACCESS_KEY, "AKIAI44QH8DHBEXAMPLE"), account="444455556666")
    return shelf, with_key


@pytest.mark.parametrize("merged", [True, False])
def test_a_value_is_found_in_its_packs_and_no_others(merged: bool) -> None:
    shelf, with_key = shelf_with_key()
    if merged:
        shelf.merge()
    answer = search(shelf, KEY.lower())
    assert packs_of(answer) == with_key
    assert sum(each.count for each in answer.sighted) == 7
    assert [each.first for each in answer.sighted] == [
        seconds(2021, 3, 5),
        seconds(2021, 3, 6),
    ]
    assert answer.coverage.is_whole
    assert answer.coverage.packs == 3


def test_a_pack_without_a_table_is_searched_by_its_own_terms() -> None:
    shelf, with_key = shelf_with_key()
    shelf.merge()
    late = shelf.add_pack(LATER, sighting(Field.ACCESS_KEY, KEY))
    answer = search(shelf, KEY)
    assert packs_of(answer) == {*with_key, late}
    assert answer.coverage.is_whole


def test_nothing_found_is_claimed_only_of_searched_packs() -> None:
    """A pack without terms or with damaged ones, a log type without terms, or an unreadable member
    makes the answer incomplete, and is counted.
    """
    shelf, _ = shelf_with_key()
    shelf.merge()
    shelf.add_pack(LATER)
    damaged = shelf.add_pack(LATER, sighting(Field.NAME, "x"), account="777788889999")
    shelf.put(shelf.target.terms_key(damaged), b"no terms at all")
    shelf.add_pack(LATER, log_type="StrangeLogs")
    shelf.add_pack(LATER, log_type="CloudTrail-Digest")  # holds no events
    shelf.add_pack(
        LATER,
        sighting(Field.NAME, "x"),
        account="444455556666",
        unsearched={Unsearched.UNPARSABLE: 2},
    )
    coverage = search(shelf, "nothing-has-this").coverage
    assert coverage.unsearched_packs == {
        Unsearched.NOT_MADE: 1,
        Unsearched.UNREAD: 1,
        Unsearched.LOG_TYPE: 1,
    }
    assert coverage.unsearched_members == {Unsearched.UNPARSABLE: 2}
    assert coverage.members == 3 * 10 + 8
    assert not coverage.is_whole
    assert [failure.error for failure in coverage.failures] == ["BadTerms"]


def test_adopted_aggregates_are_reported_without_useless_advice() -> None:
    """Adopted aggregates have no terms, and `index terms` makes none."""
    shelf, _ = shelf_with_key()
    shelf.merge()
    for log_type in ("CloudTrail", "CloudTrail-Digest"):
        place = f"{SOURCE}/{log_type}/111122223333/{LATER:%Y/%m/%d}"
        shelf.put(f"{shelf.target.root}adopted/{place}/old.gz.index.jsonl.gz", b"index")
    coverage = search(shelf, KEY).coverage
    assert coverage.unsearched_packs == {Unsearched.ADOPTED: 1}
    assert not coverage.is_whole


def test_tables_also_report_unsearched_members() -> None:
    shelf = TermsShelf()
    shelf.add_pack(DAY, sighting(Field.NAME, "x"), unsearched={Unsearched.TOO_MANY: 1})
    shelf.merge()
    coverage = search(shelf, "y").coverage
    assert coverage.unsearched_members == {Unsearched.TOO_MANY: 1}
    assert not coverage.is_whole


def test_too_many_packs_without_tables_are_unsearched() -> None:
    shelf, _ = shelf_with_key()
    coverage = search(shelf, KEY, read_directly_max=1).coverage
    assert coverage.unsearched_packs == {Unsearched.NOT_MERGED: 2}
    assert coverage.packs == 1


def test_a_quick_answer_is_never_complete() -> None:
    """Packs were not listed: there may be some without a table."""
    shelf, with_key = shelf_with_key()
    shelf.merge()
    answer = search(shelf, KEY, is_quick=True)
    assert packs_of(answer) == with_key
    assert not answer.coverage.is_whole


def test_a_damaged_table_covers_nothing() -> None:
    """The packs of a damaged table are searched by their own terms."""
    shelf, with_key = shelf_with_key()
    shelf.merge()
    for key in shelf.tables:
        data = bytearray(shelf.store.get_object(shelf.target.bucket, key).data)
        data[100] ^= 1
        shelf.put(key, bytes(data))
    answer = search(shelf, KEY)
    assert packs_of(answer) == with_key
    assert answer.coverage.is_whole
    assert {failure.error for failure in answer.coverage.failures} == {"BadTerms"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'"pieces":[[4,', b'"pieces":[["4",'),
        (b'"replaces":[]', b'"replaces":[[]]'),
        (b"[10]", b'["10"]'),
        (b"[10]", b"[-10]"),
        (b"[10]", b"[" * 100_000),
        (b"/2021/03/05/", b"/2021/03/99/"),
    ],
)
def test_a_forged_table_covers_nothing(before: bytes, after: bytes) -> None:
    """A forged table must neither end a search nor be believed."""
    shelf = TermsShelf()
    pack = shelf.add_pack(DAY, sighting(Field.ACCESS_KEY, KEY))
    shelf.merge()
    (key,) = shelf.tables
    shelf.put(key, lie(shelf.store.get_object(shelf.target.bucket, key).data, before, after))
    answer = search(shelf, KEY)
    assert packs_of(answer) == {pack}
    assert answer.coverage.is_whole
    assert [failure.error for failure in answer.coverage.failures] == ["BadTerms"]


def lie(table: bytes, before: bytes, after: bytes) -> bytes:
    """Give a table another directory. A changed pack name also applies to its rows."""
    size, footer = find_end(table), footer_bytes(table)
    assert size is not None
    text = zlib.decompress(table[-size:-footer])
    assert before in text
    told = zlib.compress(text.replace(before, after))
    end = len(told).to_bytes(4, "little") + table[-footer:][4:]
    return table[:-size] + told + end


def test_too_many_results_are_refused() -> None:
    shelf, _ = shelf_with_key()
    for _ in range(2):
        with pytest.raises(LimitExceeded, match="values in packs match"):
            search(shelf, KEY, room=Room(1))
        assert len(search(shelf, KEY, room=Room(2)).sighted) == 2
        shelf.merge()


def test_expired_packs_are_reported_and_lost_indexes_do_not_matter() -> None:
    """The table outlives the pack; a listed index alone does not count as an unsearched pack."""
    shelf, with_key = shelf_with_key()
    shelf.merge()
    gone = min(with_key)
    shelf.store.delete(shelf.target.bucket, gone)
    shelf.put(shelf.target.index_key(gone), b"index")
    answer = search(shelf, KEY)
    assert packs_of(answer) == with_key
    assert {each.pack.storage_class is None: each.pack.pack_key for each in answer.sighted} == {
        True: gone,
        False: max(with_key),
    }
    assert answer.coverage.is_whole


def test_a_table_of_another_month_is_ignored() -> None:
    """Another month's table, put in its place, must not make a month look searched."""
    shelf, _ = shelf_with_key()
    shelf.merge()
    march, april = shelf.tables
    shelf.put(
        april.rpartition("/")[0] + "/05-0123456789abcdef.parquet",
        shelf.store.get_object(shelf.target.bucket, march).data,
    )
    answer = search(shelf, KEY)
    assert answer.coverage.is_whole
    assert "another month" in answer.coverage.failures[0].message


def test_without_parquet_terms_are_read_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shelf, with_key = shelf_with_key()
    shelf.merge()
    monkeypatch.setattr(module, "has_reader", lambda: False)
    answer = search(shelf, KEY)
    assert packs_of(answer) == with_key
    assert answer.coverage.is_whole


def test_tables_are_listed_by_log_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers that keep folders list `CloudTrail/` before `CloudTrail-Insight/`, and keys in an
    order other than S3's are refused.
    """
    shelf, with_key = shelf_with_key()
    shelf.merge()
    prefixes: list[str] = []
    list_objects = shelf.store.list_objects

    def spy(bucket: str, *, prefix: str = "", start: ListStart | None = None) -> Page:
        prefixes.append(prefix)
        return list_objects(bucket, prefix=prefix, start=start)

    monkeypatch.setattr(shelf.store, "list_objects", spy)
    assert packs_of(search(shelf, KEY, is_quick=True)) == with_key
    assert [prefix.rpartition("tables/")[2] for prefix in prefixes] == ["CloudTrail/"]


def test_a_query_excludes_and_counts_packs() -> None:
    shelf, with_key = shelf_with_key()
    shelf.merge()
    in_march = Query.of_days(date(2021, 3, 1), date(2021, 3, 31))
    answer = search(shelf, KEY, query=in_march)
    assert packs_of(answer) == {key for key in with_key if "/2021/03/" in key}
    assert answer.coverage.packs == 2
    elsewhere = search(shelf, KEY, query=Query(accounts=frozenset({"444455556666"})))
    assert not elsewhere.sighted
    assert elsewhere.coverage.packs == 1


def test_prefixes_and_networks_are_found() -> None:
    shelf = TermsShelf()
    shelf.add_pack(
        DAY,
        sighting(Field.ADDRESS, "10.0.0.1"),
        sighting(Field.ADDRESS, "10.0.0.12"),
        sighting(Field.ADDRESS, "10.0.1.1"),
        sighting(Field.ADDRESS, "2001:db8::1"),
        sighting(Field.NAME, "10.0.0.1-backup"),
        sighting(Field.EVENT, "s3:putobject"),
    )
    shelf.merge()

    def values(*texts: str, is_prefix: bool = False) -> list[str]:
        return [each.value for each in search(shelf, *texts, is_prefix=is_prefix).sighted]

    assert values("10.0.0.0/29") == ["10.0.0.1"]
    assert values("10.0.0.0/23") == ["10.0.0.1", "10.0.0.12", "10.0.1.1"]
    assert values("2001:db8::/32") == ["2001:db8::1"]
    assert values("s3:Put", is_prefix=True) == ["s3:putobject"]
    assert values("10.0.0.1", is_prefix=True) == ["10.0.0.1", "10.0.0.1-backup", "10.0.0.12"]
