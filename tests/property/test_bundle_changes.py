"""A law of evidence bundles: every changed byte is found, offline, without knowing the hash."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

from tests.support.bundles import count_unfound, make_bundle, make_trails, unpack

from log_aggregator import verifier

SEED = int(os.environ.get("CHANGES_SEED", "1"))
COUNT = int(os.environ.get("CHANGES_COUNT", "300"))


def test_every_change_of_a_byte_is_found(tmp_path: Path) -> None:
    """Headers, directory, names, times, comments, contents, manifest and the verifier itself are
    flipped, inserted, deleted, replaced, cut and surrounded. Takes seconds: it signs a world.
    """
    path, changed = tmp_path / "evidence.zip", tmp_path / "changed.zip"
    make_bundle(make_trails(), path)
    data = path.read_bytes()
    assert verifier.verify(str(path)).problems == []
    assert count_unfound(data, changed, SEED, COUNT) == []


def test_every_changed_byte_of_the_zip_structure_is_found(tmp_path: Path) -> None:
    """All bytes outside the files are tried, not a sample."""
    path, changed = tmp_path / "evidence.zip", tmp_path / "changed.zip"
    make_bundle(make_trails(), path)
    data = path.read_bytes()
    end = data.index(b"PK\x01\x02")
    frame = [*range(40), *range(end, end + 120), *range(len(data) - 60, len(data))]
    for place in frame:
        changed.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        assert verifier.verify(str(changed)).problems, f"a change at {place}"


def test_a_change_in_an_unpacked_bundle_is_found(tmp_path: Path) -> None:
    path, folder = tmp_path / "evidence.zip", tmp_path / "folder"
    make_bundle(make_trails(), path)
    unpack(path, folder)
    assert verifier.verify(str(folder)).problems == []
    random = Random(SEED)
    for file in sorted(each for each in folder.rglob("*") if each.is_file()):
        data = file.read_bytes()
        place = random.randrange(len(data))
        file.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        assert verifier.verify(str(folder)).problems, file
        file.write_bytes(data)
    (folder / "more").write_bytes(b"")
    assert verifier.verify(str(folder)).problems
