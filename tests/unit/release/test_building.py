"""Two builds are compared, and sums are in the format that sha256sum checks."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from release.building import compare_builds, write_sums
from release.programs import ReleaseError


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def test_builds_of_the_same_bytes_pass(tmp_path: Path) -> None:
    files = [write(tmp_path / folder / "p.whl", b"same") for folder in ("a", "b")]
    compare_builds((files[0],), (files[1],))


@pytest.mark.parametrize(("name", "content"), [("p.whl", b"other"), ("q.whl", b"one")])
def test_a_build_that_differs_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    one, other = write(tmp_path / "a" / "p.whl", b"one"), write(tmp_path / "b" / name, content)
    with pytest.raises(ReleaseError, match="not reproducible"):
        compare_builds((one,), (other,))


def test_sums_are_written_as_sha256sum_reads_them(tmp_path: Path) -> None:
    write(tmp_path / "p.whl", b"bytes")
    write_sums(tmp_path)
    digest = hashlib.sha256(b"bytes").hexdigest()
    assert (tmp_path / "SHA256SUMS").read_text() == f"{digest}  p.whl\n"
