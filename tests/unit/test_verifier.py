"""The verifier of evidence bundles: what it finds when manifest and zip are rebuilt."""

from __future__ import annotations

import ast
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.bundles import (
    VERIFIER,
    make_bundle,
    make_trails,
    rebuild,
    sign_newest,
)
from tests.support.trails import TARGET, Trails

from log_aggregator import verifier
from log_aggregator.core.evidence.archive import encode_central, encode_end, encode_local

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def found() -> Trails:
    return make_trails()


def pick(files: Files, *parts: str) -> str:
    return next(name for name in files if all(part in name for part in parts))


def change_log(files: Files) -> None:
    name = pick(files, "originals/", "/CloudTrail/")
    files[name] = gzip.compress(b'{"Records":[]}')


def change_log_and_list(files: Files) -> None:
    """Change one byte of a log, keeping its length, and its hash in the list."""
    name = pick(files, "originals/", "/CloudTrail/")
    files[name] = files[name][:-1] + bytes([files[name][-1] ^ 1])


def drop_log(files: Files) -> None:
    name = pick(files, "originals/", "/CloudTrail/")
    del files[name]
    lines = files["originals.jsonl"].splitlines(keepends=True)
    files["originals.jsonl"] = b"".join(each for each in lines if name.encode() not in each)


def drop_from_index(files: Files) -> None:
    """Remove the log from its index too, so that what the digest names is missing."""
    name = pick(files, "originals/", "/CloudTrail/")
    key = name.split("/", 2)[2]
    drop_log(files)
    index = pick(files, "stored/", "indexes/", "/CloudTrail/")
    head, *lines = gzip.decompress(files[index]).splitlines(keepends=True)
    fields = json.loads(head)
    kept = [line for line in lines if json.loads(line)["key"] != key]
    fields["members"] = len(kept)
    files[index] = gzip.compress(json.dumps(fields).encode() + b"\n" + b"".join(kept))


def change_index(files: Files) -> None:
    index = pick(files, "stored/", "indexes/", "/CloudTrail/")
    files[index] = gzip.compress(gzip.decompress(files[index]), 1)


def change_record(files: Files) -> None:
    record = min(name for name in files if "/custody/" in name)
    files[record] = gzip.compress(gzip.decompress(files[record]), 1)


def change_newest_record(files: Files) -> None:
    record = max(name for name in files if "/custody/" in name)
    files[record] = gzip.compress(gzip.decompress(files[record]), 1)


def drop_newest_record(files: Files) -> None:
    del files[max(name for name in files if "/custody/" in name)]


def change_signature(files: Files) -> None:
    name = pick(files, "/signatures/")
    signed = json.loads(files[name])
    signed["statement"]["signed_at"] = "2020-01-01T00:00:00Z"
    files[name] = json.dumps(signed).encode()


def drop_signature(files: Files) -> None:
    del files[pick(files, "/signatures/")]


def change_public_key(files: Files) -> None:
    name = pick(files, "/keys/cloudtrail/")
    fields = json.loads(files[name])
    other = json.loads(files[pick(files, "/signatures/")])
    fields["public_key_der"] = other["public_key"]
    files[name] = json.dumps(fields).encode()


REBUILT: dict[str, tuple[Callable[[Files], None], str]] = {
    "another-log": (change_log, "its index says"),
    "a-log-of-the-same-size": (change_log_and_list, "SHA-256 is not the one in its index"),
    "no-log": (drop_log, "is not listed"),
    "no-log-in-the-index": (drop_from_index, "no index in the bundle does"),
    "another-index": (change_index, "names a different hash of the index"),
    "another-record": (change_record, "does not name the hash"),
    "another-newest-record": (change_newest_record, "it signs a different record"),
    "no-newest-record": (drop_newest_record, "records are missing"),
    "another-statement": (change_signature, "the signature is wrong"),
    "another-public-key": (change_public_key, "cannot be read"),
}


@pytest.mark.parametrize("name", REBUILT)
def test_a_changed_file_fails_verification(found: Trails, tmp_path: Path, name: str) -> None:
    """The manifest is corrected each time, so it cannot reveal the change."""
    path = tmp_path / "evidence.zip"
    about, _ = make_bundle(found, path)
    change, expected = REBUILT[name]
    rebuild(path, about, change)
    result = verifier.verify(str(path))
    assert "every byte is accounted for" in result.proved[0]
    assert any(expected in problem for problem in result.problems), result.problems


