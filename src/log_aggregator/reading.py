"""Packs and their indexes, read from Python: in a notebook, or in a program of your own.

Nothing here can write or delete: every request that is not a read is refused before it is made.
Originals come back byte for byte, and only after they were compared with the hash in the index.
An error is one of `log_aggregator.errors`; its `advice` says what to do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from log_aggregator import model
from log_aggregator.adapters.local_files import LocalFiles
from log_aggregator.adapters.read_only import ReadOnlyStore
from log_aggregator.core.layouts.declared import Layouts
from log_aggregator.core.layouts.table import BUILT_IN_TYPES
from log_aggregator.core.lines import iter_lines
from log_aggregator.core.packformat.index import decode_index
from log_aggregator.core.packformat.tarheader import END_OF_ARCHIVE
from log_aggregator.core.query import Query
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import (
    AccessDenied,
    BadPack,
    CannotStart,
    IncompleteSearch,
    LogAggregatorError,
    NewerFormat,
    NoLines,
    NotFound,
    ObjectFrozen,
    RequestFailed,
    SettingsError,
    VerificationError,
)
from log_aggregator.model import Index, PackFormat, Target
from log_aggregator.ports.store import ObjectStore
from log_aggregator.settings import Settings, read_settings
from log_aggregator.steps.job import Job
from log_aggregator.steps.packs.index import read_tail_data
from log_aggregator.steps.packs.ranges import RangeReader
from log_aggregator.steps.packs.verify import verify_pack
from log_aggregator.steps.retrieval.fetch import Fetched, Wanted, fetch
from log_aggregator.steps.retrieval.find import FoundPack, find
from log_aggregator.steps.rules import Level
from log_aggregator.steps.workers import SerialWorkers, ThreadWorkers, Workers
from log_aggregator.wiring import Connection, SystemClock, connect, make_rules

__all__ = [
    "AccessDenied",
    "Archive",
    "BadPack",
    "CannotStart",
    "IncompleteSearch",
    "LogAggregatorError",
    "Member",
    "NewerFormat",
    "NoLines",
    "NotFound",
    "ObjectFrozen",
    "Pack",
    "RequestFailed",
    "SettingsError",
    "VerificationError",
    "open_archive",
    "read_index",
    "read_pack",
]

Day = date | datetime | str
"""A date, a moment, or either as ISO 8601: `2026-03-14`, `2026-03-14T13:00`. UTC where it names no
zone.
"""

_READERS = 16
_LOCAL = "local"
_LISTS = ("Records", "configurationItems")
"""Where CloudTrail and Config have the records of a document."""


def open_archive(
    place: str | None = None,
    *,
    settings: str | PathLike[str] | None = None,
    profile: str | None = None,
    region: str | None = None,
    endpoint_url: str | None = None,
) -> Archive:
    """Opens the packs of a bucket, or those that a settings file is about.

    `place` is `s3://bucket`, or `s3://bucket/prefix/` where packs have a prefix; `settings` is the
    path of a settings file. Exactly one of them is needed. Credentials, Region and endpoint are
    those of the standard AWS configuration, unless they are named here.

    Raises SettingsError, and CannotStart where S3 cannot be used.
    """
    if (place is None) == (settings is None):
        raise SettingsError("open_archive: expected either a place, s3://bucket, or settings")
    read = Settings() if settings is None else read_settings(Path(settings), {})
    store = ReadOnlyStore(
        connect(Connection(profile, region, endpoint_url), _READERS, read.bucket_owners)
    )
    workers = ThreadWorkers(readers=_READERS, writers=1, groups=1)
    if place is not None:
        return Archive(store, workers, [_parse_place(place)])
    today = SystemClock().now().date()
    job = Job(store, workers, make_rules(read, DateWindow(today, today)), SystemClock())
    return Archive(store, workers, job.list_targets(), read.layouts)


def read_pack(path: str | PathLike[str], index: str | PathLike[str] | None = None) -> Pack:
    """Opens a pack that is a file on this machine, gzip or tar.

    The index is that in the pack's own tail. A pack that S3 copied as one large object has no tail:
    `index` is then the path of its index, as it lies under `indexes/`. Where `index` is named it is
    the one that is used.

    Raises BadPack where the file is not a pack, or a newer release wrote it, and NotFound.
    """
    file = Path(path)
    with _about(file):
        data = _read_file(index) if index is not None else _read_own_index(file)
        return _open_local(file, data)


def read_index(path: str | PathLike[str]) -> Pack:
    """Opens an index that is a file on this machine: its members can be listed, not read.

    Raises BadPack where the file is not an index, or a newer release wrote it, and NotFound.
    """
    with _about(path):
        return _open_local(None, _read_file(path))


class Archive:
    """The packs of a bucket. Made by `open_archive`; a context manager, or to be closed by
    `close`.
    """

    def __init__(
        self,
        store: ObjectStore,
        workers: Workers,
        targets: Iterable[Target],
        layouts: Layouts | None = None,
    ) -> None:
        self._reader = _Reader(store, workers)
        self._targets = tuple(targets)
        self._layouts = layouts or Layouts()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the threads that read. Nothing can be read afterwards."""
        self._reader.workers.end()

    def packs(
        self,
        *,
        log_type: str | None = None,
        account: str | None = None,
        bucket: str | None = None,
        region: str | None = None,
        key: str | None = None,
        day: Day | None = None,
        first: Day | None = None,
        last: Day | None = None,
    ) -> Iterator[Pack]:
        """The packs with at least one member for which all conditions hold, each with these members
        alone. A condition that is left out always holds.

        `log_type` is a name such as CloudTrail, in any case; `account` twelve digits, or `all` for
        logs whose keys name no account; `bucket` the one that AWS delivered to. `key` is the
        original's key, `s3://bucket/key`, or a glob of either. `day` is one log date; `first` and
        `last` are a range, both included.

        Only indexes are read, so nothing has to be thawed. Packs come while they are found, in the
        order of their keys. Raises SettingsError; at the end IncompleteSearch, where an index is
        damaged or missing; RequestFailed.
        """
        if day is not None:
            if first is not None or last is not None:
                raise SettingsError("packs: expected either day, or first and last")
            first = last = day
        query = Query(
            buckets=_one(bucket),
            log_types=_one(self._name_log_type(log_type)),
            accounts=_one(_check_account(account)),
            regions=_one(region),
            keys=() if key is None else (key,),
            first=_parse_moment("first", first, time.min),
            last=_parse_moment("last", last, time.max),
            layouts=self._layouts,
        )
        return self._find(query)

    def _find(self, query: Query) -> Iterator[Pack]:
        reader = self._reader
        for found in find(reader.store, reader.workers, self._targets, query):
            yield _make_pack(found, reader)

    def _name_log_type(self, text: str | None) -> str | None:
        if text is None:
            return None
        if not re.fullmatch("[A-Za-z0-9._-]+", text):
            raise SettingsError(f"log_type {text!r}: expected a name such as CloudTrail")
        known = (*BUILT_IN_TYPES, *(layout.name for layout in self._layouts.declared))
        return {name.lower(): name for name in known}.get(text.lower(), text)


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack, by its index."""

    key: str
    """Its key."""
    where: str
    """Its address, `s3://bucket/key`; the path of a file."""
    bucket: str
    """The bucket that AWS delivered its members to."""
    log_type: str
    account: str
    """Twelve digits, or `all` where the members' keys name no account."""
    date: date
    """The log date of its members."""
    format: str
    """`gzip`, `tar` or `copy`."""
    size_bytes: int | None
    """As it was listed; `None` where there is an index and no pack."""
    storage_class: str | None
    """S3's, as it was listed."""
    _found: FoundPack = field(repr=False, compare=False)
    _reader: _Reader = field(repr=False, compare=False)

    def __len__(self) -> int:
        """How many members there are, of those that were asked for."""
        return len(self._found.members)

    def members(self) -> Iterator[Member]:
        """The members that were asked for, in the order of their keys; `len(pack)` says how many.
        Nothing is read of the pack.
        """
        return (_make_member(each, self) for each in self._found.members)

    def originals(self) -> Iterator[tuple[Member, bytes]]:
        """Each member with its bytes, in the order in which they lie in the pack: neighbours by one
        request, which is many times quicker than `Member.read` of each.

        Raises what `Member.read` does; everything before that is right.
        """
        with _about(self.where):
            for member, original in self._fetch(self._found):
                yield member, b"".join(original.pieces)

    def records(self) -> Iterator[dict[str, Any]]:
        """The records of all members, in the order in which they lie in the pack; see
        `Member.records`. One member is in memory at a time.
        """
        for member, data in self.originals():
            yield from _iter_records(data, member.where)

    def verify(self) -> None:
        """Reads the whole pack and compares every byte: each member's hash, what lies between them,
        and the index in the pack's tail.

        Raises VerificationError or BadPack where it is not what its index says, ObjectFrozen,
        NotFound.
        """
        target = self._found.target
        if not self.key.startswith(f"{target.root}packs/"):
            raise VerificationError(
                f"{self.where}: an adopted aggregate; `log-aggregator verify` checks it"
            )
        with _about(self.where):
            verify_pack(self._reader.store, target, self.key, Level.READ_BACK)

    def _fetch(self, found: FoundPack) -> Iterator[tuple[Member, Fetched]]:
        wanted = [Wanted(found, frozenset())]
        for original in fetch(self._reader.store, self._reader.workers, wanted):
            yield _make_member(original.member, self), original


