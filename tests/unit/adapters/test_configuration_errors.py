"""Each kind of wrong configuration has its own error: one line that names the setting and says what
to do, exit code 3, nothing sent and no traceback.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import SSOProvider
from botocore.exceptions import EndpointConnectionError
from click.testing import CliRunner
from tests.support.sending import LATER, Caught, catch, forget_surroundings, share_models

from log_aggregator.adapters.s3 import ClientSettings, S3Store, credentials
from log_aggregator.adapters.s3.inspection import S3Inspector
from log_aggregator.adapters.s3.trail_keys import CloudTrailKeys
from log_aggregator.cli import commands
from log_aggregator.errors import BadConfiguration, CannotStart, StoreError, Unreachable

KEYS = {"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "eu-west-1"}
TOKEN = KEYS | {"AWS_SESSION_TOKEN": "t"}
REGION = {"AWS_REGION": "eu-west-1"}
SSO = (
    "sso_start_url = https://x.awsapps.com/start\nsso_region = eu-west-1\n"
    "sso_account_id = 111122223333\nsso_role_name = r\n"
)
SSO_TOKEN = hashlib.sha1(b"https://x.awsapps.com/start", usedforsecurity=False).hexdigest()
"""As botocore names the file of a login."""
ROLE = "role_arn = arn:aws:iam::111122223333:role/r\n"
GOOD = {"Version": 1, "AccessKeyId": "AK", "SecretAccessKey": "s", "SessionToken": "t"}


def process(output: Any, **changes: Any) -> str:
    """A profile whose credential process prints this."""
    text = json.dumps({**output, **changes}) if isinstance(output, dict) else output
    return f"credential_process = echo '{text}'\n"


@dataclass(frozen=True)
class Wrong:
    """A wrong configuration and the message that it must give."""

    says: str
    environment: Mapping[str, str] = field(default_factory=lambda: KEYS)
    profile: str = ""
    named: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


def endpoint(value: str) -> Wrong:
    says = re.escape(f"--endpoint-url: {value!r}: expected http")
    return Wrong(says, named={"endpoint_url": value})


def broker(profile: str, says: str = "credential_process of profile p") -> Wrong:
    return Wrong(says, REGION, profile)


URL = "https://s3.example.com"
WRONG = {
    **{
        f"endpoint {value!r}": endpoint(value)
        for value in (
            "localhost:8333",
            "127.0.0.1:8333",
            "s3.example.com",
            "ftp://h",
            "http://",
            "http:///b",
            "http://h:port",
            "http://h:99999",
            "http://h:0",
            "http://a b",
            "http://h\n",
            "",
        )
    },
    "endpoint by variable": Wrong(
        "AWS_ENDPOINT_URL_S3: 'h:1'", KEYS | {"AWS_ENDPOINT_URL_S3": "h:1"}
    ),
    "endpoint for all": Wrong("AWS_ENDPOINT_URL: 'h:1'", KEYS | {"AWS_ENDPOINT_URL": "h:1"}),
    "endpoint of another service": Wrong(
        "AWS_ENDPOINT_URL_STS: 'h:1'", KEYS | {"AWS_ENDPOINT_URL_STS": "h:1"}
    ),
    "endpoint of the profile": Wrong(
        "endpoint_url of profile p: 'h:1'", profile="endpoint_url = h:1\n"
    ),
    "services that are not there": Wrong('"own" services', profile="services = own\n"),
    "no Region at all": Wrong("--region: ''", named={"region": ""}),
    "no profile at all": Wrong("--profile", named={"profile": ""}),
    "Region with a space": Wrong("--region: 'us east'", named={"region": "us east"}),
    "Region of nobody": Wrong("--region: 'bogus-1'", named={"region": "bogus-1"}),
    "Region by variable": Wrong("AWS_REGION: 'europe'", KEYS | {"AWS_REGION": "europe"}),
    "Region of the profile": Wrong(
        "region of profile p: 'eu_west_1'", KEYS | {"AWS_REGION": ""}, "region = eu_west_1\n"
    ),
    "profile": Wrong("AWS_PROFILE: .*nobody", named={"profile": "nobody"}),
    "profile by variable": Wrong("AWS_PROFILE: .*nobody", KEYS | {"AWS_PROFILE": "nobody"}),
    "config file": Wrong(
        "AWS_CONFIG_FILE.*bad", KEYS | {"AWS_CONFIG_FILE": "bad"}, files={"bad": "no section\n"}
    ),
    "config file of another kind": Wrong(
        "AWS_CONFIG_FILE.*bad", KEYS | {"AWS_CONFIG_FILE": "bad"}, files={"bad": "\x00\x01"}
    ),
    "credentials file": Wrong(
        "AWS_SHARED_CREDENTIALS_FILE.*bad",
        REGION | {"AWS_SHARED_CREDENTIALS_FILE": "bad"},
        files={"bad": "[default\n"},
    ),
    "attempts": Wrong("AWS_MAX_ATTEMPTS: 'x'", KEYS | {"AWS_MAX_ATTEMPTS": "x"}),
    "no attempts": Wrong("AWS_MAX_ATTEMPTS: '0'", KEYS | {"AWS_MAX_ATTEMPTS": "0"}),
    "attempts of the profile": Wrong("max_attempts of profile p", profile="max_attempts = many\n"),
    "retry mode": Wrong("AWS_RETRY_MODE: 'bogus'", KEYS | {"AWS_RETRY_MODE": "bogus"}),
    "metadata timeout": Wrong(
        "AWS_METADATA_SERVICE_TIMEOUT: 'x'", KEYS | {"AWS_METADATA_SERVICE_TIMEOUT": "x"}
    ),
    "a switch that botocore takes for no": Wrong(
        "AWS_USE_FIPS_ENDPOINT: '1'", KEYS | {"AWS_USE_FIPS_ENDPOINT": "1"}
    ),
    "defaults mode": Wrong("defaults mode: bogus", KEYS | {"AWS_DEFAULTS_MODE": "bogus"}),
    "us-east-1": Wrong(
        "option bogus is invalid", KEYS | {"AWS_S3_US_EAST_1_REGIONAL_ENDPOINT": "bogus"}
    ),
    "addressing": Wrong(
        "s3.addressing_style.*'bogus': expected auto or virtual or path",
        profile="s3 =\n  addressing_style = bogus\n",
    ),
    "s3 as a word": Wrong("s3 in the profile: 'bogus'", profile="s3 = bogus\n"),
    "CA that is not there": Wrong(
        "AWS_CA_BUNDLE: '/nowhere'", KEYS | {"AWS_CA_BUNDLE": "/nowhere"}
    ),
    "CA that is a folder": Wrong("AWS_CA_BUNDLE: '/'", KEYS | {"AWS_CA_BUNDLE": "/"}),
    "CA that is no PEM": Wrong(
        "REQUESTS_CA_BUNDLE: 'bad': expected certificates in PEM",
        KEYS | {"REQUESTS_CA_BUNDLE": "bad"},
        files={"bad": "-----BEGIN CERTIFICATE-----\nxx\n"},
    ),
    "CA of the profile": Wrong("ca_bundle of profile p", profile="ca_bundle = /nowhere\n"),
    **{
        f"proxy {value!r}": Wrong("HTTPS_PROXY: ", KEYS | {"HTTPS_PROXY": value})
        for value in (
            "http://",
            "http://h:port",
            "socks5://127.0.0.1:1080",
            "http://a b",
            "http://h:99999",
        )
    },
    "no credentials": Wrong("no AWS credentials were found", REGION),
    "half of them": Wrong("AWS_SECRET_ACCESS_KEY", REGION | {"AWS_ACCESS_KEY_ID": "AK"}),
    "half of them in a profile": broker("aws_access_key_id = AK\n", "aws_secret_access_key"),
    "an end that is none": Wrong(
        "AWS_CREDENTIAL_EXPIRATION: .*soon", TOKEN | {"AWS_CREDENTIAL_EXPIRATION": "soon"}
    ),
    "an end that is over": Wrong(
        "they have expired and were not renewed; set new ones",
        TOKEN | {"AWS_CREDENTIAL_EXPIRATION": "2020-01-01T00:00:00Z"},
    ),
    "a token of two lines": Wrong("as token", KEYS | {"AWS_SESSION_TOKEN": "a\r\nb: c"}),
    "a broker that talks": broker(process("Opening browser")),
    "a broker that says nothing": broker("credential_process = true\n"),
    "a broker that says a list": broker(process("[1]")),
    "a broker that says null": broker(process("null")),
    "a broker that fails": broker("credential_process = false\n", "exit code 1"),
    "a broker that says why": broker(
        "credential_process = sh -c 'echo log in first >&2; exit 1'\n", "log in first"
    ),
    "a broker that is not there": broker("credential_process = no-such-program-here\n"),
    "a broker with half a quote": broker('credential_process = echo "a\n'),
    "a broker without a secret": broker(process({"Version": 1, "AccessKeyId": "AK"})),
    "a broker of tomorrow": broker(process(GOOD, Version=2)),
    "a broker with numbers": broker(process(GOOD, AccessKeyId=1)),
    "a broker with an end that is none": broker(process(GOOD, Expiration="soon")),
    "a broker with a number as end": broker(process(GOOD, Expiration=1)),
    "a broker with an end without a zone": broker(process(GOOD, Expiration="2099-01-01T00:00:00")),
    "a broker with an end that is over": broker(
        process(GOOD, Expiration="2020-01-01T00:00:00Z"), "expired and were not renewed"
    ),
    "SSO with a login that is over": Wrong(
        "sso_start_url of profile p: .*expired.*; log in again: aws sso login --profile p",
        REGION,
        SSO,
        files={
            f"sso/{SSO_TOKEN}.json": '{"accessToken": "t", "expiresAt": "2020-01-01T00:00:00Z"}'
        },
    ),
    "SSO without a login": broker(SSO, "aws sso login --profile p"),
    "role without a source": broker(ROLE, "role_arn of profile p"),
    "role of nobody": broker(f"{ROLE}source_profile = nobody\n", "role_arn of profile p: .*nobody"),
    "role of a bogus source": broker(f"{ROLE}credential_source = Bogus\n", "Bogus"),
    "role of a broken broker": broker(
        f"{ROLE}source_profile = p\n" + process("no JSON"), "role_arn of profile p"
    ),
    "web identity without a token": Wrong(
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        REGION | {"AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere", "AWS_ROLE_ARN": ROLE[11:-1]},
    ),
    "web identity without a role": Wrong(
        "AWS_ROLE_ARN", REGION | {"AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere"}
    ),
    "container elsewhere": Wrong(
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        REGION | {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.1.1/creds"},
    ),
}


@pytest.fixture(autouse=True)
def caught(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Caught:
    """The caller's settings do not count, and nothing is sent."""
    forget_surroundings(monkeypatch, str(tmp_path))
    share_models(monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(SSOProvider, "_SSO_TOKEN_CACHE_DIR", str(tmp_path / "sso"))
    return catch(monkeypatch)


def configure(monkeypatch: pytest.MonkeyPatch, home: Path, wrong: Wrong) -> None:
    for name, text in wrong.files.items():
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).write_text(text)
    if wrong.profile:
        (home / ".aws").mkdir()
        (home / ".aws" / "config").write_text(f"[profile p]\n{wrong.profile}")
        monkeypatch.setenv("AWS_PROFILE", "p")
    for name, value in wrong.environment.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("name", WRONG)
