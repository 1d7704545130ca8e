"""A server that checks signatures reports wrong credentials as exactly that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from awscrt.checksums import crc64nvme

from log_aggregator.adapters.s3 import ClientSettings, S3Store
from log_aggregator.errors import AccessDenied, NotAuthenticated, WrongSignature
from log_aggregator.ports.store import Deletion, ObjectStore, WriteOptions

pytestmark = pytest.mark.server

CALLS: list[Callable[[ObjectStore], object]] = [
    lambda store: store.list_object_versions("conformance-credentials"),
    lambda store: store.list_objects("conformance-credentials"),
    lambda store: store.get_bucket_versioning("conformance-credentials"),
    lambda store: store.get_object("conformance-credentials", "k"),
    lambda store: store.get_object("conformance-credentials", "k\tk"),
    lambda store: store.get_object_checked("conformance-credentials", "k"),
    lambda store: store.head_object("conformance-credentials", "k"),
    lambda store: store.put_object(
        "conformance-credentials", "k", b"x", crc64nvme=crc64nvme(b"x"), options=WriteOptions()
    ),
    lambda store: store.create_multipart_upload(
        "conformance-credentials", "k", options=WriteOptions()
    ),
    lambda store: store.delete_objects("conformance-credentials", [Deletion("k", "v")]),
]


def test_wrong_credentials_are_refused(
    embedded_settings: ClientSettings, embedded_store: S3Store
) -> None:
    """Every method refuses a wrong secret and an unknown key, and does nothing."""
    embedded_store._s3.create_bucket(Bucket="conformance-credentials")
    for wrong in (
        replace(embedded_settings, secret_key="wrong"),
        replace(embedded_settings, access_key="UNKNOWN"),
    ):
        store = S3Store.connect(wrong)
        for call in CALLS:
            with pytest.raises((AccessDenied, NotAuthenticated, WrongSignature)) as caught:
                call(store)
            assert caught.value.code in ("SignatureDoesNotMatch", "InvalidAccessKeyId", "403")
    assert embedded_store.list_objects("conformance-credentials").objects == ()


def test_secrets_are_not_shown(embedded_settings: ClientSettings) -> None:
    """Printing the settings does not reveal the secret."""
    assert str(embedded_settings.secret_key) not in repr(embedded_settings)
