"""Lists the log objects of a window of days, without a HEAD request for any of them and without
listing other days.

Main buckets: accounts and services by delimiter, then the date skip-scan over each. Auxiliary
buckets: the same scan over everything. Both yield whole keys: all versions and delete markers of a
key together.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import date

from log_aggregator.core.skipscan import next_start
from log_aggregator.core.windows import DateWindow
from log_aggregator.model import DeleteMarker, Identity, ListedKey, LogObject
from log_aggregator.ports.store import ListStart, ObjectStore, Page
from log_aggregator.steps.packing.buckets import Area, SourceBucket
from log_aggregator.steps.packing.selection import Selection, select_in_chunks
from log_aggregator.steps.rules import Rules

_STEMS_MAX = 100


def list_in_chunks(
    store: ObjectStore,
    area: Area,
    rules: Rules,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Iterator[Selection]:
    """Everything in an area that the rules want, and what is left alone, chunk by chunk."""
    yield from select_in_chunks(
        area.bucket, _list_others(store, area, rules.window), rules, on_progress
    )


def list_window(store: ObjectStore, area: Area, window: DateWindow) -> Iterator[ListedKey]:
    """All keys of an area except those that certainly belong to other days. May still contain some
    keys that the area skips.
    """
    start = ListStart()
    held: list[LogObject | DeleteMarker] = []
    while True:
        page = _list_page(store, area, start)
        entries = held + _entries(page)
        if page.next_start is None:
            yield from _whole_keys(entries)
            return
        if not entries:
            start = page.next_start
            continue
        # The last key's other versions may be on the next page: hold it back until it is complete.
        last_key = entries[-1].key
        jump = next_start(
            last_key, window, area.bucket.layouts.position, skip_prefixes=area.skipped
        )
        complete = [entry for entry in entries if entry.key != last_key]
        held = [] if jump else entries[len(complete) :]
        yield from _whole_keys(complete)
        start = ListStart(jump) if jump else page.next_start


def find_present(
    store: ObjectStore, bucket: SourceBucket, wanted: Collection[Identity], day: date
) -> set[Identity]:
    """Which of some log objects of a day still exist, by listing that day where their keys are."""
    listed = list_keys(store, bucket, {key for key, *_ in wanted}, day)
    return {
        version.identity
        for found in listed
        for version in found.versions
        if version.identity in wanted
    }


def list_keys(
    store: ObjectStore, bucket: SourceBucket, keys: Collection[str], day: date
) -> Iterator[ListedKey]:
    """What exists now under some keys of a day, by listing that day where they are."""
    if not keys:
        return
    stems = {_stem_of(key, bucket) for key in keys}
    prefixes = sorted(stems) if len(stems) <= _STEMS_MAX else [_common_prefix(stems)]
    wanted = frozenset(keys)
    for prefix in prefixes:
        for found in list_window(store, Area(bucket, prefix), DateWindow(day, day)):
            if found.key in wanted:
                yield found


def _stem_of(key: str, bucket: SourceBucket) -> str:
    """The part of a key before its date, under which a day of one account, service and Region can
    be listed.
    """
    position = bucket.layouts.position(key)
    return key if position is None else position.stem


def _common_prefix(texts: Collection[str]) -> str:
    """The common prefix of the first and the last text, and so of all that sort between them."""
    first, last = min(texts), max(texts)
    for place, character in enumerate(first):
        if last[place : place + 1] != character:
            return first[:place]
    return first


def _list_others(store: ObjectStore, area: Area, window: DateWindow) -> Iterator[ListedKey]:
    """All keys except those that the area skips."""
    listed = list_window(store, area, window)
    if not area.skipped:
        return listed
    return (found for found in listed if not found.key.startswith(area.skipped))


def _list_page(store: ObjectStore, area: Area, start: ListStart) -> Page:
    begin = start if start.key else None
    if area.bucket.versioning is None:
        return store.list_objects(area.bucket.name, prefix=area.prefix, start=begin)
    return store.list_object_versions(area.bucket.name, prefix=area.prefix, start=begin)


def _entries(page: Page) -> list[LogObject | DeleteMarker]:
    """Entries in key order. The store returns the versions and the delete markers of
    ListObjectVersions as two lists, so a key's versions come before its markers here, each newest
    first (https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html).
    """
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
