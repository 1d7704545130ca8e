"""CloudTrail's public keys are read as CloudTrail returns them, from the requested Region, and its
refusals become our errors.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.unit.adapters.conftest import Answer, CannedS3

from log_aggregator.adapters.s3 import ClientSettings
from log_aggregator.adapters.s3.trail_keys import CloudTrailKeys
from log_aggregator.errors import AccessDenied, StoreError, Unreachable
from log_aggregator.ports.trail_keys import TrailKey
from log_aggregator_lab.organisation.generate import small
from log_aggregator_lab.servers.trail_api import TrailApi

FIRST = datetime(2026, 3, 14, tzinfo=UTC)
LAST = FIRST + timedelta(days=1)
SETTINGS = ClientSettings(region="eu-west-1", access_key="k", secret_key="s", attempts_max=2)
ENDPOINTS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_CLOUDTRAIL")


@pytest.fixture
def server() -> Iterator[CannedS3]:
    canned = CannedS3()
    try:
        yield canned
    finally:
        canned.stop()


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENDPOINTS:
        monkeypatch.delenv(name, raising=False)


def connect(server: CannedS3, monkeypatch: pytest.MonkeyPatch) -> CloudTrailKeys:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDTRAIL", str(server.settings.endpoint_url))
    keys = CloudTrailKeys.connect(SETTINGS)
    assert keys is not None
    return keys


def answer(*names: str, token: str | None = None) -> Answer:
    entries = [
        {
            "Value": base64.b64encode(name.encode()).decode(),
            "Fingerprint": name,
            "ValidityStartTime": FIRST.timestamp(),
            "ValidityEndTime": LAST.timestamp(),
        }
        for name in names
    ]
    body: dict[str, Any] = {"PublicKeyList": entries} | ({"NextToken": token} if token else {})
    return Answer(body=json.dumps(body).encode())


def test_all_pages_are_read(server: CannedS3, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of all pages come as bytes with times in UTC; each request gives the range of time and
    goes to the region's own CloudTrail.
    """
    server.answers = [answer("a", "b", token="more"), answer("c")]
    found = connect(server, monkeypatch).list_public_keys("ap-south-1", FIRST, LAST)
    assert found == [TrailKey(name, name.encode(), FIRST, LAST) for name in "abc"]
    asked = [json.loads(request.body) for request in server.requests]
    assert [request.get("NextToken") for request in asked] == [None, "more"]
    assert {(request["StartTime"], request["EndTime"]) for request in asked} == {
        (FIRST.timestamp(), LAST.timestamp())
    }
    assert all(
        "/ap-south-1/cloudtrail/" in request.headers["authorization"] for request in server.requests
    )


def test_endless_pages_are_an_error(server: CannedS3, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that always has more is an error, not a loop."""
    monkeypatch.setattr("log_aggregator.adapters.s3.trail_keys.PAGES_MAX", 3)
    server.answers = [answer("a", token="more")]
    with pytest.raises(StoreError, match="more than 3 pages"):
        connect(server, monkeypatch).list_public_keys("eu-west-1", FIRST, LAST)


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (Answer(400, b'{"__type": "AccessDeniedException", "message": "no"}'), AccessDenied),
        (Answer(400, b'{"__type": "InvalidTimeRangeException", "message": "no"}'), StoreError),
        (Answer(200, b"<html>not CloudTrail</html>"), StoreError),
        (Answer(200, b'{"PublicKeyList": [{"Fingerprint": "a"}]}'), StoreError),
    ],
)
def test_refusals_become_our_errors(
    server: CannedS3, monkeypatch: pytest.MonkeyPatch, given: Answer, kind: type[StoreError]
) -> None:
    """A refusal and a malformed answer become a StoreError that names operation and region."""
    server.answers = [given]
    with pytest.raises(kind, match="ListPublicKeys cloudtrail eu-west-1"):
        connect(server, monkeypatch).list_public_keys("eu-west-1", FIRST, LAST)


def test_a_missing_answer_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CloudTrail that cannot be reached is unreachable."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDTRAIL", "http://127.0.0.1:1")
    keys = CloudTrailKeys.connect(SETTINGS)
    assert keys is not None
    with pytest.raises(Unreachable):
        keys.list_public_keys("eu-west-1", FIRST, LAST)


@pytest.mark.parametrize(
    ("environment", "endpoint_url", "is_there"),
    [
        ({}, None, True),
        ({"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}, None, False),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, None, False),
        ({}, "http://127.0.0.1:9", False),
        ({"AWS_ENDPOINT_URL_CLOUDTRAIL": "http://127.0.0.1:8"}, "http://127.0.0.1:9", True),
    ],
)
def test_another_s3_server_has_no_cloudtrail(
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    endpoint_url: str | None,
    is_there: bool,
) -> None:
    """With another S3 server nothing is asked, least of all AWS, unless a CloudTrail is named."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = ClientSettings(
        region="eu-west-1", access_key="k", secret_key="s", endpoint_url=endpoint_url
    )
    assert (CloudTrailKeys.connect(settings) is not None) == is_there


def test_the_stand_in_of_the_lab_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in serves the keys it was given, only for the time when they were valid."""
    with TrailApi(small()) as api:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDTRAIL", api.endpoint_url)
        keys = CloudTrailKeys.connect(SETTINGS)
        assert keys is not None
        assert keys.list_public_keys("eu-west-1", FIRST, LAST) == api.keys.keys
        assert (
            keys.list_public_keys(
                "eu-west-1", FIRST - timedelta(days=400), LAST - timedelta(days=400)
            )
            == []
        )
