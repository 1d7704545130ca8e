"""Hostile input: every reader returns a valid value or raises its own documented error. The laws
are in tests/fuzz/laws.py.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz.laws import LAWS

ROOT = Path(__file__).resolve().parents[2]
NAMES = sorted(LAWS)
PIECES = (
    b"",
    b"\0",
    b"\xff" * 8,
    b"9" * 5000,
    b"-1",
    b"null",
    b"[" * 3000,
    b"1e999",
    b"NaN",
    b'"',
    b"\n",
    b"\xed\xa0\x80",
    b"../" * 9,
    b"{}",
)


@st.composite
def mutated(draw: st.DrawFn, examples: tuple[bytes, ...]) -> bytes:
    """Valid data, mutated; for gzip sometimes mutated inside."""
    data = draw(st.sampled_from(examples))
    is_inner = draw(st.booleans()) and data.startswith(b"\x1f\x8b\x08\0") and len(data) < 5000
    if is_inner:
        data = zlib.decompress(data, 31)
    for _ in range(draw(st.integers(1, 4))):
        at, end = sorted((draw(st.integers(0, len(data))), draw(st.integers(0, len(data)))))
        match draw(st.sampled_from(("flip", "cut", "insert", "repeat", "replace", "number"))):
            case "flip" if at < len(data):
                data = (
                    data[:at] + bytes([data[at] ^ (1 << draw(st.integers(0, 7)))]) + data[at + 1 :]
                )
            case "cut":
                data = data[:at] + data[end:]
            case "insert":
                data = data[:at] + draw(st.sampled_from(PIECES)) + data[at:]
            case "repeat":
                data = data[:end] + data[at:end][:2000] + data[end:]
            case "replace":
                data = data[:at] + draw(st.binary(max_size=20)) + data[end:]
            case _:
                data = data.replace(
                    draw(st.sampled_from((b"10", b"20", b"true", b"2025", b"1"))),
                    draw(st.sampled_from(PIECES)),
                    1,
                )
    return gzip.compress(data, mtime=0) if is_inner else data


@pytest.mark.parametrize("name", NAMES)
def test_examples_obey_the_law(name: str) -> None:
    """Valid data and each prefix of it obey the law."""
    for example in LAWS[name].examples:
        for end in {*range(0, len(example), max(1, len(example) // 200)), len(example)}:
            LAWS[name].check(example[:end])


@pytest.mark.parametrize("name", NAMES)
def test_any_bytes_obey_the_law(name: str) -> None:
    """Arbitrary bytes and nearly valid data obey the law."""
    law = LAWS[name]

    @given(data=st.one_of(st.binary(max_size=300), mutated(law.examples)))
    def check(data: bytes) -> None:
        law.check(data)

    check()


def test_every_law_is_described() -> None:
    """`...-inside` is described once for all."""
    text = (ROOT / "docs/internals/fuzzing.md").read_text(encoding="utf-8")
    assert [
        name for name in NAMES if not name.endswith("-inside") and f"`{name}`" not in text
    ] == []
