"""The site of this checkout: every page is there, every link leads somewhere, and it needs no other
host.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from tests.site.building import ROOT, Built, anchors_on_github, find_headings

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LOADING = {"link": "href", "script": "src", "img": "src", "iframe": "src", "source": "src"}


class Page(HTMLParser):
    """What a page leads to, what it loads, and the names in it."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.names: set[str] = {""}
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs}
        self.names.add(given.get("id", ""))
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag in LOADING and LOADING[tag] in given:
            self.loaded.append(given[LOADING[tag]])


@pytest.fixture(scope="module")
def pages(site: Built) -> dict[Path, Page]:
    """Without the theme's own templates, which lie among its styles."""
    files = [file for file in site.folder.rglob("*.html") if "_static" not in file.parts]
    return {file: Page(file) for file in files}


def test_every_page_is_there(site: Built, version: str) -> None:
    """Also those that were written since this test was."""
    missing = [
        page
        for page in PAGES
        if not (site.folder / version / page.relative_to(ROOT)).with_suffix(".html").is_file()
    ]
    assert missing == []


def test_every_link_leads_somewhere(pages: dict[Path, Page]) -> None:
    """Also those of the navigation and of the list of versions."""
    dead = [
        (file.name, link)
        for file, page in pages.items()
        for link, target, anchor in find_local(file, [*page.links, *page.loaded])
        if not target.is_file() or (target in pages and anchor not in pages[target].names)
    ]
    assert dead == []


def test_nothing_is_loaded_from_elsewhere(site: Built, pages: dict[Path, Page]) -> None:
    """Neither by a page nor by a style."""
    assert not [each for page in pages.values() for each in page.loaded if "//" in each]
    styles = "".join(file.read_text(encoding="utf-8") for file in site.folder.rglob("*.css"))
    assert not re.findall(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", styles)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_anchors_are_those_of_github(
    pages: dict[Path, Page], site: Built, version: str, page: Path
) -> None:
    """A link into a page is the same in both."""
    file = (site.folder / version / page.relative_to(ROOT)).with_suffix(".html")
    assert set(anchors_on_github(find_headings(page))) <= pages[file].names


def test_the_sections_are_the_navigation(site: Built, version: str) -> None:
    """The sections of docs/README.md in their order, but for its introduction; then the pages next
    to the README.
    """
    introduction, *sections = re.findall(
        r"^## (.+)$", (ROOT / "docs" / "README.md").read_text(), re.MULTILINE
    )
    assert introduction == "In short"
    page = site.read(f"{version}/README.html")
    assert re.findall(r'class="caption-text">([^<]+)<', page) == [*sections, "About the project"]


def find_local(file: Path, links: list[str]) -> Iterator[tuple[str, Path, str]]:
    for link in links:
        parts = urlsplit(link)
        if not parts.scheme:
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            yield link, target, unquote(parts.fragment)
