"""Turns errors of botocore and libcurl into those of `log_aggregator.errors`.

A message is one line: operation, object, S3's code, S3's message. It never contains bytes of an
object.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.parsers import ResponseParserError

from log_aggregator.adapters.s3.deadlines import calling
from log_aggregator.errors import (
    AccessDenied,
    NoSuchBucket,
    NotAuthenticated,
    NotFound,
    ObjectFrozen,
    ObjectRefused,
    PreconditionFailed,
    RequestFailed,
    StoreError,
    Unreachable,
    WrongClock,
    WrongSignature,
)

NO_ANSWER = "NoAnswer"
ERRORS: dict[str, type[RequestFailed]] = {
    "InvalidObjectState": ObjectFrozen,  # a 403, but no permission would help
    "PreconditionFailed": PreconditionFailed,
    # A 409: another request changed the key while ours was checked. A PutObject could be repeated,
    # a multipart upload must begin anew, and either way the caller must look at the key first
    # (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).
    "ConditionalRequestConflict": PreconditionFailed,
    "NoSuchBucket": NoSuchBucket,
    "NoSuchKey": NotFound,
    "NoSuchVersion": NotFound,
    "NoSuchUpload": NotFound,
    "AccessDenied": AccessDenied,
    "AllAccessDisabled": AccessDenied,
    "AccountProblem": AccessDenied,
    "ExpiredToken": NotAuthenticated,
    "ExpiredTokenException": NotAuthenticated,  # other services' name for it
    "InvalidAccessKeyId": NotAuthenticated,
    "InvalidClientTokenId": NotAuthenticated,  # of STS and IAM
    "InvalidToken": NotAuthenticated,
    # S3 refuses requests whose x-amz-date is more than 15 minutes off. New credentials would not
    # help, so it is not NotAuthenticated.
    "RequestTimeTooSkewed": WrongClock,
    "TokenRefreshRequired": NotAuthenticated,
    "UnrecognizedClientException": NotAuthenticated,  # of KMS and CloudTrail
    "SignatureDoesNotMatch": WrongSignature,
    "KMS.DisabledException": AccessDenied,
    "KMS.NotFoundException": AccessDenied,
    # Not S3's: what botocore and our own code say when no answer came.
    "ConnectTimeoutError": Unreachable,
    "ConnectionClosedError": Unreachable,
    "DeadlineExceeded": Unreachable,  # ours, of `deadlines`
    "EndpointConnectionError": Unreachable,
    "HTTPClientError": Unreachable,
    "ProxyConnectionError": Unreachable,
    "ReadTimeoutError": Unreachable,
    "SSLError": Unreachable,
    NO_ANSWER: Unreachable,
    "Stopped": Unreachable,  # ours, too
}
"""By S3's code (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html)."""

STATUSES: dict[int, type[RequestFailed]] = {
    403: AccessDenied,
    404: NotFound,
    405: NotFound,
    412: PreconditionFailed,
}
"""By HTTP status, for codes that are not listed above, and for HEAD, whose errors have no body and
so no code (https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html). 405 means that the
version is a delete marker.
"""

OBJECT_READS = frozenset({"GetObject", "HeadObject"})
"""The operations whose answer is about one object."""

BAD_ANSWER = "BadAnswer"
BAD_HEADER = "BadHeader"
BAD_ANSWERS = frozenset(
    {
        BAD_ANSWER,
        BAD_HEADER,
        "FlexibleChecksumError",
        "IncompleteReadError",
        "ResponseParserError",
        "ResponseStreamingError",
    }
)
"""Not S3's: an answer came but cannot be used. The last four are botocore's."""

