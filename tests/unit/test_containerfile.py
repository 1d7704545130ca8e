"""The lines of Containerfile are valid: it cannot be built here."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "Containerfile").read_text(encoding="utf-8")
KNOWN = {"FROM", "COPY", "RUN", "USER", "WORKDIR", "ENV", "STOPSIGNAL", "ENTRYPOINT", "CMD"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def instructions() -> Iterator[tuple[str, str]]:
    """Join continuation lines and drop comments."""
    lines = re.sub(r"^#.*\n", "", TEXT, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    for line in filter(None, lines):
        name, _, words = line.partition(" ")
        yield name, words


LINES = list(instructions())


def words_of(name: str) -> list[str]:
    return [words for each, words in LINES if each == name]


def test_every_line_is_an_instruction() -> None:
    assert {name for name, _ in LINES} <= KNOWN
    assert LINES[0][0] == "FROM"


def test_copied_files_exist() -> None:
    """The source exists and is not excluded by .dockerignore; copies between stages name files made
    there.
    """
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    stages = {words.split(" AS ")[1] for words in words_of("FROM") if " AS " in words}
    for words in words_of("COPY"):
        first, *more = words.split()
        if first.startswith("--from="):
            assert first.removeprefix("--from=") in stages
            continue
        for source in (first, *more[:-1]):
            assert (ROOT / source).exists()
            assert f"!{source}" in ignored


def test_files_needed_by_a_wheel_are_copied() -> None:
    """It is copied before the wheel is built."""
    copied = " ".join(words_of("COPY")).split()
    assert {"pyproject.toml", PROJECT["readme"], *PROJECT["license-files"], "src"} <= set(copied)


def test_the_python_version_is_supported() -> None:
    """Each stage has the same Python, named by its version."""
    (image,) = {words.split(" AS ")[0] for words in words_of("FROM")}
    found = re.fullmatch(r"docker\.io/library/python:(3\.\d+)-slim", image)
    assert found
    assert f"Programming Language :: Python :: {found[1]}" in PROJECT["classifiers"]


def test_the_image_runs_the_command_without_root() -> None:
    (entry,) = words_of("ENTRYPOINT")
    assert json.loads(entry) == list(PROJECT["scripts"])
    assert json.loads(words_of("CMD")[0]) == ["--help"]
    (user,) = words_of("USER")
    assert int(user) > 0
    assert f"--uid {user} " in words_of("RUN")[-1]
    assert [name for name, _ in LINES].index("USER") > max(
        number for number, (name, _) in enumerate(LINES) if name == "RUN"
    )


@pytest.mark.parametrize("words", words_of("RUN"))
def test_commands_can_be_split_into_words(words: str) -> None:
    """Quotes are closed, and every step must succeed."""
    assert ";" not in shlex.split(words)
    assert "|" not in shlex.split(words)
