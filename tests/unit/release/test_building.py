"""Two builds are compared, and sums are in the format that sha256sum checks."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from release.building import find_difference, write_sums


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "content", "differs"),
    [("p.whl", b"one", None), ("p.whl", b"other", "p.whl"), ("q.whl", b"one", "p.whl")],
)
def test_a_build_that_differs_is_named(
    tmp_path: Path, name: str, content: bytes, differs: str | None
) -> None:
    one, other = write(tmp_path / "a" / "p.whl", b"one"), write(tmp_path / "b" / name, content)
    assert find_difference((one,), (other,)) == differs


def test_sums_are_written_as_sha256sum_reads_them(tmp_path: Path) -> None:
    write(tmp_path / "p.whl", b"bytes")
    write_sums(tmp_path)
    digest = hashlib.sha256(b"bytes").hexdigest()
    assert (tmp_path / "SHA256SUMS").read_text() == f"{digest}  p.whl\n"
