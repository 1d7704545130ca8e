"""Impossible listings from servers other than AWS: one clear error line, and never an empty or
partial result or an endless loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.adapters.conftest import Answer, CannedS3
from tests.unit.adapters.test_s3_store import contents, listing

from log_aggregator.adapters.s3.listing_checks import Listed, check_keys
from log_aggregator.errors import StoreError
from log_aggregator.ports.store import ListStart, Page

VERSIONS = "ListVersionsResult"


def entry(key: str, version_id: str = "", *, kind: str = "Version") -> str:
    """An entry of a listing of versions."""
    inner = contents(key).removeprefix("<Contents>").removesuffix("</Contents>")
    version = f"<VersionId>{version_id or 'v-' + key}</VersionId><IsLatest>true</IsLatest>"
    return f"<{kind}>{inner}{version}</{kind}>"


def folder(prefix: str) -> str:
    return f"<CommonPrefixes><Prefix>{prefix}</Prefix></CommonPrefixes>"


def objects_page(keys: Sequence[str]) -> Answer:
    return Answer(200, listing("".join(map(contents, keys))))


def versions_page(keys: Sequence[str]) -> Answer:
    return Answer(200, listing("".join(map(entry, keys)), VERSIONS))


def markers_page(keys: Sequence[str]) -> Answer:
    return Answer(200, listing("".join(entry(key, kind="DeleteMarker") for key in keys), VERSIONS))


def next_versions(inner: str, key: str, version_id: str) -> Answer:
    """A page that is not the last, with the next one's start."""
    markers = (
        f"<NextKeyMarker>{key}</NextKeyMarker>"
        f"<NextVersionIdMarker>{version_id}</NextVersionIdMarker>"
    )
    return Answer(200, listing(inner + markers, VERSIONS, is_truncated=True))


def list_objects(canned: CannedS3, start: ListStart | None) -> Page:
    return canned.store.list_objects("b", prefix="p/", start=start)


def list_versions(canned: CannedS3, start: ListStart | None) -> Page:
    return canned.store.list_object_versions("b", prefix="p/", start=start)


KINDS: dict[
    str,
    tuple[Callable[[Sequence[str]], Answer], Callable[[CannedS3, ListStart | None], Page]],
] = {
    "objects": (objects_page, list_objects),
    "versions": (versions_page, list_versions),
    "markers": (markers_page, list_versions),
}


@pytest.mark.parametrize("kind", KINDS)
class TestOrder:
    @pytest.mark.parametrize(
        ("keys", "start"),
        [
            (["p/a", "p/b"], None),
            (["p/a", "p/a-b", "p/a/b", "p/a0"], None),
            (["p/\uff5e", "p/\U0001f600"], None),
            (["p/"], None),
            (["p/b"], ListStart("p/a")),
            (["p/b"], ListStart("o")),
            ([], ListStart("p/z")),
        ],
    )
    def test_listings_in_s3s_order_are_accepted(
        self, canned: CannedS3, kind: str, keys: list[str], start: ListStart | None
    ) -> None:
        answer, list_page = KINDS[kind]
        canned.answers = [answer(keys)]
        page = list_page(canned, start)
        assert [each.key for each in page.objects] + [each.key for each in page.markers] == keys

    @pytest.mark.parametrize(
        ("keys", "start", "said"),
        [
            (["p/b", "p/a"], None, "in the order of their UTF-8 bytes"),
            (["p/a", "p/c", "p/b"], None, "in the order of their UTF-8 bytes"),
            (["p/a/b", "p/a-b"], None, "in the order of their UTF-8 bytes"),
            (["p/\U0001f600", "p/\uff5e"], None, "in the order of their UTF-8 bytes"),
            (["p/B", "p/a", "p/C"], None, "in the order of their UTF-8 bytes"),
            (["p/a", "p/c"], ListStart("p/b"), "expected keys after 'p/b'"),
            (["p/b", "p/c"], ListStart("p/b"), "after"),
            (["a"], None, "does not list by prefix"),
            (["p/a", "q"], None, "does not list by prefix"),
            (["p"], None, "does not list by prefix"),
        ],
    )
    def test_listings_in_any_other_order_are_an_error(
        self, canned: CannedS3, kind: str, keys: list[str], start: ListStart | None, said: str
    ) -> None:
        """Keys out of order, from elsewhere or from the page before: after that page logs might be
        skipped or read forever.
        """
        answer, list_page = KINDS[kind]
        canned.answers = [answer(keys)]
        with pytest.raises(StoreError, match=said) as caught:
            list_page(canned, start)
        assert caught.value.code == "InvalidListing"
        assert len(str(caught.value).splitlines()) == 1


