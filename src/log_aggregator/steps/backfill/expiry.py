"""When the lifecycle rules of the sources delete log objects."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from log_aggregator.errors import RequestFailed
from log_aggregator.ports.account import AccountInspector, LifecycleRule


@dataclass(slots=True)
class Expiry:
    """When S3 expires log objects: an age in days, or a date on which all of them expire; and the
    buckets whose rules could not be read, with the reason.
    """

    rules: list[int | date] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)


def read_expiry(inspector: AccountInspector, buckets: Iterable[str]) -> Expiry:
    """The expiry of these buckets. It only decides the order of work, so a bucket whose rules
    cannot be read is not an error.
    """
    found = Expiry()
    for bucket in buckets:
        try:
            rules = inspector.get_bucket_lifecycle_configuration(bucket)
        except RequestFailed as error:
            found.unknown[bucket] = str(error)
            continue
        found.rules += [when for rule in rules if (when := _expires(rule)) is not None]
    return found


def _expires(rule: LifecycleRule) -> int | date | None:
    """When a rule expires logs. AWS delivers logs without tags, so rules with a tag filter never
    do.
    """
    if rule.has_tags:
        return None
    return rule.expiration_date if rule.expiration_days is None else rule.expiration_days
