"""Reading objects: obstore for nearly all, boto3 for keys that obstore cannot hold and for checked
reads.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import obstore
from botocore.exceptions import HTTPClientError, IncompleteReadError, ResponseStreamingError
from botocore.httpchecksum import StreamingChecksumBody

from log_aggregator.adapters.s3.clients import Clients
from log_aggregator.adapters.s3.errors import BAD_ANSWER, BAD_HEADER, make_error, store_errors
from log_aggregator.errors import ObjectRefused
from log_aggregator.ports.store import Body

UNSAFE_FOR_OBSTORE = re.compile(r"[\x00-\x1f\x7f]|\A/|/\Z|//|(?:\A|/)\.\.?(?:/|\Z)")
"""Control characters, empty segments, `.` and `..`. obstore refuses some of these keys, and of
others it strips a slash, which would read another object.
"""

STANDARD_ATTRIBUTES = frozenset(
    {
        "Cache-Control",
        "Content-Disposition",
        "Content-Encoding",
        "Content-Language",
        "Content-Type",
        "Storage-Class",
    }
)
"""obstore gives these and the user metadata in one dictionary. The names of user metadata are in
lower case.
"""

SENDABLE = re.compile(r"[\t\x20-\x7e]*")
"""boto3 refuses to send other user metadata, and signs other headers in another encoding than it
sends.
"""

OPAQUE_ETAG_ENCRYPTIONS = frozenset({"aws:kms", "aws:kms:dsse"})
BODY_RETRIES_MAX = 3


def get_object(
    clients: Clients,
    bucket: str,
    key: str,
    version_id: str | None,
    if_match: str | None,
    byte_range: tuple[int, int] | None,
) -> Body:
    if byte_range is not None and byte_range[0] >= byte_range[1]:
        raise ValueError(f"an empty range: {byte_range}")
    if not UNSAFE_FOR_OBSTORE.search(key):
        reader = clients.reader(bucket)
        try:
            return get_with_obstore(reader, bucket, key, version_id, if_match, byte_range)
        except ObjectRefused as error:
            if error.code != BAD_ANSWER:
                raise
            # obstore refuses an answer for one header that is not ASCII, even if nobody needs it
    request = make_request(bucket, key, version_id, if_match, byte_range)
    return get_with_boto3(clients.s3, request)[0]


def get_with_obstore(
    reader: Any,
    bucket: str,
    key: str,
    version_id: str | None,
    if_match: str | None,
    byte_range: tuple[int, int] | None,
) -> Body:
    options: dict[str, Any] = {}
    if version_id is not None:
        options["version"] = version_id
    if if_match is not None:
        options["if_match"] = f'"{if_match}"'
    if byte_range is not None:
        options["range"] = byte_range
    with store_errors("GetObject", bucket, key):
        result = obstore.get(reader, key, options=options)
        data = result.bytes().to_bytes()
    attributes = result.attributes
    if if_match is not None:
        etag, version = (
            if_match,
            version_id,
        )  # S3 has just said that they are these; obstore's `meta` is costly to make
    else:
        etag, version = (result.meta["e_tag"] or "").strip('"'), result.meta["version"]
    return Body(
        data=data,
        metadata={
            name: value for name, value in attributes.items() if name not in STANDARD_ATTRIBUTES
        },
        content_type=attributes.get("Content-Type"),
        content_encoding=attributes.get("Content-Encoding"),
        etag=etag,
        version_id=version,
    )


def get_object_checked(
    s3: Any, bucket: str, key: str, version_id: str | None, if_match: str | None
) -> tuple[Body, bool]:
    """boto3 compares the stored checksum while it reads, whichever of S3's algorithms it is;
    obstore does not.
    """
    request = make_request(bucket, key, version_id, if_match, None) | {"ChecksumMode": "ENABLED"}
    body, response = get_with_boto3(s3, request)
    was_compared = isinstance(response["Body"], StreamingChecksumBody)
    return body, was_compared or is_opaque(response)


def is_opaque(response: Mapping[str, Any]) -> bool:
    """Whether the ETag is no MD5 because of the encryption."""
    return (
        response.get("ServerSideEncryption") in OPAQUE_ETAG_ENCRYPTIONS
        or "SSECustomerAlgorithm" in response
    )


def get_with_boto3(s3: Any, request: dict[str, Any]) -> tuple[Body, Mapping[str, Any]]:
    """A request that fails botocore repeats itself, a body that breaks off it does not."""
    with store_errors("GetObject", request["Bucket"], request["Key"]):
        for _ in range(BODY_RETRIES_MAX):
            response = s3.get_object(**request)
            with suppress(HTTPClientError, IncompleteReadError, ResponseStreamingError):
                return make_checked_body(request, response), response
        response = s3.get_object(**request)
        return make_checked_body(request, response), response


def make_checked_body(request: Mapping[str, Any], response: Mapping[str, Any]) -> Body:
    """Raises ObjectRefused, in a text that names the header and not what it holds."""
    body = make_body(response)
    if "Range" in request and not is_range(request["Range"], response.get("ContentRange", "")):
        flaw = BAD_ANSWER, "expected the range that was asked for"
    elif name := find_unsendable(body):
        flaw = BAD_HEADER, f"the header {name!a}: expected ASCII, or it could not be put back"
    else:
        return body
    raise make_error("GetObject", request["Bucket"], request["Key"], flaw[0], 0, flaw[1])


def is_range(asked: str, came: str) -> bool:
    """The client does not compare them, unlike obstore. Of a range that ends after the object's end
    the first part comes.
    """
    return came.startswith(asked.replace("=", " ").rpartition("-")[0] + "-")


def find_unsendable(body: Body) -> str | None:
    """Of what goes back with an object, a header that no client can send: it is not ASCII."""
    headers = {
        "Content-Type": body.content_type or "",
        "Content-Encoding": body.content_encoding or "",
        **{f"x-amz-meta-{name}": value for name, value in body.metadata.items()},
    }
    odd = (name for name, value in headers.items() if not SENDABLE.fullmatch(name + value))
    return next(odd, None)


def make_body(response: Mapping[str, Any]) -> Body:
    stream = response["Body"]
    # no `with`: it would hand out urllib3's stream, and nothing would compare checksum and length
    try:
        data = stream.read()
    finally:
        stream.close()
    return Body(
        data=data,
        metadata=response.get("Metadata", {}),
        content_type=response.get("ContentType"),
        content_encoding=response.get("ContentEncoding"),
        etag=response.get("ETag", "").strip('"'),
        version_id=response.get("VersionId"),
        has_opaque_etag=is_opaque(response),
    )


def make_request(
    bucket: str,
    key: str,
    version_id: str | None,
    if_match: str | None,
    byte_range: tuple[int, int] | None,
) -> dict[str, Any]:
    request: dict[str, Any] = {"Bucket": bucket, "Key": key}
    if version_id is not None:
        request["VersionId"] = version_id
    if if_match is not None:
        request["IfMatch"] = f'"{if_match}"'
    if byte_range is not None:
        request["Range"] = f"bytes={byte_range[0]}-{byte_range[1] - 1}"
    return request