GENERAL_CODES = frozenset(
    {
        "AuthorizationHeaderMalformed",
        "BandwidthLimitExceeded",
        "IllegalLocationConstraintException",
        "InvalidBucketName",
        "KMS.DependencyTimeoutException",
        "KMS.KMSInternalException",
        "KMS.LimitExceededException",
        "KMS.ThrottlingException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
GENERAL_STATUSES = frozenset({401, 407, 408, 429})
"""4xx answers that are not about the object: credentials, Region, a proxy, too many requests."""

REGION_CODES = {
    "PermanentRedirect",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "301",
}

ELSEWHERE = "the bucket is in Region "
"""The beginning of a message that names the bucket's Region (see `regions`)."""

ACTIONS = {
    "ListBuckets": "s3:ListAllMyBuckets",
    "ListObjectVersions": "s3:ListBucketVersions",
    "ListObjectsV2": "s3:ListBucket",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "GetBucketVersioning": "s3:GetBucketVersioning",
    "GetObject": "s3:GetObject, s3:GetObjectVersion, kms:Decrypt where it is encrypted with KMS",
    "HeadObject": "s3:GetObject, s3:ListBucket, kms:Decrypt where it is encrypted with KMS",
    "PutObject": "s3:PutObject, kms:GenerateDataKey where a KMS key is set",
    "CreateMultipartUpload": "s3:PutObject, kms:GenerateDataKey where a KMS key is set",
    "UploadPart": "s3:PutObject, kms:GenerateDataKey and kms:Decrypt where a KMS key is set",
    "UploadPartCopy": (
        "s3:PutObject, and on the source s3:GetObject, s3:GetObjectVersion, kms:Decrypt"
    ),
    "CompleteMultipartUpload": "s3:PutObject, kms:Decrypt where a KMS key is set",
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "RestoreObject": "s3:RestoreObject",
    "DeleteObject": "s3:DeleteObject, s3:DeleteObjectVersion",
    "DeleteObjects": (
        "s3:DeleteObject, s3:DeleteObjectVersion, and s3:GetObject for conditional deletes"
    ),
}
"""The permissions that an operation needs. Their names often differ from the operation's: no action
is called s3:HeadObject or s3:CreateMultipartUpload
(https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html).

HeadObject: without s3:ListBucket S3 answers 403 instead of 404 for an object that does not exist
(https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html).
"""

MESSAGE_LENGTH_MAX = 300
FIELD = re.compile("[A-Z][A-Za-z]{1,40}|[a-z]+(-[a-z0-9]+)*")
"""The name of a field or header of an answer. Anything else might be a piece of an object."""


@contextmanager
def store_errors(
    operation: str, bucket: str = "", key: str = "", *, size_bytes: int = 0
) -> Iterator[None]:
    """Any error of botocore's inside the block becomes a RequestFailed, and so does an answer that
    cannot be used.

    `size_bytes`: of what is sent, or what S3 has to copy; the deadline grows with it. Interrupted
    (of a read that a ctrl-C cut) and KeyboardInterrupt pass through.
    """
    try:
        with calling(operation, size_bytes):
            yield
    except ClientError as error:
        answer = error.response.get("Error", {})
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        raise make_error(
            operation,
            bucket,
            key,
            str(answer.get("Code", "")),
            status,
            str(answer.get("Message", "")),
        ) from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise make_error(operation, bucket, key, type(error).__name__, 403, str(error)) from error
    # ResponseParserError is not a BotoCoreError. It is raised over an answer that is not S3's, for
    # example a proxy's page.
    except (BotoCoreError, ResponseParserError) as error:
        raise make_error(operation, bucket, key, type(error).__name__, 0, explain(error)) from error
    except KeyError as error:
        name = str(error.args[0])
        missing = name if FIELD.fullmatch(name) else "field that it must have"
        raise make_error(
            operation, bucket, key, BAD_ANSWER, 0, f"the answer has no {missing}"
        ) from error
    except binascii.Error as error:
        raise make_error(
            operation, bucket, key, BAD_ANSWER, 0, "a checksum in the answer is not Base64"
        ) from error
    except ValueError as error:  # a time or a length in the answer cannot be parsed
        if operation not in OBJECT_READS:
            raise
        # The type only: the error's own text quotes the header.
        message = f"the answer cannot be read: {type(error).__name__}"
        raise make_error(operation, bucket, key, BAD_ANSWER, 0, message) from error


def explain(error: Exception) -> str:
    """Botocore's message without its quotations: it quotes the body of an answer that it cannot
    parse, and the value of a parameter of the wrong type, which may be what was to be written.
    """
    if isinstance(error, ResponseParserError):
        return "the answer is not from AWS; check whether a proxy sent it"
    return one_line(re.sub(r", value: .*", "", str(error)))


def make_error(
    operation: str, bucket: str, key: str, code: str, status: int, message: str
) -> RequestFailed:
    code = one_line(code)
    kind = ERRORS.get(code) or STATUSES.get(status) or find_kind(operation, code, status)
    where = f"s3://{bucket}/{key}" if bucket else "S3"
    text = f"{operation} {where}: {code or status or 'failed'}"
    if message:
        text += f": {one_line(message)}"
    if (code or str(status)) in REGION_CODES and ELSEWHERE not in message:
        text += " (is the bucket in another Region? Set the Region to the bucket's: --region)"
    if kind is WrongClock:
        text += " (set the clock of this machine)"
    elif kind is NotAuthenticated:
        text += " (renew the credentials)"
    if kind is AccessDenied:
        text += f" (needs {ACTIONS.get(operation, 'permission')})"
    return kind(text, code=code or str(status), operation=operation)


def find_kind(operation: str, code: str, status: int) -> type[RequestFailed]:
    """For an answer that is in no table: whether it is about this one object (ObjectRefused), or
    about the request in general (StoreError).
    """
    is_refusal = status // 100 == 4 and not (code in GENERAL_CODES or status in GENERAL_STATUSES)
    is_its_own = operation in OBJECT_READS and (is_refusal or code in BAD_ANSWERS)
    return ObjectRefused if is_its_own else StoreError


def find_element(text: str, name: str) -> str:
    found = re.search(rf"<{name}>([^<]*)</{name}>", text)
    return found[1] if found else ""


def one_line(message: str) -> str:
    return " ".join(message.split())[:MESSAGE_LENGTH_MAX]
