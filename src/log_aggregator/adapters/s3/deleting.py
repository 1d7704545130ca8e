"""DeleteObjects, with a body that is written here: botocore takes ten times as long for it, because
it looks at each of a thousand entries as at a structure of its own. Signing, checksum, retries and
errors stay botocore's.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

from log_aggregator.adapters.s3.errors import make_error, store_errors
from log_aggregator.errors import AccessDenied, NotFound, PreconditionFailed
from log_aggregator.limits import DELETE_COUNT_MAX
from log_aggregator.ports.store import Deletion, DeletionFailure

NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that XML 1.0 cannot hold in any way (https://www.w3.org/TR/xml/#charsets). S3's keys
may.
"""
LINE_ENDS = {"\r": "&#xD;", "\n": "&#xA;"}
"""A parser would make others of them (https://www.w3.org/TR/xml/#sec-line-ends)."""

GONE_CODES = frozenset({"NoSuchKey", "NoSuchVersion"})
REPLACED = {"Objects": [{"Key": "-"}], "Quiet": True}
"""What botocore is given to write; `replace_body` puts the real one in its place."""


class _Local(threading.local):
    body: bytes | None = None


_LOCAL = _Local()


def register_own_bodies(client: Any) -> None:
    """DeleteObjects of this client takes what `delete_objects` has written."""
    client.meta.events.register_first("before-call.s3.DeleteObjects", replace_body)


def replace_body(params: dict[str, Any], **_: object) -> None:
    """Before botocore computes the checksum. Raises RuntimeError where there is nothing to put
    there: what was handed to botocore must never be sent.
    """
    if _LOCAL.body is None:
        raise RuntimeError("a DeleteObjects that was not written here")
    params["body"] = _LOCAL.body


def delete_objects(
    client: Any, bucket: str, deletions: Sequence[Deletion]
) -> list[DeletionFailure]:
    """At most 1,000. Raises RequestFailed."""
    if len(deletions) > DELETE_COUNT_MAX:
        raise ValueError(f"{len(deletions)} deletions, at most {DELETE_COUNT_MAX} are allowed")
    batch = [deletion for deletion in deletions if not NOT_IN_XML.search(deletion.key)]
    single = [deletion for deletion in deletions if NOT_IN_XML.search(deletion.key)]
    failures = _delete_batch(client, bucket, batch) if batch else []
    return failures + [
        failure for deletion in single for failure in _delete_single(client, bucket, deletion)
    ]


def _delete_batch(client: Any, bucket: str, deletions: Sequence[Deletion]) -> list[DeletionFailure]:
    _LOCAL.body = encode_deletions(deletions)
    try:
        with store_errors("DeleteObjects", bucket):
            response = client.delete_objects(Bucket=bucket, Delete=REPLACED)
    finally:
        _LOCAL.body = None
    return [
        failure
        for error in response.get("Errors", [])
        for failure in find_failures(bucket, deletions, error)
    ]


def _delete_single(client: Any, bucket: str, deletion: Deletion) -> list[DeletionFailure]:
    """The key goes into the URL, where anything can be written."""
    condition = {"VersionId": deletion.version_id} if deletion.version_id is not None else {}
    if deletion.etag is not None:
        condition["IfMatch"] = f'"{deletion.etag}"'
    try:
        with store_errors("DeleteObject", bucket, deletion.key):
            client.delete_object(Bucket=bucket, Key=deletion.key, **condition)
    except (AccessDenied, NotFound, PreconditionFailed) as error:
        return (
            [] if error.code in GONE_CODES else [DeletionFailure(deletion, error.code, str(error))]
        )
    return []


def encode_deletions(deletions: Sequence[Deletion]) -> bytes:
    """The request's body (https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html).

    S3 compares an ETag with the current version's, whichever version is to go.
    """
    entries = "".join(map(_encode_deletion, deletions))
    return (
        '<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"{entries}<Quiet>true</Quiet></Delete>"
    ).encode()


def _encode_deletion(deletion: Deletion) -> str:
    key = f"<Key>{escape(deletion.key, LINE_ENDS)}</Key>"
    version, etag = deletion.version_id, deletion.etag
    version_text = "" if version is None else f"<VersionId>{escape(version, LINE_ENDS)}</VersionId>"
    etag_text = "" if etag is None else f'<ETag>"{escape(etag, LINE_ENDS)}"</ETag>'
    return f"<Object>{key}{version_text}{etag_text}</Object>"


def find_failures(
    bucket: str, deletions: Sequence[Deletion], error: Mapping[str, Any]
) -> list[DeletionFailure]:
    """Which of the deletions S3 means. Where it names no version, every deletion of the key counts
    as failed.

    Raises StoreError where it means none that was asked for: then nothing is known of any.
    """
    code, message = str(error.get("Code", "")), str(error.get("Message", ""))
    key, version_id = error.get("Key"), error.get("VersionId") or None
    named = [
        deletion
        for deletion in deletions
        if deletion.key == key and version_id in (None, deletion.version_id)
    ]
    if not named:
        raise make_error("DeleteObjects", bucket, "", code, 0, message)
    return (
        []
        if code in GONE_CODES
        else [DeletionFailure(deletion, code, message) for deletion in named]
    )
