"""Coverage: what exists of each day, and what is missing that should exist.

Packs and originals are listed, not read. For CloudTrail the digests decide what should exist: they
are read for days that have digests but no log, or for all days if the user asks for that. For other
log types nothing says what should exist, so a day without logs is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol

from log_aggregator.core.digests import DIGEST_LOG_TYPE
from log_aggregator.core.evidence.calendar import (
    By,
    Calendar,
    DayState,
    Gap,
    GapKind,
    Row,
    RowName,
)
from log_aggregator.core.evidence.hours import Span, clip_spans
from log_aggregator.core.evidence.marks import Marks, TrailDays, plan_trail, states_of
from log_aggregator.errors import Failure
from log_aggregator.steps.cloudtrail.accounts import (
    LOG_SERVICE,
    AccountPlaces,
    ReadFrom,
    find_accounts,
    has_digests,
)
from log_aggregator.steps.evidence.named import Told, TrailTold, read_named, span_of
from log_aggregator.steps.evidence.presence import (
    TRAIL_TYPES,
    Asked,
    Presence,
    look_everywhere,
)
from log_aggregator.steps.job import Job

GAPS_MAX = 100_000
DELIVERY = timedelta(hours=2)
"""A digest covers an hour that is over, and is delivered some time after it."""


class Progress(Protocol):
    """Is told how far a coverage has come."""

    def listed(self, count: int) -> None:
        """Packs and originals so far."""

    def checked(self, accounts: int, total: int) -> None:
        """Accounts whose digests were read."""


def cover(job: Job, asked: Asked, progress: Progress) -> Calendar:
    """The calendar of a window of days. Raises StoreError, CannotStart."""
    presence = look_everywhere(job, _with_digests(asked), progress.listed)
    sheet = _Sheet.of(presence)
    trails = [_Trail(job, asked, sheet, account) for account in _trail_accounts(presence.marks)]
    due = [trail for trail in trails if trail.wanted]
    bare = [trail for trail in trails if not trail.has_digests]
    places = _find_places(job, presence) if due or bare else {}
    for trail, has_ever in job.workers.each(lambda trail: (trail, trail.ever_had(places)), bare):
        if not has_ever:
            trail.plans = {}
    for trail in trails:
        if not trail.wanted:
            trail.settle(TrailTold())
    for done, (trail, told) in enumerate(
        job.workers.each(lambda trail: (trail, trail.read(places)), due), 1
    ):
        trail.settle(told)
        progress.checked(done, len(due))
    return sheet.finish(asked)


def _with_digests(asked: Asked) -> Asked:
    """Adds digests if logs are asked for, and logs if digests are: each is judged by the other."""
    if not asked.log_types & TRAIL_TYPES:
        return asked
    return replace(asked, log_types=asked.log_types | TRAIL_TYPES)


def _trail_accounts(marks: Marks) -> list[str]:
    return sorted({name.account for name in marks.rows if name.log_type in TRAIL_TYPES})


def _find_places(job: Job, presence: Presence) -> Mapping[str, AccountPlaces]:
    buckets = dict.fromkeys([*job.rules.main_buckets, *sorted(presence.trail_buckets)])
    found = find_accounts(job.store, job.list_targets(), buckets, (), ReadFrom.BOTH)
    return {places.account: places for places in found}


@dataclass(slots=True)
class _Sheet:
    """The calendar while it is being filled in."""

    marks: Marks
    states: dict[RowName, bytearray]
    gaps: dict[tuple[RowName, date, GapKind], Gap] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    unlisted: int = 0

    @classmethod
    def of(cls, presence: Presence) -> _Sheet:
        marks = presence.marks
        states = {name: states_of(row) for name, row in marks.rows.items()}
        sheet = cls(marks, states, failures=list(presence.failures))
        for name, day, pack in presence.lost:
            text = "the index of a pack exists, but the pack is gone"
            sheet.add(Gap(GapKind.MISSING, name, day, samples=(pack,), text=text))
        return sheet

    def number(self, day: date) -> int:
        return (day - self.marks.window.first).days

    def raise_to(self, name: RowName, number: int, state: DayState) -> None:
        """Sets the state of a day, unless it has a worse one."""
        row = self.row(name)
        row[number] = max(row[number], state)

    def set(self, name: RowName, number: int, state: DayState) -> None:
        self.row(name)[number] = state

    def row(self, name: RowName) -> bytearray:
        if name not in self.states:
            self.states[name] = bytearray([DayState.UNKNOWN]) * self.marks.days
        return self.states[name]

    def add(self, gap: Gap) -> None:
        if len(self.gaps) < GAPS_MAX:
            self.gaps[gap.name, gap.date, gap.kind] = gap
        else:
            self.unlisted += 1

    def finish(self, asked: Asked) -> Calendar:
        window = self.marks.window
        rows = [
            Row(name, bytes(self.states[name]))
            for name in sorted(self.states)
            if not asked.log_types or name.log_type in asked.log_types
        ]
        gaps = [self.gaps[place] for place in sorted(self.gaps)]
        failures = dict.fromkeys(self.failures)
        return Calendar(
            window.first,
            window.last,
            asked.by,
            tuple(rows),
            tuple(gaps),
            tuple(failures),
            self.unlisted,
            asked.every_digest or not any(row.name.log_type in TRAIL_TYPES for row in rows),
        )


@dataclass(slots=True)
class _Trail:
    """The trails of one account: which of their digests to read, and what follows from them."""

    job: Job
    asked: Asked
    sheet: _Sheet
    account: str
    plans: dict[str, TrailDays] = field(init=False)
    """By Region; with rows by account all are under ""."""
    wanted: set[date] = field(init=False)
    """Days whose digests must be read."""

    def __post_init__(self) -> None:
        rows = self.sheet.marks.rows
        regions = {
            name.region
            for name in rows
            if name.account == self.account
            and name.log_type in TRAIL_TYPES
            and (name.region or self.asked.by is By.ACCOUNT)  # else its index could not be read
        }
        self.plans = {
            region: plan_trail(
                self._marks(LOG_SERVICE, region), self._marks(DIGEST_LOG_TYPE, region), self._due
            )
            for region in sorted(regions)
        }
        self.wanted = self._find_wanted()

    def _find_wanted(self) -> set[date]:
        numbers: set[int] = set()
        for region, plan in self.plans.items():
            digests = self._marks(DIGEST_LOG_TYPE, region)
            if self.asked.every_digest:
                numbers |= {number for number, seen in enumerate(digests) if seen}
            numbers |= set(plan.silent)
            if plan.early:
                numbers.add(plan.early[-1] + 1)  # the first digest says whether it is the first
        return {self.sheet.marks.day(number) for number in numbers}

    @property
    def has_digests(self) -> bool:
        """Whether any day of the window has a digest."""
        return any(any(self._marks(DIGEST_LOG_TYPE, region)) for region in self.plans)

    def ever_had(self, places: Mapping[str, AccountPlaces]) -> bool:
        """Whether the account has any digest at all. Without one, log file validation was never on,
        and no digest is missing.
        """
        own = places.get(self.account)
        return own is not None and has_digests(self.job.store, own)

    def read(self, places: Mapping[str, AccountPlaces]) -> TrailTold:
        own = places.get(self.account, AccountPlaces(self.account))
        targets = self.job.list_targets()
        return read_named(self.job, targets, own, self.wanted, self.sheet.marks.window)

    def settle(self, told: TrailTold) -> None:
        """Fills in what follows, on the caller's thread."""
        self.sheet.failures += told.failures.values()
        for region, plan in self.plans.items():
            self._settle_silent(region, plan, told)
            self._settle_early(region, plan, told)
            if not self.asked.every_digest:
                self._settle_holes(region, plan.holes)
        if self.asked.every_digest:
            self._settle_named(told)
            self._settle_hours(told)

    def _settle_silent(self, region: str, plan: TrailDays, told: TrailTold) -> None:
        """Days with digests and without any log."""
        name = RowName(LOG_SERVICE, self.account, region)
        for number in plan.silent:
            day = self.sheet.marks.day(number)
            seen = _sum(told, region, day)
            if seen.missing:
                self._miss(name, day, seen)
            elif seen.unread:
                self._leave_unchecked(name, day, seen.unread)
            elif seen.named:  # the logs arrived after their prefix was listed
                self.sheet.set(name, number, DayState.ORIGINALS)
            elif not seen.digests:
                self._leave_unchecked(name, day, "they were listed, but not found again")
            else:
                self.sheet.set(name, number, DayState.NOTHING_DUE)

    def _settle_early(self, region: str, plan: TrailDays, told: TrailTold) -> None:
        """Days before the first digest, which either begins its trail or links to a missing one."""
        if not plan.early:
            return
        began = _has_begun(told, region)
        if began:
            self._settle_before(region, plan.early)
        if began is None:
            first = self.sheet.marks.day(plan.early[0])
            name = RowName(LOG_SERVICE, self.account, region)
            self._leave_unchecked(name, first, "the first digest could not be read")
        elif not began and not self.asked.every_digest:
            self._settle_holes(region, plan.early)

    def _settle_before(self, region: str, numbers: Iterable[int]) -> None:
        """Days for which no digest is expected. They may have logs: a trail can be older than its
        log file validation.
        """
        for log_type in (LOG_SERVICE, DIGEST_LOG_TYPE):
            marks = self._marks(log_type, region)
            for number in numbers:
                if not marks[number]:
                    name = RowName(log_type, self.account, region)
                    self.sheet.set(name, number, DayState.NOTHING_DUE)

    def _settle_holes(self, region: str, numbers: Iterable[int]) -> None:
        for number in numbers:
            day = self.sheet.marks.day(number)
            self._mark_hole(region, day, (span_of(day),), "no digest for the whole day")

    def _settle_named(self, told: TrailTold) -> None:
        """Single log files that digests name and that exist nowhere."""
        days = {(self._row_region(region), day) for region, day in told.days}
        for region, day in sorted(days):
            if day not in self.sheet.marks.window:
                continue
            name = RowName(LOG_SERVICE, self.account, region)
            seen = _sum(told, region, day)
            if seen.missing:
                self._miss(name, day, seen)
            if seen.unread:
                self._leave_unchecked(name, day, seen.unread)

    def _settle_hours(self, told: TrailTold) -> None:
        """Hours without a digest, and days with logs and without any digest in their Region."""
        window = self.sheet.marks.window
        end = min(
            datetime.combine(window.last + timedelta(days=1), time.min, UTC),
            self.job.clock.now() - DELIVERY,
        )
        begin = datetime.combine(window.first, time.min, UTC)
        holes: dict[tuple[str, date], dict[str, list[Span]]] = {}
        if begin < end:
            for region, spans in told.find_holes((begin, end)).items():
                for day, part in _by_day(spans):
                    place = self._row_region(region), day
                    holes.setdefault(place, {}).setdefault(region, []).append(part)
        for (row, day), by_region in sorted(holes.items()):
            hours = tuple(sorted(span for found in by_region.values() for span in found))
            self._mark_hole(row, day, hours, _name_hours(by_region))
        known = {self._row_region(lineage[1]) for lineage in told.hours}
        for region, plan in self.plans.items():
            if region not in known:
                self._settle_holes(region, plan.holes)

    def _row_region(self, region: str) -> str:
        return region if self.asked.by is By.REGION else ""

    def _mark_hole(self, region: str, day: date, hours: tuple[Span, ...], text: str) -> None:
        name = RowName(LOG_SERVICE, self.account, region)
        for log_type in (LOG_SERVICE, DIGEST_LOG_TYPE):
            row = RowName(log_type, self.account, region)
            self.sheet.raise_to(row, self.sheet.number(day), DayState.HOLE)
        self.sheet.add(Gap(GapKind.HOLE, name, day, hours=hours, text=text))

    def _miss(self, name: RowName, day: date, seen: Told) -> None:
        number = self.sheet.number(day)
        is_empty = not self._marks(LOG_SERVICE, name.region)[number]
        text = (
            f"no log object, but the digests name {seen.named:,}"
            if is_empty
            else f"not found: {seen.missing:,} of the {seen.named:,} files that the digests name"
        )
        self.sheet.raise_to(name, number, DayState.MISSING)
        self.sheet.add(
            Gap(
                GapKind.MISSING,
                name,
                day,
                seen.named,
                seen.missing,
                samples=tuple(seen.samples),
                text=text,
            )
        )

    def _leave_unchecked(self, name: RowName, day: date, why: str) -> None:
        self.sheet.raise_to(name, self.sheet.number(day), DayState.UNCHECKED)
        self.sheet.add(Gap(GapKind.UNCHECKED, name, day, text=f"digests not checked: {why}"))

    def _marks(self, log_type: str, region: str) -> bytes:
        found = self.sheet.marks.rows.get(RowName(log_type, self.account, region))
        return bytes(found) if found is not None else bytes(self.sheet.marks.days)

    @property
    def _due(self) -> int:
        """The number of days whose digests have all been delivered."""
        return max(0, (self.job.today - self.sheet.marks.window.first).days)


