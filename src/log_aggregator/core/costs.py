"""What requests cost. Prices are those of us-east-1, list price, November 2026 (https://aws.amazon.com/s3/pricing/).

One table, overridable, never fetched at run time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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
    # Where it thaws something: Deep Archive's standard tier, the dearest but Expedited. `RETRIEVALS` has them all.
    "RestoreObject": 0.10 / 1000,
    "DeleteObjects": 0.0,
    "AbortMultipartUpload": 0.0,
}

STANDARD_DOLLARS_PER_GB_MONTH = 0.023
"""A thawed copy lies in Standard for its days, and is billed beside the archived object."""


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What thawing costs, and the time in which S3 means to have done it."""

    dollars_per_gb: float
    dollars_per_request: float
    takes: str
    hours_max: float


RETRIEVALS: Mapping[tuple[str, str], Retrieval] = {
    ("GLACIER", "Expedited"): Retrieval(0.03, 10.00 / 1000, "1 to 5 minutes", 0.1),
    ("GLACIER", "Standard"): Retrieval(0.01, 0.05 / 1000, "3 to 5 hours", 5),
    ("GLACIER", "Bulk"): Retrieval(0.0, 0.0, "5 to 12 hours", 12),
    ("DEEP_ARCHIVE", "Standard"): Retrieval(0.02, 0.10 / 1000, "up to 12 hours", 12),
    ("DEEP_ARCHIVE", "Bulk"): Retrieval(0.0025, 0.025 / 1000, "up to 48 hours", 48),
}
"""By storage class and tier. Times: https://docs.aws.amazon.com/AmazonS3/latest/userguide/restoring-objects-retrieval-options.html

Expedited may be refused when S3 has no capacity left, and takes longer for objects above 250 MB.
"""

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


def estimate_thaw_dollars(storage_class: str, tier: str, objects: int, size_bytes: int, days: int) -> float:
    """Retrieval, and the copies for so many days. Raises KeyError for a tier that the class does not know."""
    retrieval, gb = RETRIEVALS[storage_class, tier], size_bytes / 1e9
    copies = gb * STANDARD_DOLLARS_PER_GB_MONTH * (days + 1) / 30  # a copy goes at the midnight behind its last day
    return gb * retrieval.dollars_per_gb + objects * retrieval.dollars_per_request + copies
