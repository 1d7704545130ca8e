"""A bucket as a tree to draw from: the keys at a place are either counted, or divided into places
that are disjoint and complete.

A place is divided by what its first page shows: by the days in its keys, by folders, or, if there
are neither, by the first character in which its keys differ. This works without knowing how many
objects there are.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import NamedTuple

from log_aggregator.core.inventory.sorting import gather_keys
from log_aggregator.core.layouts import DateGrammar
from log_aggregator.core.layouts.grammar import YEAR_MAX
from log_aggregator.core.layouts.regions import is_region
from log_aggregator.errors import StoreError
from log_aggregator.ports.store import ListStart
from log_aggregator.steps.estate.pages import Entry, Lister, entries_of
from log_aggregator.steps.estate.tally import Tally, Yard

PAGES_TOGETHER_MAX = 5
"""A place of up to this many pages is read completely; a larger one is divided."""
SERIES_PAGES_MAX = 2
"""The same for a place that can be divided by days, which costs no requests."""
SERIES_MAX = 200
"""At most this many series of dated names are told apart in one folder."""
CHARACTERS_MAX = 100
FOLDER_PAGES_MAX = 100
"""After this many pages `ObjectStore.list_prefixes` gives up."""
Groups = dict[tuple[str, str], int]
"""The number of groups, by bucket and log type."""
HOME_REGION = "us-east-1"
"""Global services of AWS log here, so most accounts with any logs have some in this Region
(https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-concepts.html).
"""

_LAST = "\U0010fffd"
"""Sorts after any other character of a key: the last character that is not one of Unicode's
noncharacters.
"""
_FOLDERS_ONLY = re.compile(
    r"(?:[^/]+/)?AWSLogs/(?:o-[a-z0-9]{4,32}/)?(?:[0-9]{12}/(?:[A-Za-z-]+/)?)?"
)
"""Prefixes that contain only folders (accounts, services, Regions), so their first page of keys
tells nothing."""
_ACCOUNT = re.compile(r"[0-9]{12}")


class OneDay(NamedTuple):
    """A day, and how and where keys contain it."""

    day: date
    grammar: DateGrammar
    place: int

    def is_in(self, key: str) -> bool:
        read = self.grammar.read(key, self.place)
        return read is not None and read.date == self.day


@dataclass(frozen=True, slots=True)
class Region:
    """The folder of the Region that a place is in, and the folders of the account's Regions that
    come before it. A day's logs of all Regions form one group, which the first Region counts.
    """

    prefix: str
    before: tuple[str, ...]


@dataclass(slots=True, eq=False)
class Place:
    """Keys that begin with `prefix`, come after `after` and are of one day, if these are given.

    `name` is a folder's own name, which similar places elsewhere share.
    """

    prefix: str
    after: str | None = None
    name: str = ""
    day: OneDay | None = None
    region: Region | None = None
    seen: Seen | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_account(self) -> bool:
        return _ACCOUNT.fullmatch(self.name) is not None

    @property
    def start(self) -> ListStart | None:
        return None if self.after is None else ListStart(self.after)

    def keeps(self, entries: list[Entry]) -> list[Entry]:
        """The entries that belong to its day."""
        day = self.day
        return entries if day is None else [entry for entry in entries if day.is_in(entry.key)]


@dataclass(slots=True, eq=False)
class Seen:
    """What a look at a place gave: a count, and the places that hold the rest, one of which is
    drawn. `are_alike`: they are many, and nothing distinguishes them.
    """

    counted: Tally
    parts: Sequence[Place] = ()
    are_alike: bool = False


@dataclass(slots=True)
class Days(Sequence[Place]):
    """A place for each day of a series and each way to write it, made when it is drawn."""

    stem: str
    grammar: DateGrammar
    forms: tuple[str, ...]
    first: date
    last: date
    region: Region | None
    year_end: int
    """Other keys of the folder sort after this year."""
    made: dict[int, Place] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __len__(self) -> int:
        return ((self.last - self.first).days + 1) * len(self.forms)

    def __getitem__(self, number: int) -> Place:  # type: ignore[override]
        with self.lock:
            if number not in self.made:
                self.made[number] = self._make(number)
            return self.made[number]

    def _make(self, number: int) -> Place:
        days, form = divmod(number, len(self.forms))
        day = self.first + timedelta(days=days)
        texts = [each.format(day) for each in self.forms]
        only = OneDay(day, self.grammar, len(self.stem))
        place = Place(f"{self.stem}{texts[form]}", None, "", only, self.region)
        if texts[form] in texts[:form]:  # both ways to write this day are the same, as 2026/10/11
            place.seen = Seen(Tally())
        return place


@dataclass(frozen=True, slots=True)
class Looker:
    """Looks at places of one bucket. Safe to use from several threads."""

    lister: Lister
    yard: Yard
    answers: dict[str, bool] = field(default_factory=dict)

    def look(self, place: Place) -> Seen:
        """Looks at a place, unless it was seen before. Raises OutOfRequests, StoreError."""
        with place.lock:
            if place.seen is None:
                place.seen = self._look(place)
            return place.seen

    def count_groups(self, place: Place, counted: Tally, chance: Random) -> Groups:
        """The groups of what was counted at a place, except those that another Region counts.

        If there are several days, one of them is chosen at random to represent all.
        """
        groups: Groups = {}
        for (bucket, log_type, account), bits in counted.days.items():
            days = [day for day in counted.day_keys if day[:3] == (bucket, log_type, account)]
            if place.region is None or not days:
                count = bits.bit_count()
            else:
                key = counted.day_keys[days[chance.randrange(len(days))]]
                count = 0 if self._is_in_another(place.region, key) else len(days)
            groups[bucket, log_type] = groups.get((bucket, log_type), 0) + count
        return groups

    def _is_in_another(self, region: Region, key: str) -> bool:
        """Whether a Region that comes first has logs of the same day as this key."""
        position = self.yard.bucket.layouts.position(key)
        read = position and position.grammar.read(key, len(position.stem))
        if not read:
            return False
        end = key.find("/", read.end) + 1 or read.end
        path = key[len(region.prefix) : end]
        return any(self._has_keys(f"{folder}{path}") for folder in region.before)

    def _has_keys(self, prefix: str) -> bool:
        """Whether any key has the prefix. Asks S3 once."""
        if prefix not in self.answers:
            self.answers[prefix] = bool(self.lister.page(prefix, None).objects)
        return self.answers[prefix]

    def _look(self, place: Place) -> Seen:
        if place.prefix and place.prefix.startswith(self.yard.skipped):
            return Seen(Tally())
        if place.after is None and _FOLDERS_ONLY.fullmatch(place.prefix):
            return self._part_by_folders(place)
        entries, series, is_whole = self._read(place)
        if is_whole:
            return Seen(self._tally(place, entries))
        return self._part(place, entries, series)

    def _read(self, place: Place) -> tuple[list[Entry], Days | None, bool]:
        """The first pages, the series that they begin with, and whether there are no more pages."""
        page = self.lister.page(place.prefix, place.start)
        entries = entries_of(page)
        series = self._find_series(place, entries) if page.next_start else None
        pages_max = SERIES_PAGES_MAX if series else PAGES_TOGETHER_MAX
        for _ in range(pages_max - 1):
            if page.next_start is None:
                break
            page = self.lister.page(place.prefix, page.next_start)
            entries += entries_of(page)
        return entries, series, page.next_start is None

    def _part(self, place: Place, entries: Sequence[Entry], series: Days | None) -> Seen:
        if not entries:
            raise StoreError(
                f"{place.prefix}: the server lists pages without a key that are not the last"
            )
        if series is not None:
            return self._part_by_series(place, series)
        key = entries[0].key
        if "/" in key[len(place.prefix) :] and place.after is None:
            try:
                return self._part_by_folders(place)
            except StoreError:  # list_prefixes gave up: too many objects between the folders
                self.lister.allowance.charge(FOLDER_PAGES_MAX)
        return self._part_by_characters(place, key)

    def _tally(self, place: Place, entries: list[Entry]) -> Tally:
        keys = gather_keys(place.keeps(entries))
        return self.yard.tally(keys, keeps_keys=place.region is not None)

    def _part_by_folders(self, place: Place) -> Seen:
        page = self.lister.folders(place.prefix)
        names = [prefix[len(place.prefix) :].rstrip("/") for prefix in page.prefixes]
        regions = _regions_of(place.prefix, names)
        places = [
            Place(prefix, None, name, place.day, regions.get(name, place.region))
            for prefix, name in zip(page.prefixes, names, strict=True)
        ]
        return Seen(self._tally(place, list(page.objects)), places)

    def _find_series(self, place: Place, entries: Sequence[Entry]) -> Days | None:
        """The series of dated names that a place begins with, directly in this folder."""
        if place.day is not None or not entries:
            return None
        key = entries[0].key
        position = self.yard.bucket.layouts.position(key)
        if position is None:
            return None
        if not position.stem.startswith(place.prefix) or "/" in position.stem[len(place.prefix) :]:
            return None
        grammar, stem = position.grammar, position.stem
        read = grammar.read(key, len(stem))
        if read is None:
            return None
        forms = _forms_in(entries, stem, grammar)
        year = read.date.year
        # Unpadded months sort as text: December ("12") comes before February ("2").
        first = read.date if len(grammar.forms) == 1 else date(year, 1, 1)
        # At the root, dates in another form may lie between these: "2025/1/2" sorts before "2026-".
        end = YEAR_MAX if position.whole_stem else year
        last = min(date(end, 12, 31), self.yard.today + timedelta(days=1))
        return Days(stem, grammar, forms, first, max(first, last), place.region, end)

    def _part_by_series(self, place: Place, first: Days) -> Seen:
        """All series in this folder, and what sorts after them.

        A series writes its dates in one way. Keys without a date in the middle of it are not seen;
        a run would leave them alone.
        """
        counted, found = Tally(), [first]
        while len(found) < SERIES_MAX:
            after = _behind(found[-1])
            page = self.lister.page(place.prefix, ListStart(after))
            entries = entries_of(page)
            if page.next_start is None:
                counted = self._tally(place, entries)
                break
            rest = Place(place.prefix, after, "", place.day, place.region)
            series = self._find_series(rest, entries)
            if series is None:
                return Seen(counted, [*map(_as_place, found), rest])
            found.append(series)
        else:
            rest = Place(place.prefix, _behind(found[-1]), "", place.day, place.region)
            return Seen(counted, [*map(_as_place, found), rest])
        if len(found) == 1:
            return Seen(counted, first, are_alike=True)
        return Seen(counted, [_as_place(each) for each in found])

    def _part_by_characters(self, place: Place, first_key: str) -> Seen:
        """Divides by the first character in which keys of the place differ."""
        split = self._find_split(place.prefix, first_key)
        if split is None:  # the first key is a prefix of all others
            rest = Place(first_key, first_key, "", place.day, place.region)
            page = self.lister.page(first_key, place.start)
            same = [entry for entry in entries_of(page) if entry.key == first_key]
            return Seen(self._tally(place, same), [rest])
        base, key, parts = first_key[:split], first_key, list[Place]()
        while len(parts) < CHARACTERS_MAX:
            prefix = key[: split + 1]
            after = place.after if place.after and place.after > prefix else None
            name = key[split] if place.day else ""
            parts.append(Place(prefix, after, name, place.day, place.region))
            found = self.lister.first_key(place.prefix, prefix + _LAST)
            if found is None:
                break
            key = found
        else:
            rest_after = key[: split + 1] + _LAST
            parts.append(Place(base, rest_after, "", place.day, place.region))
        return Seen(Tally(), parts)

    def _find_split(self, prefix: str, first_key: str) -> int | None:
        """The first position at which other keys differ from the first one. Some key sorts after
        the first key's prefix exactly if the prefix is longer than that, so a binary search finds
        it.
        """
        low, high = len(prefix), len(first_key)
        while low < high:
            middle = (low + high) // 2
            if self.lister.first_key(prefix, first_key[: middle + 1] + _LAST) is None:
                low = middle + 1
            else:
                high = middle
        return low if low < len(first_key) else None


def _regions_of(prefix: str, names: Sequence[str]) -> dict[str, Region]:
    """Regions by name; the one most likely to have logs every day comes first."""
    names = sorted(filter(is_region, names), key=lambda name: (name != HOME_REGION, name))
    folders = [f"{prefix}{name}/" for name in names]
    return {
        name: Region(folders[number], tuple(folders[:number])) for number, name in enumerate(names)
    }


def _forms_in(entries: Sequence[Entry], stem: str, grammar: DateGrammar) -> tuple[str, ...]:
    """The ways to write a day that fit all these keys, or all ways if none does."""
    days = [
        (entry.key[len(stem) :], read.date)
        for entry in entries
        if entry.key.startswith(stem) and (read := grammar.read(entry.key, len(stem)))
    ]
    common = [
        form
        for form in grammar.forms
        if all(text.startswith(form.format(day)) for text, day in days)
    ]
    return tuple(common) or grammar.forms


def _behind(series: Days) -> str:
    return f"{series.stem}{series.grammar.year_text(series.year_end)}{_LAST}"


def _as_place(series: Days) -> Place:
    place = Place(series.stem, None, "", None, series.region)
    place.seen = Seen(Tally(), series, are_alike=True)
    return place
