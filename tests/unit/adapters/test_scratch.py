"""A rehearsal deletes only what is under its prefix, whatever a server lists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from log_aggregator.adapters.s3.scratch import BotoHands
from log_aggregator.ports.scratch import Entry

ALL = [{"Key": "mine/k", "VersionId": "1"}, {"Key": "a-strangers", "VersionId": "2"}]
UPLOADS = [{"Key": "mine/k", "UploadId": "u"}, {"Key": "a-strangers", "UploadId": "v"}]


class Events:
    def register(self, name: str, call: Any) -> None:
        """Do nothing."""


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

    def delete_object(self, **request: Any) -> dict[str, Any]:
        self.deleted.append(request["Key"])
        return {"DeleteMarker": True, "VersionId": "m"} if "VersionId" not in request else {}

    def abort_multipart_upload(self, **request: Any) -> None:
        self.aborted.append(request["Key"])


def test_keys_outside_the_prefix_are_never_deleted() -> None:
    client = Everything()
    BotoHands(client).clear("bucket", "mine/", [])
    assert client.deleted == ["mine/k"]


def test_uploads_outside_the_prefix_are_never_aborted() -> None:
    client = Everything()
    BotoHands(client).abort_uploads("bucket", "mine/")
    assert client.aborted == ["mine/k"]


class Locked(Everything):
    """A bucket with one version locked in governance mode; bypassing any other is an error."""

    def delete_object(self, **request: Any) -> dict[str, Any]:
        is_locked, bypasses = request["Key"] == "locked", "BypassGovernanceRetention" in request
        if is_locked != bypasses:
            code = "InvalidArgument" if bypasses else "AccessDenied"
            raise ClientError({"Error": {"Code": code}}, "DeleteObject")
        return super().delete_object(**request)


def test_a_lock_is_bypassed_only_if_there_is_one() -> None:
    """S3 refuses a bypass where there is no lock."""
    client = Locked()
    BotoHands(client).remove_entries("bucket", [Entry("free", "1"), Entry("locked", "2")])
    assert sorted(client.deleted) == ["free", "locked"]


class Unreadable(Everything):
    """A bucket whose listing cannot be read."""

    def __init__(self) -> None:
        super().__init__()
        self.versions: list[tuple[str, str | None]] = []

    def get_paginator(self, name: str) -> Any:
        class Pages:
            def paginate(self, **_: object) -> Any:
                raise ClientError({"Error": {"Code": "InternalError"}}, name)

        return Pages()

    def delete_object(self, **request: Any) -> dict[str, Any]:
        self.versions.append((request["Key"], request.get("VersionId")))
        return super().delete_object(**request)


def test_a_delete_marker_missing_from_listings_is_removed() -> None:
    """One such key spoils every listing, so otherwise everything under the prefix would stay."""
    client = Unreadable()
    hands = BotoHands(client)
    hands.delete("bucket", "bell\x07")
    hands.clear("bucket", "", [])
    assert client.versions == [("bell\x07", None), ("bell\x07", "m")]
