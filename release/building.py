"""Builds the distributions, twice: anyone who builds them again must get the same bytes."""

from __future__ import annotations

import hashlib
import os
import tarfile
import tempfile
from pathlib import Path

from release.programs import ReleaseError, run_module


def build_twice(root: Path, target: Path) -> tuple[Path, Path]:
    """The wheel and the source distribution in `target`.

    The second build runs in a copy of the first one's source distribution, as a stranger would run
    it. Raises ReleaseError where a byte differs.
    """
    wheel, source = _build(root, target, {"TZ": "UTC", "PYTHONHASHSEED": "1"})
    with tempfile.TemporaryDirectory(prefix="release-") as name:
        folder = Path(name)
        with tarfile.open(source) as archive:
            archive.extractall(folder, filter="data")
        copy = folder / source.name.removesuffix(".tar.gz")
        # The builder adds it, beside one that is there already.
        (copy / "PKG-INFO").unlink()
        for file in copy.rglob("*"):
            os.utime(file, (0, 0))
        again = _build(copy, folder / "dist", {"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "2"})
        if differs := find_difference((wheel, source), again):
            raise ReleaseError(
                f"{differs} is not reproducible: a second build gave other bytes. "
                "Compare both with diffoscope"
            )
    return wheel, source


def find_difference(first: tuple[Path, ...], second: tuple[Path, ...]) -> str | None:
    """The name of the first file that has another name or other bytes in the second build."""
    for one, other in zip(first, second, strict=True):
        if one.name != other.name or hash_file(one) != hash_file(other):
            return one.name
    return None


def write_sums(target: Path) -> None:
    """SHA256SUMS over the other files of the folder, in the format of sha256sum."""
    lines = [f"{hash_file(file)}  {file.name}\n" for file in sorted(target.iterdir())]
    (target / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def hash_file(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _build(folder: Path, target: Path, variables: dict[str, str]) -> tuple[Path, Path]:
    run_module(
        "build", "--no-isolation", "--outdir", target, folder, folder=folder, variables=variables
    )
    (wheel,), (source,) = target.glob("*.whl"), target.glob("*.tar.gz")
    return wheel, source
