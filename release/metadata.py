"""What a release must say of itself: its version, its licence, and the licences that it brings."""

from __future__ import annotations

import json
import re
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path
from typing import Any

from release.programs import ReleaseError, run, run_module

NEEDED = {
    "Name": "control-tower-log-aggregator",
    "License-Expression": "Apache-2.0",
    "License-File": "LICENSE",
    "Requires-Python": ">=3.11",
}
IN_SOURCE = {
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
    "SECURITY.md",
    "template.yaml",
    "constraints.txt",
}
LICENCES = re.compile(
    r"Apache|MIT|BSD|ISC|PSF|Python Software|MPL|Mozilla|curl|LGPL|Lesser", re.IGNORECASE
)
"""What may be shipped with Apache-2.0 code. pycurl may be used under LGPL or MIT."""


def check_version(root: Path) -> str:
    """The version of the package, which must be the newest one in CHANGELOG.md, with its date."""
    code = (root / "src" / "log_aggregator" / "__init__.py").read_text(encoding="utf-8")
    version = _find(
        r'^__version__ = "(.+)"$', code, "__version__ in src/log_aggregator/__init__.py"
    )
    changes = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = _find(r"^## (.+)$", changes, "a version in CHANGELOG.md")
    if not re.fullmatch(rf"{re.escape(version)} \(\d{{4}}-\d\d-\d\d\)", newest):
        raise ReleaseError(
            f"CHANGELOG.md begins with {newest!r}, expected `## {version} (YYYY-MM-DD)`, "
            "as __version__ in src/log_aggregator/__init__.py"
        )
    return version


def check_wheel(wheel: Path, version: str) -> None:
    """Raises ReleaseError unless the wheel says what it must, and holds only our packages."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (described,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        said = Parser().parsestr(archive.read(described).decode("utf-8"))
    for field, needed in (NEEDED | {"Version": version}).items():
        if said[field] != needed:
            raise ReleaseError(f"the wheel's {field} is {said[field]!r}, expected {needed!r}")
    for needed in ("LICENSE", "py.typed"):
        if not any(name.endswith(f"/{needed}") for name in names):
            raise ReleaseError(f"the wheel has no {needed}")
    strangers = {name.split("/")[0] for name in names} - {
        "log_aggregator",
        "log_aggregator_lab",
        described.split("/")[0],
    }
    if strangers:
        raise ReleaseError(f"the wheel holds {', '.join(sorted(strangers))}, which it should not")


def check_source(source: Path, root: Path) -> bool:
    """Raises ReleaseError unless the source distribution holds what is committed, all and only.

    False where that cannot be compared, because `root` is not a git checkout.
    """
    with tarfile.open(source) as archive:
        names = {each.name.partition("/")[2] for each in archive.getmembers() if not each.isdir()}
    committed = list_committed(root)
    if committed is None:
        return False
    if missing := committed - names:
        raise ReleaseError(f"the source distribution lacks {', '.join(sorted(missing))}")
    if strange := names - committed - {"PKG-INFO"}:
        raise ReleaseError(
            f"the source distribution has {', '.join(sorted(strange))}. Commit it, or remove it"
        )
    return True


def list_committed(root: Path) -> set[str] | None:
    """The files that git tracks; None without git, or outside of a checkout."""
    git = shutil.which("git")
    if git is None:
        return None
    # Git refuses a checkout of another user's, such as a mounted one, unless it is named.
    command = [git, "-c", f"safe.directory={root}", "ls-files", "-z"]
    try:
        return set(run(command, root).split("\0")) - {""}
    except ReleaseError:
        return None


def check_bill(bill: Path) -> int:
    """The number of packages in a bill of materials (CycloneDX JSON).

    Raises ReleaseError where the licence of one is not in LICENCES.
    """
    components = json.loads(bill.read_text(encoding="utf-8"))["components"]
    for component in components:
        licences = sorted(_list_licences(component))
        if not any(LICENCES.search(each) for each in licences):
            raise ReleaseError(
                f"{component['name']} {component['version']} is licensed under "
                f"{', '.join(licences) or 'nothing that it names'}. May it be shipped? "
                "If so, add its licence to LICENCES in release/metadata.py"
            )
    return len(components)


def run_checkers(wheel: Path, source: Path) -> None:
    """What others check of any distribution: twine, as PyPI does, and check-wheel-contents."""
    folder = wheel.parent
    run_module("twine", "check", "--strict", wheel, source, folder=folder)
    # The lab is a package of its own, and packages whose __init__.py has one line may be alike.
    run_module("check_wheel_contents", "--ignore", "W002,W009", wheel, folder=folder)


def _list_licences(component: dict[str, Any]) -> Iterator[str]:
    for entry in component.get("licenses", []):
        if "expression" in entry:
            yield entry["expression"]
        else:
            yield entry["license"].get("id") or entry["license"]["name"]


def _find(pattern: str, text: str, wanted: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    if not found:
        raise ReleaseError(f"there is no {wanted}")
    return found[1]
