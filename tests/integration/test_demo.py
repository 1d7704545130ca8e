"""The README's first command, on its own server, and the output quoted on its page."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.integration.conftest import IN_BACKGROUND
from tests.support.browser import find_chromium
from tests.support.devtools import open_tab
from tests.support.waiting import SECONDS_MAX

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "how-to" / "try-it-here.md").read_text(encoding="utf-8")
WAITING = "ctrl-C stops the server"
_BLOCK = re.compile(r"```text\n(.*?)```", re.DOTALL)
_PORT = re.compile(r"AWS_ENDPOINT_URL=http://127\.0\.0\.1:(\d+)")
_PACKED_MB = re.compile(r"[\d.]+ MB")


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo whose server is still up."""

    process: subprocess.Popen[str]
    text: str
    """All that it has printed."""
    page: Path
    """What its second act wrote for auditors."""

    @property
    def commands(self) -> dict[str, list[str]]:
        """The commands that it tells its user to type, by the first word."""
        typed = [
            shlex.split(line)
            for line in self.text.splitlines()
            if line.startswith("    log-aggregator ")
        ]
        return {words[1]: words[1:] for words in typed}

    @property
    def environment(self) -> Mapping[str, str]:
        pairs = [
            word.split("=", 1)
            for line in self.text.splitlines()
            if line.startswith("    export ")
            for word in line.split()[1:]
        ]
        return {**os.environ, **dict(pairs)}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demo")
    page = folder / "for-auditors.html"
    words = ["-m", "log_aggregator", "demo", "--keep", "--page", f"{page}"]
    command = [*IN_BACKGROUND, sys.executable, *words]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=folder
    ) as process:
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if WAITING in line:
                break
        try:
            yield Demo(process, "".join(lines), page)
        finally:
            process.send_signal(signal.SIGINT)  # its server goes with it
            try:
                process.wait(SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()


def quoted(first: str) -> list[str]:
    """The lines of the page's block with these words, without its omissions."""
    blocks = [block for block in _BLOCK.findall(PAGE) if first in block]
    assert len(blocks) == 1
    return [line.strip() for line in blocks[0].splitlines() if line.strip() != "..."]


def without_packed(line: str) -> str:
    """Drop a pack's size, which depends on the machine's zlib."""
    return _PACKED_MB.sub("MB", line)


def test_the_page_quotes_the_demo(demo: Demo) -> None:
    """Every line that the page shows of the demo is printed, figures included."""
    printed = without_packed(demo.text)
    assert [
        line for line in quoted("log objects in 64 groups") if without_packed(line) not in printed
    ] == []


def test_the_page_quotes_the_second_part_of_the_demo(demo: Demo) -> None:
    assert [line for line in quoted("All three losses") if line not in demo.text] == []


def test_the_printed_recovery_commands_work(demo: Demo, tmp_path: Path) -> None:
    """The commands that the demo prints run unchanged and print what the page shows."""
    said = ""
    for words in demo.commands.values():
        command = [sys.executable, "-m", "log_aggregator", *words]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env=demo.environment,
            cwd=tmp_path,
            check=False,
            timeout=SECONDS_MAX,
        )
        assert done.returncode == 0, done.stderr
        said += done.stdout + done.stderr
    shown = quoted("--count")
    assert [line for line in shown if not line.startswith("$ ") and line not in said] == []
    named = [line.split()[2] for line in shown if line.startswith("$ ")]
    assert named == [name for name in demo.commands if name in named]


LOST = (
    "no digest covers eu-west-1 11:03 to 12:03",
    "not found: 1 of the 20 files that the digests name",
    "the index of a pack exists, but the pack is gone",
)
"""What the report says of the digest, of the log object and of the pack."""


class _Texts(HTMLParser):
    """The text of a page's parts, by the nearest id above."""

    def __init__(self) -> None:
        super().__init__()
        self.by_part: dict[str, str] = {}
        self._part = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "section":
            self._part = dict(attrs).get("id") or ""

    def handle_data(self, data: str) -> None:
        self.by_part[self._part] = f"{self.by_part.get(self._part, '')} {data.strip()}"


def test_each_loss_is_shown_in_the_terminal_and_on_the_page(demo: Demo) -> None:
    """The digest, the log object and the pack are named, and so are the members missing from the
    drill.
    """
    parts = _Texts()
    parts.feed(demo.page.read_text(encoding="utf-8"))
    for lost in LOST:
        assert lost in demo.text
        assert lost in parts.by_part["coverage"]
    assert "recovered 154 of 159 members" in demo.text
    assert "recovered 154 of 159 members" in parts.by_part["drills"]
    assert "All three losses were found, and nothing else." in demo.text


def test_a_browser_shows_each_loss(demo: Demo, tmp_path: Path) -> None:
    """The drawn page says the same. It takes seconds: a browser is started."""
    program = find_chromium()
    if program is None:
        pytest.skip("there is no Chromium on this machine")
    with open_tab(program, tmp_path) as tab:
        tab.open(demo.page)
        shown = tab.evaluate("document.querySelector('#coverage').innerText")
    assert [lost for lost in LOST if lost not in shown] == []


def test_ctrl_c_stops_the_demo_and_its_server(demo: Demo) -> None:
    """No process is left. This test is last, because the others need the server."""
    found = _PORT.search(demo.text)
    assert found is not None
    address = ("127.0.0.1", int(found[1]))
    socket.create_connection(address, timeout=SECONDS_MAX).close()
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(SECONDS_MAX) == 0
    assert demo.process.stdout is not None
    assert "stopped" in demo.process.stdout.read()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=SECONDS_MAX)