def test_a_key_listed_twice_is_an_error(canned: CannedS3) -> None:
    canned.answers = [objects_page(["p/a", "p/a"])]
    with pytest.raises(StoreError, match="in the order of their UTF-8 bytes"):
        list_objects(canned, None)


@given(st.lists(st.text(max_size=3), unique=True, max_size=6))
def test_only_the_order_of_bytes_is_accepted(keys: list[str]) -> None:
    """Python orders strings as UTF-8 does, except lone surrogates."""
    listed = Listed("ListObjectsV2", "b", "")
    if keys == sorted(keys, key=lambda key: key.encode("utf-8", "surrogatepass")):
        check_keys(listed, keys, None)
    else:
        with pytest.raises(StoreError):
            check_keys(listed, keys, None)


class TestPagesOfVersions:
    def test_a_key_may_continue_on_the_next_page(self, canned: CannedS3) -> None:
        """A page may end between two versions of a key, and a delete marker may be older than a
        version after it.
        """
        canned.answers = [
            next_versions(entry("p/a", "3") + entry("p/a", "2"), "p/a", "2"),
            next_versions(entry("p/a", "1", kind="DeleteMarker") + entry("p/a", "0"), "p/a", "0"),
            versions_page(["p/b"]),
        ]
        first = list_versions(canned, None)
        second = list_versions(canned, first.next_start)
        third = list_versions(canned, second.next_start)
        assert (first.next_start, second.next_start, third.next_start) == (
            ListStart("p/a", "2"),
            ListStart("p/a", "0"),
            None,
        )

    @pytest.mark.parametrize(
        ("inner", "start"),
        [
            (entry("p/a", "2") + entry("p/a", "1"), ListStart("p/a", "2")),
            (entry("p/a", "3") + entry("p/a", "2"), ListStart("p/a", "2")),
            (entry("p/a", "2", kind="DeleteMarker"), ListStart("p/a", "2")),
            (entry("p/a", "null"), ListStart("p/a", "null")),
            (entry("p/a", "1"), ListStart("p/a")),
        ],
    )
    def test_repeated_versions_are_an_error(
        self, canned: CannedS3, inner: str, start: ListStart
    ) -> None:
        """A server that ignores one of the markers gives the same versions again."""
        canned.answers = [Answer(200, listing(inner, VERSIONS))]
        with pytest.raises(StoreError, match="after which it was to begin"):
            list_versions(canned, start)

    @pytest.mark.parametrize(
        ("inner", "start", "key", "version_id"),
        [
            ("", ListStart("p/a", "1"), "p/a", "1"),
            ("", ListStart("p/b", "1"), "p/a", "1"),
            (entry("p/b", "1"), None, "p/a", "1"),
            (entry("p/b", "1") + entry("p/c"), ListStart("p/a", "1"), "p/b", "1"),
            (entry("p/c", kind="DeleteMarker") + entry("p/b"), None, "p/b", "1"),
        ],
    )
    def test_a_page_that_leads_back_is_an_error(
        self, canned: CannedS3, inner: str, start: ListStart | None, key: str, version_id: str
    ) -> None:
        """The listing would repeat forever."""
        canned.answers = [next_versions(inner, key, version_id)]
        with pytest.raises(StoreError, match="such a listing has no end"):
            list_versions(canned, start)

    def test_an_empty_page_may_lead_further(self, canned: CannedS3) -> None:
        canned.answers = [next_versions("", "p/b", "1")]
        assert list_versions(canned, ListStart("p/a")).next_start == ListStart("p/b", "1")


