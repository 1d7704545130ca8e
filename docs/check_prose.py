"""Checks the English of pages, docstrings, comments and messages by Harper: a part of `make lint`.

    python docs/check_prose.py [FILE]...

`docs/prose/vocabulary.toml` lists phrases to avoid, `docs/prose/dictionary.txt` words that are
spelt as they should be. Prints `FILE:LINE: what is wrong`; the exit code is 1 where anything is.
"""  # noqa: INP001 - a script

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VOCABULARY = ROOT / "docs" / "prose" / "vocabulary.toml"
DICTIONARY = ROOT / "docs" / "prose" / "dictionary.txt"
HARPER = Path(sys.executable).with_name("harper")

EVERYWHERE = ("RepeatedWords", "SingleBe")
"""Rules of Harper's own that hold for code as well; `harper config` describes all of them."""
IN_PAGES = ("SpellCheck", "LongSentences", "QuantifierNumeralConflict")
"""Those for pages only: code is full of names that no dictionary knows."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """A row of the vocabulary."""

    name: str
    avoided: tuple[str, ...]
    instead: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to rewrite."""

    path: Path
    line: int
    message: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Checks the files that are named, or all of them."""
    named = [Path(each).resolve() for each in (sys.argv[1:] if arguments is None else arguments)]
    findings = check_prose(named or list_prose())
    for found in findings:
        print(f"{found.path.relative_to(ROOT)}:{found.line}: {found.message}")
    if findings:
        print(f"{len(findings)} to rewrite; docs/prose has the vocabulary", file=sys.stderr)
    return 1 if findings else 0


def list_prose() -> list[Path]:
    """Every page, and every module of the packages."""
    folders = (ROOT / "docs", ROOT / ".github", ROOT / "terraform")
    pages = [*ROOT.glob("*.md"), *(page for each in folders for page in each.rglob("*.md"))]
    return sorted(pages) + sorted((ROOT / "src").rglob("*.py"))


def check_prose(paths: Iterable[Path]) -> list[Finding]:
    """What Harper finds, in the order of the files and their lines."""
    with tempfile.TemporaryDirectory(prefix="prose-") as name:
        folder = Path(name)
        phrases = read_vocabulary()
        pack = write_pack(phrases, folder / "vocabulary.weirpack")
        # Harper names a file by its last part only, so each gets a name that is its own.
        pages, code = {}, {}
        for number, path in enumerate(paths):
            text = path.read_text(encoding="utf-8")
            if path.suffix == ".py":
                code[_write(folder / f"{number}.py", text)] = path
                code[_write(folder / f"{number}.txt", keep_messages(text))] = path
            else:
                pages[_write(folder / f"{number}{path.suffix}", text)] = path
        vocabulary = [phrase.name for phrase in phrases]
        found = [
            *_run_harper(pages, [*vocabulary, *EVERYWHERE, *IN_PAGES], pack),
            *_run_harper(code, [*vocabulary, *EVERYWHERE], pack),
        ]
    return sorted(set(found), key=lambda each: (each.path, each.line, each.message))


def read_vocabulary() -> list[Phrase]:
    """The rows of the table, each with a name for its rule: `Vocabulary` and its number."""
    rows = tomllib.loads(VOCABULARY.read_text(encoding="utf-8"))["phrase"]
    return [
        Phrase(f"Vocabulary{number}", tuple(row["not"]), row["but"])
        for number, row in enumerate(rows)
    ]


def write_pack(phrases: Iterable[Phrase], path: Path) -> Path:
    """A Weirpack, in which Harper takes rules of others (https://writewithharper.com/docs/weir)."""
    manifest = {"author": "-", "version": "1", "description": "vocabulary", "license": "Apache-2.0"}
    with zipfile.ZipFile(path, "w") as pack:
        pack.writestr("manifest.json", json.dumps(manifest))
        for phrase in phrases:
            pack.writestr(f"{phrase.name}.weir", make_rule(phrase))
    return path


def make_rule(phrase: Phrase) -> str:
    """The rule for a phrase, in Weir: any of these sequences of words."""
    message = json.dumps(f"instead write: {phrase.instead}", ensure_ascii=False)
    return (
        f"expr main [{', '.join(f'({avoided})' for avoided in phrase.avoided)}]\n"
        f"let message {message}\nlet description {message}\n"
        'let kind "WordChoice"\nlet becomes ""\n'
    )


def keep_messages(source: str) -> str:
    """The sentences in a module's strings, each in the line where it begins, and nothing else.

    Harper reads the comments and docstrings of Python, but no strings; those are what users read.
    """
    lines = [""] * (source.count("\n") + 1)
    for line, text in _list_strings(ast.parse(source)):
        lines[line - 1] += " ".join(text.split()) + ". "
    return "\n".join(lines)


def _list_strings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    docstrings = {id(each.value) for each in ast.walk(tree) if isinstance(each, ast.Expr)}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in docstrings
            and " " in node.value.strip()
        ):
            yield node.lineno, node.value


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def _run_harper(files: dict[Path, Path], rules: Iterable[str], pack: Path) -> Iterator[Finding]:
    if not files:
        return
    # Its exit code is 1 where it found something, and where it failed, so the answer decides.
    done = subprocess.run(  # noqa: S603 - our own arguments
        [
            *(HARPER, "lint", "--quiet", "--format", "json", "--dialect", "British"),
            *("--user-dict-path", DICTIONARY, "--weirpacks", pack, "--only", ",".join(rules)),
            *files,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if not done.stdout:
        raise SystemExit(f"harper failed:\n{done.stderr}")
    by_name = {path.name: original for path, original in files.items()}
    for file in json.loads(done.stdout):
        for lint in file["lints"]:
            if not _is_false(lint):
                yield Finding(by_name[file["file"]], lint["line"], _describe(lint))


def _is_false(lint: dict[str, str]) -> bool:
    """Python's None, an option before its value, or a name that no dictionary has, such as
    UploadPart or the py of a file.
    """
    text = lint["matched_text"]
    match lint["rule"]:
        case "SpellCheck":
            return not (text.isalpha() and text.islower() and len(text) > len("json"))
        case "RepeatedWords":
            return len(set(text.split())) > 1
        case _:
            return text.endswith(" None")


def _describe(lint: dict[str, str]) -> str:
    return f"{lint['matched_text']!r}: {lint['message']}"


if __name__ == "__main__":
    sys.exit(main())
