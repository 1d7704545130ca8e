"""The requests of a rehearsal that bypass the object store. They use a plain client of their own,
because the store's client replaces bodies and adds owners.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from log_aggregator.adapters.s3.clients import (
    ClientSettings,
    find_credentials,
    make_client,
    make_session,
)
from log_aggregator.adapters.s3.configuration import (
    configuration_errors,
    find_endpoint,
    find_region,
)
from log_aggregator.adapters.s3.errors import store_errors
from log_aggregator.errors import AccessDenied, NotFound, RequestFailed
from log_aggregator.ports.scratch import Entry, Lock
from log_aggregator.ports.store import WriteOptions

FIRST_REGION = "us-east-1"
"""The only Region that CreateBucket does not accept by name
(https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucketConfiguration.html).
"""
NO_VERSIONS = frozenset({"InvalidArgument", "MethodNotAllowed", "NotImplemented", "501", "405"})
"""How servers without versions answer ListObjectVersions."""

REMOVERS = 16
"""Threads that delete."""


class BotoHands:
    """Implements `Hands` and `ScratchBuckets` with a client of boto3 or botocore."""

    def __init__(self, client: Any) -> None:
        self._s3 = client
        self.requests: Counter[str] = Counter()
        """Requests by S3's name of the operation; repeated attempts count once."""
        client.meta.events.register("before-call.s3", self._count)
        self._markers: list[tuple[str, Entry]] = []
        """The delete markers that were made, and their buckets. Some servers' listings cannot be
        parsed if a key has characters that XML does not allow, so these would not be found again.
        """

    @classmethod
    def connect(cls, settings: ClientSettings) -> BotoHands:
        """With the settings of the object store. Raises BadConfiguration."""
        with configuration_errors():
            session = make_session(settings)
            endpoint = find_endpoint(session, settings.endpoint_url)
            region = find_region(session, settings.region)
            find_credentials(session)
            url = endpoint.value if endpoint else None
            return cls(make_client(session, region.value, settings, url))

    def overwrite(
        self, bucket: str, key: str, data: bytes, options: WriteOptions | None = None
    ) -> None:
        with store_errors("PutObject", bucket, key, size_bytes=len(data)):
            self._s3.put_object(Bucket=bucket, Key=key, Body=data, **_encode(options))

    def delete(self, bucket: str, key: str, *, if_match: str | None = None) -> None:
        condition = {"IfMatch": f'"{if_match}"'} if if_match is not None else {}
        with store_errors("DeleteObject", bucket, key):
            answer = self._s3.delete_object(Bucket=bucket, Key=key, **condition)
        if answer.get("DeleteMarker") and answer.get("VersionId"):
            self._markers.append((bucket, Entry(key, answer["VersionId"])))

    def list_of_owner(self, bucket: str, prefix: str, owner: str) -> None:
        with store_errors("ListObjectsV2", bucket, prefix):
            self._s3.list_objects_v2(Bucket=bucket, Prefix=prefix, ExpectedBucketOwner=owner)

    def hold(self, bucket: str, key: str, version_id: str, *, is_held: bool) -> None:
        with store_errors("PutObjectLegalHold", bucket, key):
            self._s3.put_object_legal_hold(
                Bucket=bucket,
                Key=key,
                VersionId=version_id,
                LegalHold={"Status": "ON" if is_held else "OFF"},
            )

    def retain(self, bucket: str, key: str, version_id: str, until: datetime) -> None:
        with store_errors("PutObjectRetention", bucket, key):
            self._s3.put_object_retention(
                Bucket=bucket,
                Key=key,
                VersionId=version_id,
                Retention={"Mode": "GOVERNANCE", "RetainUntilDate": until},
            )

    def clear(self, bucket: str, prefix: str, keys: Iterable[str]) -> None:
        with suppress(RequestFailed):
            entries = self.list_entries(bucket, prefix)
            # A server that ignores the prefix lists what is not ours.
            self.remove_entries(bucket, [each for each in entries if each.key.startswith(prefix)])
        self._remove_markers(bucket, prefix)
        for key in keys:
            with suppress(RequestFailed), store_errors("HeadObject", bucket, key):
                found = self._s3.head_object(Bucket=bucket, Key=key)
                self._remove(bucket, Entry(key, found.get("VersionId")))

    def now(self) -> datetime:
        return datetime.now(UTC)

    def wait(self) -> None:
        # S3's LastModified is in whole seconds.
        time.sleep(1.1)

    def exists(self, bucket: str) -> bool:
        try:
            with store_errors("HeadBucket", bucket):
                self._s3.head_bucket(Bucket=bucket)
        except NotFound:
            return False
        except RequestFailed as error:
            if error.code in ("403", "301", "AccessDenied"):
                return True  # another account's
            raise
        return True

    def create(self, bucket: str, *, has_lock: bool = False) -> None:
        region = self._s3.meta.region_name
        options: dict[str, Any] = {"ObjectLockEnabledForBucket": True} if has_lock else {}
        if region != FIRST_REGION:
            options["CreateBucketConfiguration"] = {"LocationConstraint": region}
        with store_errors("CreateBucket", bucket):
            self._s3.create_bucket(Bucket=bucket, **options)

    def switch_versions_on(self, bucket: str) -> None:
        with store_errors("PutBucketVersioning", bucket):
            self._s3.put_bucket_versioning(
                Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
            )

    def find_lock(self, bucket: str) -> Lock | None:
        try:
            with store_errors("GetObjectLockConfiguration", bucket):
                answer = self._s3.get_object_lock_configuration(Bucket=bucket)
        except RequestFailed as error:
            # AWS answers 404 if there is none; other servers may not know the request.
            if isinstance(error, NotFound) or "ObjectLock" in error.code or _is_unknown(error):
                return None
            raise
        found = answer.get("ObjectLockConfiguration", {})
        return Lock("Rule" in found) if found.get("ObjectLockEnabled") == "Enabled" else None

    def list_entries(self, bucket: str, prefix: str) -> list[Entry]:
        try:
            return list(self._list_versions(bucket, prefix))
        except RequestFailed as error:
            if not _is_unknown(error):
                raise
        return list(self._list_objects(bucket, prefix))

    def remove_entries(self, bucket: str, entries: Sequence[Entry]) -> None:
        def remove(entry: Entry) -> None:
            with suppress(RequestFailed), store_errors("DeleteObject", bucket, entry.key):
                self._remove(bucket, entry)

        # One request for each key, because DeleteObjects cannot name keys that XML cannot contain;
        # many at the same time, because a ctrl-C leaves only a few seconds.
        with ThreadPoolExecutor(REMOVERS) as threads:
            list(threads.map(remove, entries))

    def abort_uploads(self, bucket: str, prefix: str) -> None:
        pages = self._s3.get_paginator("list_multipart_uploads")
        with store_errors("ListMultipartUploads", bucket, prefix):
            for page in pages.paginate(Bucket=bucket, Prefix=prefix):
                for upload in page.get("Uploads", []):
                    # A server that ignores the prefix also lists uploads that are not ours.
                    if upload["Key"].startswith(prefix):
                        self._s3.abort_multipart_upload(
                            Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                        )

    def remove(self, bucket: str) -> None:
        with store_errors("DeleteBucket", bucket):
            self._s3.delete_bucket(Bucket=bucket)

    def _remove_markers(self, bucket: str, prefix: str) -> None:
        """Removes the markers that were made under the prefix. Those that a listing showed are gone
        already, which is not an error.
        """
        own = [
            each for each in self._markers if each[0] == bucket and each[1].key.startswith(prefix)
        ]
        self._markers = [each for each in self._markers if each not in own]
        self.remove_entries(bucket, [entry for _, entry in own])

    def _count(self, model: Any, **_: object) -> None:
        self.requests[model.name] += 1

    def _list_versions(self, bucket: str, prefix: str) -> Iterator[Entry]:
        pages = self._s3.get_paginator("list_object_versions")
        with store_errors("ListObjectVersions", bucket, prefix):
            for page in pages.paginate(Bucket=bucket, Prefix=prefix):
                for entry in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
                    yield Entry(entry["Key"], entry["VersionId"])

    def _list_objects(self, bucket: str, prefix: str) -> Iterator[Entry]:
        pages = self._s3.get_paginator("list_objects_v2")
        with store_errors("ListObjectsV2", bucket, prefix):
            for page in pages.paginate(Bucket=bucket, Prefix=prefix):
                yield from (Entry(entry["Key"]) for entry in page.get("Contents", []))

    def _remove(self, bucket: str, entry: Entry) -> None:
        """Bypasses a governance lock only after a refusal, because S3 refuses a bypass in a bucket
        without Object Lock.
        """
        version = {} if entry.version_id is None else {"VersionId": entry.version_id}
        try:
            with store_errors("DeleteObject", bucket, entry.key):
                self._s3.delete_object(Bucket=bucket, Key=entry.key, **version)
        except AccessDenied:
            self._s3.delete_object(
                Bucket=bucket, Key=entry.key, **version, BypassGovernanceRetention=True
            )


def _is_unknown(error: RequestFailed) -> bool:
    """Whether the server does not know the operation."""
    return error.code in NO_VERSIONS


def _encode(options: WriteOptions | None) -> dict[str, Any]:
    if options is None:
        return {}
    encoding = {"ContentEncoding": options.content_encoding} if options.content_encoding else {}
    return {
        "ContentType": options.content_type,
        "StorageClass": options.storage_class,
        "Metadata": dict(options.metadata),
        **encoding,
    }
