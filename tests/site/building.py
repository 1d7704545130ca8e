"""Sites: of this checkout, and small ones in which something is wrong."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-site" / "bin" / "python"
SECONDS_MAX = 600
PAGES = {
    "README.md": "# A small project\n\n[All pages](docs/README.md), ![one](docs/one.svg)\n",
    "CHANGELOG.md": "# Changelog\n",
    "docs/README.md": "# Documentation\n\n## Begin\n\n- [One](how-to/one.md)\n\n"
    "## Go on\n\n- [Two](how-to/two.md), [one](how-to/one.md)\n",
    "docs/how-to/one.md": "# One\n\nSee [two](two.md#the-end-of-two), "
    "[a word](../../src/log_aggregator/__init__.py), "
    "[src/log_aggregator](../../src/log_aggregator).\n\n```sh\nls\n```\n",
    "docs/how-to/two.md": "# Two\n\n## The end: of `two`\n\n[Up](#two)\n",
    "docs/one.svg": '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>\n',
    "src/log_aggregator/__init__.py": '__version__ = "0.2.0"\n',
}


@dataclass(frozen=True, slots=True)
class Built:
    code: int
    told: str
    folder: Path

    def read(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")


def build(root: Path, folder: Path, *refs: str) -> Built:
    """Never asks git of the checkout around it."""
    done = subprocess.run(
        [PYTHON, root / "docs" / "site" / "build.py", "--out", folder, *refs],
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
    )
    return Built(done.returncode, done.stdout + done.stderr, folder)


def write_project(root: Path, repository: str = "") -> None:
    """A project of two pages, with our generator."""
    for name, text in PAGES.items():
        add(root, name, text)
    shutil.copytree(
        ROOT / "docs" / "site",
        root / "docs" / "site",
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    settings = root / "docs" / "site" / "conf.py"
    text = settings.read_text(encoding="utf-8")
    assert text.count('REPOSITORY = ""') == 1
    add(root, "docs/site/conf.py", text.replace('REPOSITORY = ""', f'REPOSITORY = "{repository}"'))


def add(root: Path, name: str, text: str) -> None:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def find_headings(page: Path) -> list[str]:
    """As they read, without what is in blocks of code."""
    text = re.sub(
        r"^ *```.*?^ *```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    headings: list[str] = re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE)
    links = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    return [re.sub(r"[`*]", "", heading) for heading in links]


def anchors_on_github(headings: list[str]) -> list[str]:
    """Small letters, digits, hyphens and underscores; a blank becomes a hyphen; the second of the
    same name gets `-1`: https://github.com/Flet/github-slugger.
    """
    seen: dict[str, int] = {}
    anchors = []
    for heading in headings:
        anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        count = seen.get(anchor, 0)
        seen[anchor] = count + 1
        anchors.append(f"{anchor}-{count}" if count else anchor)
    return anchors
