"""Reads objects, whole or in ranges, and their headers. Keys and headers are kept exactly as they
are.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping

from awscrt import checksums

from log_aggregator.adapters.s3.attempts import Answer
from log_aggregator.adapters.s3.clients import Clients
from log_aggregator.adapters.s3.curl import ReadRequest
from log_aggregator.adapters.s3.errors import BAD_ANSWER, make_error, store_errors
from log_aggregator.adapters.s3.owners import OWNER_HEADER
from log_aggregator.adapters.s3.restoring import parse_restore
from log_aggregator.adapters.s3.writing import decode_crc
from log_aggregator.core.checksums import crc64nvme
from log_aggregator.model import LogObject, StoredObject
from log_aggregator.ports.store import Bodies, Body

OPAQUE_ETAG_ENCRYPTIONS = frozenset({"aws:kms", "aws:kms:dsse"})
"""With these the ETag is not the MD5 of the object, even if it was written in one piece
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html).
"""
METADATA = "x-amz-meta-"
CHECKSUM_MODE = {"x-amz-checksum-mode": "ENABLED"}
"""Asks for the stored checksum, which S3 otherwise leaves out of its answer."""


def _crc(compute: Callable[[bytes], int], size_bytes: int) -> Callable[[bytes], bytes]:
    return lambda data: compute(data).to_bytes(size_bytes, "big")


CHECKSUMS: Mapping[str, Callable[[bytes], bytes]] = {
    "crc64nvme": _crc(crc64nvme, 8),
    "crc32c": _crc(checksums.crc32c, 4),
    "crc32": _crc(checksums.crc32, 4),
    "sha256": lambda data: hashlib.sha256(data).digest(),
    "sha1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
}
"""S3's algorithms, by the end of the header's name. The first that is present is compared.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
"""


def get_object(
    clients: Clients,
    bucket: str,
    key: str,
    version_id: str | None,
    if_match: str | None,
    byte_range: tuple[int, int] | None,
) -> Body:
    headers = make_headers(clients, bucket, if_match)
    if byte_range is not None:
        first, end = byte_range
        if first >= end:
            raise ValueError(f"an empty range: {byte_range}")
        headers["range"] = f"bytes={first}-{end - 1}"
    request = ReadRequest(clients.reader, bucket, key, headers, make_query(version_id))
    answer = clients.reader.ask(request)
    if byte_range is not None and not is_range(answer, byte_range[0]):
        text = "expected the range that was asked for"
        raise make_error("GetObject", bucket, key, BAD_ANSWER, 0, text)
    return make_body(answer)


def get_objects(clients: Clients, sources: Iterable[LogObject]) -> Bodies:
    """Many at the same time, in the sources' order."""
    gets = (
        ReadRequest(
            clients.reader,
            source.bucket,
            source.key,
            make_headers(clients, source.bucket, source.etag),
            make_query(source.version_id),
            source.size_bytes,
        )
        for source in sources
    )
    for answer in clients.reader.ask_many(gets):
        yield make_body(answer) if isinstance(answer, Answer) else answer


def get_object_checked(
    clients: Clients, bucket: str, key: str, version_id: str | None, if_match: str | None
) -> tuple[Body, bool]:
    """Also compares the checksum that S3 stores, whichever algorithm it is. The second value is
    True if there was one, or if the ETag is not an MD5.
    """
    headers = make_headers(clients, bucket, if_match) | CHECKSUM_MODE
    request = ReadRequest(clients.reader, bucket, key, headers, make_query(version_id))
    answer = clients.reader.ask(request)
    is_same = compare_checksum(answer)
    if is_same is False:
        text = "its bytes do not have the checksum that S3 stores"
        raise make_error("GetObject", bucket, key, BAD_ANSWER, 0, text)
    body = make_body(answer)
    return body, is_same is True or body.has_opaque_etag


