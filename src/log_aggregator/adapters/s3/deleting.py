"""DeleteObjects, with a body that we write: botocore takes ten times as long, because it validates
each of the thousand entries as a structure. Signing, checksum, retries and errors stay botocore's.
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
"""Characters that XML 1.0 cannot contain, not even escaped (https://www.w3.org/TR/xml/#charsets).
S3's keys can (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html).
"""
LINE_ENDS = {"\r": "&#xD;", "\n": "&#xA;"}
"""An XML parser turns a bare carriage return into a line feed, and S3 would delete another key
(https://www.w3.org/TR/xml/#sec-line-ends).
"""

# Deleting what is gone already is a success. S3 says so itself, except to a conditional delete, to
# which it answers with a 404
# (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html).
GONE_CODES = frozenset({"NoSuchKey", "NoSuchVersion"})
REPLACED = {"Objects": [{"Key": "-"}], "Quiet": True}
"""What botocore is given to write. `replace_body` replaces it with the real body."""


class _Local(threading.local):
    body: bytes | None = None


_LOCAL = _Local()


def register_own_bodies(client: Any) -> None:
    """Makes this client's DeleteObjects send the body that `delete_objects` has written."""
    client.meta.events.register_first("before-call.s3.DeleteObjects", replace_body)


def replace_body(params: dict[str, Any], **_: object) -> None:
    """Called before botocore computes the checksum. Raises RuntimeError if there is no body of
    ours: the one that botocore was given must never be sent.
    """
    if _LOCAL.body is None:
        raise RuntimeError("DeleteObjects was called without delete_objects")
    params["body"] = _LOCAL.body


def delete_objects(
    client: Any, bucket: str, deletions: Sequence[Deletion]
) -> list[DeletionFailure]:
    """At most 1,000, as S3 allows. Returns those that failed. Raises RequestFailed if the whole
    request failed.
    """
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
    """DeleteObject has the key in the URL, where every character can be percent-encoded."""
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

    S3 compares an ETag with the current version of the key, even if the entry names another version
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html). So ETags are
    for buckets without versions; where there are versions, the version id is condition enough.
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
    """The deletions that an entry of the answer's `Errors` is about. S3 answers 200 even if every
    deletion failed, and lists the failed ones there. If an entry names no version, every deletion
    of the key counts as failed.

    Raises StoreError if the entry matches none of the deletions: then none of them is known to have
    succeeded.
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
