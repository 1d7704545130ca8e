"""A bucket in another Region than the client's: it is followed as by botocore, at the cost of one
request; if it cannot be followed, one line names the Region to set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.support.sending import Caught, catch, forget_surroundings, share_models
from tests.unit.adapters.test_s3_store import error

from log_aggregator.adapters.s3 import ClientSettings, S3Store
from log_aggregator.adapters.s3.regions import is_region
from log_aggregator.errors import AccessDenied, NotFound, RequestFailed, StoreError

HOME, AWAY = "eu-west-1", "ap-southeast-2"
LISTING = b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
READERS = 16
READS = 64


@pytest.fixture(autouse=True)
def caught(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, no_back_off: None) -> Caught:
    """The caller's settings do not count, and nothing is sent."""
    forget_surroundings(monkeypatch, str(tmp_path))
    share_models(monkeypatch)
    caught = catch(monkeypatch)
    caught.answer = answer_of_a_bucket_in(AWAY)
    return caught


def answer_of_a_bucket_in(
    region: str,
) -> Callable[[str, str], tuple[int, Mapping[str, str], bytes] | None]:
    """The answer that S3 gives in any Region."""

    def answer(method: str, url: str) -> tuple[int, Mapping[str, str], bytes] | None:
        if f".{region}." in (urlsplit(url).hostname or ""):
            return (200, {}, LISTING) if "list-type" in url else None
        body = b"" if method == "HEAD" else error("PermanentRedirect")
        return 301, {"x-amz-bucket-region": region}, body

    return answer


def connect(endpoint_url: str | None = None) -> S3Store:
    return S3Store.connect(
        ClientSettings(
            region=HOME,
            access_key="k",
            secret_key="s",
            endpoint_url=endpoint_url,
            bucket_accounts=(("*", "111122223333"),),
            attempts_max=2,
        )
    )


def read_many(store: S3Store) -> list[RequestFailed | None]:
    def read(number: int) -> RequestFailed | None:
        try:
            store.get_object("logs", f"k{number}")
        except RequestFailed as failed:
            return failed
        return None

    with ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(read, range(READS)))


def test_reads_follow_the_bucket(caught: Caught) -> None:
    """Of many parallel reads one request finds the Region, botocore follows it, and all others go
    there.
    """
    assert read_many(connect()) == [None] * READS
    finding, *others = caught.sent
    assert (finding.method, urlsplit(finding.url).hostname) == (
        "HEAD",
        f"logs.s3.{HOME}.amazonaws.com",
    )
    assert len(others) == 1 + READS
    for sent in others:
        assert urlsplit(sent.url).hostname == f"logs.s3.{AWAY}.amazonaws.com"
        assert sent.scope == ("k", AWAY, "s3")


def test_a_listed_bucket_needs_no_extra_request(caught: Caught) -> None:
    """A run lists first, so no extra request is needed."""
    store = connect()
    store.list_objects("logs")
    listed = len(caught.sent)
    assert listed == 3
    assert read_many(store) == [None] * READS
    assert len(caught.sent) == listed + READS


def test_a_bucket_in_the_own_region_costs_one_request(caught: Caught) -> None:
    """It is asked once per bucket, and not at all where botocore was there before."""
    caught.answer = answer_of_a_bucket_in(HOME)
    store = connect()
    assert read_many(store) == [None] * READS
    assert [sent.method for sent in caught.sent] == ["HEAD"] + ["GET"] * READS


@pytest.mark.parametrize("status", [301, 400])
def test_a_bucket_that_cannot_be_followed_is_reported_with_its_region(
    caught: Caught, status: int
) -> None:
    """An endpoint of one Region keeps botocore there. No GET is tried."""
    caught.answer = lambda *_: (status, {"x-amz-bucket-region": AWAY}, b"")
    failures = read_many(connect(f"https://s3.{HOME}.amazonaws.com"))
    assert {type(failure) for failure in failures} == {StoreError}
    assert {str(failure) for failure in failures} == {str(failures[0])}
    assert f"in Region {AWAY}" in str(failures[0])
    assert "--region" in str(failures[0])
    assert {sent.client for sent in caught.sent} == {"botocore"}
    assert len(caught.sent) <= 3


def test_listings_name_the_region_too(caught: Caught) -> None:
    """Listing is the first thing that a run does."""
    redirect = error("PermanentRedirect")
    caught.answer = lambda *_: (301, {"x-amz-bucket-region": AWAY}, redirect)
    with pytest.raises(StoreError, match=f"the bucket is in Region {AWAY}") as failed:
        connect(f"https://s3.{HOME}.amazonaws.com").list_objects("logs")
    assert "\n" not in str(failed.value)


@pytest.mark.parametrize(
    ("status", "code", "kind"), [(403, "AccessDenied", AccessDenied), (404, "NoSuchKey", NotFound)]
)
def test_a_bucket_without_permission_to_head_can_still_be_read(
    caught: Caught, status: int, code: str, kind: type[RequestFailed]
) -> None:
    """The read's own answer counts."""
    caught.answer = lambda method, _: (status, {}, b"") if method == "HEAD" else None
    assert connect().get_object("logs", "k").data
    caught.answer = lambda *_: (status, {}, error(code))
    with pytest.raises(kind, match="GetObject"):
        connect().get_object("logs", "k")


def test_other_servers_are_not_asked(caught: Caught) -> None:
    """They have one place for all buckets."""
    caught.answer = lambda *_: None
    connect("http://127.0.0.1:9").get_object("logs", "k")
    assert [sent.client for sent in caught.sent] == ["libcurl"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("us-east-1", True),
        ("mx-central-1", True),
        ("us-gov-east-1", True),
        ("cn-northwest-1", True),
        ("eusc-de-east-1", True),
        ("us-isob-east-1", True),
        ("eu-west-99", True),
        ("aws-global", True),
        ("europe", False),
        ("eu-west", False),
        ("eu_west_1", False),
        ("eu-west-1.evil.example", False),
        ("", False),
    ],
)
def test_which_names_can_be_regions(name: str, expected: bool) -> None:
    """A name that AWS has, or may have tomorrow, is accepted."""
    assert is_region(name) is expected
