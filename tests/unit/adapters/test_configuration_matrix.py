"""Every request of the whole program goes to the one place that botocore alone would choose: by its
endpoint, its proxy and its certificates, in its Region, with its credentials.

Nothing is sent. "botocore alone" is a separate plain session, which knows nothing about this
program; if a row says so, the place is also spelled out.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.config import Config
from botocore.credentials import SSOProvider
from botocore.httpsession import get_cert_path
from botocore.session import Session
from tests.support.sending import (
    ACCOUNT,
    ASSUMED,
    Caught,
    Sent,
    catch,
    forget_surroundings,
    share_models,
)
from tests.unit.adapters.test_owners import INSPECTOR_CALLS, STORE_CALLS

from log_aggregator.adapters.s3 import ClientSettings, S3Store
from log_aggregator.adapters.s3.inspection import S3Inspector
from log_aggregator.adapters.s3.regions import is_aws
from log_aggregator.adapters.s3.trail_keys import CloudTrailKeys
from log_aggregator.errors import LogAggregatorError
from log_aggregator.model import LogObject

BUCKETS = ("mine", "with.dots")
BY_LIBCURL = {name for name in STORE_CALLS if name.startswith(("get_object", "head_", "list_"))} - {
    "list_buckets",
    "list_multipart_uploads",
}
ARN = f"arn:aws:s3:eu-west-1:{ACCOUNT}:accesspoint/point"
ALIAS = "point-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias"
SERVER = "http://127.0.0.1:9"
OTHER = "http://127.0.0.1:8"
PRIVATE = "https://bucket.vpce-1a2b3c4d-5e6f.s3.eu-west-1.vpce.amazonaws.com"
PROXY, WRONG_PROXY = "http://127.0.0.1:3128", "http://127.0.0.1:3129"
WHEN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Row:
    """A configuration; `host` is where the bucket `mine` then is."""

    environment: Mapping[str, str] = field(default_factory=dict)
    profile: str = ""
    """Lines of the profile that is used; it is named `p` where there are any."""
    named: Mapping[str, Any] = field(default_factory=dict)
    """On the command line."""
    host: str = ""
    region: str = "eu-west-1"
    key: str = "AKENV"
    is_elsewhere: bool = False
    """Another server than AWS's: it knows buckets by path, and there is no STS to ask."""
    sections: str = ""
    trusts: str = ""
    proxy: str = ""
    buckets: tuple[str, ...] = BUCKETS


def merge(*rows: Row) -> Row:
    """Everything that the rows configure together."""
    default = Row()
    values: dict[str, Any] = {}
    for row in rows:
        for name in Row.__dataclass_fields__:
            value = getattr(row, name)
            if value == getattr(default, name):
                continue
            if isinstance(value, Mapping):
                value = {**values.get(name, {}), **value}
            elif name in ("profile", "sections"):
                value = values.get(name, "") + value
            values[name] = value
    return Row(**values)


EU = {"AWS_DEFAULT_REGION": "eu-west-1"}
REGIONAL = "mine.s3.eu-west-1.amazonaws.com"


def in_region(region: str, host: str) -> Row:
    return Row({"AWS_DEFAULT_REGION": region}, region=region, host=host)


