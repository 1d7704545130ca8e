"""Lists the log objects of a window of days, without a HEAD on any of them and without looking at
the other days.

Main logs: accounts and services by delimiter, then the date skip-scan over each. Auxiliary buckets:
the same scan over everything. Both give whole keys: all versions and delete markers of a key
together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from log_aggregator.core.layouts import Marker, parse_key
from log_aggregator.core.skipscan import DateWindow, next_start
from log_aggregator.errors import CannotStart, NotFound, StoreError
from log_aggregator.model import DeleteMarker, Identity, ListedKey, LogObject
from log_aggregator.ports import ListStart, ObjectStore, Page
from log_aggregator.steps.selection import Left, Rules, Selection, select, select_in_chunks
from log_aggregator.steps.workers import Workers

MAIN_SERVICES = frozenset(
    {
        "CloudTrail",
        "CloudTrail-Digest",
        "CloudTrail-Insight",
        "CloudTrail-NetworkActivity",
        "CloudTrail-Aggregated",
        "Config",
    }
)
"""What is taken from a Control Tower bucket; anything else in it is reported and left alone."""

_ACCOUNT = re.compile(r"\d{12}")
_ORGANIZATION = re.compile(r"o-[a-z0-9]{4,32}")
_STEMS_MAX = 100
_MAIN_LOG = re.compile(
    r"(?:(?!AWSLogs/)(?P<top>[^/]+)/)?AWSLogs/(?:o-[a-z0-9]{4,32}/)?\d{12}/(?P<service>[^/]+)/",
    re.ASCII,
)
AWS_LOGS = "AWSLogs/"


@dataclass(frozen=True, slots=True)
class SourceBucket:
    """A bucket that logs are taken from. `own_prefixes` are our own packs and indexes in it."""

    name: str
    versioning: str | None
    is_main: bool
    own_prefixes: tuple[str, ...] = ()


def read_versioning(store: ObjectStore, bucket: str) -> str | None:
    """Enabled, Suspended or None. Raises CannotStart where the bucket is not there or may not be
    looked at.
    """
    try:
        return store.get_bucket_versioning(bucket)
    except NotFound:
        raise CannotStart(f"there is no bucket {bucket!r} in this account and region") from None
    except StoreError as error:
        raise CannotStart(f"bucket {bucket!r} cannot be looked at: {error}") from error


def list_prefixes(
    store: ObjectStore,
    workers: Workers,
    bucket: SourceBucket,
    organization_id: str | None,
    selection: Selection,
) -> list[str]:
    """The prefixes of a bucket that are listed, each by itself. What is seen on the way and left
    alone goes into `selection`.
    """
    if not bucket.is_main:
        return [""]
    accounts = list_accounts(store, bucket, organization_id, selection)
    return list(list_services(store, workers, bucket, accounts, selection))


def list_accounts(
    store: ObjectStore, bucket: SourceBucket, organization_id: str | None, selection: Selection
) -> list[str]:
    """`…/AWSLogs/…/<account>/` of every account of a main bucket, in both organisation layouts."""
    return list(_list_accounts(store, bucket, organization_id, selection))


def list_services(
    store: ObjectStore,
    workers: Workers,
    bucket: SourceBucket,
    account_prefixes: Sequence[str],
    selection: Selection,
) -> Iterator[str]:
    """`…/<account>/<service>/` of these accounts of a main bucket.

    Not their regions: where the days before are packed, all regions of a service are a page or two,
    and the skip-scan needs no more than it would need region by region where they are not.
    """

    def list_one(account_prefix: str) -> tuple[list[str], Selection]:
        """What is seen goes into a selection of its own: accounts are looked at by several
        threads.
        """
        services, seen = [], Selection()
        for service in _children(store, bucket, account_prefix, seen):
            if _last(service) in MAIN_SERVICES:
                services.append(service)
            else:
                _leave_unknown(bucket, service, "not a service of a Control Tower bucket", seen)
        return services, seen

    for services, seen in workers.each(list_one, account_prefixes):
        selection.merge(seen)
        yield from services


def list_folders(store: ObjectStore, bucket: SourceBucket) -> list[str]:
    """The folders under `AWSLogs/` of an auxiliary bucket, an organisation's id opened too, so that
    they can be listed side by side.

    Empty where there is none, or where objects lie beside them: then the bucket is listed as a
    whole.
    """
    folders: list[str] = []
    page = store.list_prefixes(bucket.name, prefix=AWS_LOGS)
    for prefix in page.prefixes:
        inner = (
            store.list_prefixes(bucket.name, prefix=prefix)
            if _ORGANIZATION.fullmatch(_last(prefix))
            else None
        )
        folders += [prefix] if inner is None or inner.objects else inner.prefixes
    return [] if page.objects else folders


def list_in_chunks(
    store: ObjectStore,
    bucket: SourceBucket,
    prefix: str,
    rules: Rules,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Iterator[Selection]:
    """Everything under a prefix that the rules want, and what was left alone, chunk by chunk."""
    yield from select_in_chunks(
        bucket.name, _list_others(store, bucket, prefix, rules.window), rules, on_progress
    )


def is_main_log(key: str, organization_id: str | None) -> bool:
    """Whether a key lies where `list_prefixes` looks for the logs of a main bucket, for those who
    learn of keys in another way.
    """
    found = _MAIN_LOG.match(key)
    if found is None or found["service"] not in MAIN_SERVICES:
        return False
    top = found["top"]
    return not (organization_id and top and _ORGANIZATION.fullmatch(top) and top != organization_id)


def list_window(
    store: ObjectStore, bucket: SourceBucket, prefix: str, window: DateWindow
) -> Iterator[ListedKey]:
    """All keys under a prefix but those that are safely known to be of other days."""
    start = ListStart()
    held: list[LogObject | DeleteMarker] = []
    while True:
        page = _list_page(store, bucket, prefix, start)
        entries = held + _entries(page)
        if page.next_start is None:
            yield from _whole_keys(entries)
            return
        if not entries:
            start = page.next_start
            continue
        last_key = entries[-1].key
        jump = next_start(last_key, window, skip_prefixes=bucket.own_prefixes)
        complete = [entry for entry in entries if entry.key != last_key]
        held = [] if jump else entries[len(complete) :]
        yield from _whole_keys(complete)
        start = ListStart(jump) if jump else page.next_start


def find_present(
    store: ObjectStore, bucket: SourceBucket, wanted: Collection[Identity], day: date
) -> set[Identity]:
    """Which of some log objects of a day are still there, by listing that day where their keys
    are.
    """
    if not wanted:
        return set()
    keys = sorted({key for key, *_ in wanted})
    stems = {_stem_of(key) for key in keys}
    prefixes = sorted(stems) if len(stems) <= _STEMS_MAX else [_common_prefix(keys[0], keys[-1])]
    listed = (
        found
        for prefix in prefixes
        for found in list_window(store, bucket, prefix, DateWindow(day, day))
    )
    return {
        version.identity
        for found in listed
        for version in found.versions
        if version.identity in wanted
    }


def _stem_of(key: str) -> str:
    """What stands before the date: where a day of one account, service and region begins."""
    parsed = parse_key(key)
    return key if isinstance(parsed, Marker) or parsed.position is None else parsed.position.stem


def _common_prefix(first: str, last: str) -> str:
    """Of two keys, and so of all that sort between them."""
    length = next(
        (
            place
            for place, (one, other) in enumerate(zip(first, last, strict=False))
            if one != other
        ),
        min(len(first), len(last)),
    )
    return first[:length]


def _list_others(
    store: ObjectStore, bucket: SourceBucket, prefix: str, window: DateWindow
) -> Iterator[ListedKey]:
    """All but what is our own."""
    listed = list_window(store, bucket, prefix, window)
    return (
        (found for found in listed if not found.key.startswith(bucket.own_prefixes))
        if bucket.own_prefixes
        else listed
    )


def _list_page(store: ObjectStore, bucket: SourceBucket, prefix: str, start: ListStart) -> Page:
    begin = start if start.key else None
    if bucket.versioning is None:
        return store.list_objects(bucket.name, prefix=prefix, start=begin)
    return store.list_object_versions(bucket.name, prefix=prefix, start=begin)


def _entries(page: Page) -> list[LogObject | DeleteMarker]:
    """In key order; of one key, data versions and markers stand apart, each newest first."""
    return (
        sorted([*page.objects, *page.markers], key=lambda entry: entry.key)
        if page.markers
        else list(page.objects)
    )


def _whole_keys(entries: list[LogObject | DeleteMarker]) -> Iterator[ListedKey]:
    first = 0
    for position in range(1, len(entries) + 1):
        if position < len(entries) and entries[position].key == entries[first].key:
            continue
        same = entries[first:position]
        versions = tuple(entry for entry in same if isinstance(entry, LogObject))
        markers = tuple(entry for entry in same if isinstance(entry, DeleteMarker))
        yield ListedKey(same[0].key, versions, markers)
        first = position


def _list_accounts(
    store: ObjectStore, bucket: SourceBucket, organization_id: str | None, selection: Selection
) -> Iterator[str]:
    for root in _list_roots(store, bucket, organization_id, selection):
        for prefix in _children(store, bucket, root, selection):
            if _ORGANIZATION.fullmatch(_last(prefix)):
                yield from _accounts_of(
                    bucket, _children(store, bucket, prefix, selection), selection
                )
            else:
                yield from _accounts_of(bucket, (prefix,), selection)


def _accounts_of(
    bucket: SourceBucket, prefixes: Iterable[str], selection: Selection
) -> Iterator[str]:
    for prefix in prefixes:
        if _ACCOUNT.fullmatch(_last(prefix)):
            yield prefix
        else:
            _leave_unknown(bucket, prefix, "not the number of an account", selection)


def _list_roots(
    store: ObjectStore, bucket: SourceBucket, organization_id: str | None, selection: Selection
) -> Iterator[str]:
    """`AWSLogs/`, and `<prefix>/AWSLogs/` where the prefix is the organisation's id or any other
    single segment.
    """
    for top in _children(store, bucket, "", selection):
        if top.startswith(bucket.own_prefixes):
            continue
        if top == AWS_LOGS:
            yield top
        elif (
            organization_id
            and _ORGANIZATION.fullmatch(_last(top))
            and _last(top) != organization_id
        ):
            _leave_unknown(bucket, top, "another organisation's", selection)
        else:
            roots = [
                prefix
                for prefix in _children(store, bucket, top, selection)
                if _last(prefix) == "AWSLogs"
            ]
            if not roots and not any(own.startswith(top) for own in bucket.own_prefixes):
                _leave_unknown(bucket, top, "no AWSLogs/ under it", selection)
            yield from roots


def _children(
    store: ObjectStore, bucket: SourceBucket, prefix: str, selection: Selection
) -> tuple[str, ...]:
    """The prefixes right under one; objects there are reported, as no log lies there."""
    page = store.list_prefixes(bucket.name, prefix=prefix)
    selection.merge(
        select(bucket.name, (ListedKey(found.key, (found,)) for found in page.objects), _NOTHING)
    )
    return page.prefixes


def _leave_unknown(bucket: SourceBucket, prefix: str, reason: str, selection: Selection) -> None:
    selection.leave(Left.UNKNOWN)
    selection.add_sample(f"s3://{bucket.name}/{prefix}", reason)


def _last(prefix: str) -> str:
    return prefix.rstrip("/").rpartition("/")[2]


_NOTHING = Rules(DateWindow(date.min, date.min))
"""Wants no day at all."""