def test_an_unchanged_bundle_proves_everything_it_can(found: Trails, tmp_path: Path) -> None:
    path = tmp_path / "evidence.zip"
    _, made = make_bundle(found, path)
    result = verifier.verify(str(path))
    assert result.problems == []
    assert made.originals == made.digests + 17
    assert f"{made.digests} CloudTrail digests are signed by the public keys in the bundle" in (
        result.proved
    )
    assert "17 logs have the hashes that these digests name" in result.proved
    assert any("signed by the key in the bundle" in text for text in result.proved)


def test_the_same_bundle_has_the_same_bytes(found: Trails, tmp_path: Path) -> None:
    for name in ("one.zip", "two.zip"):
        make_bundle(found, tmp_path / name)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_a_list_contains_no_bytes_except_digests(found: Trails, tmp_path: Path) -> None:
    path = tmp_path / "evidence.zip"
    _, made = make_bundle(found, path, has_originals=False)
    result = verifier.verify(str(path))
    assert result.problems == []
    assert (made.originals, made.listed) == (made.digests, 17)
    assert "17 logs that digests name are only listed: their hashes were not compared" in (
        result.unproved
    )


def test_without_a_signature_the_end_of_the_chain_is_unproven(
    found: Trails, tmp_path: Path
) -> None:
    path = tmp_path / "evidence.zip"
    about, _ = make_bundle(found, path)
    rebuild(path, about, drop_signature)
    result = verifier.verify(str(path))
    assert result.problems == []
    assert any("no signature vouches for the end of the chain" in text for text in result.unproved)


def test_another_public_key_proves_nothing(found: Trails, tmp_path: Path) -> None:
    path = tmp_path / "evidence.zip"
    make_bundle(found, path)
    result = verifier.verify(str(path), (b"another",))
    assert any("--public-key does not name" in text for text in result.unproved)
    assert any("no signature vouches for the end of the chain" in text for text in result.unproved)


def test_a_signature_reveals_a_removed_record(tmp_path: Path) -> None:
    """Removing the newest record leaves its signature, which shows the removal."""
    trails = make_trails()
    trails.store.delete(
        TARGET.bucket,
        sign_newest(trails).replace("signatures/", "custody/").replace(".json", ".jsonl.gz"),
    )
    path = tmp_path / "evidence.zip"
    make_bundle(trails, path)
    assert any("records are missing" in text for text in verifier.verify(str(path)).problems)


def test_the_expected_hash_is_compared(found: Trails, tmp_path: Path) -> None:
    path = tmp_path / "evidence.zip"
    make_bundle(found, path)
    assert verifier.verify(str(path), sha256=verifier.verify(str(path)).sha256).problems == []
    assert verifier.verify(str(path), sha256="0" * 64).problems


def test_the_verifier_needs_only_python(found: Trails, tmp_path: Path) -> None:
    """It uses only the standard library and the syntax of Python 3.9, and runs out of the
    bundle.
    """
    tree = ast.parse(VERIFIER, feature_version=(3, 9))
    modules = {
        alias.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {
        (node.module or "").partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
    }
    assert modules <= sys.stdlib_module_names
    path, script = tmp_path / "evidence.zip", tmp_path / "verify.py"
    make_bundle(found, path)
    script.write_bytes(VERIFIER)
    ended = subprocess.run(
        [sys.executable, "-I", str(script), str(path)],
        capture_output=True,
        check=False,
        env={"PATH": os.environ.get("PATH", "")},
    )
    assert ended.returncode == 0, ended.stderr
    assert b"No contradiction was found." in ended.stdout


@pytest.mark.parametrize(
    ("size", "offset"),
    [(0, 0), (2**32 - 2, 5), (2**32 - 1, 5), (2**33, 2**33), (5, 2**32 - 1)],
    ids=["small", "largest-32", "zip64", "zip64-far", "far"],
)
def test_program_and_verifier_use_the_same_zip_format(size: int, offset: int) -> None:
    local, central = encode_local("ä", 7, size), encode_central("ä", 7, size, offset)
    assert local == verifier._encode_local("ä", 7, size)
    assert len(local) == verifier._local_length("ä", size)
    assert central == verifier._encode_central("ä", 7, size, offset)
    for count in (1, 0xFFFF, 100_000):
        assert encode_end(count, offset, 99) == verifier._encode_end(count, offset, 99)
