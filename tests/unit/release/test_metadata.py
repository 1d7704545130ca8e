"""What would make a release wrong stops it, and the message says what to change."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from log_aggregator import __version__
from release.metadata import check_bill, check_source, check_version, check_wheel
from release.programs import ReleaseError

NEEDS_GIT = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
ROOT = Path(__file__).resolve().parents[3]
METADATA = """Metadata-Version: 2.4
Name: control-tower-log-aggregator
Version: 1.2.3
License-Expression: Apache-2.0
License-File: LICENSE
Requires-Python: >=3.11
"""


def test_this_checkout_names_its_version_in_the_changelog() -> None:
    assert check_version(ROOT) == __version__


@pytest.mark.parametrize("newest", ["Unreleased", "1.2.4 (2026-01-01)", "1.2.3", "1.2.3 (soon)"])
def test_a_changelog_of_another_version_is_refused(tmp_path: Path, newest: str) -> None:
    (tmp_path / "src" / "log_aggregator").mkdir(parents=True)
    (tmp_path / "src" / "log_aggregator" / "__init__.py").write_text('__version__ = "1.2.3"\n')
    (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\n## {newest}\n")
    with pytest.raises(ReleaseError, match=r"expected `## 1\.2\.3 \(YYYY-MM-DD\)`"):
        check_version(tmp_path)


def write_wheel(path: Path, metadata: str = METADATA, *, without: str = "", more: str = "") -> Path:
    names = ["log_aggregator/py.typed", "p-1.2.3.dist-info/licenses/LICENSE", more]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("p-1.2.3.dist-info/METADATA", metadata)
        for name in names:
            if name and name != without:
                archive.writestr(name, "")
    return path


def test_a_wheel_that_says_everything_passes(tmp_path: Path) -> None:
    check_wheel(write_wheel(tmp_path / "p.whl"), "1.2.3")


@pytest.mark.parametrize(
    ("said", "instead", "field"),
    [
        ("Version: 1.2.3", "Version: 1.2.2", "Version"),
        ("Apache-2.0", "MIT", "License-Expression"),
        ("License-File: LICENSE\n", "", "License-File"),
        (">=3.11", ">=3.8", "Requires-Python"),
    ],
)
def test_wrong_metadata_is_named(tmp_path: Path, said: str, instead: str, field: str) -> None:
    wheel = write_wheel(tmp_path / "p.whl", METADATA.replace(said, instead))
    with pytest.raises(ReleaseError, match=f"the wheel's {field} is"):
        check_wheel(wheel, "1.2.3")


@pytest.mark.parametrize("name", ["log_aggregator/py.typed", "p-1.2.3.dist-info/licenses/LICENSE"])
def test_a_wheel_without_a_needed_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ReleaseError, match=name.rpartition("/")[2]):
        check_wheel(write_wheel(tmp_path / "p.whl", without=name), "1.2.3")


def test_a_wheel_with_another_package_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="tests"):
        check_wheel(write_wheel(tmp_path / "p.whl", more="tests/conftest.py"), "1.2.3")


def test_outside_of_a_checkout_the_contents_are_not_compared(tmp_path: Path) -> None:
    source = tmp_path / "p.tar.gz"
    with tarfile.open(source, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("p-1.2.3/PKG-INFO"), io.BytesIO())
    assert not check_source(source, tmp_path)


@NEEDS_GIT
@pytest.mark.parametrize(
    ("packed", "message"),
    [
        (["PKG-INFO", "README.md"], ""),
        (["PKG-INFO"], r"lacks README\.md"),
        (["PKG-INFO", "README.md", "key.pem"], r"has key\.pem"),
    ],
)
def test_the_source_distribution_is_what_is_committed(
    tmp_path: Path, packed: list[str], message: str
) -> None:
    """A file that lies about in the checkout, such as a key, does not get out."""
    (tmp_path / "README.md").touch()
    for arguments in (["init", "--quiet"], ["add", "README.md"]):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    source = tmp_path / "p.tar.gz"
    with tarfile.open(source, "w:gz") as archive:
        for name in packed:
            archive.addfile(tarfile.TarInfo(f"p-1.2.3/{name}"), io.BytesIO())
    if not message:
        assert check_source(source, tmp_path)
        return
    with pytest.raises(ReleaseError, match=message):
        check_source(source, tmp_path)


def write_components(path: Path, *licences: object) -> Path:
    components = [{"name": "it", "version": "1", "licenses": [each]} for each in licences]
    path.write_text(json.dumps({"components": components}))
    return path


def test_known_licences_are_counted(tmp_path: Path) -> None:
    bill = write_components(
        tmp_path / "bill.json",
        {"license": {"id": "MIT"}},
        {"license": {"name": "BSD License"}},
        {"expression": "Apache-2.0 AND PSF-2.0"},
    )
    assert check_bill(bill) == 3


@pytest.mark.parametrize(
    "licence", [{"license": {"id": "SSPL-1.0"}}, {"expression": "GPL-3.0-only"}]
)
def test_a_licence_that_nobody_has_judged_is_refused(tmp_path: Path, licence: object) -> None:
    with pytest.raises(ReleaseError, match="May it be shipped"):
        check_bill(write_components(tmp_path / "bill.json", licence))
