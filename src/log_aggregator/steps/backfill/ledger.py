"""The ledger of a backfill: objects in the target that are written once, with If-None-Match, and
never overwritten or deleted, which no permission allows there.

A claim saves work, but safety does not depend on it: whatever the ledger says, a run works on a
window, and deletes only what it has verified. So no lost, forged or misread entry can lose a log; a
window that is wrongly marked as done only leaves its logs in place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from log_aggregator.core.backfill.entries import (
    BackfillPlan,
    Entry,
    EntryPlace,
    Kind,
    Totals,
    backfill_folder,
    backfills_prefix,
    decode_entry,
    decode_plan,
    encode_entry,
    encode_plan,
    is_name,
    parse_place,
)
from log_aggregator.core.backfill.states import BackfillState, Seen, WindowState, judge
from log_aggregator.core.checksums import crc64nvme
from log_aggregator.core.jsontext import encode_json_line
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import (
    BadPack,
    CannotStart,
    Failure,
    NewerFormat,
    NotFound,
    PreconditionFailed,
    SettingsError,
    cannot_start,
)
from log_aggregator.model import LogObject, Target
from log_aggregator.ports.store import WriteOptions
from log_aggregator.steps.job import Job
from log_aggregator.steps.packs.index import naming
from log_aggregator.steps.packs.pages import list_all

FAILURES_MAX = 20
"""Only this many failures of a window are stored; the custody record has all of them."""
ENTRY_BYTES = 1_000
FEW = 8
"""Up to this many entries are read one after the other, which also works after a stop."""


def choose_target(job: Job) -> Target:
    """The target with the ledgers: the destination bucket, or that of the first bucket that logs
    are taken from. Raises CannotStart.
    """
    return job.list_targets()[0]


def list_backfills(job: Job, target: Target) -> list[str]:
    """The names of all backfills of a target. Raises StoreError."""
    prefix = backfills_prefix(target)
    found = job.store.list_prefixes(target.bucket, prefix=prefix).prefixes
    names = (folder.removeprefix(prefix).removesuffix("/") for folder in found)
    return sorted(name for name in names if is_name(name))


def read_plan(job: Job, target: Target, name: str) -> BackfillPlan:
    """Raises NotFound, BadPack, StoreError."""
    data = job.store.get_object(target.bucket, f"{backfill_folder(target, name)}plan.json").data
    return decode_plan(name, data)


def open_backfill(job: Job, target: Target, plan: BackfillPlan) -> BackfillPlan:
    """Begins a backfill, or joins the one of this name. Raises SettingsError if that one has other
    days or sources, CannotStart if the ledger cannot be written or read.
    """
    key = f"{backfill_folder(target, plan.name)}plan.json"
    where = f"the backfill's ledger, s3://{target.bucket}/{key}, cannot be used"
    with cannot_start(where):
        if _put(job, target, key, encode_plan(plan)):
            return plan
        there = _read_other(job, target, plan.name)
    if (there.window, there.window_days) != (plan.window, plan.window_days):
        raise SettingsError(
            f"--name {plan.name}: that backfill covers {there.window.first} to "
            f"{there.window.last} in windows of {there.window_days} days; give this one another "
            "--name"
        )
    if there.sources != plan.sources:
        raise SettingsError(
            f"--name {plan.name}: that backfill takes logs from {', '.join(there.sources)}; give "
            "this one another --name"
        )
    return there


def _read_other(job: Job, target: Target, name: str) -> BackfillPlan:
    try:
        return read_plan(job, target, name)
    except BadPack as error:
        raise CannotStart(f"{error}; give this backfill another --name") from error


@dataclass(slots=True)
class Reader:
    """Reads a ledger repeatedly. Entries that were read are cached, because they never change."""

    job: Job
    target: Target
    plan: BackfillPlan
    skew: timedelta = timedelta()
    """How far S3's clock is ahead of ours. Claims expire by LastModified, which S3 sets."""
    _read: dict[str, Entry | None] = field(default_factory=dict)

    def read(self) -> BackfillState:
        """How far the backfill has come. Raises StoreError, and NewerFormat."""
        folder = backfill_folder(self.target, self.plan.name)
        listed = {
            place: found
            for found in list_all(self.job.store, self.target.bucket, f"{folder}windows/")
            if (place := parse_place(folder, found.key)) is not None
        }
        now = self.job.clock.now() + self.skew
        newest = max((found.last_modified for found in listed.values()), default=now)
        self._read_missing(
            [
                listed[place]
                for place in _worth_reading(listed)
                if listed[place].key not in self._read
            ]
        )
        seen = [
            Seen(place, found.last_modified, self._read.get(found.key))
            for place, found in listed.items()
        ]
        return judge(self.plan, seen, max(now, newest))

    def _read_missing(self, wanted: Sequence[LogObject]) -> None:
        folder = backfill_folder(self.target, self.plan.name)

        def read(found: LogObject) -> Entry | None:
            place = parse_place(folder, found.key)
            try:
                data = self.job.store.get_object(found.bucket, found.key).data
                with naming(f"s3://{found.bucket}/{found.key}"):
                    return None if place is None else decode_entry(place, data)
            except NewerFormat:  # it may say that the window is done, or whose it is
                raise
            except (BadPack, NotFound):  # not an entry: ignore it
                return None

        entries: Iterator[Entry | None]
        if len(wanted) <= FEW:
            entries = map(read, wanted)
        else:
            entries = self.job.workers.read_ahead(read, wanted, lambda _: ENTRY_BYTES)
        for found, entry in zip(wanted, entries, strict=True):
            self._read[found.key] = entry


