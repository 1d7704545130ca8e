"""The price table: list prices of us-east-1 in dollars. `PRICES` names their date and the pages
that they are from.

Prices are never fetched at run time; this file is all there is. It also has the quantities that S3
bills by (minimum sizes, minimum days, the overhead of an archived object). `--prices` replaces only
the prices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from log_aggregator.limits import KIB


@dataclass(frozen=True, slots=True)
class StorageClass:
    """Dollars for storing in a class, writing to it and moving into it. A GB is 2^30 bytes, as S3
    bills it.
    """

    gb_month: float
    put_1000: float
    """PUT, COPY, POST and LIST. Of a multipart upload into this class only the completion is billed
    at this price, all else at that of Standard.
    """
    get_1000: float
    transition_1000: float = 0.0
    """A lifecycle transition into this class."""
    monitoring_1000: float = 0.0
    """Monitoring of 1,000 objects for a month."""
    cooled_gb_month: tuple[float, ...] = ()
    """After the months in `cools_after`, if nothing is read."""
    cools_after: tuple[int, ...] = ()
    days_min: int = 0
    """An object that is deleted earlier is billed for these days."""
    size_bytes_min: int = 0
    """A smaller object is billed as if it had this size; in Intelligent-Tiering it is not monitored
    and never cools.
    """
    overhead_bytes: int = 0
    """Billed in this class for each object, in addition to its own bytes."""
    overhead_standard_bytes: int = 0
    """Billed in Standard for each object, in addition to that."""


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What thawing costs, and how long it takes according to S3."""

    dollars_per_gb: float
    dollars_per_request: float
    takes: str
    hours_max: float


STORAGE: Mapping[str, StorageClass] = {
    "STANDARD": StorageClass(0.023, 0.005, 0.0004),
    "INTELLIGENT_TIERING": StorageClass(
        0.023,
        0.005,
        0.0004,
        0.01,
        0.0025,
        cooled_gb_month=(0.0125, 0.004),
        cools_after=(1, 3),
        size_bytes_min=128 * KIB,
    ),
    "STANDARD_IA": StorageClass(0.0125, 0.01, 0.001, 0.01, days_min=30, size_bytes_min=128 * KIB),
    "ONEZONE_IA": StorageClass(0.01, 0.01, 0.001, 0.01, days_min=30, size_bytes_min=128 * KIB),
    "GLACIER_IR": StorageClass(0.004, 0.02, 0.01, 0.02, days_min=90, size_bytes_min=128 * KIB),
    "GLACIER": StorageClass(
        0.0036,
        0.03,
        0.0004,
        0.03,
        days_min=90,
        overhead_bytes=32 * KIB,
        overhead_standard_bytes=8 * KIB,
    ),
    "DEEP_ARCHIVE": StorageClass(
        0.00099,
        0.05,
        0.0004,
        0.05,
        days_min=180,
        overhead_bytes=32 * KIB,
        overhead_standard_bytes=8 * KIB,
    ),
}
"""Sizes and days:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-transition-general-considerations.html

Standard storage gets a little cheaper above 50 TB, which is left out.
"""

RETRIEVALS: Mapping[tuple[str, str], Retrieval] = {
    ("GLACIER", "Expedited"): Retrieval(0.03, 10.00 / 1000, "1 to 5 minutes", 0.1),
    ("GLACIER", "Standard"): Retrieval(0.01, 0.05 / 1000, "3 to 5 hours", 5),
    ("GLACIER", "Bulk"): Retrieval(0.0, 0.0, "5 to 12 hours", 12),
    ("DEEP_ARCHIVE", "Standard"): Retrieval(0.02, 0.10 / 1000, "up to 12 hours", 12),
    ("DEEP_ARCHIVE", "Bulk"): Retrieval(0.0025, 0.025 / 1000, "up to 48 hours", 48),
}
"""By storage class and tier. Times:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/restoring-objects-retrieval-options.html

Expedited may be refused when S3 has no capacity left, and takes longer for objects above 250 MB.
"""


@dataclass(frozen=True, slots=True)
class BatchPrices:
    """Dollars for S3 Batch Operations, from "Management & insights" on
    https://aws.amazon.com/s3/pricing/. `hashed_gb` is unverified: look it up there before a large
    check.
    """

    job: float = 0.25
    objects_1000000: float = 1.0
    hashed_gb: float = 0.004


BATCH = BatchPrices()


@dataclass(frozen=True, slots=True)
class Prices:
    """What S3 and KMS charge, with the region, date and source of the prices. `plan --prices` can
    replace any of them.
    """

    region: str = "us-east-1"
    date: str = "November 2026"
    source: str = "https://aws.amazon.com/s3/pricing/"
    storage: Mapping[str, StorageClass] = field(default_factory=lambda: STORAGE)
    kms_request_10000: float = 0.03
    """https://aws.amazon.com/kms/pricing/"""

    @property
    def standard(self) -> StorageClass:
        return self.storage["STANDARD"]


PRICES = Prices()
