"""What the synthetic organisation looks like: its size, its buckets, its oddities; and three
ready-made ones.

Everything is derived from the specification. The same one gives the same keys, documents, metadata
and order on every machine and every Python from 3.11 on, whatever PYTHONHASHSEED is. The compressed
bytes also depend on the build of zlib (zlib and zlib-ng choose different matches).
`compression_level=0` writes stored blocks itself and avoids that, but is larger. On one machine the
bytes are always the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import lru_cache
from random import Random
from typing import Any

from log_aggregator.limits import MIB

UNWANTED_REGION = "ap-southeast-2"
_BUCKET_FIELDS = (
    "control_tower_bucket",
    "access_bucket",
    "flow_bucket",
    "elb_bucket",
    "waf_bucket",
    "dns_bucket",
    "cloudfront_bucket",
    "guardduty_bucket",
    "app_bucket",
)


@dataclass(frozen=True, slots=True)
class AuxiliaryCounts:
    """How many log objects there are of each auxiliary source, on each day."""

    flow: int = 0
    flow_parquet: int = 0
    alb: int = 0
    clb: int = 0
    access: int = 0
    waf: int = 0
    dns: int = 0
    cloudfront: int = 0
    guardduty: int = 0
    vended: int = 0
    firehose: int = 0
    nginx: int = 0
    app: int = 0
    edge: int = 0


@dataclass(frozen=True, slots=True)
class OddityCounts:
    """How many keys there are of each oddity, on the first day. `key` is the number of rounds of
    strange keys.
    """

    versions: int = 0
    revived: int = 0
    deleted: int = 0
    empty: int = 0
    truncated: int = 0
    plain_text: int = 0
    key: int = 0
    other_day: int = 0
    """Logs of the day before, and as many of the day after, in every bucket."""
    other_region: int = 0
    unknown: bool = False
    no_log: bool = False
    hostile_key: int = 0
    """Keys with `//` and `./`. Real S3 accepts them; many other servers refuse them, so there are
    none by default.
    """


@dataclass(frozen=True, slots=True)
class OrganisationSpec:
    """`objects` is the number of CloudTrail logs over all accounts, regions and days, not counting
    large and odd ones.
    """

    seed: int = 1
    accounts: int = 4
    regions: tuple[str, ...] = ("eu-west-1", "us-east-1")
    first_day: date = date(2026, 3, 14)
    days: int = 1
    objects: int = 100

    # Sizes as stored, log-normal. The smallest possible CloudTrail log has about 700 bytes.
    size_bytes_median: int = 4_000
    size_sigma: float = 0.9
    large_sizes_bytes: tuple[int, ...] = ()
    """One large CloudTrail log each, of about this size, on the first day."""
    compression_level: int = 6
    document_pool_count: int = 0
    """Number of distinct CloudTrail documents, which are used repeatedly; 0: every log has its own.
    Not together with digests.
    """

    # The Control Tower bucket
    accounts_before_landing_zone_3: int = 0
    """The last accounts' CloudTrail keys have the layout from before landing zone 3.0 (the
    organisation id only once).
    """
    digest_chains: int = 0
    """How many (account, region) pairs have hourly digests; -1: all."""
    backfilled_logs: int = 0
    """Logs of the first chain that only a `_backfill` digest names."""
    config_histories: int = 0
    """How many times a day Config delivers history in each account and region (4 in reality); 0: no
    Config logs.
    """
    insights: int = 0
    late: int = 0
    """Number of CloudTrail logs, and of S3 access logs where there are any, that arrive after the
    first run.
    """

    auxiliary: AuxiliaryCounts = field(default_factory=AuxiliaryCounts)
    oddities: OddityCounts = field(default_factory=OddityCounts)

    organization_id: str = "o-exampleorg1"
    trail_name: str = "aws-controltower-BaselineCloudTrail"
    control_tower_bucket: str = "aws-controltower-logs-111122223333-eu-west-1"
    access_bucket: str = "aws-controltower-s3-access-logs-111122223333-eu-west-1"
    flow_bucket: str = "example-vpc-flow-logs"
    elb_bucket: str = "example-elb-logs"
    waf_bucket: str = "aws-waf-logs-example"
    dns_bucket: str = "example-dns-query-logs"
    cloudfront_bucket: str = "example-cloudfront-logs"
    guardduty_bucket: str = "example-guardduty-findings"
    app_bucket: str = "example-app-logs"

    def __post_init__(self) -> None:
        if self.accounts < 1 or self.days < 1 or not self.regions:
            raise ValueError("an organisation has at least one account, one region and one day")
        if self.document_pool_count and self.digest_chains:
            raise ValueError(
                "digests need logs with documents of their own: document_pool_count and "
                "digest_chains exclude each other"
            )
        if not 0 <= self.accounts_before_landing_zone_3 <= self.accounts:
            raise ValueError("accounts_before_landing_zone_3 is at most the number of accounts")

    @property
    def home_region(self) -> str:
        return self.regions[0]

    @property
    def wanted_days(self) -> tuple[date, ...]:
        return tuple(self.first_day + timedelta(days=number) for number in range(self.days))

    @property
    def neighbouring_days(self) -> tuple[date, date]:
        """The day before the first and the day after the last wanted one: their logs must stay."""
        return (self.first_day - timedelta(days=1), self.first_day + timedelta(days=self.days))

    @property
    def account_ids(self) -> tuple[str, ...]:
        return _account_ids(self.seed, self.accounts)

    @property
    def chains(self) -> tuple[tuple[str, str], ...]:
        """All (account, region) pairs, the busiest account first."""
        return tuple((account, region) for account in self.account_ids for region in self.regions)

    @property
    def buckets(self) -> tuple[str, ...]:
        """All buckets, the Control Tower bucket first; sources may share one."""
        return tuple(dict.fromkeys(getattr(self, name) for name in _BUCKET_FIELDS))

    @property
    def versioned_buckets(self) -> tuple[str, ...]:
        """Control Tower switches versioning on in its own two buckets."""
        return (self.control_tower_bucket, self.access_bucket)

    @property
    def layouts(self) -> list[dict[str, Any]]:
        """The `[[layouts]]` that make logs of the free keys in `app_bucket`."""
        patterns = {
            "nginx": "nginx/{host}/access.log-{YYYYMMDD}.gz",
            "app-logs": "app/{service}.log.{YYYY-MM-DD}-{HH}",
            "edge": "edge/{YYYYMMDD}/{*}.log.gz",
        }
        return [
            {"name": name, "pattern": pattern, "buckets": [self.app_bucket]}
            for name, pattern in patterns.items()
        ]

    def with_one_bucket(self, bucket: str) -> OrganisationSpec:
        """The same organisation with everything in one bucket."""
        return replace(self, **dict.fromkeys(_BUCKET_FIELDS, bucket))  # type: ignore[arg-type]  # all are str

    def with_bucket_prefix(self, prefix: str) -> OrganisationSpec:
        """The same organisation in buckets of other names, for servers that are shared. S3 allows
        63 characters: the end is cut.
        """
        names = {name: f"{prefix}{getattr(self, name)}"[:63].rstrip("-") for name in _BUCKET_FIELDS}
        return replace(self, **names)  # type: ignore[arg-type]  # all are str


def small(seed: int = 1) -> OrganisationSpec:
    """Every kind of object and every oddity once or twice, in about a hundred objects. For
    tests.
    """
    return OrganisationSpec(
        seed=seed,
        accounts=2,
        objects=10,
        size_bytes_median=2_000,
        accounts_before_landing_zone_3=1,
        digest_chains=1,
        backfilled_logs=1,
        config_histories=1,
        insights=1,
        late=2,
        auxiliary=AuxiliaryCounts(
            flow=2,
            flow_parquet=1,
            alb=1,
            clb=1,
            access=3,
            waf=1,
            dns=1,
            cloudfront=1,
            guardduty=1,
            vended=1,
            firehose=1,
            nginx=2,
            app=2,
            edge=2,
        ),
        oddities=OddityCounts(
            versions=1,
            revived=1,
            deleted=1,
            empty=1,
            truncated=1,
            plain_text=1,
            key=1,
            other_day=1,
            other_region=1,
            unknown=True,
            no_log=True,
        ),
    )


def demo(seed: int = 1) -> OrganisationSpec:
    """About 5,000 objects and 60 MB: an organisation's ordinary day, with all oddities."""
    return OrganisationSpec(
        seed=seed,
        accounts=6,
        objects=2_400,
        size_bytes_median=4_500,
        large_sizes_bytes=(6 * MIB, 6 * MIB, 20 * MIB),
        accounts_before_landing_zone_3=1,
        digest_chains=-1,
        backfilled_logs=2,
        config_histories=4,
        insights=8,
        late=12,
        auxiliary=AuxiliaryCounts(
            flow=480,
            flow_parquet=24,
            alb=240,
            clb=48,
            access=900,
            waf=120,
            dns=120,
            cloudfront=96,
            guardduty=24,
            vended=24,
            firehose=48,
            nginx=60,
            app=48,
            edge=48,
        ),
        oddities=OddityCounts(
            versions=4,
            revived=2,
            deleted=3,
            empty=2,
            truncated=2,
            plain_text=2,
            key=2,
            other_day=6,
            other_region=4,
            unknown=True,
            no_log=True,
        ),
    )


def flat(count: int, size_bytes: int, *, seed: int = 1, pool_count: int = 64) -> OrganisationSpec:
    """`count` CloudTrail logs of about `size_bytes` in one group, from a pool of documents. For
    benchmarks.
    """
    return OrganisationSpec(
        seed=seed,
        accounts=1,
        regions=("eu-west-1",),
        objects=count,
        size_bytes_median=size_bytes,
        size_sigma=0.0,
        document_pool_count=min(pool_count, max(count, 1)),
    )


@lru_cache(maxsize=64)
def _account_ids(seed: int, count: int) -> tuple[str, ...]:
    random = Random(f"{seed}/accounts")
    return tuple(f"{random.randrange(10**11, 10**12)}" for _ in range(count))
