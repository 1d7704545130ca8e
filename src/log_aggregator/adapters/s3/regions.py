"""Which Region a bucket is in, as far as botocore has found out: it follows a bucket to another
Region, and remembers it for the client's later requests. Our reader asks botocore where a bucket
is; here botocore is made to look, where it was not at that bucket yet.
"""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from botocore.loaders import create_loader

from log_aggregator.adapters.s3.errors import ELSEWHERE, REGION_CODES, store_errors
from log_aggregator.errors import StoreError

HEADER = "x-amz-bucket-region"
"""Every answer of S3's about a bucket that exists names the bucket's Region in it
(https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html)."""

REDIRECTS = frozenset(
    {HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.BAD_REQUEST}
)
"""What S3 says in another Region. The last: to a request that is signed for the wrong one."""


class Regions:
    """Of one S3 client. Thread safe."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3
        self._known: set[str] = set()
        self._wrong: dict[str, StoreError] = {}
        self._lock = threading.Lock()
        s3.meta.events.register("after-call.s3", self._note)

    def find(self, bucket: str) -> None:
        """Makes botocore know where a bucket is. One request, and none where it was there before.
        Raises StoreError where the bucket is elsewhere and botocore cannot follow it.
        """
        with self._lock:
            if bucket in self._wrong:
                raise self._wrong[bucket]
            if bucket in self._known:
                return
            try:
                with store_errors("HeadBucket", bucket):
                    self._s3.head_bucket(Bucket=bucket)
            except StoreError as error:
                if error.code in REGION_CODES or ELSEWHERE in str(error):
                    self._wrong[bucket] = error
                    raise
                # no permission, no bucket: what is asked for in it says so, and says it better
            self._known.add(bucket)

    def _note(
        self, http_response: Any, parsed: dict[str, Any], context: Mapping[str, Any], **_: object
    ) -> None:
        """Botocore got an answer about a bucket, after all redirects."""
        bucket = context.get("s3_redirect", {}).get("bucket")
        if bucket is None:
            return
        if http_response.status_code not in REDIRECTS:
            self._known.add(bucket)
            return
        region = http_response.headers.get(HEADER)
        error = parsed.get("Error", {})
        if region and region != self._s3.meta.region_name:
            text = f"{ELSEWHERE}{region}; set that (--region, and the endpoint where one is named)"
            error["Message"] = f"{text}: {error.get('Message') or ''}"


def is_aws(endpoint_url: str) -> bool:
    """An endpoint of AWS in any partition, through whichever network: PrivateLink, dualstack,
    FIPS.
    """
    host = urlsplit(endpoint_url).hostname or ""
    suffixes = {
        partition["outputs"][name]
        for partition in load_partitions()
        for name in ("dnsSuffix", "dualStackDnsSuffix")
    }
    return any(host.endswith(f".{suffix}") for suffix in suffixes)


def is_region(name: str) -> bool:
    """Whether AWS may have such a Region: it is known, or has the form of one."""
    return any(
        name in partition["regions"] or re.fullmatch(partition["regionRegex"], name)
        for partition in load_partitions()
    )


@functools.cache
def load_partitions() -> list[dict[str, Any]]:
    """As botocore has them: names of Regions, and the ends of their host names."""
    found: list[dict[str, Any]] = create_loader().load_data("partitions")["partitions"]
    return found
