"""The costs of requests and of thawing, and what the usual way of packing is billed."""

from __future__ import annotations

from collections.abc import Mapping

from log_aggregator.core.costs.prices import BATCH, PRICES, RETRIEVALS, Prices

PUT_OPERATIONS = (
    "ListObjectVersions",
    "ListObjectsV2",
    "ListMultipartUploads",
    "ListBuckets",
    "PutObject",
    "CreateMultipartUpload",
    "UploadPart",
    "UploadPartCopy",
    "CompleteMultipartUpload",
)
GET_OPERATIONS = ("GetObject", "HeadObject", "GetBucketVersioning")
FREE_OPERATIONS = ("DeleteObjects", "AbortMultipartUpload")
"""S3 bills LIST like PUT, and deletes not at all (https://aws.amazon.com/s3/pricing/)."""

CHAIN_REQUESTS_PER_OBJECT: Mapping[str, int] = {
    "CreateMultipartUpload": 1,
    "UploadPartCopy": 2,
    "CompleteMultipartUpload": 1,
    "ListObjectVersions": 1,
}
"""The billed requests of the usual way, for each log object: a multipart upload that copies the
growing aggregate and appends the object.
"""


def request_dollars(prices: Prices = PRICES) -> dict[str, float]:
    """The price of one request to Standard, by S3's name for the operation."""
    return {
        **dict.fromkeys(PUT_OPERATIONS, prices.standard.put_1000 / 1000),
        **dict.fromkeys(GET_OPERATIONS, prices.standard.get_1000 / 1000),
        # The most expensive tier apart from Expedited; `RETRIEVALS` has all of them.
        "RestoreObject": RETRIEVALS["DEEP_ARCHIVE", "Standard"].dollars_per_request,
        **dict.fromkeys(FREE_OPERATIONS, 0.0),
    }


REQUEST_DOLLARS: Mapping[str, float] = request_dollars()


def estimate_dollars(requests: Mapping[str, int], prices: Prices = PRICES) -> float:
    """Dollars for requests by S3 operation. Raises KeyError for an operation without a price, so
    that none is forgotten.
    """
    dollars = REQUEST_DOLLARS if prices is PRICES else request_dollars(prices)
    return sum(dollars[operation] * count for operation, count in requests.items())


def estimate_chain_dollars(object_count: int, prices: Prices = PRICES) -> float:
    """What one multipart upload for each object would cost."""
    return estimate_dollars(
        {operation: count * object_count for operation, count in CHAIN_REQUESTS_PER_OBJECT.items()},
        prices,
    )


def estimate_thaw_dollars(
    storage_class: str, tier: str, objects: int, size_bytes: int, days: int
) -> float:
    """Retrieval, and the copies for `days`. Raises KeyError for a tier that the class does not
    have.

    A GB is taken as 10^9 bytes, which estimates a little too much.
    """
    retrieval, gb = RETRIEVALS[storage_class, tier], size_bytes / 1e9
    # S3 deletes a copy at the midnight after its last day.
    copies = gb * PRICES.standard.gb_month * (days + 1) / 30
    return gb * retrieval.dollars_per_gb + objects * retrieval.dollars_per_request + copies


def estimate_hash_dollars(jobs: int, objects: int, size_bytes: int) -> float:
    """What S3 Batch Operations charges for jobs that hash objects at rest.

    A GB is taken as 10^9 bytes, which estimates a little too much.
    """
    return (
        jobs * BATCH.job
        + objects * BATCH.objects_1000000 / 1_000_000
        + size_bytes / 1e9 * BATCH.hashed_gb
    )
