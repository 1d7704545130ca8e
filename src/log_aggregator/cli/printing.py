"""The only way out to the terminal, or to wherever its streams lead: nothing that comes from
outside gets there as it is.

A command prints lines and JSON by these functions. What anything else writes (click's usage errors,
prompts, warnings, the traceback of a bug) goes through the guard of the streams. Bytes of originals
go to the buffer below, and are what they are.
"""

from __future__ import annotations

import codecs
import errno
import io
import json
import os
import select
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO, cast

import click

from log_aggregator.errors import LogAggregatorError, OutputFailed
from log_aggregator.escapes import escape, escape_json, escape_lines

STDOUT = "standard output"
WIDTH_ELSEWHERE = 120


@dataclass(slots=True)
class Speech:
    """What goes to standard error."""

    is_quiet: bool = False
    """Only errors and warnings do."""
    has_bars: bool = True
    """Where it is a terminal; else it counts as none."""
    log: io.FileIO | None = None
    """Where all of it is written too. It has no buffer, for what does not fit must not come again
    when it is closed.
    """

    def take(self, text: str, *, is_urgent: bool) -> bool:
        """Writes the log. Gives whether it is said, too. A log that is full ends nothing."""
        if self.log is not None:
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            with suppress(OSError):  # in one piece, as all that threads say
                lines = "".join(f"{now} {line}\n" for line in text.splitlines())
                self.log.write(lines.encode(errors="backslashreplace"))
        return is_urgent or not self.is_quiet


_speech = Speech()


def be_quiet() -> None:
    _speech.is_quiet, _speech.has_bars = True, False


def show_no_bars() -> None:
    """Lines that come all the time would be in their midst."""
    _speech.has_bars = False


def log_to(path: Path, first_line: str) -> None:
    """Appends to a file, for the user alone. Raises OSError."""
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    _speech.log = io.FileIO(number, "a")
    _speech.take(escape(first_line), is_urgent=False)


@dataclass(slots=True)
class Results:
    """What has gone to standard output."""

    has_json: bool = False

    @staticmethod
    def begin() -> Results:
        """Of a new command."""
        global _results, _speech
        if _speech.log is not None:
            _speech.log.close()
        _results, _speech = Results(), Speech()
        return _results


_results = Results()


class _Guard:
    """A text stream that escapes all that is written to it, but for line breaks."""

    def __init__(self, stream: TextIO) -> None:
        self.own = stream

    def write(self, text: str) -> int:
        escaped = escape_lines(text)
        if escaped:  # click tries with nothing, and does not look at what comes of it
            with _putting_out(self.own):
                self.own.write(escaped)
        return len(text)

    def flush(self) -> None:
        with _putting_out(self.own):
            self.own.flush()

    def isatty(self) -> bool:
        """A terminal on which nothing is to move is none, to whoever would show a bar."""
        is_out = self.own is own_stream(sys.stdout)
        return (is_out or _speech.has_bars) and self.own.isatty()

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
        if stream is None:  # closed by whoever started us: nothing is to come out there
            stream = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - stays open
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


def print_lines(
    lines: Iterable[str], *, err: bool = False, tabbed: bool = False, urgent: bool = False
) -> None:
    """Each of them is one line, whatever is in it. `tabbed`: its tabs are our own; `urgent`: it is
    said also to whoever wants quiet.
    """
    if tabbed:
        lines = ("\t".join(map(escape, line.split("\t"))) for line in lines)
    else:
        lines = map(escape, lines)
    _write((f"{line}\n" for line in lines), err=err, urgent=urgent)


def print_text(text: str) -> None:
    """A text of our own, of many lines, for a program to read."""
    print_lines(text.rstrip("\n").split("\n"))


def terminal_width() -> int:
    """Of the terminal that results go to; elsewhere a width that mails and files take."""
    try:
        return os.get_terminal_size(own_stream(sys.stdout).fileno()).columns or WIDTH_ELSEWHERE
    except (OSError, ValueError):
        return WIDTH_ELSEWHERE