def _worth_reading(listed: dict[EntryPlace, LogObject]) -> Iterator[EntryPlace]:
    """The ends of attempts, and the newest entry of each attempt without an end."""
    newest: dict[tuple[DateWindow, int], EntryPlace] = {}
    ended = {(place.window, place.attempt) for place in listed if place.kind.is_end}
    for place in listed:
        attempt = place.window, place.attempt
        if place.kind.is_end:
            yield place
        elif attempt not in ended and _is_newer(place, newest.get(attempt)):
            newest[attempt] = place
    yield from newest.values()


def _is_newer(place: EntryPlace, other: EntryPlace | None) -> bool:
    return other is None or place.number > other.number


@dataclass(slots=True)
class Attempt:
    """A claimed window. Its methods, except `end`, may be called from several threads."""

    ledger: Ledger
    place: EntryPlace
    beats: int = 0

    @property
    def window(self) -> DateWindow:
        return self.place.window

    def beat(self, totals: Totals) -> None:
        """Records that work continues, and what was done so far. Raises StoreError."""
        self.beats += 1
        place = EntryPlace(self.window, self.place.attempt, Kind.BEAT, self.beats)
        self.ledger.put(Entry(place, self.ledger.worker, totals))

    def end(
        self,
        kind: Kind,
        totals: Totals,
        failures: Sequence[Failure] = (),
        custody: Sequence[str] = (),
    ) -> None:
        """Records the outcome. Raises StoreError."""
        place = EntryPlace(self.window, self.place.attempt, kind)
        told = [f"{each.where}: {each.error}: {each.message}" for each in failures[:FAILURES_MAX]]
        self.ledger.put(Entry(place, self.ledger.worker, totals, tuple(told), tuple(custody)))


@dataclass(slots=True)
class Ledger:
    """One worker's access to the ledger: it writes under its own name."""

    reader: Reader
    worker: str
    since: datetime
    """When the worker began, by S3's clock."""

    @classmethod
    def join(cls, job: Job, target: Target, plan: BackfillPlan, worker: str) -> Ledger:
        """Announces this worker; the time of that object shows what S3's clock says. Raises
        CannotStart.
        """
        reader = Reader(job, target, plan)
        key = f"{backfill_folder(target, plan.name)}workers/{worker}.json"
        with cannot_start(f"the backfill's ledger, s3://{target.bucket}/{key}, cannot be used"):
            _put(job, target, key, encode_json_line({"worker": worker}))
            now = job.clock.now()
            page = job.store.list_objects(target.bucket, prefix=key)
        since = next((found.last_modified for found in page.objects), now)
        reader.skew = since - now
        return cls(reader, worker, since)

    def claim(self, state: WindowState) -> Attempt | None:
        """Claims a window. None if another worker was first. Raises StoreError."""
        place = EntryPlace(state.window, state.attempts + 1, Kind.CLAIM)
        if self.put(Entry(place, self.worker)) or self._is_own(place):
            return Attempt(self, place)
        return None

    def put(self, entry: Entry) -> bool:
        """Writes an entry. False if it exists already. Raises StoreError."""
        return _put(
            self.reader.job, self.reader.target, self._key(entry.place), encode_entry(entry)
        )

    def _is_own(self, place: EntryPlace) -> bool:
        """Whether the existing claim is ours: it was written, but the answer was lost, so that the
        client's retry got 412.
        """
        target = self.reader.target
        try:
            data = self.reader.job.store.get_object(target.bucket, self._key(place)).data
            return decode_entry(place, data).worker == self.worker
        except (BadPack, NotFound):
            return False

    def _key(self, place: EntryPlace) -> str:
        return place.key(backfill_folder(self.reader.target, self.reader.plan.name))


def _put(job: Job, target: Target, key: str, data: bytes) -> bool:
    """Writes an object. False if it exists already."""
    kms_key_id = job.rules.group.combine.index.kms_key_id
    options = WriteOptions(kms_key_id=kms_key_id, content_type="application/json")
    try:
        job.store.put_object(target.bucket, key, data, crc64nvme=crc64nvme(data), options=options)
    except PreconditionFailed:
        return False
    return True
