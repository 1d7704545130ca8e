"""The expected owner of a bucket, sent with every request: S3 refuses a request that names another
account.

A bucket name that was mistyped, or whose bucket was deleted, may belong to a stranger, who may
allow everyone to write to it. Packs would go there, would be verified there, and the originals
would be deleted
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html).

A handler of the client adds the owner to every operation that accepts one. ListBuckets does not,
and needs none: it lists the caller's own buckets.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.model import OperationModel
from botocore.parsers import ResponseParserError
from botocore.session import Session

from log_aggregator.adapters.s3.errors import ERRORS, one_line
from log_aggregator.adapters.s3.regions import is_aws
from log_aggregator.errors import CannotStart, RequestFailed, Unreachable

ANYBODY = ""
"""Passed as ExpectedBucketOwner by a request that deliberately expects no owner."""

OWNER_HEADER = "x-amz-expected-bucket-owner"
TARGET, SOURCE = "ExpectedBucketOwner", "ExpectedSourceBucketOwner"
EXPECTED = "log_aggregator_expected_owners"
"""The entry of a request's context with the owners that it expected."""

OTHER_SERVICE = re.compile("not authorized to perform: (?!s3:)")
"""S3 passes on a refusal by KMS with the key's ARN. Then the bucket's owner was right."""

UNKNOWN = "the account of the credentials could not be found"
HINT = '; if STS cannot be reached, set the account: bucket_accounts = { "*" = "<account>" }'


class Owners:
    """The account of each bucket. Thread safe.

    `accounts` are pairs of a bucket name, or the beginning of names followed by `*`, and an
    account; the longest match counts. All other buckets are expected to belong to the account that
    `find_own` returns; it is called once.
    """

    def __init__(
        self, accounts: Iterable[tuple[str, str]], find_own: Callable[[], str | None]
    ) -> None:
        self._accounts = dict(accounts)
        self._find_own = find_own
        self._own: str | None = None
        self._is_found = False
        self._lock = threading.Lock()

    def of(self, bucket: str) -> str | None:
        """The expected account, None if it is not known. Raises CannotStart."""
        named = self._find_named(bucket)
        return self.own() if named is None else named

    def own(self) -> str | None:
        """The caller's own account. Raises CannotStart."""
        with self._lock:
            if not self._is_found:
                self._own, self._is_found = self._find_own(), True
            return self._own

    def check(self) -> None:
        """Finds the caller's account now if it may be needed, before anything is changed. Raises
        CannotStart.
        """
        if "*" not in self._accounts:
            self.own()

    def _find_named(self, bucket: str) -> str | None:
        if bucket in self._accounts:
            return self._accounts[bucket]
        beginnings = [
            name
            for name in self._accounts
            if name.endswith("*") and bucket.startswith(name.removesuffix("*"))
        ]
        return self._accounts[max(beginnings, key=len)] if beginnings else None


def make_owners(
    session: Session,
    config: Config,
    region: str,
    accounts: Iterable[tuple[str, str]],
    s3_endpoint_url: str,
) -> Owners:
    """If the S3 server is not AWS, only named accounts are expected: it may have no STS, and AWS's
    STS must not see its credentials.
    """

    def find_own() -> str | None:
        if not is_aws(s3_endpoint_url):
            return None
        return ask_account(session, config, region)

    return Owners(accounts, find_own)


def register_owners(client: Any, owners: Owners) -> None:
    """Makes every request of this client expect the bucket's owner, and name it in a refusal."""

    def name_owners(
        params: dict[str, Any], model: OperationModel, context: dict[str, Any], **_: object
    ) -> None:
        context[EXPECTED] = add_owners(params, model, owners)

    client.meta.events.register("provide-client-params.s3", name_owners)
    client.meta.events.register("after-call.s3", tell_expected)


def add_owners(
    params: dict[str, Any], model: OperationModel, owners: Owners
) -> list[tuple[str, str]]:
    """Adds the expected owners to a request's parameters; returns them as (bucket, account)."""
    buckets = {TARGET: params.get("Bucket")}
    if isinstance(params.get("CopySource"), Mapping):
        buckets[SOURCE] = params["CopySource"].get("Bucket")
    expected = []
    for member, bucket in buckets.items():
        if bucket is None or model.input_shape is None or member not in model.input_shape.members:
            continue
        account = params.pop(member, None)
        if account is None:
            account = owners.of(bucket)
        if account:
            params[member] = account
            expected.append((bucket, account))
    return expected


def tell_expected(
    http_response: Any, parsed: dict[str, Any], context: Mapping[str, Any], **_: object
) -> None:
    """S3 answers a wrong owner with a mere "Access Denied", so the expected owner is added to the
    message. The request may have been denied for another reason.
    """
    error = parsed.get("Error", {})
    code, message = error.get("Code", ""), error.get("Message") or ""
    expected = context.get(EXPECTED, ())
    told = name_expected(expected, code, http_response.status_code, message)
    if told != message:
        parsed["Error"] = {**error, "Message": told}


def name_expected(expected: Iterable[tuple[str, str]], code: str, status: int, message: str) -> str:
    """The message of a refusal, with the expected (bucket, account) added."""
    is_refusal = status == HTTPStatus.FORBIDDEN and code in ("", "AccessDenied", "Forbidden", "403")
    owners = " and ".join(
        f"bucket {bucket}: expected to be owned by account {account}"
        for bucket, account in dict.fromkeys(expected)
    )
    if not is_refusal or not owners or OTHER_SERVICE.search(message):
        return message
    return f"{owners}: {message or 'Forbidden'}"


def ask_account(session: Session, config: Config, region: str) -> str:
    """The account of the credentials. GetCallerIdentity needs no permission
    (https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html). Raises
    CannotStart.
    """
    what = "GetCallerIdentity"
    try:
        client = session.create_client("sts", region_name=region, config=config)
        what = f"{what} {client.meta.endpoint_url}"
        account = str(client.get_caller_identity()["Account"])
    except ClientError as error:
        raise _make_refusal(what, error) from error
    except BotoCoreError as error:
        code = type(error).__name__
        text = f"{UNKNOWN}: {what}: {code}: {one_line(str(error))}"
        raise CannotStart(text + (HINT if ERRORS.get(code) is Unreachable else "")) from error
    except RequestFailed as error:  # from the credentials, during signing
        raise CannotStart(f"{UNKNOWN}: {error}") from error
    except (ResponseParserError, KeyError) as error:
        raise CannotStart(f"{UNKNOWN}: {what}: expected an answer of STS{HINT}") from error
    if not re.fullmatch(r"[0-9]{12}", account):
        raise CannotStart(f"{UNKNOWN}: {what}: expected 12 digits in the answer{HINT}")
    return account


def _make_refusal(what: str, error: ClientError) -> CannotStart:
    answer = error.response.get("Error", {})
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    told = one_line(f"{answer.get('Code', '')}: {answer.get('Message', '')}")
    if status in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        accepted = "the credentials are not accepted; log in again, or name another profile"
        return CannotStart(f"{accepted}: {what}: {told}")
    return CannotStart(f"{UNKNOWN}: {what}: {told}{HINT}")
