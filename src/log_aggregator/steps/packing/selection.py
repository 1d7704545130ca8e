"""Which log objects of a listing are packed, and why the others are left alone."""

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
CHUNK_KEYS_MAX = LIST_PAGE_COUNT_MAX


class Left(StrEnum):
    """Why a key was left where it is."""

    UNKNOWN = "unknown"  # no date, or a layout that is not known
    NO_LOG = "no-log"  # a table, a manifest, a query's result ..., or empty
    DELETED = "deleted"  # its newest entry is a delete marker
    HELD = "held"  # by the setting `holds`
    OTHER_REGION = "other-region"  # by the setting `aggregation_regions`
    FROZEN = "frozen"  # in an archive class; cannot be read
    OTHER_DATE = "other-date"


@dataclass(slots=True)
class GroupSources:
    """The log objects of one group that are wanted, and the old delete markers of their keys."""

    sources: list[Source] = field(default_factory=list)
    markers: dict[str, tuple[DeleteMarker, ...]] = field(default_factory=dict)
    discards: list[LogObject] = field(default_factory=list)
    """Of regions that are not wanted, where the settings say to delete these."""

    @property
    def identities(self) -> frozenset[Identity]:
        """What was listed, to narrow a deletion to it."""
        return frozenset(source.log_object.identity for source in self.sources)

    @property
    def count(self) -> int:
        """Log objects that are packed or discarded."""
        return len(self.sources) + len(self.discards)

    def add(self, other: GroupSources) -> None:
        """Takes over what another listing found of the same group, under other keys."""
        self.sources += other.sources
        self.markers |= other.markers
        self.discards += other.discards


@dataclass(slots=True)
class Selection:
    """A listing, sorted out."""

    groups: dict[Group, GroupSources] = field(default_factory=dict)
    left: Counter[Left] = field(default_factory=Counter)
    listed: int = 0
    """Log objects (versions) of the window's dates."""
    listed_bytes: int = 0
    samples: dict[str, str] = field(default_factory=dict)
    """A few of the unknown keys, and why."""

    def merge(self, other: Selection) -> None:
        for group, found in other.groups.items():
            self.groups.setdefault(group, GroupSources()).add(found)
        self.merge_counts(other)

    def merge_counts(self, other: Selection) -> None:
        """Everything but the log objects themselves, so that a long range need not be kept in
        memory.
        """
        self.left += other.left
        self.listed += other.listed
        self.listed_bytes += other.listed_bytes
        for key, reason in other.samples.items():
            self.add_sample(key, reason)

    def add_sample(self, key: str, reason: str) -> None:
        if len(self.samples) < SAMPLES_MAX:
            self.samples[key] = reason

    def leave(self, reason: Left, count: int = 1) -> None:
        self.left[reason] += count


def select(bucket: SourceBucket, keys: Iterable[ListedKey], rules: Rules) -> Selection:
    """Sorts out a bucket's listing."""
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
    """The same, chunk by chunk, for listings that may be too large for the memory. `on_progress` is
    told the keys of each chunk.
    """
    remaining = iter(keys)
    while chunk := list(islice(remaining, CHUNK_KEYS_MAX)):
        yield select(bucket, chunk, rules)
        on_progress(len(chunk))


def _sort_out(bucket: SourceBucket, listed: ListedKey, rules: Rules, selection: Selection) -> None:
    parsed = bucket.layouts.read_listed(listed)
    if isinstance(parsed, Unknown):
        selection.leave(Left.UNKNOWN)
        selection.add_sample(f"s3://{bucket.name}/{listed.key}", parsed.reason)
    elif isinstance(parsed, NoLog):
        selection.leave(Left.NO_LOG)
    elif parsed.facts.date not in rules.window:
        selection.leave(Left.OTHER_DATE)
    else:
        _take(bucket, listed, parsed, rules, selection)


def _take(
    bucket: SourceBucket, listed: ListedKey, parsed: Dated, rules: Rules, selection: Selection
) -> None:
    facts = parsed.facts
    selection.listed += len(listed.versions)
    selection.listed_bytes += sum(version.size_bytes for version in listed.versions)
    reason = _reason_to_leave(bucket, listed, facts, rules)
    if reason is not None:
        selection.leave(reason, 1 if reason is Left.DELETED else len(listed.versions))
        return
    group = selection.groups.setdefault(group_of(bucket.name, facts), GroupSources())
    if not _is_wanted_region(facts, rules):
        group.discards += listed.versions
        return
    group.sources += [Source(version, facts) for version in listed.versions]
    if listed.markers:
        group.markers[listed.key] = listed.markers


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
    """A log without a region, or of a global service, is wanted whatever the regions are."""
    return (
        rules.regions is None
        or facts.region is None
        or not is_region(facts.region)
        or parent_region(facts.region) in rules.regions
    )
