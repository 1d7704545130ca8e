"""Several versions of the pages beside each other.

These take seconds each: sites are built.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.site.building import PAGES, Built, add, build, write_project

NEW = "docs/how-to/three.md"
pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(project: Path, *arguments: str) -> None:
    who = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
    subprocess.run(
        ["git", "-C", project, *who, *arguments], check=True, capture_output=True, timeout=120
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two releases, of which the older one has a dead link, and a page that only main has; what
    is not committed belongs to none of them.
    """
    root = tmp_path_factory.mktemp("project")
    write_project(root)
    add(root, "docs/how-to/two.md", PAGES["docs/how-to/two.md"] + "\n[dead](dead.md)\n")
    git(root, "init", "--initial-branch=main")
    git(root, "add", "--all")
    git(root, "commit", "--message=old")
    git(root, "tag", "v0.9.0")
    write_project(root)
    git(root, "commit", "--all", "--message=new")
    git(root, "tag", "v0.10.0")
    add(root, NEW, "# Three\n")
    add(root, "docs/README.md", PAGES["docs/README.md"] + "\n- [Three](how-to/three.md)\n")
    git(root, "add", "--all")
    git(root, "commit", "--message=more")
    add(root, "docs/how-to/one.md", "# Not yet committed\n")
    return root


@pytest.fixture(scope="module")
def built(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    built = build(project, tmp_path_factory.mktemp("out"), "main", "v0.9.0", "v0.10.0")
    assert built.code == 0, built.told
    return built


def test_the_front_leads_to_the_newest_release(built: Built) -> None:
    """By numbers, and not by letters; a branch is none."""
    assert "url=v0.10.0/README.html" in built.read("index.html")
    assert "url=README.html" in built.read("v0.9.0/index.html")


def test_each_version_has_its_own_pages(built: Built) -> None:
    assert (built.folder / "main" / NEW).with_suffix(".html").is_file()
    assert not (built.folder / "v0.10.0" / NEW).with_suffix(".html").exists()
    assert "dead" in built.read("v0.9.0/docs/how-to/two.html")
    assert "dead" not in built.read("v0.10.0/docs/how-to/two.html")
    assert "Not yet committed" not in built.read("main/docs/how-to/one.html")


def test_a_page_leads_to_itself_in_other_versions(built: Built) -> None:
    """Or to the front page of those that do not have it; the newest stands first."""
    page = built.read("v0.9.0/docs/how-to/one.html")
    places = [
        page.index(f"../../../{each}/docs/how-to/one.html")
        for each in ("v0.10.0", "v0.9.0", "main")
    ]
    assert places == sorted(places)
    assert "<summary>v0.9.0</summary>" in page
    new = built.read(f"main/{NEW}".replace(".md", ".html"))
    assert 'href="../../../v0.10.0/README.html"' in new
    assert f'href="../../../main/{NEW.replace(".md", ".html")}"' in new


def test_faults_of_a_release_are_only_told(built: Built) -> None:
    """Nobody can mend it any more."""
    told = [line for line in built.told.splitlines() if "WARNING" in line]
    assert told
    assert all("/v0.9.0/docs/how-to/two.md:" in line for line in told)


def test_faults_of_a_branch_are_not(project: Path, tmp_path: Path) -> None:
    git(project, "branch", "wrong", "v0.9.0")
    built = build(project, tmp_path / "out", "wrong")
    assert built.code == 1
    assert "wrong/docs/how-to/two.md:" in built.told


def test_what_git_does_not_have_is_named(project: Path, tmp_path: Path) -> None:
    built = build(project, tmp_path / "out", "v7.0.0")
    assert built.code == 1
    assert "v7.0.0" in built.told
    assert "Traceback" not in built.told