@dataclass(frozen=True, slots=True)
class Member:
    """A log object inside a pack, as it was when AWS had delivered it."""

    bucket: str
    """The bucket that it was in."""
    key: str
    """Its key there."""
    version_id: str | None
    """`None` in a bucket that never had versioning."""
    etag: str
    size_bytes: int
    last_modified: datetime
    sha256: str | None
    """Of its bytes, in hex; `None` where S3 copied it unread, and a CRC64NVME stands for it."""
    metadata: Mapping[str, str]
    """User metadata. The signature of a CloudTrail digest is here."""
    content_type: str | None
    content_encoding: str | None
    is_latest: bool
    """It was the newest version of its key when it was listed."""
    flags: tuple[str, ...]
    """What was odd about it: see [the pack format](../internals/pack-format.md)."""
    _found: model.Member = field(repr=False, compare=False)
    _pack: Pack = field(repr=False, compare=False)

    @property
    def where(self) -> str:
        """The address that it had, `s3://bucket/key`."""
        return f"s3://{self.bucket}/{self.key}"

    def read(self) -> bytes:
        """The original's bytes, compared with the hash in the index.

        Raises VerificationError or BadPack where the pack does not hold them any more, ObjectFrozen
        where it must be thawed first (`log-aggregator thaw`), NotFound, RequestFailed.
        """
        pack = self._pack
        with _about(pack.where):
            ((_, original),) = pack._fetch(replace(pack._found, members=(self._found,)))  # noqa: SLF001 - a member is a part of its pack
            return b"".join(original.pieces)

    def lines(self) -> Iterator[bytes]:
        """The original's lines of text, inflated, without their line breaks.

        Raises NoLines where it is neither text nor gzip of text, and what `read` does.
        """
        yield from _read_text(self.read(), self.where).splitlines()

    def records(self) -> Iterator[dict[str, Any]]:
        """The original's records: the entries of `Records` (CloudTrail) or `configurationItems`
        (Config), else the document itself, or a document for each line.

        Raises NoLines where it is not JSON, and what `read` does.
        """
        yield from _iter_records(self.read(), self.where)