def head_object(
    clients: Clients, bucket: str, key: str, version_id: str | None, if_match: str | None
) -> StoredObject:
    headers = make_headers(clients, bucket, if_match) | CHECKSUM_MODE
    query = make_query(version_id)
    request = ReadRequest(clients.reader, bucket, key, headers, query, operation="HeadObject")
    with store_errors("HeadObject", bucket, key):
        return make_stored(bucket, key, clients.reader.ask(request).headers)


def make_stored(bucket: str, key: str, headers: Mapping[str, str]) -> StoredObject:
    """Raises KeyError if the answer lacks a header that every object has, ValueError if the length
    is not a number.
    """
    etag = headers["etag"].strip('"')
    return StoredObject(
        bucket=bucket,
        key=key,
        size_bytes=int(headers["content-length"]),
        etag=etag,
        version_id=headers.get("x-amz-version-id"),
        # S3 leaves the header out for STANDARD
        # (https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html).
        storage_class=headers.get("x-amz-storage-class") or "STANDARD",
        crc64nvme=find_object_crc(headers),
        # The ETag of a multipart object ends in a hyphen and the number of parts ("...-7").
        has_md5_etag=re.fullmatch(r"[0-9a-f]{32}", etag) is not None and not is_opaque(headers),
        restore=parse_restore(headers.get("x-amz-restore")),
        archive_tier=headers.get("x-amz-archive-status"),
    )


def find_object_crc(headers: Mapping[str, str]) -> int | None:
    """The CRC64NVME of the whole object. A checksum of the parts' checksums ("...-7") is of no use.

    Not every store reports the type. Then the ETag shows whether the object was written in parts.
    """
    kind = headers.get("x-amz-checksum-type")
    if kind == "FULL_OBJECT" or (kind is None and "-" not in headers["etag"]):
        return decode_crc(headers.get("x-amz-checksum-crc64nvme"))
    return None


def make_headers(clients: Clients, bucket: str, if_match: str | None) -> dict[str, str]:
    headers = {} if if_match is None else {"if-match": f'"{if_match}"'}
    owner = clients.owner_of(bucket)
    if owner is not None:
        headers[OWNER_HEADER] = owner
    return headers


def make_query(version_id: str | None) -> dict[str, str]:
    return {} if version_id is None else {"versionId": version_id}


def is_range(answer: Answer, first: int) -> bool:
    """Whether the answer is the range that was asked for. Its end is not compared: if the range
    ends after the object, S3 sends what there is. A server without ranges answers 200 with
    everything.
    """
    return answer.status == 206 and answer.headers.get("content-range", "").startswith(
        f"bytes {first}-"
    )


def compare_checksum(answer: Answer) -> bool | None:
    """None if S3 stores no checksum of the whole object: one that was written in parts may have a
    checksum of the parts' checksums
    (https://docs.aws.amazon.com/AmazonS3/latest/API/API_Checksum.html).
    """
    if answer.headers.get("x-amz-checksum-type", "FULL_OBJECT") != "FULL_OBJECT":
        return None
    for name, compute in CHECKSUMS.items():
        stored = answer.headers.get(f"x-amz-checksum-{name}", "")
        expected = compute(answer.body)
        try:
            is_usable = bool(stored) and len(base64.b64decode(stored)) == len(expected)
        except ValueError:
            is_usable = False
        if is_usable and "-" not in stored:
            return base64.b64encode(expected).decode() == stored
    return None


def is_opaque(headers: Mapping[str, str]) -> bool:
    """Whether the encryption makes the ETag something else than the MD5."""
    return (
        headers.get("x-amz-server-side-encryption") in OPAQUE_ETAG_ENCRYPTIONS
        or "x-amz-server-side-encryption-customer-algorithm" in headers
    )


def make_body(answer: Answer) -> Body:
    headers = answer.headers
    return Body(
        data=answer.body,
        metadata={
            name.removeprefix(METADATA): value
            for name, value in headers.items()
            if name.startswith(METADATA)
        },
        content_type=headers.get("content-type"),
        content_encoding=headers.get("content-encoding"),
        etag=headers.get("etag", "").strip('"'),
        version_id=headers.get("x-amz-version-id"),
        has_opaque_etag=is_opaque(headers),
    )
