"""Where originals go: a folder, one file, or standard output. Nothing gets its final name, or goes
to standard output, before it was checked.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import BinaryIO

from log_aggregator.cli.printing import name_unwritable, silence
from log_aggregator.core.lines import iter_lines
from log_aggregator.core.paths import PathNames, encode_segments, fit_encoding, name_version
from log_aggregator.core.times import encode_time
from log_aggregator.errors import GroupFailed, OutputFailed, SettingsError
from log_aggregator.escapes import escape_json
from log_aggregator.limits import MIB
from log_aggregator.model import Member
from log_aggregator.steps.retrieval.fetch import Fetched

_COPY_BYTES = 1 * MIB
_SPOOL_BYTES = 16 * MIB
"""The most that is held in memory before a temporary file is used."""


class FolderSink:
    """`<folder>/<source bucket>/<key>`, and next to it `<name>.metadata.json` where that is asked
    for.

    Raises SettingsError when it is made, where the folder is not empty, not a folder or not
    writable; OutputFailed later.
    """

    def __init__(
        self, folder: Path, *, force: bool, with_metadata: bool, option: str = "--directory"
    ) -> None:
        self._folder = folder
        self._with_metadata = with_metadata
        self._names = PathNames()
        self._made: set[Path] = set()
        prepare_folder(folder, option, force=force)
        self._real = folder.resolve()

    def take(self, original: Fetched) -> None:
        member = original.member
        unique = f"{original.pack.group.bucket}/{member.key}/{member.version_id}/{member.etag}"
        segments = [*name_segments(original.pack.group.bucket), *name_segments(member.key)]
        if not original.is_newest:
            segments[-1] = name_version(segments[-1], member)
        path = self._names.place(segments, unique)
        try:
            self._write(path, original.pieces, member)
        except GroupFailed:
            self._names.forget(path)
            raise
        if self._with_metadata:
            beside = self._names.place_beside(path, ".metadata.json", unique)
            self._write(beside, [describe_member(original.pack.group.bucket, member)], None)

    def _write(self, path: list[str], pieces: Iterable[bytes], member: Member | None) -> None:
        final = self._folder.joinpath(*path)
        with writing(final):
            self._make_folder(final.parent)
        modified = None if member is None else member.last_modified.astimezone(UTC).timestamp()
        write_file(final, pieces, modified)

    def _make_folder(self, folder: Path) -> None:
        if folder in self._made:
            return
        if not folder.resolve().is_relative_to(self._real):
            raise OutputFailed(f"{folder}: a symbolic link leads out of {self._folder}")
        folder.mkdir(parents=True, exist_ok=True)
        self._made.add(folder)


def name_segments(key: str) -> list[str]:
    """The names of the folders and the file, in characters that this machine's file system can
    store.
    """
    encoding = sys.getfilesystemencoding()
    return [fit_encoding(name, encoding) for name in encode_segments(key)]


class FileSink:
    """One original as one file."""

    def __init__(self, path: Path, *, force: bool, with_metadata: bool) -> None:
        self._path = path
        self._with_metadata = with_metadata
        beside = [beside_file(path)] if with_metadata else []
        for each in (path, *beside):
            check_output(each, force=force)

    def take(self, original: Fetched) -> None:
        write_file(self._path, original.pieces, None)
        if self._with_metadata:
            write_file(
                beside_file(self._path),
                [describe_member(original.pack.group.bucket, original.member)],
                None,
            )


class StreamSink:
    """Writes one original after the other to a stream, as lines of text or unchanged."""

    def __init__(self, out: BinaryIO, name: str, *, as_lines: bool) -> None:
        self._out = out
        self._name = name
        self._as_lines = as_lines

    def take(self, original: Fetched) -> None:
        with tempfile.SpooledTemporaryFile(_SPOOL_BYTES) as spool:
            with writing(Path(tempfile.gettempdir())):
                for piece in original.pieces:
                    spool.write(piece)
            if self._as_lines:
                self._copy_lines(spool, original.member.size_bytes)
            else:
                self._copy(_read(spool))

    def flush(self) -> None:
        """Called at the end, so that a failure to write is reported."""
        with self._putting_out():
            self._out.flush()

    def _copy_lines(self, spool: tempfile.SpooledTemporaryFile[bytes], size_bytes: int) -> None:
        """All lines of an original, or none of them."""
        with tempfile.SpooledTemporaryFile(_SPOOL_BYTES) as lines:
            with writing(Path(tempfile.gettempdir())):
                for piece in iter_lines(_read(spool), size_bytes):
                    lines.write(piece)
            self._copy(_read(lines))

    def _copy(self, pieces: Iterator[bytes]) -> None:
        for piece in pieces:
            with self._putting_out():
                self._out.write(piece)

    @contextlib.contextmanager
    def _putting_out(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if self._out is sys.stdout.buffer:
                silence(sys.stdout)
            raise name_unwritable(self._name, error) from None


@dataclass(slots=True)
class StreamFile:
    """A file that many originals go into. The caller sets `is_complete` if nothing failed."""

    path: Path
    file: BinaryIO
    is_complete: bool = False


@contextlib.contextmanager
def open_stream(path: Path, *, force: bool) -> Iterator[StreamFile]:
    """Has a temporary name until all originals are in it. If something is missing then, it is named
    `<name>.incomplete`.
    """
    check_output(path, force=force)
    partial = name_partial(path)
    try:
        try:
            stream = StreamFile(path, open_new(partial))
        except OSError as error:
            raise SettingsError(f"--output {path}: {error.strerror}") from None
        with writing(path), stream.file:
            yield stream
        with writing(path):
            if not stream.is_complete:
                stream.path = path.with_name(f"{path.name}.incomplete")
            partial.replace(stream.path)
    finally:
        partial.unlink(missing_ok=True)


def prepare_folder(folder: Path, option: str, *, force: bool) -> None:
    """Creates it, and checks that it is empty and can be written to. Raises SettingsError, which
    names the option.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not force and any(folder.iterdir()):
            raise SettingsError(
                f"{option} {folder}: the folder is not empty; --force writes into it and "
                "overwrites files of the same name"
            )
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise SettingsError(f"{option} {folder}: {error.strerror}") from None