@dataclass(frozen=True, slots=True)
class _Reader:
    """What packs are read with."""

    store: ObjectStore
    workers: Workers


def _make_pack(found: FoundPack, reader: _Reader, where: str | None = None) -> Pack:
    group = found.group
    return Pack(
        key=found.pack_key,
        where=where or found.where,
        bucket=group.bucket,
        log_type=group.log_type,
        account=group.account,
        date=group.date,
        format=found.format.value,
        size_bytes=found.pack_bytes,
        storage_class=found.storage_class,
        _found=found,
        _reader=reader,
    )


def _make_member(found: model.Member, pack: Pack) -> Member:
    return Member(
        bucket=pack.bucket,
        key=found.key,
        version_id=found.version_id,
        etag=found.etag,
        size_bytes=found.size_bytes,
        last_modified=found.last_modified,
        sha256=found.sha256,
        metadata=found.metadata,
        content_type=found.content_type,
        content_encoding=found.content_encoding,
        is_latest=found.is_latest,
        flags=found.flags,
        _found=found,
        _pack=pack,
    )


def _open_local(file: Path | None, data: bytes) -> Pack:
    """A pack whose index is `data`; without its file only the index is known."""
    index = decode_index(data)
    target = Target(_LOCAL, _root_of(index))
    objects: dict[tuple[str, str], Path | bytes] = {
        (_LOCAL, target.index_key(index.pack_key)): data
    }
    if file is not None:
        objects[_LOCAL, index.pack_key] = file
    found = FoundPack(
        target,
        index.pack_key,
        index.group,
        index.format,
        tuple(index.members),
        None if file is None else file.stat().st_size,
    )
    store = ReadOnlyStore(LocalFiles(objects))
    return _make_pack(found, _Reader(store, SerialWorkers()), None if file is None else str(file))


