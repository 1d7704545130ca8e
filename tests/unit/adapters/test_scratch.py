"""What a rehearsal removes is what lies under its prefix, whatever a server lists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from log_aggregator.adapters.s3.scratch import BotoHands

ALL = [{"Key": "mine/k", "VersionId": "1"}, {"Key": "a-strangers", "VersionId": "2"}]
UPLOADS = [{"Key": "mine/k", "UploadId": "u"}, {"Key": "a-strangers", "UploadId": "v"}]


class Events:
    def register(self, name: str, call: Any) -> None:
        """Nothing happens here."""


class Meta:
    events = Events()
    region_name = "eu-west-1"


class Everything:
    """A client of a server that ignores every prefix."""

    meta = Meta()

    def __init__(self) -> None:
        self.deleted: list[str] = []
        self.aborted: list[str] = []

    def get_paginator(self, name: str) -> Any:
        class Pages:
            def paginate(self, **_: object) -> Iterator[dict[str, Any]]:
                yield {"Versions": ALL, "Uploads": UPLOADS}

        return Pages()

    def delete_object(self, **request: Any) -> None:
        self.deleted.append(request["Key"])

    def abort_multipart_upload(self, **request: Any) -> None:
        self.aborted.append(request["Key"])


def test_a_stranger_is_never_cleared() -> None:
    client = Everything()
    BotoHands(client).clear("bucket", "mine/", [])
    assert client.deleted == ["mine/k"]


def test_a_strangers_upload_is_never_aborted() -> None:
    client = Everything()
    BotoHands(client).abort_uploads("bucket", "mine/")
    assert client.aborted == ["mine/k"]