def _sum(told: TrailTold, region: str, day: date) -> Told:
    """What the digests of a day tell, for one Region, or with "" for all."""
    total = Told()
    for (own, at), seen in sorted(told.days.items()):
        if at == day and region in ("", own):
            total.digests += seen.digests
            total.named += seen.named
            total.missing += seen.missing
            total.samples += seen.samples
            total.unread = total.unread or seen.unread
    return total


def _has_begun(told: TrailTold, region: str) -> bool | None:
    """Whether the earliest digest is the first of its trail. None: it could not be read.

    A first digest has no previousDigestS3Object
    (https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html).
    """
    firsts = [
        (spans[0][0], hours.begun)
        for lineage, hours in told.hours.items()
        if region in ("", lineage[1]) and (spans := hours.valid.joined)
    ]
    if not firsts:
        return None
    earliest, begun = min(firsts, key=lambda first: first[0])
    return earliest in begun


def _by_day(spans: Iterable[Span]) -> Iterator[tuple[date, Span]]:
    for begin, end in spans:
        day = begin.date()
        while datetime.combine(day, time.min, UTC) < end:
            for part in clip_spans([(begin, end)], span_of(day)):
                yield day, part
            day += timedelta(days=1)


def _name_hours(by_region: Mapping[str, Iterable[Span]]) -> str:
    parts = [
        f"{region} " + ", ".join(f"{begin:%H:%M} to {_until(end)}" for begin, end in spans)
        for region, spans in sorted(by_region.items())
    ]
    return f"no digest covers {'; '.join(parts)}"


def _until(end: datetime) -> str:
    return "24:00" if end.time() == time.min else f"{end:%H:%M}"
