"""What the lifecycle rules of the sources are about to delete."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from log_aggregator.errors import RequestFailed
from log_aggregator.ports.account import AccountInspector, LifecycleRule


@dataclass(slots=True)
class Expiry:
    """When log objects go by themselves: an age in days, or a day on which all of them go; and the
    buckets that nobody could say it of, with the reason.
    """

    rules: list[int | date] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)


def read_expiry(inspector: AccountInspector, buckets: Iterable[str]) -> Expiry:
    """Of all these buckets. It only decides what goes first, so nothing is wrong where it cannot be
    read.
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
    """A rule for objects that carry tags is for none of what AWS delivers."""
    if rule.has_tags:
        return None
    return rule.expiration_date if rule.expiration_days is None else rule.expiration_days
