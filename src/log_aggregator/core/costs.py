"""What requests cost. Prices are those of us-east-1, list price, November 2026 (https://aws.amazon.com/s3/pricing/).

One table, overridable, never fetched at run time.
"""

from __future__ import annotations

from collections.abc import Mapping

PUT_CLASS_DOLLARS = 0.005 / 1000
GET_CLASS_DOLLARS = 0.0004 / 1000

REQUEST_DOLLARS: Mapping[str, float] = {
    "ListObjectVersions": PUT_CLASS_DOLLARS,
    "ListObjectsV2": PUT_CLASS_DOLLARS,
    "ListMultipartUploads": PUT_CLASS_DOLLARS,
    "ListBuckets": PUT_CLASS_DOLLARS,
    "PutObject": PUT_CLASS_DOLLARS,
    "CreateMultipartUpload": PUT_CLASS_DOLLARS,
    "UploadPart": PUT_CLASS_DOLLARS,
    "UploadPartCopy": PUT_CLASS_DOLLARS,
    "CompleteMultipartUpload": PUT_CLASS_DOLLARS,
    "GetObject": GET_CLASS_DOLLARS,
    "HeadObject": GET_CLASS_DOLLARS,
    "GetBucketVersioning": GET_CLASS_DOLLARS,
    "DeleteObjects": 0.0,
    "AbortMultipartUpload": 0.0,
}

CHAIN_REQUESTS_PER_OBJECT: Mapping[str, int] = {
    "CreateMultipartUpload": 1,
    "UploadPartCopy": 2,
    "CompleteMultipartUpload": 1,
    "ListObjectVersions": 1,
}
"""What the usual way, one multipart upload for each log object over a growing file, is billed for each object."""


def estimate_dollars(requests: Mapping[str, int]) -> float:
    """Dollars for requests by S3 operation. Raises KeyError for an operation without a price: none may be forgotten."""
    return sum(REQUEST_DOLLARS[operation] * count for operation, count in requests.items())


def estimate_chain_dollars(object_count: int) -> float:
    """What one multipart upload for each object would cost."""
    return estimate_dollars({operation: count * object_count for operation, count in CHAIN_REQUESTS_PER_OBJECT.items()})
