"""Lists what there is to pack, one window of days at a time, from the buckets themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from log_aggregator.core.windows import DateWindow, split_window
from log_aggregator.errors import LimitExceeded, cannot_start
from log_aggregator.model import Group
from log_aggregator.steps.job import Job
from log_aggregator.steps.packing.buckets import Area, SourceBucket
from log_aggregator.steps.packing.prefixes import list_prefixes
from log_aggregator.steps.packing.results import GroupResult
from log_aggregator.steps.packing.scan import list_in_chunks
from log_aggregator.steps.packing.selection import Selection
from log_aggregator.steps.packing.shelf import Shelf
from log_aggregator.steps.rules import Rules, RunRules


class ListingProgress(Protocol):
    """Is told how far a listing has come. May be called from several threads."""

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
        """Adds a selection. Not safe to call from several threads at the same time."""
        self.selection.merge_counts(selection)
        self.shelf.take(selection)


class Listing(Protocol):
    """A source of log objects."""

    is_old: bool
    """It shows what existed some time ago, not what exists now."""

    def windows(self, buckets: Mapping[str, SourceBucket], rules: Rules) -> Iterator[Found]:
        """Everything that the rules want, in consecutive windows that make up the rules' window.
        Raises CannotStart.
        """


class BucketListing:
    """Lists the buckets, by S3's own listing calls."""

    is_old = False

    def __init__(self, job: Job, progress: ListingProgress) -> None:
        self._job = job
        self._progress = progress

    def windows(self, buckets: Mapping[str, SourceBucket], rules: Rules) -> Iterator[Found]:
        """Windows of a few days each, so that memory does not grow with the range."""
        for window in split_window(rules.window):
            yield self._list_window(buckets, replace(rules, window=window))

    def _list_window(self, buckets: Mapping[str, SourceBucket], rules: Rules) -> Found:
        found = Found(rules.window)
        areas: list[Area] = []
        for bucket in buckets.values():
            self._progress.listing(bucket.name)
            own = self._job.rules.own_prefixes(bucket.name)
            with cannot_start(f"bucket {bucket.name!r} cannot be listed"):
                prefixes = list_prefixes(self._job, bucket.name, found.selection)
            areas += (Area(bucket, prefix, own) for prefix in prefixes)
        for counts in self._job.workers.each(
            lambda area: self._list_area(area, rules, found.shelf), areas
        ):
            found.selection.merge_counts(counts)
        return found

    def _list_area(self, area: Area, rules: Rules, shelf: Shelf) -> Selection:
        """Puts everything that the rules want on the shelf as it is listed. Returns the counts."""
        counts = Selection()
        with cannot_start(f"bucket {area.bucket.name!r} cannot be listed"):
            for chunk in list_in_chunks(self._job.store, area, rules, self._progress.listed):
                self._job.workers.check_stop()
                shelf.take(chunk)
                counts.merge_counts(chunk)
        return counts


class Progress:
    """Is told how a run proceeds. Every method may be called from several threads; this class shows
    nothing.
    """

    def listing(self, bucket: str) -> None: ...
    def listed(self, keys: int) -> None: ...
    def days(self, window: DateWindow, whole: DateWindow) -> None:
        """A window of days has been listed; `whole` are all days of the run."""

    def planned(self, groups: int, objects: int) -> None: ...
    def working(self, group: Group, step: str) -> None:
        """`step` is `combine`, `verify` or `delete`."""

    def packing(self, group: Group, objects: int, size_bytes: int) -> None:
        """This many more were put into a pack, which is not written yet."""

    def deleted(self, group: Group, originals: int) -> None:
        """This many more originals were deleted."""

    def settled(self, result: GroupResult, objects: int) -> None: ...


def check_limit(found: Found, rules: RunRules) -> None:
    """Raises LimitExceeded."""
    if found.shelf.objects > rules.objects_max:
        window = found.window
        raise LimitExceeded(
            f"{found.shelf.objects} log objects from {window.first} to {window.last}, more than "
            f"objects_max = {rules.objects_max}; raise objects_max, or run fewer days"
        )
