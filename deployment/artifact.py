"""The folder that becomes every Lambda function's zip: log_aggregator, and the wheels of
src/requirements.txt for Lambda's Python.

    python3 deployment/artifact.py --source src --requirements src/requirements.txt --cache
    build/lambda \
        --python-version 3.12 --architecture arm64 ARTIFACTS_DIR

`sam build --parallel` starts this once for each function, all at the same time. So the first one
fetches the wheels, under a lock, into `<cache>/<key>`, and every function's folder gets hard links.
The key is a hash of everything that the folder depends on, including this module.

Two builds of the same sources give the same names, bytes and modes, so that sam uploads one zip for
all functions, and no new one when nothing has changed (it names the zip by a hash of names and
contents).

It uses only the standard library, and nothing newer than Python 3.8 (except annotations), because
it runs with the machine's `python3`.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ARCHITECTURES = {"arm64": "aarch64", "x86_64": "x86_64"}
"""Lambda's names of processors, and the names that wheels use."""

GLIBC_MINOR_MAX = 34
"""Lambda's Python 3.12 and newer run on Amazon Linux 2023, whose glibc is 2.34. For an older Python
the package is built only to try it on your own machine. pip does not know that wheels for an older
glibc work as well, so all versions are named. (pycurl's wheels need 2.28.)
https://docs.aws.amazon.com/linux/al2023/ug/compare-with-al2.html
"""

BOTOCORE_SERVICES = frozenset(
    {"cloudtrail", "iam", "kms", "lambda", "s3", "signin", "sso", "sso-oidc", "sts"}
)
"""S3, CloudTrail (its public keys), services that may be needed for credentials and their account,
and those that the nightly examination asks: roles, keys, the quota. botocore describes about 400
services, in 24 MB.
"""

NOT_FOR_LAMBDA = frozenset({"__main__.py", "cli"})
"""The command line, which a function does not need."""

PYTHON_MINOR_MIN = 11
"""The oldest Python that log_aggregator supports."""

LOCK_SECONDS_MAX = 600
PIP_SECONDS_MAX = 540


class BuildFailed(Exception):
    """The folder cannot be made. The text says why and what to do."""


@dataclass(frozen=True)
class Recipe:
    """Everything that a folder of wheels depends on."""

    requirements: str
    python_version: str
    architecture: str

    def __post_init__(self) -> None:
        if self.architecture not in ARCHITECTURES:
            raise BuildFailed(
                f"LAMBDA_ARCHITECTURE={self.architecture}: expected {' or '.join(ARCHITECTURES)}"
            )
        found = re.fullmatch(r"3\.(\d{1,2})", self.python_version)
        if not found or int(found[1]) < PYTHON_MINOR_MIN:
            raise BuildFailed(
                f"LAMBDA_PYTHON={self.python_version}: expected 3.{PYTHON_MINOR_MIN} or "
                "newer, such as 3.12"
            )

    @property
    def key(self) -> str:
        """Names the folder. This module's text is part of it, because pruning differently makes
        another folder.
        """
        own = Path(__file__).read_text(encoding="utf-8")
        text = f"{self.requirements}\n{self.python_version}\n{self.architecture}\n{own}"
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        return f"{self.python_version}-{self.architecture}-{digest}"

    @property
    def platforms(self) -> list[str]:
        """The platform tags of wheels that run there, newest first."""
        machine = ARCHITECTURES[self.architecture]
        tags = (f"manylinux_2_{minor}_{machine}" for minor in range(GLIBC_MINOR_MAX, 16, -1))
        return [*tags, f"manylinux2014_{machine}"]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    try:
        requirements = "\n".join(path.read_text(encoding="utf-8") for path in options.requirements)
        recipe = Recipe(requirements, options.python_version, options.architecture)
        package = options.source / "log_aggregator"
        build(recipe, package, options.requirements, options.cache, options.artifacts)
    except (BuildFailed, OSError) as error:
        print(f"build: {error}", file=sys.stderr)  # noqa: T201 - this is a separate program
        return 1
    return 0


def build(
    recipe: Recipe, package: Path, requirements: Sequence[Path], cache: Path, artifacts: Path
) -> None:
    """Fills `artifacts`. Raises BuildFailed."""
    if not package.is_dir():
        raise BuildFailed(f"{package}: there is no such folder")
    wheels = provide_wheels(recipe, requirements, cache)
    link_tree(wheels, artifacts)
    copy_package(package, artifacts / "log_aggregator")


def provide_wheels(recipe: Recipe, requirements: Sequence[Path], cache: Path) -> Path:
    """The folder of unpacked wheels, fetched if it is not there yet. Raises BuildFailed."""
    cache.mkdir(parents=True, exist_ok=True)
    wanted = cache / recipe.key
    with _lock(cache / f"{recipe.key}.lock"):
        if not wanted.is_dir():
            with tempfile.TemporaryDirectory(dir=str(cache), prefix="unfinished-") as scratch:
                unpacked = Path(scratch) / "wheels"
                _fetch(recipe, requirements, unpacked)
                prune(unpacked)
                set_modes(unpacked)
                unpacked.rename(wanted)
    return wanted