ENDPOINTS = {
    "AWS": Row(EU, host=REGIONAL),
    "us-east-1": in_region("us-east-1", "mine.s3.amazonaws.com"),
    "China": in_region("cn-north-1", "mine.s3.cn-north-1.amazonaws.com.cn"),
    "GovCloud": in_region("us-gov-west-1", "mine.s3.us-gov-west-1.amazonaws.com"),
    "sovereign": in_region("eusc-de-east-1", "mine.s3.eusc-de-east-1.amazonaws.eu"),
    "isolated": in_region("us-iso-east-1", "mine.s3.us-iso-east-1.c2s.ic.gov"),
    "dualstack": Row(
        EU | {"AWS_USE_DUALSTACK_ENDPOINT": "true"},
        host="mine.s3.dualstack.eu-west-1.amazonaws.com",
    ),
    "FIPS": Row(
        {"AWS_DEFAULT_REGION": "us-east-2", "AWS_USE_FIPS_ENDPOINT": "true"},
        region="us-east-2",
        host="mine.s3-fips.us-east-2.amazonaws.com",
    ),
    "accelerated": Row(
        EU,
        "s3 =\n  use_accelerate_endpoint = true\n",
        host="mine.s3-accelerate.amazonaws.com",
        buckets=("mine",),
    ),
    "by path": Row(EU, "s3 =\n  addressing_style = path\n", host="s3.eu-west-1.amazonaws.com"),
    "PrivateLink by flag": Row(EU, named={"endpoint_url": PRIVATE}, host=urlsplit(PRIVATE).netloc),
    "PrivateLink by variable": Row(
        EU | {"AWS_ENDPOINT_URL_S3": PRIVATE}, host=urlsplit(PRIVATE).netloc
    ),
    "AWS's own by variable": Row(
        EU | {"AWS_ENDPOINT_URL_S3": "https://s3.eu-west-1.amazonaws.com"},
        host="s3.eu-west-1.amazonaws.com",
    ),
    "AWS's own by flag, another server by variable": Row(
        EU | {"AWS_ENDPOINT_URL_S3": SERVER},
        named={"endpoint_url": "https://s3.eu-west-1.amazonaws.com"},
        host="s3.eu-west-1.amazonaws.com",
    ),
    "a server by flag": Row(
        EU, named={"endpoint_url": SERVER}, host="127.0.0.1:9", is_elsewhere=True
    ),
    "a server by flag, another by variable": Row(
        EU | {"AWS_ENDPOINT_URL_S3": OTHER},
        named={"endpoint_url": SERVER},
        host="127.0.0.1:9",
        is_elsewhere=True,
    ),
    "a server by variable": Row(
        EU | {"AWS_ENDPOINT_URL_S3": SERVER, "AWS_ENDPOINT_URL": OTHER},
        host="127.0.0.1:9",
        is_elsewhere=True,
    ),
    "a server for all services": Row(
        EU | {"AWS_ENDPOINT_URL": SERVER}, host="127.0.0.1:9", is_elsewhere=True
    ),
    "a server of the profile": Row(
        EU, f"endpoint_url = {SERVER}\n", host="127.0.0.1:9", is_elsewhere=True
    ),
    "a server of the profile's services": Row(
        EU,
        f"services = own\nendpoint_url = {OTHER}\n",
        sections=f"[services own]\ns3 =\n  endpoint_url = {SERVER}\n",
        host="127.0.0.1:9",
        is_elsewhere=True,
    ),
    "servers that are not to be used": Row(
        EU | {"AWS_ENDPOINT_URL": SERVER, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
        host=REGIONAL,
    ),
    "a server with TLS and a name": Row(
        EU,
        named={"endpoint_url": "https://s3.example.com:9443"},
        host="s3.example.com:9443",
        is_elsewhere=True,
    ),
    "a server that wants host names": Row(
        EU,
        "s3 =\n  addressing_style = virtual\n",
        {"endpoint_url": "https://s3.example.com"},
        host="mine.s3.example.com",
        is_elsewhere=True,
    ),
}
REGIONS = {
    "by flag": Row(
        {"AWS_DEFAULT_REGION": "us-west-1", "AWS_REGION": "us-west-2"},
        "region = ap-south-1\n",
        {"region": "eu-west-1"},
        host=REGIONAL,
    ),
    "AWS_DEFAULT_REGION": Row(
        EU | {"AWS_REGION": "us-west-2"}, "region = ap-south-1\n", host=REGIONAL
    ),
    "AWS_REGION alone": Row({"AWS_REGION": "eu-west-1"}, host=REGIONAL),
    "AWS_REGION and a profile": Row(
        {"AWS_REGION": "eu-west-1"}, "region = ap-south-1\n", host=REGIONAL
    ),
    "an empty variable": Row({"AWS_DEFAULT_REGION": "", "AWS_REGION": "eu-west-1"}, host=REGIONAL),
    "of the profile": Row(profile="region = eu-west-1\n", host=REGIONAL),
    "none": Row(region="us-east-1", host="mine.s3.amazonaws.com"),
}
PROXIES = {
    "none": Row(),
    "HTTPS_PROXY": Row({"HTTPS_PROXY": PROXY}, proxy=PROXY),
    "https_proxy first": Row({"HTTPS_PROXY": WRONG_PROXY, "https_proxy": PROXY}, proxy=PROXY),
    "without a scheme": Row({"HTTPS_PROXY": "127.0.0.1:3128"}, proxy=PROXY),
    "of another scheme": Row({"HTTP_PROXY": WRONG_PROXY}),
    "for all schemes": Row({"ALL_PROXY": "socks5://127.0.0.1:1080", "all_proxy": WRONG_PROXY}),
    "not for AWS": Row({"HTTPS_PROXY": WRONG_PROXY, "NO_PROXY": "localhost,.amazonaws.com"}),
    "not for anybody": Row({"HTTPS_PROXY": WRONG_PROXY, "no_proxy": "*"}),
    "not for another": Row({"HTTPS_PROXY": PROXY, "no_proxy": "s3.example.org"}, proxy=PROXY),
}
CERTIFICATES = {
    "botocore's": Row({"CURL_CA_BUNDLE": "/wrong", "SSL_CERT_FILE": "/wrong"}),
    "AWS_CA_BUNDLE": Row(
        {"AWS_CA_BUNDLE": "CA", "REQUESTS_CA_BUNDLE": "/wrong", "CURL_CA_BUNDLE": "/wrong"},
        trusts="CA",
    ),
    "of the profile": Row({"REQUESTS_CA_BUNDLE": "/wrong"}, "ca_bundle = CA\n", trusts="CA"),
    "REQUESTS_CA_BUNDLE": Row({"REQUESTS_CA_BUNDLE": "CA"}, trusts="CA"),
}
KEYS = {"AWS_ACCESS_KEY_ID": "AKENV", "AWS_SECRET_ACCESS_KEY": "s"}
STATIC = "aws_access_key_id = AKPROFILE\naws_secret_access_key = s\n"
PROCESS = {"Version": 1, "AccessKeyId": "AKPROCESS", "SecretAccessKey": "s"}
SOURCES = {
    "environment": Row(KEYS),
    "with a token": Row(KEYS | {"AWS_SESSION_TOKEN": "t"}),
    "with an end": Row(
        KEYS | {"AWS_SESSION_TOKEN": "t", "AWS_CREDENTIAL_EXPIRATION": "2099-01-01T00:00:00Z"}
    ),
    "profile by flag": Row(KEYS, STATIC, {"profile": "p"}, key="AKPROFILE"),
    "profile": Row(profile=STATIC, key="AKPROFILE"),
    "environment before a profile by variable": Row(KEYS, STATIC),
    "process": Row(profile=f"credential_process = echo '{json.dumps(PROCESS)}'\n", key="AKPROCESS"),
    "role of a profile": Row(
        profile=f"role_arn = arn:aws:iam::{ACCOUNT}:role/r\nsource_profile = base\n",
        sections=f"[profile base]\n{STATIC}",
        key=ASSUMED,
    ),
    "role by the environment": Row(
        KEYS,
        f"role_arn = arn:aws:iam::{ACCOUNT}:role/r\ncredential_source = Environment\n",
        {"profile": "p"},
        key=ASSUMED,
    ),
    "web identity": Row(
        {"AWS_WEB_IDENTITY_TOKEN_FILE": "TOKEN", "AWS_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/r"},
        key=ASSUMED,
    ),
    "SSO": Row(
        profile="sso_start_url = https://x.awsapps.com/start\nsso_region = eu-west-1\n"
        f"sso_account_id = {ACCOUNT}\nsso_role_name = r\n",
        key=ASSUMED,
    ),
    "container": Row(
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1/container-credentials"},
        key=ASSUMED,
    ),
}
AT_AWS = ENDPOINTS["AWS"]
ENV = SOURCES["environment"]
POINTS = {
    "an access point": merge(AT_AWS, ENV, Row(buckets=(ARN, ALIAS))),
    "another Region's access point": merge(
        AT_AWS, ENV, Row(buckets=(ARN.replace("eu-west-1", "us-west-2"),))
    ),
}


def combine_rows() -> dict[str, Row]:
    """Every row of every table, combined with rows of the other tables, differently each time."""
    rows: dict[str, Row] = dict(POINTS)
    others = [PROXIES, CERTIFICATES, SOURCES]
    cycles = [itertools.cycle(table.items()) for table in others]
    for name, endpoint in (*ENDPOINTS.items(), *REGIONS.items()):
        parts = [next(cycle) for cycle in cycles]
        named = " + ".join([name, *(each for each, _ in parts)])
        rows[named] = merge(*(row for _, row in parts), endpoint)
    for table, plain in ((PROXIES, ENV), (CERTIFICATES, ENV), (SOURCES, Row())):
        for name, row in table.items():
            rows[f"plain + {name}"] = merge(AT_AWS, plain, row)
    return rows


ROWS = combine_rows()


@pytest.fixture(autouse=True)
def caught(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Caught:
    """The caller's settings do not count, and nothing is sent."""
    forget_surroundings(monkeypatch, str(tmp_path))
    share_models(monkeypatch)
    monkeypatch.chdir(tmp_path)
    return catch(monkeypatch)


@pytest.fixture(scope="module")
def bundle() -> str:
    """Certificates in PEM."""
    return str(get_cert_path(True))


def configure(monkeypatch: pytest.MonkeyPatch, home: Path, row: Row, bundle: str) -> None:
    """Put the row where botocore looks."""
    (home / "ca.crt").write_bytes(Path(bundle).read_bytes()[:20_000].rpartition(b"# ")[0])
    (home / "token").write_text("of the web")
    cache = home / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    monkeypatch.setattr(SSOProvider, "_SSO_TOKEN_CACHE_DIR", str(cache))
    name = hashlib.sha1(b"https://x.awsapps.com/start", usedforsecurity=False).hexdigest()
    (cache / f"{name}.json").write_text(
        json.dumps({"accessToken": "t", "expiresAt": "2099-01-01T00:00:00Z"})
    )

    def fill(text: str) -> str:
        return text.replace("= CA\n", f"= {home / 'ca.crt'}\n")

    section = "[profile p]\n" if row.profile else ""
    (home / ".aws" / "config").write_text(section + fill(row.profile) + row.sections)
    places = {"CA": str(home / "ca.crt"), "TOKEN": str(home / "token")}
    for variable, value in row.environment.items():
        monkeypatch.setenv(variable, places.get(value, value))
    if row.profile and "profile" not in row.named:
        monkeypatch.setenv("AWS_PROFILE", "p")


def settings_of(row: Row) -> ClientSettings:
    return ClientSettings(**row.named, attempts_max=1)


def run(call: Callable[[], object]) -> None:
    """Only the request counts: the canned answer need not be usable."""
    with suppress(LogAggregatorError, AttributeError, LookupError):
        call()


def do_everything(row: Row) -> None:
    """Send every request that the program can send, by both clients and to every service."""
    settings = settings_of(row)
    store = S3Store.connect(settings)
    for call in STORE_CALLS.values():
        run(lambda call=call: call(store))  # type: ignore[misc]
    for bucket in row.buckets:
        run(lambda bucket=bucket: store.get_object(bucket, "a/b"))  # type: ignore[misc]
        many = [LogObject(bucket, f"a/{key}", None, "e", 1, WHEN) for key in "bc"]
        run(lambda many=many: list(store.get_objects(many)))  # type: ignore[misc]
        run(lambda bucket=bucket: store.list_objects(bucket))  # type: ignore[misc]
    inspector = S3Inspector.connect(settings)
    for ask in INSPECTOR_CALLS.values():
        run(lambda ask=ask: ask(inspector))  # type: ignore[misc]
    for service in (
        inspector.get_caller_identity,
        inspector.describe_organization,
        lambda: inspector.get_role("r"),
        lambda: inspector.describe_key("k"),
        inspector.describe_trails,
        inspector.describe_delivery_channels,
        inspector.get_lambda_concurrency,
    ):
        run(service)
    keys = CloudTrailKeys.connect(settings)
    if keys is not None:
        run(lambda: keys.list_public_keys(row.region, WHEN, WHEN))


@dataclass(frozen=True)
class Place:
    """Where botocore alone sends requests about a bucket or to a service."""

    url: str
    way: tuple[str, str]
    scope: tuple[str, ...]

    def holds(self, sent: Sent) -> bool:
        parts, own = urlsplit(sent.url), urlsplit(self.url)
        is_there = (parts.scheme, parts.netloc) == (own.scheme, own.netloc)
        return is_there and parts.path.startswith(own.path)


def ask_botocore(row: Row, caught: Caught) -> list[Place]:
    """Find each place by what botocore would send."""
    session = Session(profile=row.named.get("profile"))
    has_paths = row.is_elsewhere and "virtual" not in row.profile
    style = {"addressing_style": "path"} if has_paths else None
    config = Config(retries={"total_max_attempts": 1}, s3=style)
    url = row.named.get("endpoint_url")
    s3 = session.create_client("s3", region_name=row.region, endpoint_url=url, config=config)
    places = []
    for bucket in {*row.buckets, "mine"}:
        s3.get_object(Bucket=bucket, Key="a/b")
        sent = caught.sent[-1]
        way = sent.proxy, sent.trusts
        places.append(Place(sent.url.removesuffix("/a/b"), way, sent.scope))
    run(s3.list_buckets)
    sent = caught.sent[-1]
    places.append(Place(sent.url.partition("?")[0], (sent.proxy, sent.trusts), sent.scope))
    for name, ask in ASKED.items():
        client = session.create_client(name, region_name=row.region)
        if row.is_elsewhere and is_aws(client.meta.endpoint_url):  # it is looked for beside S3
            url = s3.meta.endpoint_url
            client = session.create_client(name, region_name=row.region, endpoint_url=url)
        run(lambda client=client, ask=ask: ask(client))  # type: ignore[misc]
        sent = caught.sent[-1]
        places.append(Place(sent.url, (sent.proxy, sent.trusts), sent.scope))
    return places


ASKED: Mapping[str, Callable[[Any], object]] = {
    "sts": lambda client: client.get_caller_identity(),
    "iam": lambda client: client.get_role(RoleName="r"),
    "kms": lambda client: client.describe_key(KeyId="k"),
    "cloudtrail": lambda client: client.describe_trails(),
    "config": lambda client: client.describe_delivery_channels(),
    "organizations": lambda client: client.describe_organization(),
    "lambda": lambda client: client.get_account_settings(),
}


def is_of_botocores_own(sent: Sent, row: Row) -> bool:
    """botocore itself asks for credentials, even with another S3 server."""
    brokers = ("/container-credentials", "portal.sso")
    is_role = row.is_elsewhere and "Action=AssumeRole" in sent.body
    return is_role or any(broker in sent.url for broker in brokers)


@pytest.mark.parametrize("name", ROWS)
def test_every_request_goes_where_botocore_would_send_it(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bundle: str, caught: Caught
) -> None:
    """This holds for each client, service and configuration."""
    row = ROWS[name]
    configure(monkeypatch, tmp_path, row, bundle)
    expected = ask_botocore(row, caught)
    caught.sent.clear()
    do_everything(row)
    seen = set()
    for sent in caught.sent:
        if is_of_botocores_own(sent, row):
            continue
        places = [place for place in expected if place.holds(sent)]
        assert places, f"{sent} goes where botocore would not send it"
        closest = max(len(place.url) for place in places)
        ways = {place for place in places if len(place.url) == closest}
        taken = {place for place in ways if place == replace(place, way=(sent.proxy, sent.trusts))}
        assert taken, f"{sent} goes by another way than {ways}"
        if "Action=AssumeRole" not in sent.body:  # signed with what the role is assumed with
            taken = {place for place in taken if place.scope == sent.scope}
            assert taken, f"{sent} is signed in another way than {ways}"
        seen |= taken
    assert seen == set(expected)
    check_what_is_read(row, caught, tmp_path)


def check_what_is_read(row: Row, caught: Caught, home: Path) -> None:
    """Compare with what the row spells out, independently of botocore."""
    read = [sent for sent in caught.sent if sent.client == "libcurl"]
    assert len(read) == 4 * len(row.buckets) + len(BY_LIBCURL)
    for sent in read:
        assert sent.scope[0] == row.key
        assert sent.trusts == (str(home / "ca.crt") if row.trusts else "")
        if row.host.endswith("amazonaws.com"):
            assert sent.proxy == row.proxy
    if row.host:
        mine = next(sent for sent in read if "mine" in sent.url)
        assert (urlsplit(mine.url).netloc, mine.scope[1]) == (row.host, row.region)


@pytest.mark.parametrize("name", [name for name, row in ENDPOINTS.items() if row.is_elsewhere])
def test_other_servers_credentials_never_go_to_aws(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bundle: str, caught: Caught
) -> None:
    """AWS must not see another server's credentials, and its Region need not be one of AWS's."""
    row = merge(ENV, ENDPOINTS[name])
    configure(monkeypatch, tmp_path, row, bundle)
    do_everything(row)
    assert caught.sent
    assert not [sent.url for sent in caught.sent if "amazonaws" in sent.url]


@pytest.mark.parametrize("name", [name for name, row in ENDPOINTS.items() if not row.is_elsewhere])
def test_aws_sts_is_asked_for_the_account_on_every_route_to_aws(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bundle: str, caught: Caught
) -> None:
    """PrivateLink, FIPS and every partition are AWS: each request names the bucket's owner as given
    by STS, and STS is asked at its own endpoint, never at S3's.
    """
    row = merge(ENV, ENDPOINTS[name])
    configure(monkeypatch, tmp_path, row, bundle)
    store = S3Store.connect(settings_of(row))
    run(lambda: store.get_object("mine", "k"))
    *others, read = caught.sent
    assert read.headers["x-amz-expected-bucket-owner"] == ACCOUNT
    assert [sent.place for sent in others if "sts" in sent.place]
