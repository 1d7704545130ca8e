"""The manifest given to a job, and the completion report it leaves."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from log_aggregator.core.evidence.at_rest import Algorithm, HashTask
from log_aggregator.core.evidence.batch import (
    ReportFile,
    encode_manifest,
    manifest_fields,
    parse_report,
    parse_rows,
)
from log_aggregator.errors import BadPack

PREFIX = "at-rest/c/sha256/job-1/"
KEY = 'packs/logs/x/all/2025/04/03/a b,"ü+%.gz'
TASK = HashTask(KEY, "v1", "e", 3, Algorithm.SHA256)
PLAIN = HashTask("packs/a", None, "e", 3, Algorithm.SHA256)
MESSAGE = {
    "checksum_base64": "l2kHKxgAOCnRFlcGDcmNz7XJbVDBl79A60DZLi0teGk=",
    "ETag": "b6962e69f0505dc50e8022c7f0bf09b6",
    "checksumAlgorithm": "SHA256",
    "checksumType": "FULL_OBJECT",
}


def make_report(**changes: Any) -> bytes:
    results = [
        {
            "TaskExecutionStatus": "succeeded",
            "Bucket": "dest",
            "MD5Checksum": "83b1c4cbe93fc893f54053697e10fd6e",
            "Key": f"{PREFIX}results/6217b0fab0de85c408b4be96aeaca9b195a7daa5.csv",
        }
    ]
    head: dict[str, Any] = {"Format": "Report_CSV_20180820", "Results": results}
    return json.dumps(head | changes).encode()


def make_file(*rows: list[str]) -> tuple[bytes, ReportFile]:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    data = text.getvalue().encode()
    return data, ReportFile("k", hashlib.md5(data).hexdigest())


def make_row(*values: str) -> list[str]:
    return ["dest", *values, "succeeded", "200", "", json.dumps(MESSAGE)]


def test_keys_are_url_encoded() -> None:
    """S3 wants this encoding, and it keeps a key's commas and quotation marks out of the CSV
    syntax.
    """
    assert encode_manifest("dest", [TASK]) == (
        b"dest,packs/logs/x/all/2025/04/03/a%20b%2C%22%C3%BC%2B%25.gz,v1\n"
    )
    assert manifest_fields([TASK]) == ["Bucket", "Key", "VersionId"]
    assert encode_manifest("dest", [PLAIN]) == b"dest,packs/a\n"
    assert manifest_fields([PLAIN]) == ["Bucket", "Key"]


def test_all_rows_have_versions_or_none_do() -> None:
    with pytest.raises(ValueError, match="expected a version id"):
        encode_manifest("dest", [TASK, PLAIN])


@pytest.mark.parametrize(
    "spell",
    [lambda key: key, lambda _: "packs/logs/x/all/2025/04/03/a%20b%2C%22%C3%BC%2B%25.gz"],
    ids=["plain", "encoded"],
)
def test_a_row_is_read(spell: Callable[[str], str]) -> None:
    """The columns are those of reports written by S3."""
    (row,) = parse_rows(*make_file(make_row(spell(KEY), "v1")), [TASK])
    assert (row.bucket, row.key, row.version_id, row.failure) == ("dest", KEY, "v1", "")
    assert (row.algorithm, row.type) == ("SHA256", "FULL_OBJECT")
    assert (row.checksum, row.etag) == (MESSAGE["checksum_base64"], MESSAGE["ETag"])


@pytest.mark.parametrize("version", ["", "null"], ids=["empty", "null"])
def test_a_bucket_without_versions_has_no_version_id(version: str) -> None:
    (row,) = parse_rows(*make_file(make_row("packs/a", version)), [PLAIN])
    assert row.version_id is None


def test_a_failed_task_has_a_reason_and_no_hash() -> None:
    """A failed task's hash is ignored, whatever its message says."""
    row = ["dest", "packs/a", "", "failed", "404", "NoSuchKey", json.dumps(MESSAGE)]
    (found,) = parse_rows(*make_file(row), [PLAIN])
    assert found.failure.startswith("404: NoSuchKey: ")
    assert (found.checksum, found.algorithm) == ("", "")


def test_an_unreadable_message_has_no_hash() -> None:
    for message in ("", "no JSON", "[]", "3"):
        row = [*make_row("packs/a", "")[:-1], message]
        (found,) = parse_rows(*make_file(row), [PLAIN])
        assert (found.failure, found.checksum) == ("", "")


def test_a_header_line_is_skipped() -> None:
    names = [
        *("Bucket", "Key", "VersionId", "TaskStatus"),
        *("ErrorCode", "HTTPStatusCode", "ResultMessage"),
    ]
    assert len(list(parse_rows(*make_file(names, make_row("packs/a", "")), [PLAIN]))) == 1


def test_a_changed_report_file_is_refused() -> None:
    data, file = make_file(make_row("packs/a", ""))
    with pytest.raises(BadPack, match="MD5"):
        list(parse_rows(data + b"\n", file, [PLAIN]))
    with pytest.raises(BadPack):
        list(parse_rows(*make_file(["dest", "packs/a"]), [PLAIN]))


def test_a_report_names_its_files() -> None:
    (file,) = parse_report(make_report(), "dest", PREFIX)
    assert file.md5 == "83b1c4cbe93fc893f54053697e10fd6e"


ELSEWHERE = {"Bucket": "dest", "MD5Checksum": "", "Key": "at-rest/other/x.csv"}
INSIDE = {"Bucket": "dest", "MD5Checksum": "", "Key": f"{PREFIX}x.csv"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        make_report(Format="Report_CSV_2030"),
        make_report(Results=[ELSEWHERE]),
        make_report(Results=[INSIDE | {"Bucket": "other"}]),
        make_report(Results=[INSIDE, INSIDE]),
    ],
    ids=["empty", "nothing", "format", "other-folder", "other-bucket", "twice"],
)
def test_a_report_cannot_point_elsewhere(data: bytes) -> None:
    """Anyone who can write to the target must not be able to plant a report."""
    with pytest.raises(BadPack):
        parse_report(data, "dest", PREFIX)
