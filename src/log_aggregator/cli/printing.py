"""The only way out to the terminal, or to wherever its streams lead: nothing that comes from
outside gets there as it is.

A command prints lines and JSON by these functions. What anything else writes (click's usage errors,
prompts, warnings, the traceback of a bug) goes through the guard of the streams. Bytes of originals
go to the buffer below, and are what they are.
"""

from __future__ import annotations

import codecs
import io
import json
import sys
from collections.abc import Iterable
from typing import Any, TextIO, cast

import click

from log_aggregator.errors import LogAggregatorError
from log_aggregator.escapes import escape, escape_json, escape_lines


class _Guard:
    """A text stream that escapes all that is written to it, but for line breaks."""

    def __init__(self, stream: TextIO) -> None:
        self.own = stream

    def write(self, text: str) -> int:
        self.own.write(escape_lines(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.own, name)


def guard_streams() -> None:
    """Standard output and standard error, until the process ends. What their encoding does not have
    is escaped, too.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, _Guard):
            continue
        if isinstance(stream, io.TextIOWrapper):
            is_ascii = (
                codecs.lookup(stream.encoding).name == "ascii"
            )  # of a system without a locale
            stream.reconfigure(encoding="utf-8" if is_ascii else None, errors="backslashreplace")
        setattr(sys, name, cast("TextIO", _Guard(stream)))


def own_stream(stream: TextIO) -> TextIO:
    """What lies below the guard, for what is our own from end to end: lines that are escaped
    already, bars and their colours.
    """
    return stream.own if isinstance(stream, _Guard) else stream


def print_line(text: str, *, err: bool = False) -> None:
    """Whatever is in it."""
    print_lines([text], err=err)


def print_lines(lines: Iterable[str], *, err: bool = False, tabbed: bool = False) -> None:
    """Each of them is one line, whatever is in it. `tabbed`: its tabs are our own."""
    if tabbed:
        lines = ("\t".join(map(escape, line.split("\t"))) for line in lines)
    else:
        lines = map(escape, lines)
    _write((f"{line}\n" for line in lines), err=err)


def print_report(described: Any, lines: Iterable[str], *, as_json: bool) -> None:
    """For programs, or for people."""
    if as_json:
        print_json(described)
    else:
        print_lines(lines)


def print_json(value: Any) -> None:
    """A document, indented."""
    print_json_lines([json.dumps(value, indent=2, ensure_ascii=False)])


def print_json_lines(documents: Iterable[str]) -> None:
    """Documents that have been written already."""
    _write((f"{escape_json(document)}\n" for document in documents), err=False)


def print_heading(text: str) -> None:
    """After a blank line; bold on a terminal."""
    line = escape(text)
    _write(["\n", click.style(line, bold=True) if sys.stdout.isatty() else line, "\n"], err=False)


def print_error(program: str, error: LogAggregatorError, advice: str) -> None:
    """What happened, and what to do about it."""
    first, *more = str(error).split("\n")
    print_lines([f"{program}: {first}", *more, *([f"  {advice}"] if advice else [])], err=True)


def print_usage_error(error: click.ClickException) -> None:
    """As click does. Its message quotes what was typed, line breaks included."""
    vars(error)["message"] = escape(error.message)  # click calls it final
    error.show()


def _write(pieces: Iterable[str], *, err: bool) -> None:
    """In one piece, so that lines of several threads do not mix."""
    stream = own_stream(sys.stderr if err else sys.stdout)
    stream.write("".join(pieces))
    stream.flush()
