"""The only way to standard output and standard error. All text from outside is escaped on the way,
because a key or a message may hold escape sequences that a terminal would obey.

A command prints lines and JSON with these functions. What anything else writes (click's usage
errors, prompts, warnings, the traceback of a bug) goes through a guard around the streams. Bytes of
originals go to the buffer below it, unchanged.
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
    """Print only errors and warnings."""
    has_bars: bool = True
    """Whether bars may be shown on a terminal. False: standard error counts as no terminal."""
    log: io.FileIO | None = None
    """The file of --log-file. It has no buffer, so that text that did not fit is not written again
    when the file is closed.
    """

    def take(self, text: str, *, is_urgent: bool) -> bool:
        """Writes to the log file, and gives whether to print the text too. A full log file does not
        end the command.
        """
        if self.log is not None:
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            with suppress(OSError):  # in one write, so that lines of several threads do not mix
                lines = "".join(f"{now} {line}\n" for line in text.splitlines())
                self.log.write(lines.encode(errors="backslashreplace"))
        return is_urgent or not self.is_quiet


_speech = Speech()


def be_quiet() -> None:
    _speech.is_quiet, _speech.has_bars = True, False


def show_no_bars() -> None:
    """For -v, whose lines would break up the bars."""
    _speech.has_bars = False


def log_to(path: Path, first_line: str) -> None:
    """Appends to a file that only the user can read. Raises OSError."""
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    _speech.log = io.FileIO(number, "a")
    _speech.take(escape(first_line), is_urgent=False)


@dataclass(slots=True)
class Results:
    """What has gone to standard output."""

    has_json: bool = False

    @staticmethod
    def begin() -> Results:
        """For a new command."""
        global _results, _speech
        if _speech.log is not None:
            _speech.log.close()
        _results, _speech = Results(), Speech()
        return _results


_results = Results()


class _Guard:
    """A text stream that escapes everything written to it, except for line breaks."""

    def __init__(self, stream: TextIO) -> None:
        self.own = stream

    def write(self, text: str) -> int:
        escaped = escape_lines(text)
        if escaped:  # click writes an empty text to try a stream, and ignores the outcome
            with _putting_out(self.own):
                self.own.write(escaped)
        return len(text)

    def flush(self) -> None:
        with _putting_out(self.own):
            self.own.flush()

    def isatty(self) -> bool:
        """False for standard error where bars are not wanted, so that nothing shows them."""
        is_out = self.own is own_stream(sys.stdout)
        return (is_out or _speech.has_bars) and self.own.isatty()

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.own, name)


def guard_streams() -> None:
    """Guards standard output and standard error until the process ends. Characters that their
    encoding does not have are escaped too.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, _Guard):
            continue
        if stream is None:  # the parent process closed it, so nothing may come out there
            stream = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - stays open
        if isinstance(stream, io.TextIOWrapper):
            is_ascii = (
                codecs.lookup(stream.encoding).name == "ascii"
            )  # of a system without a locale
            stream.reconfigure(encoding="utf-8" if is_ascii else None, errors="backslashreplace")
        setattr(sys, name, cast("TextIO", _Guard(stream)))


def own_stream(stream: TextIO) -> TextIO:
    """The stream below the guard, for text that is entirely ours: lines that are escaped already,
    bars and their colours.
    """
    return stream.own if isinstance(stream, _Guard) else stream


def print_line(text: str, *, err: bool = False) -> None:
    """Prints one line, escaped."""
    print_lines([text], err=err)


def print_lines(
    lines: Iterable[str], *, err: bool = False, tabbed: bool = False, urgent: bool = False
) -> None:
    """Each becomes one line: line breaks in it are escaped. `tabbed`: its tabs are our own;
    `urgent`: printed even with --quiet.
    """
    if tabbed:
        lines = ("\t".join(map(escape, line.split("\t"))) for line in lines)
    else:
        lines = map(escape, lines)
    _write((f"{line}\n" for line in lines), err=err, urgent=urgent)


def print_text(text: str) -> None:
    """A text of ours with many lines, for a program to read."""
    print_lines(text.rstrip("\n").split("\n"))


def terminal_width() -> int:
    """Columns of the terminal that results go to; elsewhere a width that fits mails and files."""
    try:
        return os.get_terminal_size(own_stream(sys.stdout).fileno()).columns or WIDTH_ELSEWHERE
    except (OSError, ValueError):
        return WIDTH_ELSEWHERE


def check_stdout() -> None:
    """For work that cannot be done again: checks that its result can be written, as far as that can
    be seen without writing a byte. Raises OutputFailed.
    """
    stream = own_stream(sys.stdout)
    with _putting_out(stream):
        try:
            number = stream.fileno()
        except (OSError, ValueError):
            return  # not a file, so there is nothing to check
        os.write(number, b"")  # a device may report that it is full
        kind = os.fstat(number).st_mode
        if stat.S_ISREG(kind) and _is_full(number):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if stat.S_ISFIFO(kind) and _is_unread(number):
            raise BrokenPipeError


def _is_full(file: int) -> bool:
    """Whether its file system is full; some do not report their size."""
    space = os.fstatvfs(file)
    return bool(space.f_blocks) and not space.f_bfree


def _is_unread(pipe: int) -> bool:
    """Whether its reader is gone (https://man7.org/linux/man-pages/man2/poll.2.html, POLLERR)."""
    waiting = select.poll()
    waiting.register(pipe, 0)
    return any(event & select.POLLERR for _, event in waiting.poll(0))


def print_report(described: Any, lines: Iterable[str], *, as_json: bool) -> None:
    """Prints JSON for programs, or lines for people."""
    if as_json:
        print_json(described)
    else:
        print_lines(lines)


def print_report_to_stderr(described: Any, lines: Iterable[str], *, as_json: bool) -> None:
    """The same on standard error, for a report that must not be lost."""
    if as_json:
        document = json.dumps(described, indent=2, ensure_ascii=False)
        _write([f"{escape_json(document)}\n"], err=True, urgent=True)
    else:
        print_lines(lines, err=True, urgent=True)


def print_json(value: Any) -> None:
    """Prints one document, indented."""
    print_json_lines([json.dumps(value, indent=2, ensure_ascii=False)])


def print_json_lines(documents: Iterable[str]) -> None:
    """Prints documents that are encoded already."""
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
    """Writes in one piece, so that lines of several threads do not mix."""
    stream = own_stream(sys.stderr if err else sys.stdout)
    text = "".join(pieces)
    if err and not _speech.take(text, is_urgent=urgent):
        return
    with _putting_out(stream):
        stream.write(text)
        stream.flush()


@contextmanager
def _putting_out(stream: TextIO) -> Iterator[None]:
    """A result that cannot be written is a failure: OutputFailed. A message that cannot be written
    is dropped, because a full standard error must not end the work.
    """
    try:
        yield
    except OSError as error:
        silence(stream)
        if stream is not own_stream(sys.stderr):
            raise name_unwritable(STDOUT, error) from None


def name_unwritable(name: str, error: OSError) -> OutputFailed:
    """The output did not fit, or its reader is gone."""
    if isinstance(error, BrokenPipeError):
        failed = OutputFailed(f"{name} was closed by its reader")
        failed.advice = ""
        return failed
    return OutputFailed(f"{name}: {error.strerror}")


def silence(stream: TextIO) -> None:
    """Sends the rest to /dev/null: Python flushes it at exit, and would report the error again."""
    with suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a file descriptor
        os.dup2(nowhere.fileno(), stream.fileno())
