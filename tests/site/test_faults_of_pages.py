"""A page with a fault ends the building of the site, and is named.

These take seconds each: a site is built.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.site.building import PAGES, add, build, write_project

TWO = "docs/how-to/two.md"
FAULTS = {
    "a link to a page that is not there": (TWO, "\n[x](three.md)\n", f"/{TWO}:"),
    "a link to an anchor of another page": (TWO, "\n[x](one.md#three)\n", f"/{TWO}:"),
    "a link to an anchor of its own": (TWO, "\n[x](#three)\n", f"/{TWO}:"),
    "a link to a source that is not there": (TWO, "\n[x](../../src/none.py)\n", f"/{TWO}:"),
    "a picture that is not there": (TWO, "\n![x](../none.svg)\n", f"/{TWO}:"),
    "code in no language": (TWO, "\n```no-such-language\nx\n```\n", f"/{TWO}:"),
    "a page that is in no section": ("docs/three.md", "# Three\n", "/docs/three.md:"),
    "a section of a page that is not there": (
        "docs/README.md",
        "\n- [x](three.md)\n",
        "/docs/README.md:",
    ),
    "a page without a title": ("CONTRIBUTING.md", "Nothing.\n", "'CONTRIBUTING'"),
}
"""What is added to which page, and how that is named."""


def test_without_a_fault_it_is_built(tmp_path: Path) -> None:
    write_project(tmp_path / "project")
    built = build(tmp_path / "project", tmp_path / "out")
    assert built.code == 0, built.told
    assert built.told.count("\n") == 1
    page = built.read("0.2.0/docs/how-to/one.html")
    assert 'href="two.html#the-end-of-two"' in page
    assert 'id="the-end-of-two"' in built.read("0.2.0/docs/how-to/two.html")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(tmp_path: Path, fault: str) -> None:
    """Exit code 1, the page and the line of it, and no site, not even the one before."""
    name, text, named = FAULTS[fault]
    write_project(tmp_path / "project")
    add(tmp_path / "out", "index.html", "the site before")
    add(tmp_path / "project", name, PAGES.get(name, "") + text)
    built = build(tmp_path / "project", tmp_path / "out")
    assert built.code == 1
    assert named in built.told
    assert not built.folder.exists()


def test_sources_are_named_while_there_is_no_repository(tmp_path: Path) -> None:
    """Not as links that lead nowhere, and not as files of the site."""
    write_project(tmp_path / "project")
    built = build(tmp_path / "project", tmp_path / "out")
    page = built.read("0.2.0/docs/how-to/one.html")
    assert "__init__.py" in page
    assert "a word (<code" in page.replace("<span>", "").replace("</span>", "")
    assert "_downloads" not in page
    assert not [link for link in page.split('href="') if "__init__" in link.partition('"')[0]]


def test_sources_are_links_into_the_repository(tmp_path: Path) -> None:
    """Of the version whose pages these are."""
    write_project(tmp_path / "project", "https://example.com/owner/name")
    page = build(tmp_path / "project", tmp_path / "out").read("0.2.0/docs/how-to/one.html")
    base = "https://example.com/owner/name/blob/0.2.0/src/log_aggregator"
    assert f'href="{base}"' in page
    assert f'href="{base}/__init__.py"' in page