class TestDelimiter:
    def test_an_empty_prefix_is_checked_without_a_delimiter(self, canned: CannedS3) -> None:
        """An empty prefix is confirmed by a second listing without the delimiter."""
        canned.answers = [Answer(200, listing(""))]
        assert canned.store.list_prefixes("b", prefix="p/") == Page(objects=())
        sent = [parse_qs(urlsplit(each.path).query) for each in canned.requests]
        assert [(each.get("delimiter"), each["prefix"]) for each in sent] == [
            (["/"], ["p/"]),
            (None, ["p/"]),
        ]

    @pytest.mark.parametrize("inner", [contents("p/a"), folder("p/a/")])
    def test_a_prefix_with_entries_is_listed_once(self, canned: CannedS3, inner: str) -> None:
        canned.answers = [Answer(200, listing(inner))]
        canned.store.list_prefixes("b", prefix="p/")
        assert len(canned.requests) == 1

    @pytest.mark.parametrize("key", ["p/a/b", "p/a", "p/"])
    def test_a_server_without_common_prefixes_is_an_error(self, canned: CannedS3, key: str) -> None:
        """s3rver does so where a prefix has only folders: otherwise a full bucket would look empty
        and searches would find nothing.
        """
        empty, one = Answer(200, listing("")), objects_page([key])
        canned.answers = [empty, one, empty]
        with pytest.raises(StoreError, match="this server does not list by delimiter") as caught:
            canned.store.list_prefixes("b", prefix="p/")
        assert (caught.value.code, len(canned.requests)) == ("NoDelimiter", 3)
        assert str(caught.value).startswith("ListObjectsV2 s3://b/p/: ")

    def test_a_log_arriving_between_requests_is_not_an_error(self, canned: CannedS3) -> None:
        """A log that arrives between the two requests is in the third answer."""
        found = Answer(200, listing(folder("p/a/")))
        canned.answers = [Answer(200, listing("")), objects_page(["p/a/b"]), found]
        assert canned.store.list_prefixes("b", prefix="p/").prefixes == ("p/a/",)

    def test_the_start_of_a_listing_is_kept(self, canned: CannedS3) -> None:
        """Both listings begin at the start."""
        canned.answers = [Answer(200, listing(""))]
        canned.store.list_prefixes("b", prefix="p/", start=ListStart("p/m"))
        sent = [parse_qs(urlsplit(each.path).query)["start-after"] for each in canned.requests]
        assert sent == [["p/m"], ["p/m"]]

    @pytest.mark.parametrize(
        "inner",
        [
            contents("p/a/b"),
            contents("p/a") + contents("p/b/c/d"),
            contents("p/a/"),
            contents("p//"),
            folder("p/a/b/"),
            folder("p/a"),
            folder("p/"),
        ],
    )
    def test_entries_beyond_the_delimiter_are_an_error(self, canned: CannedS3, inner: str) -> None:
        """Objects inside folders, and prefixes that are not folders directly below, are errors."""
        canned.answers = [Answer(200, listing(inner))]
        with pytest.raises(StoreError, match="this server does not list by delimiter"):
            canned.store.list_prefixes("b", prefix="p/")

    @pytest.mark.parametrize("inner", [contents("q"), folder("q/"), folder("")])
    def test_entries_outside_the_prefix_are_an_error(self, canned: CannedS3, inner: str) -> None:
        canned.answers = [Answer(200, listing(inner))]
        with pytest.raises(StoreError, match="does not list by prefix"):
            canned.store.list_prefixes("b", prefix="p/")

    @pytest.mark.parametrize("inner", [contents("p/a"), folder("p/a/")])
    def test_a_server_that_ignores_its_own_token_is_an_error(
        self, canned: CannedS3, inner: str
    ) -> None:
        """It returns the same page, though with a new token each time."""
        canned.answers = [
            Answer(
                200,
                listing(
                    f"{inner}<NextContinuationToken>{number}</NextContinuationToken>",
                    is_truncated=True,
                ),
            )
            for number in range(9)
        ]
        with pytest.raises(StoreError, match="this server repeats pages"):
            canned.store.list_prefixes("b", prefix="p/")
        assert len(canned.requests) == 2

    def test_a_token_that_leads_back_is_an_error(self, canned: CannedS3) -> None:
        """Empty pages have no entry to recognise as repeated."""
        canned.answers = [
            Answer(
                200,
                listing(
                    f"<NextContinuationToken>{token}</NextContinuationToken>", is_truncated=True
                ),
            )
            for token in "abab"
        ]
        with pytest.raises(StoreError, match="such a listing has no end"):
            canned.store.list_prefixes("b", prefix="p/")
        assert len(canned.requests) == 3

    def test_folders_may_come_in_any_order(self, canned: CannedS3) -> None:
        """Some servers list in directory order; since all pages are taken, nothing is lost."""
        inner = folder("p/CloudTrail/") + folder("p/CloudTrail-Digest/")
        canned.answers = [Answer(200, listing(inner))]
        assert canned.store.list_prefixes("b", prefix="p/").prefixes == (
            "p/CloudTrail/",
            "p/CloudTrail-Digest/",
        )
