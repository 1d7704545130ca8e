"""`extract`: one original back, byte for byte."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import click

from log_aggregator.cli.options import connection_options, make_connection, target_options
from log_aggregator.errors import NoSuchOriginal, SettingsError
from log_aggregator.ports import ObjectStore
from log_aggregator.reports.numbers import format_bytes, format_count
from log_aggregator.settings import Settings
from log_aggregator.steps.extract import Place, find_original, list_source_buckets, read_original_back
from log_aggregator.wiring import connect, make_targets


@click.command()
@click.argument("key")
@click.option("--version-id", help="This version of the key. Left out: the newest that is packed.")
@click.option("--output", "-o", help="File to write, or - for standard output. Left out: the key's last segment, in this folder.")
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
@target_options
@connection_options
def extract(
    settings: Settings,
    key: str,
    version_id: str | None,
    output: str | None,
    force: bool,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
) -> int:
    """Get one original log object back out of its pack.

    KEY is its original key, or s3://bucket/key. Only its own bytes are read from the pack, and they are compared with
    the hash in the index before the file gets its name.
    """
    store = connect(make_connection(profile, region, endpoint_url))
    place = _find(store, settings, key, version_id)
    pieces = read_original_back(store, place)
    if output == "-":
        _write_checked_stdout(pieces)
    else:
        path = Path(output or place.member.key.rstrip("/").rpartition("/")[2])
        _write_file(path, pieces, force=force)
        click.echo(f"{path}: {format_bytes(place.member.size_bytes)} out of s3://{place.target.bucket}/{place.pack_key}", err=True)
    return 0


def _find(store: ObjectStore, settings: Settings, text: str, version_id: str | None) -> Place:
    bucket, key = text.removeprefix("s3://").split("/", 1) if text.startswith("s3://") and "/" in text[5:] else (None, text)
    found: list[Place] = []
    for target in make_targets(store, settings):
        for source in [bucket] if bucket else list_source_buckets(store, target):
            found += find_original(store, target, source, key)
    matching = [place for place in found if version_id is None or place.member.version_id == version_id]
    if not matching:
        versions = ", ".join(str(place.member.version_id) for place in found)
        raise NoSuchOriginal(f"{text}: no pack has it" + (f" in this version; there are {versions}" if found else ""))
    if version_id is None and len(matching) > 1:
        others = format_count(len(matching) - 1, "other version is", "other versions are")
        click.echo(f"the newest of several; {others} packed too (--version-id)", err=True)
    return max(matching, key=lambda place: place.member.last_modified)


def _write_checked_stdout(pieces: Iterable[bytes]) -> None:
    """Through a temporary file, so that nothing is put out that has not been checked."""
    with tempfile.TemporaryFile() as spool:
        for piece in pieces:
            spool.write(piece)
        spool.seek(0)
        while piece := spool.read(1024 * 1024):
            sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def _write_file(path: Path, pieces: Iterable[bytes], *, force: bool) -> None:
    """Under another name until all of it is there and checked."""
    if path.exists() and not force:
        raise SettingsError(f"--output {path}: the file is there already; --force overwrites it")
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.")
    except OSError as error:
        raise SettingsError(f"--output {path}: {error.strerror}") from None
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            for piece in pieces:
                file.write(piece)
        partial.replace(path)
    except OSError as error:
        raise SettingsError(f"--output {path}: {error.strerror}") from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            partial.unlink()
