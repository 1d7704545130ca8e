"""Builds the site: one folder for each version, and a front page that leads to the newest.

    python docs/site/build.py [--out FOLDER] [REF ...]

Without a REF it is the checkout as it is, by the version in its source; otherwise those tags,
branches or commits. Each version has its own pages, in the looks of this checkout. The exit code is
1 if a page has a fault, and then there is no site. The faults of a tagged release are only
reported: nobody can fix them any more.
"""

from __future__ import annotations

import argparse
import io
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from packaging.version import InvalidVersion, Version
from sphinx.cmd.build import build_main

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
NO_RELEASE = Version("0.dev0")
FRONT = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Control Tower Log Aggregator</title>
<meta http-equiv="refresh" content="0; url={address}">
<p><a href="{address}">The documentation of {name}</a></p>
"""


def main() -> int:
    parser = argparse.ArgumentParser(description="Builds the site.")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "site")
    parser.add_argument("refs", nargs="*", metavar="REF")
    given = parser.parse_args()
    out = given.out.resolve()
    shutil.rmtree(out, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        trees = Path(folder, "trees")
        trees.mkdir()
        names = [export(ref, trees) for ref in given.refs] or [link_checkout(trees)]
        names.sort(key=release_of, reverse=True)
        for name in names:
            may_fail = bool(given.refs) and release_of(name) != NO_RELEASE
            if build(trees / name, out / name, names, may_fail=may_fail):
                shutil.rmtree(out)
                print(f"There is no site: a page of {name} has a fault.", file=sys.stderr)
                return 1
            lead(out / name, name, "README.html")
    lead(out, names[0], f"{names[0]}/README.html")
    print(f"{out / 'index.html'} leads to {names[0]}; built: {', '.join(names)}")
    return 0


def link_checkout(trees: Path) -> str:
    text = (ROOT / "src" / "log_aggregator" / "__init__.py").read_text(encoding="utf-8")
    name = re.search(r'__version__ = "([^"]+)"', text)[1]
    (trees / name).symlink_to(ROOT)
    return name


def export(ref: str, trees: Path) -> str:
    found = subprocess.run(["git", "-C", ROOT, "archive", ref], check=False, stdout=subprocess.PIPE)
    if found.returncode:
        sys.exit(f"git has no {ref}")
    name = ref.removeprefix("origin/").replace("/", "-")
    with tarfile.open(fileobj=io.BytesIO(found.stdout)) as archive:
        archive.extractall(trees / name, filter="data")
    return name


def build(tree: Path, out: Path, names: list[str], *, may_fail: bool) -> int:
    """Each has an environment of its own, which goes with the trees. Returns an exit code."""
    doctrees = tree.parent.with_name("doctrees") / tree.name
    settings = {"release": tree.name, "trees": tree.parent, "versions": ",".join(names)}
    return build_main(
        [
            *("--builder", "html", "--conf-dir", f"{HERE}", "--doctree-dir", f"{doctrees}"),
            *("--quiet", *([] if may_fail else ["--fail-on-warning"])),
            *(f"--define={key}={value}" for key, value in settings.items()),
            *(f"{tree}", f"{out}"),
        ]
    )


def lead(folder: Path, name: str, address: str) -> None:
    """The page of a folder's own address."""
    text = FRONT.format(name=name, address=address)
    (folder / "index.html").write_text(text, encoding="utf-8")


def release_of(name: str) -> Version:
    """What is no release is older than all that are. A commit may consist of digits only."""
    try:
        return Version(name) if "." in name else NO_RELEASE
    except InvalidVersion:
        return NO_RELEASE


if __name__ == "__main__":
    sys.exit(main())
