"""Builds a release into dist/ and checks it: `make release-check`.

    python -m release

dist/ gets the wheel, the source distribution, a software bill of materials (CycloneDX), and the
SHA-256 of each. Every check prints a line; the exit code is 1 where one failed. Nothing is
uploaded.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from release import building, installing, metadata
from release.programs import ReleaseError

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Builds, checks, and says what there is to upload."""
    try:
        built = _check(ROOT / "dist")
    except ReleaseError as error:
        print(f"NOT READY: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    print(f"ready to upload, in {built}:")
    print((built / "SHA256SUMS").read_text(encoding="utf-8"), end="")
    return 0


def _check(target: Path) -> Path:
    version = metadata.check_version(ROOT)
    _say(f"CHANGELOG.md and the package agree on version {version}")
    shutil.rmtree(target, ignore_errors=True)
    wheel, source = building.build_twice(ROOT, target)
    _say("two builds, in different folders, time zones and at different times, are the same bytes")
    metadata.check_wheel(wheel, version)
    if not metadata.check_source(source, ROOT):
        print("note: not a git checkout, so the contents were not compared with what is committed")
    metadata.run_checkers(wheel, source)
    _say("name, licence, Python versions and contents are what they should be")
    with tempfile.TemporaryDirectory(prefix="release-") as name:
        environment = installing.install(wheel, ROOT / "constraints.txt", Path(name))
        _say("the wheel can be installed into an empty environment")
        bill = target / source.name.replace(".tar.gz", ".cdx.json")
        installing.write_bill(environment, ROOT / "pyproject.toml", version, bill)
        count = metadata.check_bill(bill)
        _say(f"the bill of materials has {count} packages, all under licences that we may ship")
        installing.run_demo(environment, wheel, ROOT / "constraints.txt", Path(name))
        _say("`log-aggregator demo` runs from the wheel")
    building.write_sums(target)
    return target


def _say(done: str) -> None:
    print(f"ok: {done}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
