"""The configuration shown by `doctor`: each value and its origin, and no secret."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from botocore.httpsession import get_cert_path
from tests.support.sending import catch, forget_surroundings, share_models

from log_aggregator.adapters.s3 import ClientSettings
from log_aggregator.adapters.s3.credentials import SOURCES
from log_aggregator.adapters.s3.inspection import S3Inspector

KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE7", "AWS_SECRET_ACCESS_KEY": "hidden"}
SERVER = "http://127.0.0.1:9"
PLAIN = {
    "profile": ("default", "no other profile is named"),
    "region": ("us-east-1", "no Region is configured"),
    "endpoint": ("https://s3.amazonaws.com", "the Region"),
    "ca_bundle": ("Mozilla's certificates", "botocore"),
    "proxy": ("none", "no variable names one for the endpoint"),
}
ROWS: dict[str, tuple[Mapping[str, str], Mapping[str, str], Mapping[str, tuple[str, str]]]] = {
    "nothing": (KEYS, {}, PLAIN),
    "all by variables": (
        KEYS
        | {
            "AWS_REGION": "eu-west-1",
            "AWS_ENDPOINT_URL_S3": "https://s3.eu-west-1.amazonaws.com",
            "AWS_CA_BUNDLE": "CA",
            "HTTPS_PROXY": "http://user:password@h:3128",
        },
        {},
        {
            "region": ("eu-west-1", "AWS_REGION"),
            "endpoint": ("https://s3.eu-west-1.amazonaws.com", "AWS_ENDPOINT_URL_S3"),
            "ca_bundle": ("CA", "AWS_CA_BUNDLE"),
            "proxy": ("http://...@h:3128", "HTTPS_PROXY"),
        },
    ),
    "all on the command line": (
        KEYS | {"AWS_REGION": "us-west-2", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:8"},
        {"region": "eu-west-1", "endpoint_url": SERVER, "profile": "p"},
        {
            "profile": ("p", "--profile"),
            "region": ("eu-west-1", "--region"),
            "endpoint": (SERVER, "--endpoint-url"),
            "credentials": (
                "access key ...FILE",
                "aws_access_key_id of profile p in the config file",
            ),
        },
    ),
    "all by the profile": (
        {"AWS_PROFILE": "p", "REQUESTS_CA_BUNDLE": "/other"},
        {},
        {
            "profile": ("p", "AWS_PROFILE"),
            "region": ("ap-south-1", "region of profile p"),
            "endpoint": (SERVER, "endpoint_url of profile p"),
            "ca_bundle": ("CA", "ca_bundle of profile p"),
        },
    ),
    "with an end": (
        KEYS | {"AWS_SESSION_TOKEN": "hidden", "AWS_CREDENTIAL_EXPIRATION": "2099-01-01T00:00:00Z"},
        {},
        {
            "credentials": (
                "access key ...PLE7, until 2099-01-01 00:00:00 UTC",
                SOURCES["env"],
            )
        },
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_each_value_is_shown_with_its_origin(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The order is that in which botocore looks."""
    forget_surroundings(monkeypatch, str(tmp_path))
    share_models(monkeypatch)
    catch(monkeypatch)
    environment, named, expected = ROWS[name]
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(Path(get_cert_path(True)).read_bytes())
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text(
        f"[profile p]\nregion = ap-south-1\nendpoint_url = {SERVER}\nca_bundle = {bundle}\n"
        "aws_access_key_id = AKFILE\naws_secret_access_key = hidden\n"
    )
    for variable, value in environment.items():
        monkeypatch.setenv(variable, str(bundle) if value == "CA" else value)
    values = S3Inspector.connect(ClientSettings(**named)).configuration  # type: ignore[arg-type]
    told = {
        each.name: ("CA" if each.value == str(bundle) else each.value, each.source)
        for each in values
    }
    assert list(told) == ["profile", "region", "endpoint", "credentials", "ca_bundle", "proxy"]
    assert {key: told[key] for key in expected} == expected
    assert not any(secret in repr(told) for secret in ("hidden", "password", "AKIDEXAMPLE"))
