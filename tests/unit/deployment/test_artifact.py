"""The functions' folder: its contents, that it is fetched once, and that it is always the same."""

from __future__ import annotations

import ast
import re
import sys
import threading
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from stat import S_IMODE
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support.waiting import SECONDS_MAX

from deployment import artifact
from deployment.artifact import BuildFailed, Recipe
from log_aggregator.adapters.s3.inspection import S3Inspector
from log_aggregator.adapters.s3.owners import Owners
from log_aggregator.core.windows import DateWindow
from log_aggregator.settings import read_settings
from log_aggregator.steps.doctor.examine import examine_settings
from log_aggregator.wiring import SystemClock, make_run_rules
from log_aggregator_lab.stores.memory import MemoryStore

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "src" / "log_aggregator"
REQUIREMENTS, INVENTORY_REQUIREMENTS, PAGE_REQUIREMENTS = (
    ROOT / "src" / "requirements.txt",
    ROOT / "src" / "requirements-parquet.txt",
    ROOT / "src" / "requirements-page.txt",
)
IMPORT_NAMES = {
    "python-dateutil": "dateutil",
    "typing_extensions": "typing_extensions",
    "zlib-ng": "zlib_ng",
}


def read_pins(path: Path) -> dict[str, str]:
    lines = [
        line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()
    ]
    return dict(line.split("==") for line in lines if line)


