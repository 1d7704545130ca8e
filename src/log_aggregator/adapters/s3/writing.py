"""Writes objects, whole or in parts. Nothing is overwritten unless the options allow it, and S3
checks every byte against our CRC64NVME.

The condition is If-None-Match: *
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html). It looks at the
current version only: a key whose current version is a delete marker counts as free.

botocore repeats a request whose answer was lost. If the first one was carried out, the second finds
its object and fails with PreconditionFailed. So the caller must compare what is there before it
concludes that another writer made it.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from log_aggregator.adapters.s3.errors import store_errors
from log_aggregator.model import LogObject
from log_aggregator.ports.store import Part, Upload, WriteOptions

CRC_SIZE_BYTES = 8


def put_object(
    s3: Any, bucket: str, key: str, data: bytes | bytearray, crc64nvme: int, options: WriteOptions
) -> None:
    condition = {} if options.may_replace else {"IfNoneMatch": "*"}
    with store_errors("PutObject", bucket, key, size_bytes=len(data)):
        s3.put_object(
            Bucket=bucket,
            Key=key,
            Body=data,
            ChecksumCRC64NVME=encode_crc(crc64nvme),
            **condition,
            **encode_options(options),
        )


def create_multipart_upload(s3: Any, bucket: str, key: str, options: WriteOptions) -> Upload:
    """FULL_OBJECT makes S3 compute the checksum of the whole object; of a multipart upload it does
    that only for CRCs, never for SHA-256
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html).
    The CRC of the whole can be computed from those of the parts, so nothing is read twice.
    """
    with store_errors("CreateMultipartUpload", bucket, key):
        response = s3.create_multipart_upload(
            Bucket=bucket,
            Key=key,
            ChecksumAlgorithm="CRC64NVME",
            ChecksumType="FULL_OBJECT",
            **encode_options(options),
        )
        return Upload(
            bucket,
            key,
            response["UploadId"],
            has_object_checksum=response.get("ChecksumType") != "COMPOSITE",
        )


def upload_part(
    s3: Any, upload: Upload, number: int, data: bytes | bytearray, crc64nvme: int
) -> Part:
    with store_errors("UploadPart", upload.bucket, upload.key, size_bytes=len(data)):
        response = s3.upload_part(
            **encode_upload(upload),
            PartNumber=number,
            Body=data,
            ChecksumCRC64NVME=encode_crc(crc64nvme),
        )
        return Part(number, response["ETag"].strip('"'), len(data), crc64nvme)


def upload_part_copy(
    s3: Any, upload: Upload, number: int, source: LogObject, byte_range: tuple[int, int]
) -> Part:
    """Botocore percent-encodes the key in CopySource itself. CopySourceIfMatch makes S3 refuse a
    source that was replaced since it was listed.
    """
    first, last = byte_range
    copy_source = {"Bucket": source.bucket, "Key": source.key}
    if source.version_id is not None:
        copy_source["VersionId"] = source.version_id
    request = {
        **encode_upload(upload),
        "PartNumber": number,
        "CopySource": copy_source,
        "CopySourceIfMatch": f'"{source.etag}"',
    }
    # S3 refuses a range if the source has 5 MiB or less, even if the range is the whole object.
    if byte_range != (0, source.size_bytes):
        request["CopySourceRange"] = f"bytes={first}-{last - 1}"
    # S3 may answer 200 and put an error into the body. botocore notices that, for this operation
    # and for CompleteMultipartUpload, and repeats the request.
    with store_errors("UploadPartCopy", source.bucket, source.key, size_bytes=last - first):
        result = s3.upload_part_copy(**request)["CopyPartResult"]
        return Part(
            number,
            result["ETag"].strip('"'),
            last - first,
            decode_crc(result.get("ChecksumCRC64NVME")),
        )


def complete_multipart_upload(
    s3: Any, upload: Upload, parts: Sequence[Part], size_bytes: int, crc64nvme: int
) -> None:
    """MpuObjectSize makes S3 compare the total size. The condition belongs here, because
    CreateMultipartUpload takes none, and S3 does not count other uploads under way as existing. A
    409 (ConditionalRequestConflict) ends the upload: it must begin anew
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).
    """
    # A store that announced a checksum of the parts' checksums (COMPOSITE) would refuse that of the
    # whole.
    whole = (
        {"ChecksumCRC64NVME": encode_crc(crc64nvme), "ChecksumType": "FULL_OBJECT"}
        if upload.has_object_checksum
        else {}
    )
    with store_errors("CompleteMultipartUpload", upload.bucket, upload.key, size_bytes=size_bytes):
        s3.complete_multipart_upload(
            **encode_upload(upload),
            **whole,
            MultipartUpload={"Parts": [encode_part(part) for part in parts]},
            MpuObjectSize=size_bytes,
            IfNoneMatch="*",
        )


def encode_options(options: WriteOptions) -> dict[str, Any]:
    request: dict[str, Any] = {"ContentType": options.content_type}
    if options.content_encoding is not None:
        request["ContentEncoding"] = options.content_encoding
    if options.metadata:
        request["Metadata"] = dict(options.metadata)
    if options.storage_class != "STANDARD":
        request["StorageClass"] = options.storage_class
    if options.is_sse_s3:
        request["ServerSideEncryption"] = "AES256"
    elif options.kms_key_id is not None:
        # A bucket key saves nearly all KMS requests:
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html
        request |= {
            "ServerSideEncryption": "aws:kms",
            "SSEKMSKeyId": options.kms_key_id,
            "BucketKeyEnabled": True,
        }
    return request


def encode_upload(upload: Upload) -> dict[str, Any]:
    return {"Bucket": upload.bucket, "Key": upload.key, "UploadId": upload.upload_id}


def encode_part(part: Part) -> dict[str, Any]:
    encoded: dict[str, Any] = {"PartNumber": part.number, "ETag": f'"{part.etag}"'}
    if part.crc64nvme is not None and part.is_told:
        encoded["ChecksumCRC64NVME"] = encode_crc(part.crc64nvme)
    return encoded


def encode_crc(crc64nvme: int) -> str:
    return base64.b64encode(crc64nvme.to_bytes(CRC_SIZE_BYTES, "big")).decode()


def decode_crc(value: str | None) -> int | None:
    """None for a checksum of the parts' checksums ("...-7"), and for anything that cannot be a
    CRC64: one emulator sends four bytes.
    """
    if not value or "-" in value:
        return None
    try:
        raw = base64.b64decode(value)
    except ValueError:
        return None
    return int.from_bytes(raw, "big") if len(raw) == CRC_SIZE_BYTES else None
