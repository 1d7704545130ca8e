"""What `sam build` produces."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import pytest
from tests.e2e.building import BuiltTemplate
from tests.e2e.local_aws import ROOT
from tests.e2e.packaging import UNZIPPED_BYTES_MAX, fingerprint, list_files, make_artifact
from tests.support.waiting import SECONDS_MAX


def test_all_functions_share_one_artifact(built: BuiltTemplate) -> None:
    """The folders are equal, so S3 gets one zip, one for the functions that read or write Parquet,
    and one for those that make pages; all are far smaller than Lambda's limit.
    """
    folders = {
        name: built.folder / properties["CodeUri"] for name, properties in built.functions.items()
    }
    assert len(folders) == 15
    of_parquet = [folders.pop(name) for name in ("SortInventoryFunction", "MergeTermsFunction")]
    of_pages = folders.pop("ReportFunction")
    assert len({fingerprint(folder) for folder in of_parquet}) == 1
    assert len({fingerprint(folder) for folder in folders.values()}) == 1
    assert make_artifact(folders["ListFunction"], {}).unzipped_bytes < UNZIPPED_BYTES_MAX // 4
    assert "arro3/io" in {name.rpartition("/")[0] for name, _ in list_files(of_parquet[0])}
    assert make_artifact(of_parquet[0], {}).unzipped_bytes < UNZIPPED_BYTES_MAX // 3
    assert "jinja2" in {name.rpartition("/")[0] for name, _ in list_files(of_pages)}
    assert make_artifact(of_pages, {}).unzipped_bytes < UNZIPPED_BYTES_MAX // 4


def test_no_test_code_goes_to_lambda(built: BuiltTemplate) -> None:
    """The package without its lab and command line, and without another interpreter's bytecode."""
    names = {name for name, _ in list_files(built.folder / "DeleteFunction")}
    assert "log_aggregator/handlers/delete.py" in names
    assert [
        name
        for name in names
        if name.startswith(("log_aggregator/lab/", "log_aggregator/cli/")) or name.endswith(".pyc")
    ] == []


ELF_MACHINES = {"x86_64": 0x3E, "arm64": 0xB7}
"""e_machine, at byte 18 of an ELF file
(https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html).
"""
COMPILED = ("_awscrt", "msgspec/_core", "pycurl", "zlib_ng/zlib_ng")


@pytest.mark.parametrize("architecture", ELF_MACHINES)
def test_libraries_match_the_lambda_processor(architecture: str, tmp_path: Path) -> None:
    """For both of Lambda's processors and for its Python, whatever this machine has. The libraries
    for this machine are imported by the functions run here; the others cannot be.
    """
    command = [sys.executable, str(ROOT / "deployment" / "artifact.py")]
    command += [str(tmp_path / "made"), "--source", str(ROOT / "src")]
    command += ["--requirements", str(ROOT / "src" / "requirements.txt")]
    command += ["--cache", str(tmp_path / "cache"), "--architecture", architecture]
    command += ["--python-version", "3.12"]
    subprocess.run(command, check=True, timeout=SECONDS_MAX)
    libraries = {
        name: struct.unpack_from("<H", path.read_bytes(), 18)[0]
        for name, path in list_files(tmp_path / "made")
        if ".so" in path.suffixes
    }
    for compiled in COMPILED:
        assert any(name.startswith(compiled) for name in libraries), compiled
    assert set(libraries.values()) == {ELF_MACHINES[architecture]}