def test_each_error_is_one_line_that_names_the_setting(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caught: Caught
) -> None:
    """A run, the doctor and the archive of public keys all give this line, and send nothing."""
    wrong = WRONG[name]
    configure(monkeypatch, tmp_path, wrong)
    settings = ClientSettings(**wrong.named)
    connects: list[Callable[[ClientSettings], object]] = [
        S3Store.connect,
        S3Inspector.connect,
        CloudTrailKeys.connect,
    ]
    for connect in connects:
        with pytest.raises(BadConfiguration, match=wrong.says) as error:
            connect(settings)
        assert "\n" not in str(error.value)
        assert error.value.exit_code == 3
    assert not caught.sent


@pytest.mark.parametrize(
    "name",
    ["endpoint 'localhost:8333'", "profile by variable", "a broker that talks", "proxy 'http://'"],
)
@pytest.mark.parametrize("command", [["find", "--count"], ["plan"], ["run"], ["doctor"]])
def test_every_command_fails_before_it_begins(
    name: str, command: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The exit code is 3, without a traceback."""
    wrong = WRONG[name]
    configure(monkeypatch, tmp_path, wrong)
    named = [f"--{key.replace('_', '-')}={value}" for key, value in wrong.named.items()]
    date = [] if command == ["doctor"] else ["--date", "2026-03-14"]
    source = [] if command[0] == "find" else ["--other-buckets", "logs"]
    result = CliRunner().invoke(
        commands, [*command, *date, *source, "--destination-bucket", "packs", *named]
    )
    assert isinstance(result.exception, CannotStart)
    assert result.exception.exit_code == 3


def test_a_proxy_password_is_not_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Messages go into logs, so they must not show it."""
    proxy = KEYS | {"HTTPS_PROXY": "http://user:secret@h:port"}
    configure(monkeypatch, tmp_path, Wrong("", proxy))
    with pytest.raises(BadConfiguration) as error:
        S3Store.connect(ClientSettings())
    assert "secret" not in str(error.value)
    assert "...@h:port" in str(error.value)


def test_a_hanging_credential_process_is_given_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """botocore would wait forever."""
    hang = f"credential_process = {sys.executable} -c 'import time; time.sleep(600)'\n"
    configure(monkeypatch, tmp_path, Wrong("", REGION, hang))
    monkeypatch.setattr(credentials, "PROCESS_SECONDS_MAX", 0.1)
    with pytest.raises(BadConfiguration, match=r"credential_process of profile p: .*no answer"):
        S3Store.connect(ClientSettings())


def test_other_servers_may_have_their_own_regions(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Garage's Region is called garage."""
    configure(monkeypatch, tmp_path, Wrong("", KEYS))
    store = S3Store.connect(ClientSettings(region="garage", endpoint_url="http://127.0.0.1:9"))
    assert store._clients.region == "garage"


def test_certificates_are_ignored_without_tls(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A configured bundle that no longer exists is no error where it is not used."""
    configure(monkeypatch, tmp_path, Wrong("", KEYS | {"AWS_CA_BUNDLE": "/nowhere"}))
    store = S3Store.connect(ClientSettings(endpoint_url="http://127.0.0.1:9"))
    assert store._s3.meta.endpoint_url == "http://127.0.0.1:9"


BASE = "[profile base]\naws_access_key_id = AK\naws_secret_access_key = s\n"
REFUSALS = {
    "a role that may not be assumed": (
        f"{ROLE}source_profile = base\n{BASE}",
        b"<E><Error><Code>AccessDenied</Code><Message>not authorized</Message></Error></E>",
        "role_arn of profile p: .*AccessDenied.*not authorized; check the role",
    ),
    "keys that nobody knows": (
        f"{ROLE}source_profile = base\n{BASE}",
        b"<E><Error><Code>InvalidClientTokenId</Code><Message>m</Message></Error></E>",
        "role_arn of profile p: .*InvalidClientTokenId",
    ),
    "another web server": (
        f"{ROLE}source_profile = base\n{BASE}",
        b"<html>log in here",
        "role_arn of profile p",
    ),
    "a login that was revoked": (SSO, b"{}", "log in again: aws sso login --profile p"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_failing_credential_source_is_named(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caught: Caught
) -> None:
    """One line has the broker's message, the setting that led to it and what to do; S3 is not
    asked.
    """
    profile, body, says = REFUSALS[name]
    token = json.dumps({"accessToken": "t", "expiresAt": LATER})
    files = {f"sso/{SSO_TOKEN}.json": token}
    configure(monkeypatch, tmp_path, Wrong("", REGION, profile, files=files))
    head = {"x-amzn-errortype": "UnauthorizedException"} if profile == SSO else {}
    caught.answer = lambda *_: (401 if profile == SSO else 403, head, body)
    with pytest.raises(BadConfiguration, match=says) as error:
        S3Store.connect(ClientSettings())
    assert "\n" not in str(error.value)
    assert not [sent for sent in caught.sent if "s3" in sent.url]


def test_unreachable_sts_is_not_called_a_wrong_setting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caught: Caught
) -> None:
    """Whoever assumes a role and gets no answer is not told to check the role."""
    profile = f"{ROLE}source_profile = base\nmax_attempts = 1\n{BASE}"
    configure(monkeypatch, tmp_path, Wrong("", REGION, profile))

    def hang(_method: str, url: str) -> Any:
        raise EndpointConnectionError(endpoint_url=url)

    caught.answer = hang
    with pytest.raises(Unreachable, match="role_arn of profile p"):
        S3Store.connect(ClientSettings())


@pytest.mark.parametrize(
    "bucket", ["logs--use1-az4--x-s3", "arn:aws:s3::111122223333:accesspoint/m.mrap"]
)
def test_buckets_with_their_own_signature_are_refused(
    bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caught: Caught
) -> None:
    """Directory buckets and multi-Region access points are refused with a reason, and nothing is
    read.
    """
    configure(monkeypatch, tmp_path, Wrong("", KEYS))
    store = S3Store.connect(ClientSettings(bucket_accounts=(("*", "111122223333"),)))
    values = {"AccessKeyId": "a", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": LATER}
    held = "".join(f"<{name}>{value}</{name}>" for name, value in values.items())
    session = f"<CreateSessionResult><Credentials>{held}</Credentials></CreateSessionResult>"
    caught.answer = lambda _method, url: (200, {}, session.encode()) if "session" in url else None
    with pytest.raises(StoreError, match="name a general purpose bucket"):
        store.get_object(bucket, "k")
    assert not [sent for sent in caught.sent if sent.client == "libcurl"]
