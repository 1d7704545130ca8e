"""The price table: list prices of us-east-1, in dollars, of the date and from the pages that
`PRICES` names.

This is all of it, in one file, and it is never fetched at run time. What S3 does not call a price
but counts by (minimum sizes, minimum days, the bytes that an archived object takes besides its own)
stands here too; `--prices` replaces the prices only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from log_aggregator.limits import KIB


@dataclass(frozen=True, slots=True)
class StorageClass:
    """Dollars for what lies in a class, what is written to it and what is moved into it. A GB is
    2^30 bytes here, as S3 bills it.
    """

    gb_month: float
    put_1000: float
    """PUT, COPY, POST and LIST; of a multipart upload into another class only its completion, all
    else is billed as Standard.
    """
    get_1000: float
    transition_1000: float = 0.0
    """A lifecycle transition into this class."""
    monitoring_1000: float = 0.0
    """A month's monitoring of 1,000 objects."""
    cooled_gb_month: tuple[float, ...] = ()
    """From the months of `cools_after` on; nothing is said to be read."""
    cools_after: tuple[int, ...] = ()
    days_min: int = 0
    """Whoever deletes earlier pays for these days."""
    size_bytes_min: int = 0
    """A smaller object is billed as if it had this size; in Intelligent-Tiering it is never
    monitored and never cools.
    """
    overhead_bytes: int = 0
    """What each object takes in this class besides its own bytes."""
    overhead_standard_bytes: int = 0
    """What each object takes in Standard besides."""


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What thawing costs, and the time in which S3 means to have done it."""

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

Storage in Standard gets a little cheaper from 50 TB on, which is left out.
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
    """Dollars for S3 Batch Operations, as "Management & insights" on
    https://aws.amazon.com/s3/pricing/ has them. `hashed_gb` is not verified: that page could not be
    seen when this was written, so look there before a large check.
    """

    job: float = 0.25
    objects_1000000: float = 1.0
    hashed_gb: float = 0.004


BATCH = BatchPrices()


@dataclass(frozen=True, slots=True)
class Prices:
    """What S3 and KMS charge, of which region, since when, and where it is written. `plan --prices`
    replaces any of it.
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
