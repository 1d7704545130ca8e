"""What probes do with boto3's client, past the port."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from log_aggregator.adapters.s3.errors import store_errors
from log_aggregator.errors import RequestFailed


class BotoHands:
    """Implements `Hands` with a client of boto3 or botocore.

    The client must not be the store's own, whose listings are parsed by somebody else.
    """

    def __init__(self, client: Any) -> None:
        self._s3 = client

    def overwrite(self, bucket: str, key: str, data: bytes) -> None:
        with store_errors("PutObject", bucket, key):
            self._s3.put_object(Bucket=bucket, Key=key, Body=data)

    def delete(self, bucket: str, key: str, *, if_match: str | None = None) -> None:
        condition = {"IfMatch": f'"{if_match}"'} if if_match is not None else {}
        with store_errors("DeleteObject", bucket, key):
            self._s3.delete_object(Bucket=bucket, Key=key, **condition)

    def list_of_owner(self, bucket: str, prefix: str, owner: str) -> None:
        with store_errors("ListObjectsV2", bucket, prefix):
            self._s3.list_objects_v2(Bucket=bucket, Prefix=prefix, ExpectedBucketOwner=owner)

    def clear(self, bucket: str, prefix: str, keys: Iterable[str]) -> None:
        with suppress(RequestFailed), store_errors("ListObjectVersions", bucket, prefix):
            page = self._s3.list_object_versions(Bucket=bucket, Prefix=prefix)
            for entry in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
                self._delete(bucket, entry["Key"], entry["VersionId"])
        for key in keys:
            with suppress(RequestFailed), store_errors("HeadObject", bucket, key):
                found = self._s3.head_object(Bucket=bucket, Key=key)
                self._delete(bucket, key, found.get("VersionId"))

    def _delete(self, bucket: str, key: str, version_id: str | None) -> None:
        version = {"VersionId": version_id} if version_id is not None else {}
        self._s3.delete_object(Bucket=bucket, Key=key, **version)

    def wait(self) -> None:
        time.sleep(1.1)
