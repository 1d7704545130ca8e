"""Laws of completion reports: whatever one says, a pack is good only if exactly one row about it
says so.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json

from hypothesis import example, given
from hypothesis import strategies as st

from log_aggregator.core.checksums import crc64nvme
from log_aggregator.core.evidence.at_rest import (
    Algorithm,
    HashTask,
    KnownHashes,
    Verdict,
    judge,
)
from log_aggregator.core.evidence.batch import ReportFile, encode_manifest, parse_rows
from log_aggregator.errors import BadPack

DATA = {"packs/a": b"one", "packs/b c": b"two"}
TASKS = [
    HashTask(key, "v1", f"etag {key}", len(data), Algorithm.SHA256) for key, data in DATA.items()
]
KNOWN = {
    key: KnownHashes(crc64nvme(data), (("the index", hashlib.sha256(data).hexdigest()),))
    for key, data in DATA.items()
}


def make_row(key: str, **changes: str) -> list[str]:
    told = {
        "checksum_base64": base64.b64encode(hashlib.sha256(DATA[key]).digest()).decode(),
        "ETag": f"etag {key}",
        "checksumAlgorithm": "SHA256",
        "checksumType": "FULL_OBJECT",
    }
    message = json.dumps(told | changes)
    return ["dest", key, "v1", "succeeded", "200", "", message]


def encode(rows: list[list[str]]) -> tuple[bytes, ReportFile]:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    data = text.getvalue().encode()
    return data, ReportFile("k", hashlib.md5(data).hexdigest())


def verdicts(data: bytes, file: ReportFile) -> tuple[dict[str, Verdict], int]:
    try:
        rows = list(parse_rows(data, file, TASKS))
    except BadPack:
        rows = []
    packs, foreign = judge("dest", TASKS, KNOWN, rows, "no row")
    return {pack.key: pack.verdict for pack in packs}, foreign


VALUES = st.one_of(st.text(max_size=20), st.sampled_from(["dest", *DATA, "v1", "succeeded", ""]))


@given(st.integers(0, 1), st.integers(0, 6), VALUES)
def test_a_changed_field_never_makes_another_pack_good(row: int, column: int, value: str) -> None:
    """With another value in the field of identity, outcome or hash, the pack is not good, unless
    the value means the same. The other pack stays good or becomes unproven.
    """
    rows = [make_row(key) for key in DATA]
    was, rows[row][column] = rows[row][column], value
    found, _ = verdicts(*encode(rows))
    key = list(DATA)[row]
    if column in (0, 1, 2, 3, 6) and value != was and found[key] is Verdict.GOOD:
        assert column == 1 or (column == 3 and value.strip().lower() == "succeeded")
        assert column != 1 or value in ("packs%2Fa", "packs/b%20c", "packs/b+c"), value
    for other in DATA:
        if other != key:
            assert found[other] in (Verdict.GOOD, Verdict.UNPROVEN)


@given(st.lists(st.sampled_from([*DATA]), max_size=5))
def test_only_packs_with_exactly_one_row_are_good(keys: list[str]) -> None:
    found, foreign = verdicts(*encode([make_row(key) for key in keys]))
    for key in DATA:
        assert (found[key] is Verdict.GOOD) == (keys.count(key) == 1)
    assert foreign == 0


@given(st.data())
def test_any_other_hash_means_damage(data: st.DataObject) -> None:
    """Any single flipped bit is damage."""
    raw = bytearray(hashlib.sha256(DATA["packs/a"]).digest())
    raw[data.draw(st.integers(0, 31))] ^= 1 << data.draw(st.integers(0, 7))
    row = make_row("packs/a", checksum_base64=base64.b64encode(raw).decode())
    found, _ = verdicts(*encode([row, make_row("packs/b c")]))
    assert found == {"packs/a": Verdict.DAMAGED, "packs/b c": Verdict.GOOD}


@given(st.binary(max_size=200))
@example(b'"')  # a row that is cut off in the middle of a quoted field
def test_random_bytes_are_not_accepted_as_a_report(data: bytes) -> None:
    """They are refused, or prove nothing."""
    found, _ = verdicts(data, ReportFile("k", hashlib.md5(data).hexdigest()))
    assert set(found.values()) == {Verdict.UNPROVEN}


@given(st.text(min_size=1, max_size=30))
def test_every_key_comes_back_from_the_manifest(name: str) -> None:
    """Commas, quotation marks, line breaks and percent signs survive: S3 echoes the manifest's
    text.
    """
    task = HashTask(f"packs/{name}", "v1", "e", 1, Algorithm.SHA256)
    try:
        (line,) = csv.reader(io.StringIO(encode_manifest("dest", [task]).decode(), newline=""))
    except UnicodeEncodeError:
        return  # half of a surrogate pair is no key
    (row,) = parse_rows(*encode([["dest", line[1], "v1", "succeeded", "200", "", "{}"]]), [task])
    assert row.key == task.key
