"""The files of S3 Batch Operations: the manifest of a job, and its completion report.

Keys are URL-encoded in manifests
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-create-job.html). Reports:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-examples-reports.html. The user
guide names a row's ErrorCode before its HTTPStatusCode, but reports that S3 wrote have them the
other way round. So neither is relied on to be in its place.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote_plus

from log_aggregator.core.evidence.at_rest import HashRow, HashTask
from log_aggregator.core.jsontext import decode_json, decoding
from log_aggregator.errors import BadPack

MANIFEST_FORMAT = "S3BatchOperations_CSV_20180820"
REPORT_FORMAT = "Report_CSV_20180820"
_COLUMNS = ("bucket", "key", "versionid", "taskstatus")
_COLUMN_COUNT = 7


@dataclass(frozen=True, slots=True)
class ReportFile:
    """One of the files of a report."""

    key: str
    md5: str
    """Hex."""


def has_versions(tasks: Iterable[HashTask]) -> bool:
    """Whether the tasks name versions. All rows of a manifest must, or none."""
    return any(task.version_id is not None for task in tasks)


def manifest_fields(tasks: Iterable[HashTask]) -> list[str]:
    return ["Bucket", "Key", "VersionId"] if has_versions(tasks) else ["Bucket", "Key"]


def encode_manifest(bucket: str, tasks: list[HashTask]) -> bytes:
    """One row for each pack. Raises ValueError if only some of them have a version."""
    with_versions = has_versions(tasks)
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    for task in tasks:
        version = [] if task.version_id is None else [task.version_id]
        if len(version) != with_versions:
            raise ValueError(f"{task.key}: expected a version id, as other packs have one")
        rows.writerow([bucket, quote(task.key, safe="/"), *version])
    return text.getvalue().encode()


def parse_report(data: bytes, bucket: str, prefix: str) -> list[ReportFile]:
    """The files in a report's manifest.json. Raises BadPack if it is not one, or if it names a file
    in another bucket or outside `prefix`.
    """
    with decoding("the manifest of the completion report"):
        head = decode_json(data)
        if head["Format"] != REPORT_FORMAT:
            raise ValueError(f"the report has another format, {head['Format']}")
        files = [
            (str(entry["Bucket"]), ReportFile(str(entry["Key"]), str(entry["MD5Checksum"])))
            for entry in head["Results"]
        ]
    for place, file in files:
        if place != bucket or not file.key.startswith(prefix):
            raise BadPack(
                f"the completion report names s3://{place}/{file.key}: expected only files under "
                f"s3://{bucket}/{prefix}"
            )
    if len({file.key for _, file in files}) != len(files):
        raise BadPack("the completion report names a file twice")
    return [file for _, file in files]


def parse_rows(data: bytes, file: ReportFile, tasks: Iterable[HashTask]) -> Iterator[HashRow]:
    """The rows of one of its files. Raises BadPack if the file differs from its MD5 in the
    manifest, or is not a report.
    """
    found = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if found != file.md5.lower():
        raise BadPack(f"{file.key}: its MD5 is {found}; the report's manifest says {file.md5}")
    wanted = list(tasks)
    keys = {task.key: task.key for task in wanted}
    # Reports were seen with keys as they are, and with keys encoded as in our manifest.
    keys.update((quote(task.key, safe="/"), task.key) for task in wanted)
    no_version = {"", "null"} if not has_versions(wanted) else {""}
    with decoding(f"the completion report {file.key}"):
        for row in csv.reader(io.StringIO(data.decode(), newline=""), strict=True):
            if not row or tuple(name.strip().lower() for name in row[:4]) == _COLUMNS:
                continue
            yield _parse_row(row, keys, no_version)


def _parse_row(row: list[str], keys: Mapping[str, str], no_version: set[str]) -> HashRow:
    if len(row) != _COLUMN_COUNT:
        raise ValueError(f"a row of {len(row)} columns")
    bucket, key, version, status, *codes, message = row
    failure = "" if status.strip().lower() == "succeeded" else _name_failure(codes, message)
    told = {} if failure else _parse_message(message)
    return HashRow(
        bucket,
        keys[key] if key in keys else unquote_plus(key),
        None if version in no_version else version,
        failure,
        str(told.get("checksum_base64", "")),
        str(told.get("checksumAlgorithm", "")).upper(),
        str(told.get("checksumType", "")).upper(),
        str(told.get("ETag", told.get("etag", ""))).strip('"'),
    )


def _parse_message(message: str) -> Mapping[str, Any]:
    """The result message of a successful task, which is JSON. Empty if it cannot be parsed; then
    the row proves nothing.
    """
    try:
        told = json.loads(message)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _name_failure(codes: list[str], message: str) -> str:
    words = [word for word in (*codes, message) if word.strip()]
    return ": ".join(words)[:_FAILURE_CHARACTERS_MAX] or "failed"


_FAILURE_CHARACTERS_MAX = 300
