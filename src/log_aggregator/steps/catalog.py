"""Which packs there are, day by day: all that have an index, and those that lost it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from log_aggregator.model import Target
from log_aggregator.ports import ObjectStore
from log_aggregator.steps.ledger import list_all

DAYS_BY_PREFIX_MAX = 31


def list_pack_keys(store: ObjectStore, target: Target, first: date, last: date) -> list[str]:
    """Keys of all packs of the days first to last, over all source buckets, log types and accounts.

    From the indexes and from the packs: neither a pack without an index nor an index without a pack goes unseen.
    """
    packs = set(_list_days(store, target, f"{target.root}packs/", first, last))
    indexes = _list_days(store, target, f"{target.root}indexes/", first, last)
    return sorted(packs.union(target.pack_key(key) for key in indexes))


def _list_days(store: ObjectStore, target: Target, folder: str, first: date, last: date) -> Iterator[str]:
    for bucket in _children(store, target, folder):
        for log_type in _children(store, target, bucket):
            for account in _children(store, target, log_type):
                yield from _list_account(store, target, account, first, last)


def _list_account(store: ObjectStore, target: Target, prefix: str, first: date, last: date) -> Iterator[str]:
    """By day where there are few of them, else all of the account's, which is one request per thousand."""
    if (last - first).days < DAYS_BY_PREFIX_MAX:
        for day in (first + timedelta(days=count) for count in range((last - first).days + 1)):
            yield from (found.key for found in list_all(store, target.bucket, f"{prefix}{day:%Y/%m/%d}/"))
        return
    for found in list_all(store, target.bucket, prefix):
        year, month, day_of_month = found.key.removeprefix(prefix).split("/")[:3]
        if first <= date(int(year), int(month), int(day_of_month)) <= last:
            yield found.key


def _children(store: ObjectStore, target: Target, prefix: str) -> tuple[str, ...]:
    return store.list_prefixes(target.bucket, prefix=prefix).prefixes
