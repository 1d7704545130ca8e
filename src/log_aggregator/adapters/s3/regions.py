"""The Region of a bucket. botocore follows a bucket to another Region and remembers it for the
client's later requests. Our reader takes the Region from botocore; this module makes botocore find
it before the first read of a bucket.
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
"""Every answer of S3 about an existing bucket names its Region in this header, even a refusal
(https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html)."""

REDIRECTS = frozenset(
    {HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.BAD_REQUEST}
)
"""S3's answers in another Region than the bucket's. Older Regions redirect; those that opened after
20 March 2019 answer 400 (https://docs.amazonaws.cn/AmazonS3/latest/API/UsingRouting.html), and so
do all to a signature for another Region. A new bucket may give 307 for up to a day
(https://aws.amazon.com/premiumsupport/knowledge-center/s3-http-307-response/).
"""


class Regions:
    """The Regions that one S3 client has found. Thread safe."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3
        self._known: set[str] = set()
        self._wrong: dict[str, StoreError] = {}
        self._lock = threading.Lock()
        s3.meta.events.register("after-call.s3", self._note)

    def find(self, bucket: str) -> None:
        """Makes botocore find the bucket's Region: one request, none if it knows it already. Raises
        StoreError if the bucket is in another Region and botocore cannot follow it.
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
                # If permission or bucket is missing, the request that follows gives a better error
                # than a HEAD, which has no body.
            self._known.add(bucket)

    def _note(
        self, http_response: Any, parsed: dict[str, Any], context: Mapping[str, Any], **_: object
    ) -> None:
        """Called when botocore has an answer about a bucket, after all redirects."""
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
    """Whether it is an AWS endpoint, in any partition, also of PrivateLink, dualstack or FIPS."""
    host = urlsplit(endpoint_url).hostname or ""
    suffixes = {
        partition["outputs"][name]
        for partition in load_partitions()
        for name in ("dnsSuffix", "dualStackDnsSuffix")
    }
    return any(host.endswith(f".{suffix}") for suffix in suffixes)


def is_region(name: str) -> bool:
    """Whether AWS may have this Region: botocore knows it, or its name has the right form."""
    return any(
        name in partition["regions"] or re.fullmatch(partition["regionRegex"], name)
        for partition in load_partitions()
    )


@functools.cache
def load_partitions() -> list[dict[str, Any]]:
    """Botocore's data about partitions: names of Regions, and the ends of their host names."""
    found: list[dict[str, Any]] = create_loader().load_data("partitions")["partitions"]
    return found
