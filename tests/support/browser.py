"""A headless browser, if the machine has one."""

from __future__ import annotations

import shutil
import struct
import subprocess
import zlib
from dataclasses import dataclass
from pathlib import Path

SECONDS_MAX = 120
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_PLAYWRIGHT = "chromium*/chrome-*/*"


def find_chromium() -> str | None:
    """One on the path, or one downloaded by Playwright."""
    named = [found for name in _NAMES if (found := shutil.which(name))]
    kept = (Path.home() / ".cache" / "ms-playwright").glob(_PLAYWRIGHT)
    browsers = [f"{path}" for path in kept if path.name in ("chrome", "headless_shell")]
    return next(iter([*named, *browsers]), None)


@dataclass(frozen=True, slots=True)
class Chromium:
    """`folder` is for its profile and its output."""

    program: str
    folder: Path

    def call(self, page: Path, *options: str) -> None:
        """Opens a page; no host name can be resolved."""
        subprocess.run(
            [
                self.program,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
                "--host-resolver-rules=MAP * ~NOTFOUND",
                f"--user-data-dir={self.folder / 'profile'}",
                *options,
                page.as_uri(),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS_MAX,
        )

    def shoot(self, page: Path, *, is_dark: bool) -> Image:
        """A screenshot of the top of the page."""
        file = self.folder / f"{'dark' if is_dark else 'light'}.png"
        scheme = f"--blink-settings=preferredColorScheme={0 if is_dark else 1}"
        small = ("--force-device-scale-factor=0.5", "--window-size=900,900")
        self.call(page, scheme, *small, f"--screenshot={file}")
        return Image.read(file.read_bytes())

    def print(self, page: Path) -> bytes:
        """As PDF."""
        file = self.folder / "page.pdf"
        self.call(page, f"--print-to-pdf={file}")
        return file.read_bytes()


@dataclass(frozen=True, slots=True)
class Image:
    """Rows of pixels, each red, green and blue."""

    rows: list[list[tuple[int, int, int]]]

    @classmethod
    def read(cls, data: bytes) -> Image:
        """A PNG with eight bits and without interlacing, as browsers write them."""
        place, packed, header = 8, b"", b""
        while place < len(data):
            length, kind = struct.unpack(">I4s", data[place : place + 8])
            chunk = data[place + 8 : place + 8 + length]
            header = chunk if kind == b"IHDR" else header
            packed += chunk if kind == b"IDAT" else b""
            place += length + 12
        width, height, depth, color = struct.unpack(">IIBB", header[:10])
        assert (depth, color in (2, 6)) == (8, True)
        size = 3 if color == 2 else 4
        raw, before, rows = zlib.decompress(packed), bytearray(width * size), []
        for row in range(height):
            start = row * (width * size + 1)
            line = bytearray(raw[start + 1 : start + 1 + width * size])
            _unfilter(raw[start], line, before, size)
            rows.append([(line[n], line[n + 1], line[n + 2]) for n in range(0, width * size, size)])
            before = line
        return cls(rows)

    @property
    def colors(self) -> set[tuple[int, int, int]]:
        return {pixel for row in self.rows for pixel in row}


def _unfilter(kind: int, line: bytearray, before: bytearray, size: int) -> None:
    """https://www.w3.org/TR/png-3/#9Filters"""
    for n in range(len(line)):
        left = line[n - size] if n >= size else 0
        up, corner = before[n], before[n - size] if n >= size else 0
        guess = (0, left, up, (left + up) // 2, _paeth(left, up, corner))[kind]
        line[n] = (line[n] + guess) & 255


def _paeth(left: int, up: int, corner: int) -> int:
    middle = left + up - corner
    return min((left, up, corner), key=lambda each: abs(middle - each))
