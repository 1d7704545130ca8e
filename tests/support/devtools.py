"""A browser that is queried by its own protocol over two pipes.

https://chromedevtools.github.io/devtools-protocol/: messages are JSON, each terminated by a NUL.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

SECONDS_MAX = 120
_OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--hide-scrollbars", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
    *("--remote-debugging-pipe", "--window-size=1100,1200"),
    *("--no-first-run", "--disable-extensions"),
)
_LAUNCH = """
import fcntl, os, sys
read, write = (fcntl.fcntl(int(each), fcntl.F_DUPFD, 10) for each in sys.argv[1:3])
os.dup2(read, 3)
os.dup2(write, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""A browser reads from descriptor 3 and writes to descriptor 4."""


@dataclass
class Tab:
    """One page of a running browser."""

    _out: BinaryIO
    _in: BinaryIO
    session: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    """All events that it sent."""
    _number: int = 0

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self._out.write(json.dumps(message).encode() + b"\0")
        self._out.flush()
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                result: dict[str, Any] = answer["result"]
                return result

    def open(self, page: Path | str) -> float:
        """Opens a file or an address, and waits until it is loaded and drawn; returns the seconds
        that took.
        """
        self.events.clear()
        began = time.perf_counter()
        self.ask("Page.navigate", url=page if isinstance(page, str) else page.as_uri())
        while not any(each["method"] == "Page.loadEventFired" for each in self.events):
            self._read()
        self.ask("Page.captureScreenshot", format="png", clip=_CLIP)
        return time.perf_counter() - began

    def evaluate(self, expression: str) -> Any:
        """By the browser itself, whatever the page's policy says."""
        found = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def read_accessibility(self) -> list[tuple[str, str]]:
        """(role, name) of everything that a screen reader gets."""
        nodes = self.ask("Accessibility.getFullAXTree")["nodes"]
        return [
            (node["role"]["value"], node.get("name", {}).get("value", ""))
            for node in nodes
            if not node["ignored"]
        ]

    def shoot(self, selector: str) -> bytes:
        """A PNG of the first matching element, and of a few pixels around it."""
        box = self.evaluate(
            f"(() => {{ const box = document.querySelector({json.dumps(selector)})"
            ".getBoundingClientRect(); return [box.x + scrollX, box.y + scrollY, box.width, "
            "box.height] })()"
        )
        x, y, width, height = box
        clip = {"x": x - 3, "y": y - 3, "width": width + 6, "height": height + 6, "scale": 1}
        found = self.ask(
            "Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True
        )
        return base64.b64decode(found["data"])

    def _read(self) -> dict[str, Any]:
        data = bytearray()
        while (byte := self._in.read(1)) != b"\0":
            assert byte, "the browser ended"
            data += byte
        message: dict[str, Any] = json.loads(data)
        if "method" in message:
            self.events.append(message)
        return message


_CLIP = {"x": 0, "y": 0, "width": 1100, "height": 1200, "scale": 1}


@contextlib.contextmanager
def open_tab(program: str, folder: Path) -> Iterator[Tab]:
    """`folder` is for the browser's profile. The browser is closed at the end."""
    from_us, to_us = os.pipe(), os.pipe()
    browser = subprocess.Popen(
        [
            sys.executable,
            *("-c", _LAUNCH, f"{from_us[0]}", f"{to_us[1]}"),
            program,
            *_OPTIONS,
            f"--user-data-dir={folder / 'profile'}",
        ],
        pass_fds=(from_us[0], to_us[1]),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(from_us[0])
    os.close(to_us[1])
    try:
        with os.fdopen(from_us[1], "wb") as out, os.fdopen(to_us[0], "rb") as answers:
            tab = Tab(out, answers)
            target = tab.ask("Target.createTarget", url="about:blank")["targetId"]
            tab.session = tab.ask("Target.attachToTarget", targetId=target, flatten=True)[
                "sessionId"
            ]
            for domain in ("Page", "Log", "Runtime", "Network", "Accessibility"):
                tab.ask(f"{domain}.enable")
            yield tab
    finally:
        browser.terminate()
        browser.wait(SECONDS_MAX)
