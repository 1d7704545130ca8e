"""The one place that makes clients: boto3's for everything but reading objects, and the reader.
That one goes by what botocore decides: endpoint, Region, credentials (environment, profile,
container, instance, SSO) and their renewal, certificates, proxies.

boto3's clients are botocore's, and are made by botocore's session: boto3's own brings resources and
transfers besides, which nobody here uses, and takes longer to import and to make a client.

A bucket is taken to be in the client's region. boto3 would follow it elsewhere; the reader does
not, and the error says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from botocore.config import Config
from botocore.session import Session

from log_aggregator.adapters.s3.curl import CurlReader
from log_aggregator.adapters.s3.deadlines import REQUEST_SECONDS, SILENCE_SECONDS
from log_aggregator.adapters.s3.deleting import register_own_bodies
from log_aggregator.adapters.s3.errors import store_errors
from log_aggregator.adapters.s3.listing import register_fast_parsing
from log_aggregator.adapters.s3.owners import Owners, make_owners, register_owners
from log_aggregator.adapters.s3.wire import GuardedSession
from log_aggregator.errors import AccessDenied


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """How S3 is reached. None means: as botocore finds it (environment, profile, instance)."""

    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None
    concurrency: int = 32
    connect_timeout_seconds: float = 10
    read_timeout_seconds: float = SILENCE_SECONDS
    """So long no byte may come, or be taken."""
    request_seconds: float = REQUEST_SECONDS
    """For an attempt of a request without a body; all other deadlines grow with it."""
    attempts_max: int = 8
    """Where S3 answers that it cannot now. See `deadlines` for attempts without an answer."""
    access_key: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    bucket_accounts: tuple[tuple[str, str], ...] = ()
    """Whose buckets are whose, where they are not the caller's own (see `owners`)."""


@dataclass(slots=True)
class Clients:
    """boto3's client, and what reads whole objects."""

    s3: Any
    settings: ClientSettings
    reader: CurlReader
    owners: Owners

    @property
    def region(self) -> str:
        return str(self.s3.meta.region_name)

    def owner_of(self, bucket: str) -> str | None:
        """The account that each request expects the bucket to be of. Raises CannotStart."""
        return self.owners.of(bucket)


def make_clients(settings: ClientSettings) -> Clients:
    """Raises AccessDenied where botocore finds no credentials, StoreError where it cannot use its
    configuration.
    """
    with store_errors("configuration"):
        return _make_clients(settings)


def _make_clients(settings: ClientSettings) -> Clients:
    session = make_session(settings)
    credentials = session.get_credentials()
    if credentials is None:
        raise AccessDenied(
            "no AWS credentials were found: environment, profile, container, instance",
            code="NoCredentials",
        )
    region = session.get_config_variable("region") or "us-east-1"
    client = make_client(session, region, settings, settings.endpoint_url)
    found_url = str(
        client.meta.endpoint_url
    )  # AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_S3 and the profile are known only now
    if settings.endpoint_url is None and not is_aws(found_url):
        client = make_client(session, region, settings, found_url)
    register_fast_parsing(client)
    register_own_bodies(client)
    # as `doctor` asks: it gives up sooner than a run does
    sts = replace(settings, attempts_max=3, connect_timeout_seconds=5, read_timeout_seconds=20)
    owners = make_owners(
        session, make_config(sts), region, settings.bucket_accounts, str(client.meta.endpoint_url)
    )
    register_owners(client, owners)
    return Clients(client, settings, CurlReader(client, credentials, settings), owners)


def make_session(settings: ClientSettings) -> Session:
    """Where credentials and region come from."""
    session = GuardedSession(
        profile=settings.profile,
        request_seconds=settings.request_seconds,
        silence_seconds=settings.read_timeout_seconds,
    )
    if settings.region is not None:
        session.set_config_variable("region", settings.region)
    if settings.access_key is not None:
        session.set_credentials(settings.access_key, settings.secret_key)
    return session


def make_client(
    session: Session, region: str, settings: ClientSettings, endpoint_url: str | None
) -> Any:
    """Other servers than AWS's are addressed by path. Over TLS no body is signed: S3 compares its
    checksum, which is cheaper.
    """
    is_custom = endpoint_url is not None and not is_aws(endpoint_url)
    config = make_config(settings).merge(
        Config(
            # every body that matters carries the CRC64NVME that we computed
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            signature_version="s3v4",
            s3={
                "addressing_style": "path" if is_custom else "auto",
                "payload_signing_enabled": endpoint_url is not None
                and endpoint_url.startswith("http:"),
            },
        )
    )
    return session.create_client("s3", region_name=region, endpoint_url=endpoint_url, config=config)


def make_service_client(
    session: Session, service: str, settings: ClientSettings, s3_endpoint_url: str
) -> Any:
    """A client of another service. Where S3 is not AWS's own, the service is looked for at the same
    server, unless it is configured.
    """
    config = make_config(settings)
    client = session.create_client(service, config=config, endpoint_url=settings.endpoint_url)
    if is_aws(s3_endpoint_url) or ".amazonaws." not in str(client.meta.endpoint_url):
        return client
    return session.create_client(service, config=config, endpoint_url=s3_endpoint_url)


def make_config(settings: ClientSettings) -> Config:
    """What holds for every client. Adaptive retries send less by themselves while S3 says
    SlowDown.
    """
    return Config(
        retries={"mode": "adaptive", "total_max_attempts": settings.attempts_max},
        max_pool_connections=settings.concurrency,
        connect_timeout=settings.connect_timeout_seconds,
        read_timeout=settings.read_timeout_seconds,
        tcp_keepalive=True,
        user_agent_extra="log-aggregator",
    )


def is_aws(endpoint_url: str) -> bool:
    """One of AWS's own regional endpoints, which know buckets as host names."""
    host = urlsplit(endpoint_url).hostname or ""
    return re.fullmatch(r"s3([.-][a-z0-9.-]+)?\.amazonaws\.(com|com\.cn|eu)", host) is not None
