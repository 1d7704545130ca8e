"""Decides which log objects of a listing are packed, and why the others are left alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice

from log_aggregator.core.layouts import Dated, NoLog, Unknown
from log_aggregator.core.layouts.regions import is_region, parent_region
from log_aggregator.core.planning import Source, group_of
from log_aggregator.limits import LIST_PAGE_COUNT_MAX
from log_aggregator.model import DeleteMarker, Group, Identity, KeyFacts, ListedKey, LogObject
from log_aggregator.steps.packing.buckets import SourceBucket
from log_aggregator.steps.rules import Rules

FROZEN_CLASSES = frozenset({"GLACIER", "DEEP_ARCHIVE"})
SAMPLES_MAX = 20
LEFT_SAMPLES_MAX = 3
CHUNK_KEYS_MAX = LIST_PAGE_COUNT_MAX


class Left(StrEnum):
    """Why a key was left alone."""

    UNKNOWN = "unknown"  # no date, or no known layout
    NO_LOG = "no-log"  # a table, a manifest, the result of a query ..., or empty
    DELETED = "deleted"  # its newest entry is a delete marker
    HELD = "held"  # by the setting `holds`
    OTHER_REGION = "other-region"  # by the setting `aggregation_regions`
    FROZEN = "frozen"  # in an archive class; cannot be read
    OTHER_DATE = "other-date"
    NOTHING = "nothing"  # a main bucket without AWSLogs/: not a key, but worth reporting


@dataclass(frozen=True, slots=True, order=True)
class LeftWhy:
    """The bucket of keys that were left, and the exact reason: which table, which Region."""

    bucket: str
    left: Left
    why: str


@dataclass(slots=True)
class LeftKeys:
    """The keys that were left for one reason: how many objects, and a few sample keys."""

    objects: int = 0
    size_bytes: int = 0
    samples: list[str] = field(default_factory=list)
    is_dateless: bool = False
    """The keys have no date, so the listing of every window sees them again."""

    def add(self, other: LeftKeys) -> None:
        self.objects += other.objects
        self.size_bytes += other.size_bytes
        self.samples += other.samples[: LEFT_SAMPLES_MAX - len(self.samples)]
        self.is_dateless |= other.is_dateless

    def add_window(self, other: LeftKeys) -> None:
        """Adds what a listing of other days left. Keys that it saw again count once."""
        if not other.is_dateless:
            self.add(other)
        elif other.objects > self.objects or not self.samples:
            self.objects, self.size_bytes = other.objects, other.size_bytes
            self.samples, self.is_dateless = list(other.samples), True


@dataclass(slots=True)
class GroupSources:
    """The log objects of one group that are wanted, and the old delete markers of their keys."""

    sources: list[Source] = field(default_factory=list)
    markers: dict[str, tuple[DeleteMarker, ...]] = field(default_factory=dict)
    discards: list[LogObject] = field(default_factory=list)
    """Log objects of unwanted Regions, if the settings say to delete these."""

    @property
    def identities(self) -> frozenset[Identity]:
        """The identities of what was listed."""
        return frozenset(source.log_object.identity for source in self.sources)

    @property
    def count(self) -> int:
        """Log objects that are packed or discarded."""
        return len(self.sources) + len(self.discards)

    def add(self, other: GroupSources) -> None:
        """Adds what another listing found of the same group, under other keys."""
        self.sources += other.sources
        self.markers |= other.markers
        self.discards += other.discards


@dataclass(slots=True)
class Selection:
    """A listing, sorted into groups and keys that are left alone."""

    groups: dict[Group, GroupSources] = field(default_factory=dict)
    left: Counter[Left] = field(default_factory=Counter)
    listed: int = 0
    """Log objects (versions) of the window's dates."""
    listed_bytes: int = 0
    samples: dict[str, str] = field(default_factory=dict)
    """A few of the unknown keys, and why."""
    left_why: dict[LeftWhy, LeftKeys] = field(default_factory=dict)
    """What `left` counts, except other dates, by bucket and exact reason."""

    def merge(self, other: Selection) -> None:
        for group, found in other.groups.items():
            self.groups.setdefault(group, GroupSources()).add(found)
        self.merge_counts(other)

    def merge_counts(self, other: Selection) -> None:
        """Adds everything but the log objects themselves, so that a long range need not be kept in
        memory.
        """
        self.left += other.left
        self.listed += other.listed
        self.listed_bytes += other.listed_bytes
        for key, reason in other.samples.items():
            self._add_sample(key, reason)
        for why, keys in other.left_why.items():
            self.left_why.setdefault(why, LeftKeys()).add(keys)

    def merge_window(self, other: Selection) -> None:
        """Adds everything but the log objects themselves, from a listing of other days."""
        for why, keys in other.left_why.items():
            known = self.left_why.setdefault(why, LeftKeys())
            before = known.objects
            known.add_window(keys)
            self.left += Counter({why.left: known.objects - before})
        self.left += Counter({Left.OTHER_DATE: other.left[Left.OTHER_DATE]})
        self.listed += other.listed
        self.listed_bytes += other.listed_bytes
        for key, reason in other.samples.items():
            self._add_sample(key, reason)

    def leave(
        self,
        why: LeftWhy,
        key: str,
        objects: int = 1,
        size_bytes: int = 0,
        *,
        is_dateless: bool = False,
    ) -> None:
        """Counts a key that is left alone."""
        self.left[why.left] += objects
        keys = LeftKeys(objects, size_bytes, [key], is_dateless)
        self.left_why.setdefault(why, LeftKeys()).add(keys)
        if why.left is Left.UNKNOWN:
            self._add_sample(f"s3://{why.bucket}/{key}", why.why)

    def leave_other_date(self) -> None:
        """Most keys are of other dates: they are only counted."""
        self.left[Left.OTHER_DATE] += 1

    def _add_sample(self, key: str, reason: str) -> None:
        if len(self.samples) < SAMPLES_MAX:
            self.samples[key] = reason


