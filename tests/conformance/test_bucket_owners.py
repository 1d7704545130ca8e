"""How servers other than AWS treat an unexpected bucket owner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
from awscrt.checksums import crc64nvme
from tests.conformance.harness import make_bucket_name

from log_aggregator.adapters.s3 import ClientSettings, S3Store
from log_aggregator.errors import AccessDenied
from log_aggregator.ports.store import ObjectStore, WriteOptions

pytestmark = pytest.mark.server

FOREIGN = "999988887777"
HEEDS: dict[str, bool] = {"seaweedfs": False, "moto": False, "ministack": False}
"""Whether a server refuses, as measured. AWS does."""

SETTINGS = {
    "seaweedfs": "embedded_settings",
    "moto": "moto_settings",
    "ministack": "ministack_settings",
}

CALLS: dict[str, Callable[[ObjectStore, str], object]] = {
    "list": lambda store, bucket: store.list_objects(bucket),
    "list versions": lambda store, bucket: store.list_object_versions(bucket),
    "versioning": lambda store, bucket: store.get_bucket_versioning(bucket),
    "read": lambda store, bucket: store.get_object_checked(bucket, "k"),
    "head": lambda store, bucket: store.head_object(bucket, "k"),
    "write": lambda store, bucket: store.put_object(
        bucket, "new", b"x", crc64nvme=crc64nvme(b"x"), options=WriteOptions()
    ),
}


@pytest.mark.parametrize("server", HEEDS)
def test_a_bucket_of_another_account(server: str, request: pytest.FixtureRequest) -> None:
    """A server that supports the header refuses every request; one that does not refuses none, and
    otherwise handles the requests as usual.
    """
    settings: ClientSettings = request.getfixturevalue(SETTINGS[server])
    bucket = make_bucket_name()
    store = S3Store.connect(replace(settings, bucket_accounts=(("*", FOREIGN),)))
    plain = S3Store.connect(settings)
    plain._s3.create_bucket(Bucket=bucket)
    plain.put_object(bucket, "k", b"x", crc64nvme=crc64nvme(b"x"), options=WriteOptions())
    refused = {name: is_refused(partial(call, store, bucket)) for name, call in CALLS.items()}
    assert refused == dict.fromkeys(CALLS, HEEDS[server])


def is_refused(call: Callable[[], object]) -> bool:
    try:
        call()
    except AccessDenied as error:
        return f"expected to be owned by account {FOREIGN}" in str(error)
    return False
