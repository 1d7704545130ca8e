"""Buckets of a very large organisation, as functions from a number to a key."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

from benchmarks.generated import GeneratedBucket

ORGANIZATION = "o-exampleorg1"
MAIN_SERVICES = ("CloudTrail-Digest/", "CloudTrail/", "Config/")
"""In S3's order: "-" sorts before "/"."""
REGIONS = (
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
)
"""All regions that are on by default."""


def main_bucket(account_count: int, days: tuple[date, ...], objects_a_day: int) -> GeneratedBucket:
    """A Control Tower bucket since landing zone 3.0: so many objects for each account, service,
    region and day.
    """
    prefixes = len(MAIN_SERVICES) * len(REGIONS)
    inside = len(days) * objects_a_day

    def key_of(number: int) -> str:
        prefix, place = divmod(number, inside)
        account_number, pair = divmod(prefix, prefixes)
        service, region = MAIN_SERVICES[pair // len(REGIONS)], REGIONS[pair % len(REGIONS)]
        account = account_id(account_number)
        day, end = _suffixes(service, days, objects_a_day)[place]
        head = f"{ORGANIZATION}/AWSLogs/{ORGANIZATION}/{account}/{service}{region}/{day}"
        return f"{head}{account}_{service[:-1]}_{region}_{end}"

    return GeneratedBucket(account_count * prefixes * inside, key_of, "Enabled")


def flow_bucket(account_count: int, days: tuple[date, ...], objects_a_day: int) -> GeneratedBucket:
    """VPC flow logs of all accounts and regions in one bucket."""
    inside = len(days) * objects_a_day

    def key_of(number: int) -> str:
        prefix, place = divmod(number, inside)
        account_number, region = divmod(prefix, len(REGIONS))
        day, count = divmod(place, objects_a_day)
        account, name = account_id(account_number), REGIONS[region]
        folder = f"AWSLogs/{account}/vpcflowlogs/{name}/{days[day]:%Y/%m/%d}/"
        return f"{folder}{account}_vpcflowlogs_{name}_fl-0123456789abcdef0_{count:08x}.log.gz"

    return GeneratedBucket(account_count * len(REGIONS) * inside, key_of)


def access_bucket(days: tuple[date, ...], objects_a_day: int) -> GeneratedBucket:
    """S3 access logs, flat: every day is one group."""

    def key_of(number: int) -> str:
        day, count = divmod(number, objects_a_day)
        second = count * 86_400 // objects_a_day
        time = f"{second // 3600:02d}-{second // 60 % 60:02d}-{second % 60:02d}"
        return f"{days[day]}-{time}-{count:016X}"

    return GeneratedBucket(len(days) * objects_a_day, key_of)


def trail_bucket(day: date, count: int) -> GeneratedBucket:
    """CloudTrail logs of one account and region: one group, with keys as long as they are in
    truth.
    """
    account, region = account_id(0), "eu-west-1"
    folder = f"{ORGANIZATION}/AWSLogs/{ORGANIZATION}/{account}/CloudTrail/{region}/{day:%Y/%m/%d}/"

    def key_of(number: int) -> str:
        second = number * 86_400 // count // 300 * 300
        return (
            f"{folder}{account}_CloudTrail_{region}_"
            f"{day:%Y%m%d}T{second // 3600:02d}{second // 60 % 60:02d}Z_{number:016d}.json.gz"
        )

    return GeneratedBucket(count, key_of, "Enabled")


def account_id(number: int) -> str:
    return f"{100_000_000_000 + number * 7_919:012d}"


def days_up_to(last: date, count: int) -> tuple[date, ...]:
    return tuple(last - timedelta(days=count - 1 - number) for number in range(count))


@lru_cache(maxsize=16)
def _suffixes(
    service: str, days: tuple[date, ...], objects_a_day: int
) -> tuple[tuple[str, str], ...]:
    """(day, end of the name), in the order of the keys: Config writes days and months without
    zeros.
    """
    is_config = service == "Config/"
    return tuple(
        sorted(
            (
                f"{day.year}/{day.month}/{day.day}/ConfigHistory/"
                if is_config
                else f"{day:%Y/%m/%d}/",
                f"ConfigHistory_AWS::S3::Bucket_{day:%Y%m%d}T{count:02d}0000Z_{count}.json.gz"
                if is_config
                else f"{day:%Y%m%d}T{count:02d}00Z_{count:016d}.json.gz",
            )
            for day in days
            for count in range(objects_a_day)
        )
    )