def check_output(path: Path, *, force: bool) -> None:
    """`--output` of originals; its errors name the other options. Raises SettingsError."""
    if path.is_dir():
        raise SettingsError(f"--output {path}: expected a file; for a folder use --directory")
    if is_taken(path):
        raise SettingsError(f"--output {path}: {NO_FILE}; --output - > {path} writes to it")
    check_free(path, force=force)


def check_free(path: Path, option: str = "--output", *, force: bool) -> None:
    """Raises SettingsError where a file would be overwritten without --force, and for the reasons
    of `check_file`.
    """
    check_file(path, option)
    if path.exists() and not force:
        raise SettingsError(f"{option} {path}: the file exists already; --force overwrites it")


def check_file(path: Path, option: str) -> None:
    """Called before anything is done: a file may only replace a file, in an existing folder that
    can be written to. Raises SettingsError.
    """
    try:
        if path.is_dir():
            raise SettingsError(f"{option} {path}: expected a file; this is a folder")
        if is_taken(path):
            raise SettingsError(f"{option} {path}: {NO_FILE}")
        if not path.parent.is_dir():
            raise SettingsError(f"{option} {path}: there is no folder {path.parent}")
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise SettingsError(f"{option} {path}: {error.strerror}") from None


NO_FILE = "expected a file; this is a device or a pipe, which a file would replace"


def is_taken(path: Path) -> bool:
    """By something that is not a file."""
    return path.exists() and not path.is_file()


def beside_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.metadata.json")


def write_file(path: Path, pieces: Iterable[bytes], modified: float | None) -> None:
    """Writes under a temporary name until all of it is there and checked."""
    partial = name_partial(path)
    try:
        with writing(path), open_new(partial) as file:
            for piece in pieces:
                file.write(piece)
        with writing(path):
            if modified is not None:
                os.utime(partial, (modified, modified))
            if is_taken(path):
                raise OutputFailed(f"{path}: {NO_FILE}")
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def name_partial(path: Path) -> Path:
    """Chosen before the file is made, so that it can be removed after an interrupt at any point."""
    return path.with_name(f".partial-{secrets.token_hex(8)}")


def open_new(path: Path) -> BinaryIO:
    """Readable by the user alone, because logs are confidential."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns what the file system refuses into one line. Errors from reading a pack pass, because
    they are not OSErrors.
    """
    try:
        yield
    except OSError as error:
        raise OutputFailed(f"{path}: {error.strerror}") from None


def describe_member(bucket: str, member: Member) -> bytes:
    """What S3 knew about an original apart from its bytes, as JSON."""
    described = {
        "bucket": bucket,
        "key": member.key,
        "version_id": member.version_id,
        "etag": member.etag,
        "size": member.size_bytes,
        "last_modified": encode_time(member.last_modified),
        "sha256": member.sha256,
        "content_type": member.content_type,
        "content_encoding": member.content_encoding,
        "metadata": dict(sorted(member.metadata.items())),
    }
    return escape_json(json.dumps(described, indent=2, ensure_ascii=False)).encode() + b"\n"


def _read(spool: tempfile.SpooledTemporaryFile[bytes]) -> Iterator[bytes]:
    spool.seek(0)
    while piece := spool.read(_COPY_BYTES):
        yield piece