def check_stdout() -> None:
    """For what cannot be done again: whether its result has a place, as far as that can be seen
    without a byte of it. Raises OutputFailed.
    """
    stream = own_stream(sys.stdout)
    with _putting_out(stream):
        try:
            number = stream.fileno()
        except (OSError, ValueError):
            return  # no file: there is nothing to ask
        os.write(number, b"")  # a device may say that it is full
        kind = os.fstat(number).st_mode
        if stat.S_ISREG(kind) and _is_full(number):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if stat.S_ISFIFO(kind) and _is_unread(number):
            raise BrokenPipeError


def _is_full(file: int) -> bool:
    """The file system that it is on; some do not say how large they are."""
    space = os.fstatvfs(file)
    return bool(space.f_blocks) and not space.f_bfree


def _is_unread(pipe: int) -> bool:
    """Its reader is gone (https://man7.org/linux/man-pages/man2/poll.2.html, POLLERR)."""
    waiting = select.poll()
    waiting.register(pipe, 0)
    return any(event & select.POLLERR for _, event in waiting.poll(0))


def print_report(described: Any, lines: Iterable[str], *, as_json: bool) -> None:
    """For programs, or for people."""
    if as_json:
        print_json(described)
    else:
        print_lines(lines)


def print_report_to_stderr(described: Any, lines: Iterable[str], *, as_json: bool) -> None:
    """The same, for what must not be lost."""
    if as_json:
        document = json.dumps(described, indent=2, ensure_ascii=False)
        _write([f"{escape_json(document)}\n"], err=True, urgent=True)
    else:
        print_lines(lines, err=True, urgent=True)


def print_json(value: Any) -> None:
    """A document, indented."""
    print_json_lines([json.dumps(value, indent=2, ensure_ascii=False)])


def print_json_lines(documents: Iterable[str]) -> None:
    """Documents that have been written already."""
    _results.has_json = True
    _write((f"{escape_json(document)}\n" for document in documents), err=False)


def print_heading(text: str) -> None:
    """After a blank line; bold on a terminal."""
    line = escape(text)
    is_bold = sys.stdout.isatty() and not os.environ.get("NO_COLOR")  # https://no-color.org
    _write(["\n", click.style(line, bold=True) if is_bold else line, "\n"], err=False)


def print_error(program: str, error: LogAggregatorError, advice: str) -> None:
    """What happened, and what to do about it."""
    first, *more = str(error).split("\n")
    lines = [f"{program}: {first}", *more, *([f"  {advice}"] if advice else [])]
    print_lines(lines, err=True, urgent=True)


def print_usage_error(error: click.ClickException) -> None:
    """As click does. Its message quotes what was typed, line breaks included."""
    vars(error)["message"] = escape(error.message)  # click calls it final
    _speech.take(error.message, is_urgent=True)
    error.show()


def _write(pieces: Iterable[str], *, err: bool, urgent: bool = False) -> None:
    """In one piece, so that lines of several threads do not mix."""
    stream = own_stream(sys.stderr if err else sys.stdout)
    text = "".join(pieces)
    if err and not _speech.take(text, is_urgent=urgent):
        return
    with _putting_out(stream):
        stream.write(text)
        stream.flush()


@contextmanager
def _putting_out(stream: TextIO) -> Iterator[None]:
    """A result that cannot be put out is a failure: OutputFailed. What is only said must not end
    what is being done, so on standard error it is lost.
    """
    try:
        yield
    except OSError as error:
        silence(stream)
        if stream is not own_stream(sys.stderr):
            raise name_unwritable(STDOUT, error) from None


def name_unwritable(name: str, error: OSError) -> OutputFailed:
    """What was to be written there did not fit, or nobody reads it any more."""
    if isinstance(error, BrokenPipeError):
        failed = OutputFailed(f"{name} was closed by its reader")
        failed.advice = ""
        return failed
    return OutputFailed(f"{name}: {error.strerror}")


def silence(stream: TextIO) -> None:
    """Python would flush it at its end, and complain once more."""
    with suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a file descriptor
        os.dup2(nowhere.fileno(), stream.fileno())
