"""Signing keys: in a file, and in KMS, which is called in the Region of the key's ARN with the
configuration of all other clients.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.support.signing import ARN, FakeKms, private_key, private_pem

from log_aggregator.adapters.local_key import LocalKey
from log_aggregator.adapters.s3 import ClientSettings
from log_aggregator.adapters.s3.kms import KmsKey
from log_aggregator.core.rsa import verify
from log_aggregator.core.signatures import name_key, parse_signing_key
from log_aggregator.errors import (
    AccessDenied,
    CannotStart,
    LogAggregatorError,
    NotFound,
    SettingsError,
    Unreachable,
)
from log_aggregator.wiring import Connection, connect_kms_key

MESSAGE = b'{"bucket":"dest"}'
SETTINGS = ClientSettings(region="us-east-1", access_key="k", secret_key="s", attempts_max=1)


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKms]:
    fake = FakeKms()
    with fake.serve() as url:
        monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
        monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", url)
        yield fake


def test_kms_can_sign(kms: FakeKms) -> None:
    """Its signature verifies with its public key; the key is identified by its ARN."""
    key = KmsKey.connect(SETTINGS, ARN)
    assert key.name == ARN
    assert verify(parse_signing_key(key.public_key), MESSAGE, key.sign(MESSAGE))
    assert kms.asked == ["GetPublicKey", "Sign"]


@pytest.mark.parametrize(
    ("code", "kind"),
    [("AccessDeniedException", AccessDenied), ("NotFoundException", LogAggregatorError)],
    ids=["denied", "no-such-key"],
)
def test_a_refusal_by_kms_is_our_error(
    kms: FakeKms, code: str, kind: type[LogAggregatorError]
) -> None:
    kms.refuses = code
    with pytest.raises(kind, match=ARN):
        KmsKey.connect(SETTINGS, ARN)


def test_a_refusal_to_sign_is_reported(kms: FakeKms) -> None:
    key = KmsKey.connect(SETTINGS, ARN)
    kms.refuses = "AccessDeniedException"
    with pytest.raises(AccessDenied, match="Sign arn:aws:kms"):
        key.sign(MESSAGE)


def test_an_unsuitable_key_is_refused(kms: FakeKms) -> None:
    kms.spec, kms.usage, kms.algorithms = "ECC_NIST_P256", "SIGN_VERIFY", ("ECDSA_SHA_256",)
    with pytest.raises(SettingsError, match="expected an RSA key for SIGN_VERIFY"):
        KmsKey.connect(SETTINGS, ARN)


@pytest.mark.parametrize("arn", ["alias/x", "arn:aws:kms:eu-west-1:1:key/a", f"{ARN} "])
def test_an_invalid_arn_is_refused(arn: str) -> None:
    with pytest.raises(SettingsError, match="expected the ARN of a KMS key"):
        KmsKey.connect(SETTINGS, arn)


def test_unreachable_kms_is_not_a_finding(kms: FakeKms, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that verifies ends with 3, and not with the code for damage."""
    connection = Connection(access_key="k", secret_key="s", region="us-east-1")
    kms.refuses = "AccessDeniedException"
    with pytest.raises(CannotStart):
        connect_kms_key(connection, ARN)
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", "http://127.0.0.1:9")
    with pytest.raises(CannotStart):
        connect_kms_key(connection, ARN)
    with pytest.raises(Unreachable):
        KmsKey.connect(SETTINGS, ARN)
    assert issubclass(NotFound, LogAggregatorError)


def test_a_key_in_a_file_can_sign(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(private_pem(private_key()))
    key = LocalKey.read(path)
    assert key.name == name_key(key.public_key)
    assert verify(parse_signing_key(key.public_key), MESSAGE, key.sign(MESSAGE))


def encrypted() -> bytes:
    return private_key().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )


BAD = {
    "encrypted": (encrypted, "expected a key without a passphrase"),
    "short": (lambda: private_pem(private_key(5, 1024)), "expected an RSA key of 2048 bits"),
    "elliptic": (
        lambda: private_pem(ec.generate_private_key(ec.SECP256R1())),
        "expected an RSA key of 2048 bits",
    ),
    "text": (lambda: b"very secret text", "expected a private RSA key as PEM"),
    "nothing": (lambda: b"", "expected a private RSA key as PEM"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_without_a_suitable_key_is_named(tmp_path: Path, name: str) -> None:
    """The error names the file and quotes none of it."""
    make, expected = BAD[name]
    path = tmp_path / "key.pem"
    path.write_bytes(make())
    with pytest.raises(SettingsError, match=expected) as caught:
        LocalKey.read(path)
    assert str(path) in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_missing_key_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        LocalKey.read(tmp_path / "none.pem")