def copy_package(package: Path, target: Path) -> None:
    """Copies log_aggregator without what no handler needs."""

    def ignore(folder: str, names: list[str]) -> list[str]:
        place = Path(folder).relative_to(package)
        return [
            name
            for name in names
            if name == "__pycache__" or (place / name).as_posix() in NOT_FOR_LAMBDA
        ]

    shutil.rmtree(str(target), ignore_errors=True)
    shutil.copytree(str(package), str(target), ignore=ignore)
    set_modes(target)


def prune(folder: Path) -> None:
    """Removes what is never read in Lambda: 52 MB become 33, and the zip of 27 MB becomes 11."""
    for service in (folder / "botocore" / "data").iterdir():
        if service.is_dir() and service.name not in BOTOCORE_SERVICES:
            shutil.rmtree(str(service))
    shutil.rmtree(str(folder / "bin"), ignore_errors=True)
    for info in folder.glob("*.dist-info"):
        _prune_dist_info(info)
    for pattern in ("**/__pycache__", "**/tests", "**/*.pyi", "**/examples-*.json*"):
        for found in list(folder.glob(pattern)):
            if found.is_dir():
                shutil.rmtree(str(found))
            elif found.exists():
                found.unlink()


def set_modes(folder: Path) -> None:
    """Sets modes that do not depend on the umask or the wheel, because sam puts them into the zip.
    Shared libraries need no execute permission.
    """
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def link_tree(source: Path, target: Path) -> None:
    """Puts all of `source` into `target`, as hard links where the file system can."""
    shutil.copytree(str(source), str(target), copy_function=_link_or_copy, dirs_exist_ok=True)


def _prune_dist_info(info: Path) -> None:
    """Keeps what importlib.metadata reads, and the licences."""
    for entry in info.iterdir():
        if entry.is_dir() and entry.name != "licenses":
            shutil.rmtree(str(entry))
        elif (
            entry.is_file()
            and entry.name != "METADATA"
            and not entry.name.upper().startswith(("LICENSE", "NOTICE"))
        ):
            entry.unlink()


def _link_or_copy(source: str, target: str) -> str:
    if Path(target).exists():
        Path(target).unlink()
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)
    return target


def _fetch(recipe: Recipe, requirements: Sequence[Path], target: Path) -> None:
    """Unpacks wheels with pip, for a Python and processor that may differ from its own, as long as
    nothing has to be compiled.
    """
    options = (
        "--quiet --disable-pip-version-check --no-input --no-compile --no-deps --implementation=cp"
    )
    # pip would compare requires-python with its own interpreter, whatever --python-version says.
    options += " --only-binary=:all: --ignore-requires-python"
    command = [sys.executable, "-m", "pip", "install", *options.split()]
    command += [f"--python-version={recipe.python_version}", f"--target={target}"]
    command += [f"--platform={platform}" for platform in recipe.platforms]
    command += [f"--requirement={path}" for path in requirements]
    named = ", ".join(map(str, requirements))
    _require_pip()
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PIP_SECONDS_MAX, check=False
        )
    except subprocess.TimeoutExpired:
        raise BuildFailed(
            f"pip took longer than {PIP_SECONDS_MAX} s to fetch the wheels of {named}"
        ) from None
    if done.returncode != 0:
        lines = done.stderr.splitlines()
        said = [line for line in lines if line.startswith("ERROR")] or lines[-5:]
        raise BuildFailed(
            f"pip could not fetch the wheels of {named} for {recipe.key}:\n" + "\n".join(said)
        )


def _require_pip() -> None:
    command = [sys.executable, "-m", "pip", "--version"]
    asked = subprocess.run(command, capture_output=True, check=False)
    if asked.returncode != 0:
        raise BuildFailed(
            f"{sys.executable} has no pip, which fetches the wheels: install pip, or name a "
            "Python that has it with PYTHON=... sam build"
        )


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """One process at a time. The kernel releases the lock when the process dies, so none is left
    behind.
    """
    with path.open("w") as file:
        deadline = time.monotonic() + LOCK_SECONDS_MAX
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise BuildFailed(
                        f"{path}: another build has held this lock for {LOCK_SECONDS_MAX} s; stop "
                        "it, or wait and start again"
                    ) from None
                time.sleep(0.1)
        yield


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Makes the folder of a Lambda function.")
    parser.add_argument("artifacts", type=Path, help="the folder to fill")
    for name, what in (
        ("--source", "the folder that log_aggregator is in"),
        ("--cache", "where unpacked wheels are kept for the other functions"),
    ):
        parser.add_argument(name, type=Path, required=True, help=what)
    what = "files that list all packages to fetch, with exact versions"
    parser.add_argument("--requirements", type=Path, nargs="+", required=True, help=what)
    parser.add_argument("--python-version", required=True, help="the runtime's, such as 3.12")
    parser.add_argument("--architecture", required=True, help="arm64 or x86_64")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
