"""Every request to a bucket names the account that is expected to own it, from the first look."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from tests.unit.adapters.conftest import Answer, CannedS3

import log_aggregator
from log_aggregator.adapters.s3 import ClientSettings, S3Store
from log_aggregator.adapters.s3.clients import is_of_aws, make_clients
from log_aggregator.adapters.s3.owners import ANY, Owners
from log_aggregator.errors import AccessDenied, RequestFailed, SettingsError
from log_aggregator.model import LogObject
from log_aggregator.ports.store import Deletion, Upload, WriteOptions
from log_aggregator.settings import read_settings
from log_aggregator.wiring import Connection

OWN, OTHER = "111122223333", "444455556666"
HEADER, SOURCE_HEADER = "x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner"
UPLOAD = Upload("b", "k", "u")
SOURCE = LogObject("other", "k", "v", "e", 10, datetime(2025, 4, 3, tzinfo=UTC))
CALLS: dict[str, Callable[[S3Store], object]] = {
    "ListObjectVersions": lambda store: store.list_object_versions("b"),
    "ListObjectsV2": lambda store: store.list_objects("b"),
    "list_prefixes": lambda store: store.list_prefixes("b", prefix=""),
    "GetBucketVersioning": lambda store: store.get_bucket_versioning("b"),
    "GetObject": lambda store: store.get_object("b", "k", version_id="v", if_match="e"),
    "get_object_checked": lambda store: store.get_object_checked("b", "k"),
    "HeadObject": lambda store: store.head_object("b", "k"),
    "PutObject": lambda store: store.put_object(
        "b", "k", b"x", crc64nvme=1, options=WriteOptions()
    ),
    "CreateMultipartUpload": lambda store: store.create_multipart_upload(
        "b", "k", options=WriteOptions()
    ),
    "UploadPart": lambda store: store.upload_part(UPLOAD, 1, b"x", crc64nvme=1),
    "UploadPartCopy": lambda store: store.upload_part_copy(UPLOAD, 1, SOURCE, (0, 10)),
    "CompleteMultipartUpload": lambda store: store.complete_multipart_upload(
        UPLOAD, [], size_bytes=1, crc64nvme=1
    ),
    "AbortMultipartUpload": lambda store: store.abort_multipart_upload(UPLOAD),
    "ListMultipartUploads": lambda store: store.list_multipart_uploads("b", prefix=""),
    "RestoreObject": lambda store: store.restore_object("b", "k", days=1, tier="Bulk"),
    "DeleteObjects": lambda store: store.delete_objects("b", [Deletion("k", "v")]),
    "DeleteObject": lambda store: store.delete_objects("b", [Deletion("k\x01", "v")]),
}


def connect(canned: CannedS3, **accounts: Any) -> S3Store:
    return S3Store.connect(replace(canned.settings, attempts_max=1, **accounts))


@pytest.mark.usefixtures("no_back_off")
@pytest.mark.parametrize("call", CALLS)
def test_every_request_names_the_owner(canned: CannedS3, call: str) -> None:
    """Whatever S3 answers to it."""
    canned.answers = [Answer(403, b"")]
    store = connect(canned, account=OWN, bucket_accounts={"other": OTHER})
    with suppress(RequestFailed):
        CALLS[call](store)
    assert canned.requests
    assert {request.headers.get(HEADER) for request in canned.requests} == {OWN}
    if call == "UploadPartCopy":
        assert canned.requests[0].headers[SOURCE_HEADER] == OTHER


def test_no_operation_is_forgotten() -> None:
    """What botocore's S3 can be asked of a bucket, and the package asks."""
    text = "".join(
        path.read_text() for path in Path(log_aggregator.__file__).parent.rglob("adapters/s3/*.py")
    )
    asked = set(re.findall(r"(?:s3|client|_s3)\.([a-z_0-9]+)\(", text))
    client = botocore.session.Session().create_client(
        "s3", region_name="eu-west-1", aws_access_key_id="k", aws_secret_access_key="s"
    )
    operations = {
        client.meta.method_to_api_mapping[name]
        for name in asked & set(dir(client))
        if name in client.meta.method_to_api_mapping
    }
    tested = set(CALLS) | {"ListBuckets"}
    assert operations - tested == set()


@pytest.mark.parametrize("accounts", [{}, {"account": OWN, "bucket_accounts": {"b": ANY}}])
def test_a_server_without_accounts_is_told_none(canned: CannedS3, accounts: dict[str, Any]) -> None:
    """Nor where any will do."""
    canned.answers = [Answer(403, b"")]
    store = connect(canned, **accounts)
    for call in (store.get_bucket_versioning, lambda bucket: store.get_object(bucket, "k")):
        with pytest.raises(RequestFailed):
            call("b")
    assert [request.headers.get(HEADER) for request in canned.requests] == [None, None]


def test_whose_account_this_is_is_asked_once() -> None:
    """And only when the first bucket is."""
    asked: list[str] = []

    def ask() -> str:
        asked.append("once")
        return OWN

    owners = Owners({"theirs": OTHER}, ask)
    assert (owners.of("theirs"), asked) == (OTHER, [])
    assert [owners.of("a"), owners.of("b"), asked] == [OWN, OWN, ["once"]]


def test_nobody_knows_whose_account_this_is() -> None:
    """Then nothing is asked of any bucket: it could be anybody's."""

    def ask() -> str:
        raise AccessDenied("GetCallerIdentity S3: no")

    clients = make_clients(ClientSettings(region="eu-west-1", access_key="k", secret_key="s"))
    clients.owners.ask_own = ask
    store = S3Store(clients)
    for call in (store.get_bucket_versioning, lambda bucket: store.get_object(bucket, "k")):
        with pytest.raises(AccessDenied, match="GetCallerIdentity"):
            call("b")


@pytest.mark.parametrize(
    ("endpoint_url", "expected"),
    [
        ("https://s3.eu-west-1.amazonaws.com", True),
        ("https://bucket.vpce-1a2b.s3.us-east-1.vpce.amazonaws.com", True),
        ("https://s3.cn-north-1.amazonaws.com.cn", True),
        ("http://127.0.0.1:8333", False),
        ("https://s3.amazonaws.com.example.com", False),
    ],
)
def test_which_servers_know_accounts(endpoint_url: str, expected: bool) -> None:
    """AWS's, by whatever endpoint."""
    assert is_of_aws(endpoint_url) is expected


def test_settings_name_owners() -> None:
    """The destination's has a setting of its own, which wins."""
    settings = read_settings(
        None,
        {
            "destination_bucket": "dest",
            "account": OWN,
            "destination_account": OTHER,
            "bucket_accounts": {"inventories": OTHER, "archive": "any"},
        },
    )
    connection = Connection().of(settings)
    assert connection.account == OWN
    assert dict(connection.bucket_accounts) == {
        "dest": OTHER,
        "inventories": OTHER,
        "archive": "any",
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [("account", "1234"), ("destination_account", "any"), ("bucket_accounts", {"b": "x"})],
)
def test_what_is_no_account(name: str, value: object) -> None:
    """The setting is named, and what is allowed."""
    with pytest.raises(SettingsError, match=f"{name} = .*: expected"):
        read_settings(None, {"destination_bucket": "dest", name: value})
