"""Keys as paths of files."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from log_aggregator.core.paths import (
    NAME_BYTES_MAX,
    PathNames,
    encode_segments,
    fit_encoding,
    name_version,
)
from log_aggregator.escapes import is_harmless
from log_aggregator.model import Member

keys = st.text(min_size=1, max_size=40).filter(
    lambda key: len(key.encode("utf-8", "surrogatepass")) <= 1024
)
tricky = st.text(st.sampled_from("aAäÄ/.%~2E\\\x00ß\x9b\u200b"), min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("key", "segments"),
    [
        (
            "AWSLogs/1/Config/x_AWS::EC2::Instance_1.json.gz",
            ["AWSLogs", "1", "Config", "x_AWS::EC2::Instance_1.json.gz"],
        ),
        ("../../etc/passwd", ["%%2E%2E", "%%2E%2E", "etc", "passwd"]),
        ("/absolute//twice/", ["%", "absolute", "%", "twice", "%"]),
        ("./a/.hidden/...", ["%%2E", "a", ".hidden", "..."]),
        ("a\x00b\n\x7f", ["a%00b%0A%7F"]),
        ("100%/%2E%2E", ["100%25", "%252E%252E"]),
        ("back\\slash", ["back%5Cslash"]),
        ("日本語/🙂/ü/e\u0301", ["日本語", "🙂", "ü", "e\u0301"]),
        ("\x9b\u202e/\ufeffa", ["%C2%9B%E2%80%AE", "%EF%BB%BFa"]),
    ],
)
def test_unsafe_parts_of_keys_are_escaped(key: str, segments: list[str]) -> None:
    """Segments are kept as names, with percent signs where a file system would misread them."""
    assert encode_segments(key) == segments


@settings(max_examples=300)
@given(st.lists(st.one_of(keys, tricky), unique=True, max_size=30))
@example(["a", "a/b", "a/b/c", "A/b", "A", "a%folder/b", "a%25folder"])
@example(["a/b", "a"])
@example(["a\x1b", "a%1B", "a\u200b", "a", "a%E2%80%8B", "\u202ea"])
@example(["x" * 300 + ".json.gz", "x" * 301 + ".json.gz", "x" * 300 + "/y"])
def test_every_key_gets_a_safe_unique_path(some: list[str]) -> None:
    """No path leads elsewhere, is too long, acts or hides when shown, is another key's folder, or
    differs from another only by case or Unicode form.
    """
    names = PathNames()
    paths = [names.place(encode_segments(key), key) for key in some]
    for path in paths:
        assert all(
            name not in ("", ".", "..") and "/" not in name and "\x00" not in name for name in path
        )
        assert all(len(name.encode()) <= NAME_BYTES_MAX + 17 for name in path)
        assert all(map(is_harmless, path))
    texts = ["/".join(path).casefold() for path in paths]
    assert len(set(texts)) == len(texts)
    assert not [one for one in texts for other in texts if other.startswith(one + "/")]


@settings(max_examples=60, deadline=None)
@given(some=st.lists(st.one_of(keys, tricky), unique=True, max_size=12))
def test_a_real_file_system_accepts_all_paths(
    tmp_path_factory: pytest.TempPathFactory, some: list[str]
) -> None:
    """Every key of any set can be written, and all stay inside the folder."""
    root = tmp_path_factory.mktemp("root")
    names = PathNames()
    for number, key in enumerate(some):
        path = root.joinpath(*names.place(encode_segments(key), key))
        path.parent.mkdir(parents=True, exist_ok=True)
        assert not path.exists()
        path.write_text(str(number))
        assert path.resolve().is_relative_to(root.resolve())
    assert sum(len(files) for _, _, files in os.walk(root)) == len(some)


def test_the_same_keys_get_the_same_paths() -> None:
    """A key's path depends on the keys before it, and on nothing else."""
    some = ["k/A", "k/a", "k", "k/a/b", "K"]
    first, second = PathNames(), PathNames()
    assert [first.place(encode_segments(key), key) for key in some] == [
        second.place(encode_segments(key), key) for key in some
    ]
    assert PathNames().place(["plain", "name.json.gz"], "x") == ["plain", "name.json.gz"]


def test_the_file_beside_another_has_its_own_name() -> None:
    """The file next to another is named after it and takes no other file's name."""
    names = PathNames()
    taken = names.place(["a.gz.metadata.json"], "1")
    path = names.place(["a.gz"], "2")
    beside = names.place_beside(path, ".metadata.json", "2")
    assert beside != taken
    assert (beside[0].startswith("a.gz%"), beside[0].endswith(".metadata.json")) == (True, True)
    longest = names.place(["x" * 500 + ".json.gz"], "3")
    assert longest[0].endswith(".json.gz")
    assert len(names.place_beside(longest, ".metadata.json", "3")[0].encode()) <= 255


def member(**more: Any) -> Member:
    values: dict[str, Any] = {
        "version_id": "v1",
        "etag": "e",
        "size_bytes": 1,
        "last_modified": datetime(2025, 1, 1, tzinfo=UTC),
    }
    return Member(key="k", offset=0, length_bytes=1, sha256="0", **(values | more))


def test_versions_get_different_paths() -> None:
    """An older version gets its version id, or its ETag where the id says nothing, before the
    extensions.
    """
    assert name_version("a.json.gz", member()) == "a.version-v1.json.gz"
    assert (
        name_version("2025-01-01-ABC", member(version_id=None)) == "2025-01-01-ABC.version-etag-e"
    )
    assert name_version("a.b.log", member(version_id="null")) == "a.b.version-null-e.log"
    assert name_version("a.gz", member(version_id="x/../y")) == "a.version-x%2F..%2Fy.gz"
    assert Path(name_version("a", member(version_id="../.."))).name == name_version(
        "a", member(version_id="../..")
    )


@pytest.mark.parametrize(
    ("encoding", "name"),
    [("utf-8", "ü日%25"), ("latin-1", "ü%E6%97%A5%25"), ("ascii", "%C3%BC%E6%97%A5%25")],
)
def test_characters_outside_the_locale_are_escaped(encoding: str, name: str) -> None:
    """This applies in a locale without Unicode."""
    (segment,) = encode_segments("ü日%")
    assert fit_encoding(segment, encoding) == name
