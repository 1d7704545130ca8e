"""Whose buckets these are, said in every request: S3 refuses a request that names another owner.

The name of a bucket that is gone, or was mistyped, may belong to anybody, who can let everybody
write to it. Packs would go there, would be verified there, and the originals would be deleted
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html).

The owner is added by a handler of the client, to every operation that can carry one. ListBuckets
cannot, and needs none: it names the buckets of the account that asks.
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
"""As ExpectedBucketOwner: a request that says on purpose nothing about the owner."""

OWNER_HEADER = "x-amz-expected-bucket-owner"
TARGET, SOURCE = "ExpectedBucketOwner", "ExpectedSourceBucketOwner"
EXPECTED = "log_aggregator_expected_owners"
"""Where the context of a request keeps what it expected."""

OTHER_SERVICE = re.compile("not authorized to perform: (?!s3:)")
"""S3 hands on what KMS says, with the key's ARN: it got past the bucket."""

UNKNOWN = "the account of the credentials is not known"
HINT = '; where STS cannot be asked, name it: bucket_accounts = { "*" = "<account>" }'


class Owners:
    """The account of each bucket. Thread safe.

    `accounts` are names of buckets, or beginnings of names followed by `*`, and their accounts; the
    longest that fits counts. All other buckets are taken to be of the account that `find_own`
    finds; it is called once.
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
        """None where nothing is known, and so nothing expected. Raises CannotStart."""
        named = self._find_named(bucket)
        return self.own() if named is None else named

    def own(self) -> str | None:
        """The account of every bucket that is not named. Raises CannotStart."""
        with self._lock:
            if not self._is_found:
                self._own, self._is_found = self._find_own(), True
            return self._own

    def check(self) -> None:
        """Finds the own account now, if it may be needed: before anything is touched. Raises
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
    """Beside another S3 server than AWS's only named accounts are expected: it may have no STS, and
    AWS's must not see its credentials.
    """

    def find_own() -> str | None:
        if not is_aws(s3_endpoint_url):
            return None
        return ask_account(session, config, region)

    return Owners(accounts, find_own)


def register_owners(client: Any, owners: Owners) -> None:
    """Every request of this client expects the bucket's owner, and a refusal says which."""

    def name_owners(
        params: dict[str, Any], model: OperationModel, context: dict[str, Any], **_: object
    ) -> None:
        context[EXPECTED] = add_owners(params, model, owners)

    client.meta.events.register("provide-client-params.s3", name_owners)
    client.meta.events.register("after-call.s3", tell_expected)


def add_owners(
    params: dict[str, Any], model: OperationModel, owners: Owners
) -> list[tuple[str, str]]:
    """Adds to a request's parameters whose buckets it is about; returns (bucket, account)."""
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
    """S3 says no more than "Access Denied" where the owner is another; so the message says what was
    expected. It may have been denied for another reason.
    """
    error = parsed.get("Error", {})
    code, message = error.get("Code", ""), error.get("Message") or ""
    expected = context.get(EXPECTED, ())
    told = name_expected(expected, code, http_response.status_code, message)
    if told != message:
        parsed["Error"] = {**error, "Message": told}


def name_expected(expected: Iterable[tuple[str, str]], code: str, status: int, message: str) -> str:
    """A refusal's message, which also says of which account (bucket, account) were to be."""
    is_refusal = status == HTTPStatus.FORBIDDEN and code in ("", "AccessDenied", "Forbidden", "403")
    owners = " and ".join(
        f"bucket {bucket}: expected to be owned by account {account}"
        for bucket, account in dict.fromkeys(expected)
    )
    if not is_refusal or not owners or OTHER_SERVICE.search(message):
        return message
    return f"{owners}: {message or 'Forbidden'}"


def ask_account(session: Session, config: Config, region: str) -> str:
    """The account that the credentials are of. STS tells everybody
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
    except RequestFailed as error:  # of the credentials, while it was signed
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