def select(bucket: SourceBucket, keys: Iterable[ListedKey], rules: Rules) -> Selection:
    """Sorts a bucket's listing."""
    selection = Selection()
    for listed in keys:
        _sort_out(bucket, listed, rules, selection)
    return selection


def select_in_chunks(
    bucket: SourceBucket,
    keys: Iterable[ListedKey],
    rules: Rules,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Iterator[Selection]:
    """The same, chunk by chunk, for listings that may not fit in memory. `on_progress` gets the
    number of keys of each chunk.
    """
    remaining = iter(keys)
    while chunk := list(islice(remaining, CHUNK_KEYS_MAX)):
        yield select(bucket, chunk, rules)
        on_progress(len(chunk))


def _sort_out(bucket: SourceBucket, listed: ListedKey, rules: Rules, selection: Selection) -> None:
    parsed = bucket.layouts.read_listed(listed)
    if isinstance(parsed, Unknown | NoLog):
        left = Left.UNKNOWN if isinstance(parsed, Unknown) else Left.NO_LOG
        why = LeftWhy(bucket.name, left, parsed.reason)
        selection.leave(why, listed.key, 1, _bytes_of(listed), is_dateless=True)
    elif parsed.facts.date not in rules.window:
        selection.leave_other_date()
    else:
        _take(bucket, listed, parsed, rules, selection)


def _take(
    bucket: SourceBucket, listed: ListedKey, parsed: Dated, rules: Rules, selection: Selection
) -> None:
    facts = parsed.facts
    selection.listed += len(listed.versions)
    selection.listed_bytes += _bytes_of(listed)
    left = _reason_to_leave(bucket, listed, facts, rules)
    if left is not None:
        objects = 1 if left is Left.DELETED else len(listed.versions)
        why = facts.region or "" if left is Left.OTHER_REGION else _WHY.get(left, "")
        selection.leave(LeftWhy(bucket.name, left, why), listed.key, objects, _bytes_of(listed))
        return
    group = selection.groups.setdefault(group_of(bucket.name, facts), GroupSources())
    if not _is_wanted_region(facts, rules):
        group.discards += listed.versions
        return
    group.sources += [Source(version, facts) for version in listed.versions]
    if listed.markers:
        group.markers[listed.key] = listed.markers


def _bytes_of(listed: ListedKey) -> int:
    return sum(version.size_bytes for version in listed.versions)


def _reason_to_leave(
    bucket: SourceBucket, listed: ListedKey, facts: KeyFacts, rules: Rules
) -> Left | None:
    if listed.is_deleted:
        return Left.DELETED
    if rules.holds.hold(bucket.name, listed.key, facts):
        return Left.HELD
    if all(version.size_bytes == 0 for version in listed.versions):
        return Left.NO_LOG
    if any(version.storage_class in FROZEN_CLASSES for version in listed.versions):
        return Left.FROZEN
    if not _is_wanted_region(facts, rules) and not (bucket.is_main and rules.discard_other_regions):
        return Left.OTHER_REGION
    return None


def _is_wanted_region(facts: KeyFacts, rules: Rules) -> bool:
    """A log without a Region, or of a global service, is always wanted."""
    return (
        rules.regions is None
        or facts.region is None
        or not is_region(facts.region)
        or parent_region(facts.region) in rules.regions
    )


_WHY = {
    Left.NO_LOG: "it is empty",
    Left.DELETED: "its newest entry is a delete marker",
    Left.HELD: "held by the settings",
    Left.FROZEN: "in an archive class, from which it cannot be read",
}
