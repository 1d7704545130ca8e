"""The only place that makes clients: botocore's for requests that write, our own reader for most
reads. Both use what botocore decides: endpoint, Region, credentials (environment, profile,
container, instance, SSO) and their renewal, certificates, proxies.

Clients are made by botocore's session, not boto3's. They are the same clients, but boto3 also loads
resources and transfers, which nothing here uses, and is slower to import.

A bucket may be in another Region than the client: botocore follows it there, and so does the reader
(see `regions`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from botocore.config import Config
from botocore.session import Session

from log_aggregator.adapters.s3.configuration import (
    check_client,
    check_endpoint,
    check_region,
    check_session,
    configuration_errors,
    find_endpoint,
    find_region,
)
from log_aggregator.adapters.s3.credentials import GuardedCredentials, starting
from log_aggregator.adapters.s3.curl import CurlReader
from log_aggregator.adapters.s3.deadlines import REQUEST_SECONDS, SILENCE_SECONDS
from log_aggregator.adapters.s3.deleting import register_own_bodies
from log_aggregator.adapters.s3.owners import Owners, make_owners, register_owners
from log_aggregator.adapters.s3.regions import Regions, is_aws
from log_aggregator.adapters.s3.wire import GuardedSession
from log_aggregator.errors import BadConfiguration


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """How S3 is reached. None means that botocore finds it (environment, profile, instance)."""

    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None
    concurrency: int = 32
    connect_timeout_seconds: float = 10
    read_timeout_seconds: float = SILENCE_SECONDS
    """An attempt fails when no byte is received or accepted for this long."""
    request_seconds: float = REQUEST_SECONDS
    """Deadline of one attempt of a request without a body; all other deadlines scale with it."""
    attempts_max: int = 8
    """When S3 answers that it cannot serve the request now. See `deadlines` for attempts without an
    answer.
    """
    access_key: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    bucket_accounts: tuple[tuple[str, str], ...] = ()
    """Buckets, and the accounts that own them, if not the caller's own account (see `owners`)."""


@dataclass(slots=True)
class Clients:
    """botocore's client, which writes, and the reader."""

    s3: Any
    settings: ClientSettings
    reader: CurlReader
    owners: Owners
    session: Session

    @property
    def region(self) -> str:
        return str(self.s3.meta.region_name)

    def owner_of(self, bucket: str) -> str | None:
        """The account that requests expect to own the bucket. Raises CannotStart."""
        return self.owners.of(bucket)


def make_clients(settings: ClientSettings) -> Clients:
    """Raises BadConfiguration if botocore finds no credentials, or if something in the AWS
    configuration cannot be used.
    """
    with configuration_errors():
        return _make_clients(settings)


def _make_clients(settings: ClientSettings) -> Clients:
    session = make_session(settings)
    endpoint = find_endpoint(session, settings.endpoint_url)
    region = find_region(session, settings.region)
    check_endpoint(endpoint)
    check_region(region, endpoint)
    credentials = find_credentials(session)
    client = make_client(session, region.value, settings, endpoint.value if endpoint else None)
    check_client(session, client)
    register_own_bodies(client)
    # The caller's account is asked for once, before anything else, and a person waits for it: so
    # it gives up sooner than a run does.
    sts = replace(settings, attempts_max=3, connect_timeout_seconds=5, read_timeout_seconds=20)
    endpoint_url = str(client.meta.endpoint_url)
    owners = make_owners(
        session, make_config(sts), region.value, settings.bucket_accounts, endpoint_url
    )
    register_owners(client, owners)
    regions = Regions(client) if is_aws(endpoint_url) else None
    reader = CurlReader(client, credentials, settings, regions)
    return Clients(client, settings, reader, owners, session)


def make_session(settings: ClientSettings) -> Session:
    """Botocore's session, the source of credentials and Region. Raises BadConfiguration."""
    session = GuardedSession(
        profile=settings.profile,
        request_seconds=settings.request_seconds,
        silence_seconds=settings.read_timeout_seconds,
    )
    check_session(session)
    session.set_config_variable("region", find_region(session, settings.region).value)
    if settings.access_key is not None:
        session.set_credentials(settings.access_key, settings.secret_key)
    return session


def find_credentials(session: Session) -> GuardedCredentials:
    """The credentials that sign requests. They are fetched now, so that missing or expired ones are
    noticed before anything is changed. Raises BadConfiguration.
    """
    credentials: GuardedCredentials | None = session.get_credentials()
    if credentials is None:
        raise BadConfiguration(
            "no AWS credentials were found: name a --profile, log in, or set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY"
        )
    with starting(credentials.source):
        credentials.get_frozen_credentials()
    return credentials


def make_client(
    session: Session, region: str, settings: ClientSettings, endpoint_url: str | None
) -> Any:
    """An S3 client. Over TLS bodies are not signed: TLS and the checksum in the request protect
    them already, and SHA-256 over every body costs CPU.

    If an endpoint is configured, botocore puts the bucket into the path instead of the host name,
    unless the profile says otherwise.
    """
    is_plain = endpoint_url is not None and endpoint_url.startswith("http:")
    config = make_config(settings).merge(
        Config(
            # botocore would otherwise compute a CRC32 of every body, and send it in an aws-chunked
            # trailer that older S3 servers do not understand. Every body that matters carries the
            # CRC64NVME that we computed ourselves.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"payload_signing_enabled": is_plain},
        )
    )
    return session.create_client("s3", region_name=region, endpoint_url=endpoint_url, config=config)


def make_service_client(
    session: Session, service: str, settings: ClientSettings, s3_endpoint_url: str
) -> Any:
    """A client of another service. If S3 is not AWS's own, the service is expected on the same
    server, unless an endpoint is configured for it. An AWS endpoint that is configured for S3
    serves S3 only (a PrivateLink has no other service), so it is not used here. Raises
    BadConfiguration.
    """
    config = make_config(settings)
    is_at_aws = is_aws(s3_endpoint_url)
    named = None if is_at_aws else settings.endpoint_url
    with configuration_errors():
        client = session.create_client(
            service, region_name=settings.region, config=config, endpoint_url=named
        )
        if is_at_aws or not is_aws(str(client.meta.endpoint_url)):
            return client
        return session.create_client(
            service, region_name=settings.region, config=config, endpoint_url=s3_endpoint_url
        )


def make_config(settings: ClientSettings) -> Config:
    """Settings of every client. In botocore's adaptive mode a client lowers its own request rate
    while S3 answers 503 SlowDown.
    """
    return Config(
        retries={"mode": "adaptive", "total_max_attempts": settings.attempts_max},
        max_pool_connections=settings.concurrency,
        connect_timeout=settings.connect_timeout_seconds,
        read_timeout=settings.read_timeout_seconds,
        tcp_keepalive=True,
        user_agent_extra="log-aggregator",
    )
