"""What a release has written is read by every later one; what a newer one wrote is refused by
name. docs/reference/compatibility.md promises it.
"""

from __future__ import annotations

import gzip
import re
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
from tests.golden.golden_formats import (
    BUNDLE,
    FORMATS,
    GOLDENS,
    Golden,
    make_newer,
    read_sums,
    sum_files,
    write_evidence,
)
from tests.golden.golden_packs import FOLDER as PACKS
from tests.golden.kinds import KINDS, UNVERSIONED, Kind

import log_aggregator
from log_aggregator import verifier
from log_aggregator.core.evidence import manifest
from log_aggregator.core.packformat.deflate import encode_gzip
from log_aggregator.core.packformat.index import decode_beginning, decode_index, scan_index
from log_aggregator.core.packformat.tail import decode_tail
from log_aggregator.errors import BadPack, BadTerms, NewerFormat
from log_aggregator.model import PackFormat

BY_PATH = {golden.path: golden for golden in GOLDENS}
VERSIONED = [
    golden
    for golden in GOLDENS
    if golden.path.split("/")[0] not in {*UNVERSIONED, "cloudtrail-region"}
    and not golden.path.endswith(("copy.bin", "thaw-0000.json"))
]
"""The name of a Region's note says all that is read, and the sample of a drill names the version of
what lies beside it.
"""


def missing_folders(kinds: tuple[Kind, ...]) -> list[str]:
    """Folders of files that have to be there, from version 1 to the one that is written today."""
    wanted = [f"{kind.folder}/v{n}" for kind in kinds for n in range(1, kind.version + 1)]
    return [folder for folder in wanted if not any((FORMATS / folder).glob("*"))]


def test_no_file_was_changed() -> None:
    """Every file is the one that a release wrote, none is missing, and none lies there unlisted."""
    assert sum_files() == read_sums(), (
        "tests/golden/formats/: these files are what releases have written, and must be read for "
        "ever. Put back what was changed; a new version of a format gets a folder of its own, and "
        "python -m tests.golden.golden_formats lists new files in SHA256SUMS"
    )


@pytest.mark.parametrize("path", BY_PATH)
def test_every_file_is_read(path: str) -> None:
    """By today's reader, and everything in it is what was written."""
    assert BY_PATH[path].read(BY_PATH[path].data) == BY_PATH[path].value


@pytest.mark.parametrize("path", BY_PATH)
def test_what_is_written_today_is_read(path: str) -> None:
    """Compressors may choose other bytes; what is in them is the same."""
    assert BY_PATH[path].read(BY_PATH[path].write()) == BY_PATH[path].value


def test_the_bundle_is_verified() -> None:
    """Nothing in it contradicts anything, and the originals are proved as when it was made."""
    result = verifier.verify(str(BUNDLE))
    assert result.problems == []
    assert "2 originals are in the bundle, each with the hash in its index" in result.proved
    assert "1 of 1 indexes are as custody records name them" in result.proved


def test_every_version_has_files() -> None:
    """Whoever begins to write another version adds files of it."""
    assert missing_folders(KINDS) == [], (
        "a version of a format has no golden files: add them to tests/golden/golden_formats.py, "
        "keep those of the versions before, and let readers read both"
    )


def test_another_version_would_be_missed() -> None:
    """The test before this one does notice."""
    for kind in KINDS:
        newer = replace(kind, version=kind.version + 1)
        assert missing_folders((newer,)) == [f"{kind.folder}/v{newer.version}"]


def test_every_format_of_the_code_is_here() -> None:
    """Who invents a format adds it to KINDS, and so to the page."""
    source = Path(log_aggregator.__file__).parent
    named = {
        name
        for path in source.rglob("*.py")
        for name in re.findall(r'(?m)^FORMAT\b.* = "(log-aggregator-[a-z-]+)"', path.read_text())
    }
    assert named == {kind.format for kind in KINDS} - {"LAGGPK"}


@pytest.mark.parametrize("golden", VERSIONED, ids=lambda golden: str(golden.path))
def test_a_newer_version_is_refused_by_name(golden: Golden) -> None:
    """The message names the version, what this release reads, and what to do."""
    with pytest.raises(
        (NewerFormat, BadTerms),
        match=r"has version 2 of its format, and this release reads up to version 1: "
        r"install a newer release",
    ):
        golden.read(make_newer(golden.data))


@pytest.mark.parametrize("golden", VERSIONED, ids=lambda golden: str(golden.path))
def test_a_version_that_never_was_is_refused(golden: Golden) -> None:
    for version in (b"0", b"-1", b"null", b'"1"', b"true", b"1.5"):
        data = golden.data
        if data.startswith((b"{", b"[")) and b'"version":1' in data:
            with pytest.raises((BadPack, BadTerms)):
                golden.read(data.replace(b'"version":1', b'"version":' + version, 1))


@pytest.mark.parametrize("read", [decode_index, scan_index, decode_beginning])
def test_a_newer_index_is_refused_by_every_reader(read: object) -> None:
    assert callable(read)
    with pytest.raises(NewerFormat, match="the index has version 2"):
        read(make_newer((PACKS / "gzip.index.jsonl.gz").read_bytes()))


@pytest.mark.parametrize(("name", "pack_format"), [("gzip.json.gz", "gzip"), ("tar.tar", "tar")])
def test_a_newer_pack_is_refused_by_name(name: str, pack_format: str) -> None:
    """By its last member, which says the version of the pack."""
    pack = (PACKS / name).read_bytes()
    assert pack.count(b"LAGGPK01") == 1
    with pytest.raises(NewerFormat, match="the pack has version 2 of its format"):
        decode_tail(PackFormat(pack_format), pack.replace(b"LAGGPK01", b"LAGGPK02"))


def test_a_custody_record_of_an_unknown_kind_is_refused_by_name() -> None:
    golden = BY_PATH["custody/v1/closing.jsonl.gz"]
    text = gzip.decompress(golden.data).replace(b'"kind":"closing"', b'"kind":"audit"')
    with pytest.raises(NewerFormat, match="of the kind 'audit', which this release does not know"):
        golden.read(encode_gzip(text))


def test_a_newer_bundle_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "bundle.zip"
    with mock.patch.object(manifest, "VERSION", 2):
        path.write_bytes(write_evidence())
    (problem,) = verifier.verify(str(path)).problems
    assert "manifest.json has version 2 of its format, and this verifier reads version 1" in problem


def test_the_files_are_small() -> None:
    """They are committed, so they stay small."""
    assert sum(path.stat().st_size for path in FORMATS.rglob("*") if path.is_file()) < 60_000


def test_the_page_lists_every_format() -> None:
    """docs/reference/compatibility.md has a row for each, with the versions of the code."""
    page = Path(__file__).parents[2] / "docs" / "reference" / "compatibility.md"
    rows = [
        line
        for line in page.read_text().splitlines()
        if "| `LAGGPK` |" in line or "| `log-aggregator-" in line
    ]
    assert rows == [kind.row for kind in KINDS]