def copied_modules(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """Relative and absolute path of each module copied for Lambda."""
    target = tmp_path / "log_aggregator"
    artifact.copy_package(PACKAGE, target)
    for path in sorted(target.rglob("*.py")):
        yield path.relative_to(target), path.read_text(encoding="utf-8")


def imported_names(source: str) -> Iterator[str]:
    """Modules named by import statements, also inside functions; `from a import b` gives a.b as
    well.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_pinned_versions_match_the_tests() -> None:
    """Lambda runs the tested versions: every version in src/requirements*.txt is in
    constraints.txt.
    """
    constraints = read_pins(ROOT / "constraints.txt")
    for path in (REQUIREMENTS, INVENTORY_REQUIREMENTS, PAGE_REQUIREMENTS):
        pins = read_pins(path)
        assert pins == {name: constraints[name] for name in pins}


NOT_IN_LAMBDA = {
    "environment.py": {"jinja2", "markupsafe"},
    "local_key.py": {"cryptography"},
    "time_stamps.py": {"cryptography", "rfc3161_client"},
}


def test_lambda_imports_nothing_that_is_missing_there(tmp_path: Path) -> None:
    """Every copied module imports only the standard library, pinned wheels and other copied
    modules.

    Only a call imports the Parquet reader, in the two functions that get its wheels, and the page
    maker, in the one that gets those; code that signs with a key in a file or asks for time stamps
    is imported by a call that no function makes.
    """
    wheels = {IMPORT_NAMES.get(name, name) for name in read_pins(REQUIREMENTS)}
    more = {name.partition("-")[0] for name in read_pins(INVENTORY_REQUIREMENTS)}
    pages = {name.lower() for name in read_pins(PAGE_REQUIREMENTS)}
    modules = list(copied_modules(tmp_path))
    have = {
        "log_aggregator." + ".".join(path.with_suffix("").parts).removesuffix(".__init__")
        for path, _ in modules
    }
    left_out = {
        f"log_aggregator.{name.removesuffix('.py').replace('/', '.')}"
        for name in artifact.NOT_FOR_LAMBDA
    }
    assert "log_aggregator.wiring" in have
    for path, source in modules:
        for name in imported_names(source):
            if name.split(".")[0] == "log_aggregator":
                assert not any(
                    name == other or name.startswith(f"{other}.") for other in left_out
                ), f"{path} imports {name}"
            else:
                have_too = {"parquet.py": more, "environment.py": pages, **NOT_IN_LAMBDA}.get(
                    path.name, set()
                )
                assert name.split(".")[0] in {*sys.stdlib_module_names, *wheels, *have_too}, (
                    f"{path} imports {name}"
                )


def test_every_excluded_module_exists(tmp_path: Path) -> None:
    """Every name in NOT_FOR_LAMBDA exists and is not copied, so a renamed module cannot slip in."""
    copied = {path.as_posix() for path, _ in copied_modules(tmp_path)}
    for name in artifact.NOT_FOR_LAMBDA:
        assert (PACKAGE / name).exists()
        assert not any(path == name or path.startswith(f"{name}/") for path in copied)


def test_no_client_needs_a_pruned_description(tmp_path: Path) -> None:
    """botocore's descriptions of other services are pruned, so no copied module makes a client for
    one. Exceptions: the doctor by day (see the next test), and from a shell `status` for Step
    Functions and `verify --at-rest` for S3 Control.
    """
    made = set()
    for path, source in copied_modules(tmp_path):
        if path.name in {"executions.py", "hash_jobs.py"}:
            continue
        for service in services_of(source):
            assert service in artifact.BOTOCORE_SERVICES, f"{path} makes a client for {service}"
            made.add(service)
    assert made == {"s3", "cloudtrail", "kms", "sts"}


class AnsweringClient:
    """A client with nearly empty answers to every request."""

    def __init__(self, service: str) -> None:
        self.meta = SimpleNamespace(
            events=SimpleNamespace(register=lambda *_: None), region_name="eu-west-1"
        )

    def __getattr__(self, operation: str) -> Any:
        return lambda **_: {"ResponseMetadata": {"HTTPHeaders": {}}}


def test_the_examination_needs_no_pruned_description() -> None:
    """The test has a key for packs, a source and a destination, as in a nightly run."""
    asked: set[str] = set()

    def open_client(service: str) -> Any:
        asked.add(service)
        return AnsweringClient(service)

    settings = {"other_buckets": "logs", "destination_bucket": "packs", "kms_key_id": "alias/p"}
    day = date(2026, 3, 15)
    rules = make_run_rules(read_settings(None, settings), DateWindow(day, day))
    inspector = S3Inspector(open_client, Owners((), lambda: "1" * 12))
    examine_settings(inspector, MemoryStore(), SystemClock(), rules, ["arn:aws:iam::1:role/r"])
    assert {"s3", "sts", "iam", "kms", "lambda"} <= asked <= artifact.BOTOCORE_SERVICES


def services_of(source: str) -> Iterator[str]:
    """The services in `session.client("s3")` and `make_service_client(..., "s3")`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and re.search("client$", ast.unparse(node.func)):
            texts = (argument.value for argument in node.args if isinstance(argument, ast.Constant))
            yield from (text for text in texts if isinstance(text, str))


def fill(folder: Path) -> None:
    """A folder that looks like unpacked wheels."""
    for name in (
        "botocore/data/endpoints.json",
        "botocore/data/s3/2006-03-01/service-2.json.gz",
        "botocore/data/s3/2006-03-01/examples-1.json",
        "botocore/data/ec2/2016-11-15/service-2.json.gz",
        "awscrt/_awscrt.abi3.so",
        "awscrt/auth.pyi",
        "six-1.0.dist-info/METADATA",
        "six-1.0.dist-info/RECORD",
        "six-1.0.dist-info/LICENSE",
        "six-1.0.dist-info/licenses/LICENSE",
        "bin/jp.py",
        "six.py",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name, encoding="utf-8")
    (folder / "awscrt" / "_awscrt.abi3.so").chmod(0o700)


def names_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_pruning_keeps_necessary_files(tmp_path: Path) -> None:
    """S3's description, files next to the services, metadata and licences stay; everything else of
    its kind goes.
    """
    fill(tmp_path)
    artifact.prune(tmp_path)
    assert names_in(tmp_path) == {
        "botocore/data/endpoints.json",
        "botocore/data/s3/2006-03-01/service-2.json.gz",
        "awscrt/_awscrt.abi3.so",
        "six-1.0.dist-info/METADATA",
        "six-1.0.dist-info/LICENSE",
        "six-1.0.dist-info/licenses/LICENSE",
        "six.py",
    }


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Replaces pip by filling a folder like wheels. The list has the filled folders."""
    calls: list[Path] = []

    def fetch(recipe: Recipe, requirements: Sequence[Path], target: Path) -> None:
        calls.append(target)
        target.mkdir()
        fill(target)

    monkeypatch.setattr(artifact, "_fetch", fetch)
    return calls


RECIPE = Recipe("six==1.0\n", "3.12", "arm64")


def make_package(folder: Path) -> Path:
    package = folder / "log_aggregator"
    (package / "lab").mkdir(parents=True)
    (package / "__init__.py").write_text("", encoding="utf-8")
    (package / "lab" / "server.py").write_text("", encoding="utf-8")
    return package


def test_parallel_builds_fetch_once(tmp_path: Path, fetched: list[Path]) -> None:
    """sam builds all functions in parallel; the first fetches the wheels, the others wait, and all
    get the same.
    """
    package = make_package(tmp_path / "src")
    targets = [tmp_path / f"function-{number}" for number in range(8)]
    arguments = [
        (RECIPE, package, [tmp_path / "requirements.txt"], tmp_path / "cache", target)
        for target in targets
    ]
    threads = [threading.Thread(target=artifact.build, args=each) for each in arguments]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS_MAX)
    assert len(fetched) == 1
    contents = [
        {name: (target / name).read_bytes() for name in names_in(target)} for target in targets
    ]
    assert all(each == contents[0] for each in contents)
    assert "log_aggregator/__init__.py" in contents[0]
    assert not any("log_aggregator_lab" in name for name in contents[0])


def test_file_modes_are_always_the_same(tmp_path: Path, fetched: list[Path]) -> None:
    """sam puts modes into the zip; the same sources give the same modes."""
    artifact.build(
        RECIPE,
        make_package(tmp_path / "src"),
        [tmp_path / "requirements.txt"],
        tmp_path / "cache",
        tmp_path / "function",
    )
    modes = {
        S_IMODE(path.stat().st_mode)
        for path in (tmp_path / "function").rglob("*")
        if path.is_file()
    }
    assert modes == {0o644}


def test_a_failed_fetch_leaves_nothing_that_looks_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cached folder under its key is complete: the next build repeats a fetch that broke off."""

    def break_off(recipe: Recipe, requirements: Sequence[Path], target: Path) -> None:
        target.mkdir()
        (target / "half.py").write_text("", encoding="utf-8")
        raise BuildFailed("no network")

    monkeypatch.setattr(artifact, "_fetch", break_off)
    with pytest.raises(BuildFailed):
        artifact.provide_wheels(RECIPE, [tmp_path / "requirements.txt"], tmp_path / "cache")
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [f"{RECIPE.key}.lock"]


def test_another_recipe_gets_another_folder() -> None:
    """Wheels are never used for another Python, processor or library version."""
    others = [
        Recipe("six==1.1\n", "3.12", "arm64"),
        Recipe("six==1.0\n", "3.13", "arm64"),
        Recipe("six==1.0\n", "3.12", "x86_64"),
    ]
    assert len({RECIPE.key, *(other.key for other in others)}) == 4


def test_wheels_fit_the_glibc_of_the_runtime() -> None:
    """Amazon Linux 2023 has glibc 2.34. A wheel for a newer one would not start there."""
    platforms = Recipe("", "3.12", "arm64").platforms
    assert platforms[0] == "manylinux_2_34_aarch64"
    assert {"manylinux_2_24_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"} <= set(
        platforms
    )


@pytest.mark.parametrize(
    ("version", "architecture"), [("3.10", "arm64"), ("3", "arm64"), ("3.12", "aarch64")]
)
def test_impossible_builds_are_refused(version: str, architecture: str) -> None:
    """A Python that log_aggregator does not support and names unknown to Lambda are refused."""
    with pytest.raises(BuildFailed, match="expected"):
        Recipe("", version, architecture)


def test_a_python_without_pip_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says which Python has no pip, and how to name another."""
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    with pytest.raises(BuildFailed, match=r"has no pip.*PYTHON="):
        artifact.provide_wheels(RECIPE, [tmp_path / "requirements.txt"], tmp_path / "cache")
