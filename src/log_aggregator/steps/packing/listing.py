"""Where a run learns what there is to pack: window by window of days, from the buckets
themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from log_aggregator.core.windows import DateWindow, split_window
from log_aggregator.errors import LimitExceeded, cannot_start
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.packing.buckets import SourceBucket
from log_aggregator.steps.packing.prefixes import list_prefixes
from log_aggregator.steps.packing.results import GroupResult
from log_aggregator.steps.packing.rules import RunRules
from log_aggregator.steps.packing.scan import list_in_chunks
from log_aggregator.steps.packing.selection import Rules, Selection
from log_aggregator.steps.packing.shelf import Shelf
from log_aggregator.steps.workers import Workers


class ListingProgress(Protocol):
    """Whom a listing tells how far it is. May be called from several threads."""

    def listing(self, bucket: str) -> None: ...
    def listed(self, keys: int) -> None: ...


@dataclass(slots=True)
class Found:
    """What a window's listing found."""

    window: DateWindow
    shelf: Shelf = field(default_factory=Shelf)
    selection: Selection = field(default_factory=Selection)
    """Its counts; the log objects are on the shelf."""

    def take(self, selection: Selection) -> None:
        """One thread at a time."""
        self.selection.merge_counts(selection)
        self.shelf.take(selection)


class Listing(Protocol):
    """A source of log objects."""

    is_old: bool
    """It says what was there some time ago, not what is there now."""

    def windows(self, buckets: Mapping[str, SourceBucket], rules: Rules) -> Iterator[Found]:
        """All that the rules want, in windows that follow each other and make up the rules' window.
        Raises CannotStart.
        """


class BucketListing:
    """Lists the buckets, by S3's own listing calls."""

    is_old = False

    def __init__(
        self,
        store: ObjectStore,
        workers: Workers,
        organization_id: str | None,
        progress: ListingProgress,
    ) -> None:
        self._store = store
        self._workers = workers
        self._organization_id = organization_id
        self._progress = progress

    def windows(self, buckets: Mapping[str, SourceBucket], rules: Rules) -> Iterator[Found]:
        """Of a few days each, so that memory does not grow with the range."""
        for window in split_window(rules.window):
            yield self._list_window(buckets, replace(rules, window=window))

    def _list_window(self, buckets: Mapping[str, SourceBucket], rules: Rules) -> Found:
        found = Found(rules.window)
        places: list[tuple[SourceBucket, str]] = []
        for bucket in buckets.values():
            self._progress.listing(bucket.name)
            with cannot_start(f"bucket {bucket.name!r} cannot be listed"):
                prefixes = list_prefixes(
                    self._store, self._workers, bucket, self._organization_id, found.selection
                )
                places += ((bucket, prefix) for prefix in prefixes)
        self._list_places(places, rules, found)
        return found

    def _list_places(
        self, places: Sequence[tuple[SourceBucket, str]], rules: Rules, found: Found
    ) -> None:
        def list_one(place: tuple[SourceBucket, str]) -> Selection:
            bucket, prefix = place
            with cannot_start(f"bucket {bucket.name!r} cannot be listed"):
                return list_onto_shelf(
                    self._store, self._workers, bucket, prefix, rules, found.shelf, self._progress
                )

        for counts in self._workers.each(list_one, places):
            found.selection.merge_counts(counts)


def list_onto_shelf(
    store: ObjectStore,
    workers: Workers,
    bucket: SourceBucket,
    prefix: str,
    rules: Rules,
    shelf: Shelf,
    progress: ListingProgress,
) -> Selection:
    """Everything under a prefix that the rules want goes on the shelf as it comes; what is given
    back are the counts.
    """
    counts = Selection()
    for chunk in list_in_chunks(store, bucket, prefix, rules, progress.listed):
        workers.check_stop()
        shelf.take(chunk)
        counts.merge_counts(chunk)
    return counts


class Progress:
    """What a run tells whoever watches it. Every method may be called from several threads; this
    one says nothing.
    """

    def listing(self, bucket: str) -> None: ...
    def listed(self, keys: int) -> None: ...
    def planned(self, groups: int, objects: int) -> None: ...
    def settled(self, result: GroupResult, objects: int) -> None: ...


def check_limit(found: Found, rules: RunRules) -> None:
    """Raises LimitExceeded."""
    if found.shelf.objects > rules.objects_max:
        window = found.window
        raise LimitExceeded(
            f"{found.shelf.objects} log objects from {window.first} to {window.last}; "
            f"objects_max = {rules.objects_max}"
        )
