"""Turns built folders into the zips that Lambda is given. The same folder gives the same bytes, so
ten equal functions share one object.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

EPOCH = (1980, 1, 1, 0, 0, 0)
UNZIPPED_BYTES_MAX = 250 * 1024 * 1024
"""https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A zip in memory."""

    data: bytes
    digest: str
    unzipped_bytes: int


def list_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """(name in the zip, file), sorted by name."""
    return iter(
        sorted(
            (str(path.relative_to(folder)), path) for path in folder.rglob("*") if path.is_file()
        )
    )


def fingerprint(folder: Path) -> str:
    """Equal for two folders that contain the same names with the same files or the same bytes."""
    digest = hashlib.sha256()
    for name, path in list_files(folder):
        digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def make_artifact(folder: Path, programs: Mapping[str, str]) -> Artifact:
    """`programs` are executable files to add: name -> text. Not compressed: it only goes from one
    process to another on this machine.
    """
    buffer = io.BytesIO()
    unzipped = 0
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, path in list_files(folder):
            data = path.read_bytes()
            unzipped += len(data)
            _add(archive, name, data, path.stat().st_mode)
        for name, text in programs.items():
            _add(archive, name, text.encode(), 0o755)
    data = buffer.getvalue()
    return Artifact(data, hashlib.sha256(data).hexdigest(), unzipped)


def _add(archive: zipfile.ZipFile, name: str, data: bytes, mode: int) -> None:
    info = zipfile.ZipInfo(name, EPOCH)
    info.external_attr = (0o100000 | (mode & 0o777)) << 16
    archive.writestr(info, data)