def _root_of(index: Index) -> str:
    """What stands before `packs/` in the key that an index names. Raises BadPack."""
    root, found, _ = index.pack_key.partition(f"packs/{index.group.path}")
    if not found or (root and not root.endswith("/")):
        raise BadPack(f"the index names a pack of another group: {index.pack_key}")
    return root


def _read_own_index(file: Path) -> bytes:
    """The index in a pack's own tail. Raises BadPack."""
    store = LocalFiles({(_LOCAL, str(file)): file})
    size = store.head_object(_LOCAL, str(file)).size_bytes
    reader = _FileReader(store, _LOCAL, str(file))
    end = reader.read(max(0, size - len(END_OF_ARCHIVE)), size).data
    return read_tail_data(
        reader, size, PackFormat.TAR if end == END_OF_ARCHIVE else PackFormat.GZIP
    )


class _FileReader(RangeReader):
    """Of a file, which messages call by its path."""

    @property
    def where(self) -> str:
        return self.key


def _read_file(path: str | PathLike[str]) -> bytes:
    file = Path(path)
    return LocalFiles({(_LOCAL, file.name): file}).get_object(_LOCAL, file.name).data


@contextmanager
def _about(where: str | PathLike[str]) -> Iterator[None]:
    """Errors about files on disk name them in a note, which a traceback shows."""
    try:
        yield
    except LogAggregatorError as error:
        note = f"while reading {where}"
        if note not in getattr(error, "__notes__", ()):
            error.add_note(note)
        raise


def _read_text(data: bytes, where: str) -> bytes:
    try:
        return b"".join(iter_lines([data], len(data)))
    except NoLines as error:
        raise NoLines(f"{where}: {error}") from None


def _iter_records(data: bytes, where: str) -> Iterator[dict[str, Any]]:
    text = _read_text(data, where)
    try:
        values = [json.loads(text)]
    except ValueError:
        values = []
        for line in text.splitlines():
            values.append(_decode(line, where))
    for value in values:
        if not isinstance(value, dict):
            raise NoLines(f"{where}: its JSON is not an object")
        lists = [value[name] for name in _LISTS if isinstance(value.get(name), list)]
        yield from lists[0] if lists else [value]


def _decode(line: bytes, where: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:  # whose text may quote a log
        raise NoLines(f"{where}: it is text, and not JSON") from None


def _parse_place(text: str) -> Target:
    found = re.fullmatch(r"s3://([a-z0-9][a-z0-9._-]{1,62})(?:/(.*))?", text)
    if found is None:
        raise SettingsError(f"{text!r}: expected a place such as s3://example-packs")
    prefix = found[2] or ""
    return Target(found[1], prefix if not prefix or prefix.endswith("/") else f"{prefix}/")


def _check_account(text: str | None) -> str | None:
    if text is not None and text != model.NO_ACCOUNT and not re.fullmatch("[0-9]{12}", text):
        raise SettingsError(f"account {text!r}: expected twelve digits, or {model.NO_ACCOUNT!r}")
    return text


def _parse_moment(name: str, given: Day | None, time_of_day: time) -> datetime | None:
    """A date stands for its beginning or its end."""
    if given is None:
        return None
    value: date | datetime
    try:
        value = given if not isinstance(given, str) else _parse_text(given)
    except ValueError:
        raise SettingsError(
            f"{name} {given!r}: expected a date such as 2026-03-14, or a moment"
        ) from None
    if not isinstance(value, datetime):
        return datetime.combine(value, time_of_day, UTC)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _parse_text(text: str) -> date | datetime:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return datetime.fromisoformat(text)


def _one(value: str | None) -> frozenset[str]:
    return frozenset() if value is None else frozenset({value})
