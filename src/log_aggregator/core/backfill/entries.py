"""The entries of a backfill's ledger, and their keys. Each is written once and never changed:

    backfills/<name>/plan.json                                 the range, and how it is cut
    backfills/<name>/workers/<worker>.json                     a command that works on it
    backfills/<name>/windows/<first>_<last>/000001-claim.json  a worker begins a window
                                           /000001-beat-000001.json   it still works on it
                                           /000001-done.json, -failed.json or -stopped.json

The number is that of the attempt. An entry's content must agree with its key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from log_aggregator.core.formats import check_format
from log_aggregator.core.jsontext import decode_json, decoding, encode_json_line
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import SettingsError
from log_aggregator.model import BACKFILLS, Target

FORMAT = "log-aggregator-backfill"
VERSION = 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ENTRY = re.compile(
    r"(?P<first>\d{4}-\d\d-\d\d)_(?P<last>\d{4}-\d\d-\d\d)/(?P<attempt>\d{6})-"
    r"(?:(?P<beat>beat)-(?P<number>\d{6})|(?P<kind>claim|done|failed|stopped))\.json"
)


class Kind(StrEnum):
    """The kind of an entry about an attempt at a window."""

    CLAIM = "claim"
    BEAT = "beat"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"

    @property
    def is_end(self) -> bool:
        return self not in (Kind.CLAIM, Kind.BEAT)


@dataclass(frozen=True, slots=True)
class Totals:
    """What an attempt did, in total or so far."""

    objects: int = 0
    """Log objects that were packed or copied; while the attempt is running, those settled."""
    bytes_in: int = 0
    bytes_out: int = 0
    packs: int = 0
    deleted: int = 0
    kept: int = 0
    failures: int = 0
    dollars: float = 0.0
    """For requests; only known when the attempt has ended."""
    seconds: float = 0.0

    def __add__(self, other: Totals) -> Totals:
        return Totals(**{name: getattr(self, name) + getattr(other, name) for name in _TOTALS})


_TOTALS = tuple(item.name for item in fields(Totals))


@dataclass(frozen=True, slots=True)
class EntryPlace:
    """The identity of an entry, as in its key."""

    window: DateWindow
    attempt: int
    kind: Kind
    number: int = 0
    """The number of a beat."""

    def key(self, folder: str) -> str:
        """Its key under the folder of its backfill."""
        name = f"{self.kind}-{self.number:06}" if self.kind is Kind.BEAT else f"{self.kind}"
        first, last = self.window.first, self.window.last
        return f"{folder}windows/{first}_{last}/{self.attempt:06}-{name}.json"


@dataclass(frozen=True, slots=True)
class Entry:
    """The content of an entry. `failures` are the first few, as `where: error: message`."""

    place: EntryPlace
    worker: str
    totals: Totals = field(default_factory=Totals)
    failures: tuple[str, ...] = ()
    custody: tuple[str, ...] = ()
    """Keys of the custody records of the window's run."""


@dataclass(frozen=True, slots=True)
class BackfillPlan:
    """The scope of a backfill. A command that joins it must have the same."""

    name: str
    window: DateWindow
    window_days: int
    sources: tuple[str, ...]
    """The source buckets in the settings."""
    began: datetime

    def __post_init__(self) -> None:
        check_name(self.name)


def check_name(name: str) -> None:
    """Raises SettingsError if the name cannot be part of a key."""
    if not is_name(name):
        raise SettingsError(
            f"--name {name!r}: expected up to 100 letters, digits, dots, dashes and underscores"
        )


def is_name(name: str) -> bool:
    """Whether it can be a backfill's name."""
    return _NAME.fullmatch(name) is not None


def name_backfill(window: DateWindow) -> str:
    """The default name of a backfill: the same range gives the same backfill."""
    return f"{window.first}-to-{window.last}"


def backfills_prefix(target: Target) -> str:
    """The prefix of all backfills of a target."""
    return f"{target.root}{BACKFILLS}"


def backfill_folder(target: Target, name: str) -> str:
    return f"{backfills_prefix(target)}{name}/"


def parse_place(folder: str, key: str) -> EntryPlace | None:
    """The inverse of `EntryPlace.key`; None for any other key."""
    found = _ENTRY.fullmatch(key.removeprefix(f"{folder}windows/"))
    if found is None:
        return None
    try:
        window = DateWindow(date.fromisoformat(found["first"]), date.fromisoformat(found["last"]))
    except ValueError:
        return None
    kind = Kind(found["beat"] or found["kind"])
    return EntryPlace(window, int(found["attempt"]), kind, int(found["number"] or 0))


def encode_entry(entry: Entry) -> bytes:
    """As it is stored."""
    return encode_json_line(
        {
            "format": FORMAT,
            "version": VERSION,
            **_describe_place(entry.place),
            "worker": entry.worker,
            "totals": asdict(entry.totals),
            "failures": list(entry.failures),
            "custody": list(entry.custody),
        }
    )


def decode_entry(place: EntryPlace, data: bytes) -> Entry:
    """The inverse. Raises BadPack if it is not an entry, or the entry of another key."""
    what = "the entry of a backfill's ledger"
    with decoding(what):
        value = _decode(what, data)
        if any(value[name] != expected for name, expected in _describe_place(place).items()):
            raise ValueError("it belongs to another key")
        totals = Totals(
            **{name: type(getattr(Totals(), name))(value["totals"][name]) for name in _TOTALS}
        )
        (worker,) = _texts([value["worker"]])
        failures, custody = _texts(value["failures"]), _texts(value["custody"])
        return Entry(place, worker, totals, failures, custody)


def encode_plan(plan: BackfillPlan) -> bytes:
    """As it is stored."""
    return encode_json_line(
        {
            "format": FORMAT,
            "version": VERSION,
            "name": plan.name,
            "first_date": plan.window.first.isoformat(),
            "last_date": plan.window.last.isoformat(),
            "window_days": plan.window_days,
            "sources": list(plan.sources),
            "began": plan.began.isoformat(),
        }
    )


def decode_plan(name: str, data: bytes) -> BackfillPlan:
    """The inverse. Raises BadPack if it is not a plan, or the plan of another backfill."""
    what = f"the plan of backfill {name!r}"
    with decoding(what):
        value = _decode(what, data)
        if value["name"] != name or not 1 <= value["window_days"] <= WINDOW_DAYS_MAX:
            raise ValueError("it belongs to another backfill")
        first, last = (date.fromisoformat(value[end]) for end in ("first_date", "last_date"))
        return BackfillPlan(
            name,
            DateWindow(first, last),
            value["window_days"],
            _texts(value["sources"]),
            datetime.fromisoformat(value["began"]),
        )


WINDOW_DAYS_MAX = 366


def _decode(what: str, data: bytes) -> Mapping[str, Any]:
    value: Mapping[str, Any] = decode_json(data)
    check_format(what, value, FORMAT, VERSION)
    return value


def _describe_place(place: EntryPlace) -> dict[str, Any]:
    return {
        "kind": place.kind.value,
        "first_date": place.window.first.isoformat(),
        "last_date": place.window.last.isoformat(),
        "attempt": place.attempt,
        "number": place.number,
    }


def _texts(values: Sequence[Any]) -> tuple[str, ...]:
    """They are printed, so they must be text."""
    if not all(isinstance(value, str) for value in values):
        raise TypeError("expected texts")
    return tuple(values)
