"""The README's first command, on its own server, and what its page says that it prints."""

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
from pathlib import Path

import pytest
from tests.integration.conftest import IN_BACKGROUND
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

    @property
    def commands(self) -> dict[str, list[str]]:
        """What it tells its user to type, by the first word."""
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
    command = [*IN_BACKGROUND, sys.executable, "-m", "log_aggregator", "demo", "--keep"]
    folder = tmp_path_factory.mktemp("demo")
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
            yield Demo(process, "".join(lines))
        finally:
            process.send_signal(signal.SIGINT)  # its server goes with it
            try:
                process.wait(SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()


def quoted(first: str) -> list[str]:
    """The lines of the page's block with these words in it, without what it leaves out."""
    blocks = [block for block in _BLOCK.findall(PAGE) if first in block]
    assert len(blocks) == 1
    return [line.strip() for line in blocks[0].splitlines() if line.strip() != "..."]


def without_packed(line: str) -> str:
    """How small a pack is depends on the zlib of the machine."""
    return _PACKED_MB.sub("MB", line)


def test_the_page_quotes_the_demo(demo: Demo) -> None:
    """Every line that the page shows of the demo is printed, figures and all."""
    printed = without_packed(demo.text)
    assert [
        line for line in quoted("log objects in 64 groups") if without_packed(line) not in printed
    ] == []


def test_the_page_quotes_the_ways_back(demo: Demo, tmp_path: Path) -> None:
    """The commands that the demo prints run as they stand, and say what the page shows of
    them.
    """
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
    assert [line.split()[2] for line in shown if line.startswith("$ ")] == [
        name for name in demo.commands if name != "verify"
    ]


def test_ctrl_c_ends_the_demo_and_its_server(demo: Demo) -> None:
    """Nothing is left running. It stands at the end: the others need the server."""
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
