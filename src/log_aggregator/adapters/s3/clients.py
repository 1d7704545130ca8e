"""The one place that makes clients: boto3's for everything, obstore's for reading whole objects.

boto3's clients are botocore's, and are made by botocore's session: boto3's own brings resources and
transfers besides, which nobody here uses, and takes longer to import and to make a client.

obstore's GET takes 0.2 ms of CPU where boto3's takes 3 ms; all else happens too seldom to matter.
Both use the same credentials, which botocore finds (environment, profile, container, instance, SSO)
and renews.

A bucket is taken to be in the client's region. boto3 would follow it elsewhere; obstore does not,
and the error says so.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore.config import Config
from botocore.credentials import Credentials
from botocore.session import Session
from obstore.store import S3Store as ObstoreS3

from log_aggregator.adapters.s3.deadlines import REQUEST_SECONDS, SILENCE_SECONDS
from log_aggregator.adapters.s3.errors import store_errors
from log_aggregator.adapters.s3.listing import register_fast_parsing
from log_aggregator.adapters.s3.wire import GuardedSession
from log_aggregator.errors import AccessDenied
from log_aggregator.limits import GIB

CREDENTIALS_TTL = timedelta(minutes=10)
"""What obstore is told. It asks again 5 minutes before the end; botocore's credentials are good for
10 more whenever it hands them out.
"""

RETRY_SECONDS_MAX = 180
"""obstore does not sign a retry anew, and S3 refuses signatures older than 15 minutes."""


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


@dataclass(slots=True)
class Clients:
    """boto3's client, and one reader per bucket."""

    s3: Any
    settings: ClientSettings
    _credentials: Any
    _readers: dict[str, Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def region(self) -> str:
        return str(self.s3.meta.region_name)

    def reader(self, bucket: str) -> Any:
        """The client of obstore for this bucket; all threads share its connections."""
        reader = self._readers.get(bucket)
        if reader is None:
            with self._lock:
                reader = self._readers.get(bucket)
                if reader is None:
                    reader = self._readers[bucket] = self._make_reader(bucket)
        return reader

    def _make_reader(self, bucket: str) -> Any:
        endpoint_url = str(self.s3.meta.endpoint_url)
        virtual = (
            is_aws(endpoint_url) and "." not in bucket
        )  # a dot would break the certificate's wildcard
        options: dict[str, Any] = {
            "allow_http": endpoint_url.startswith("http:"),
            "connect_timeout": timedelta(seconds=self.settings.connect_timeout_seconds),
            "timeout": timedelta(seconds=body_timeout_seconds(self.settings)),
            "pool_max_idle_per_host": str(self.settings.concurrency),
        }
        if bundle := os.environ.get("AWS_CA_BUNDLE"):
            options["root_certificate"] = Path(bundle).read_bytes()
        return ObstoreS3(
            bucket,
            config={  # what is given here wins over the environment, which obstore reads too
                "region": self.region,
                "endpoint": endpoint_url.replace("://", f"://{bucket}.", 1)
                if virtual
                else endpoint_url,
                "virtual_hosted_style_request": virtual,
                "skip_signature": False,
                "s3_express": False,
            },
            client_options=options,
            retry_config={
                "max_retries": self.settings.attempts_max - 1,
                "retry_timeout": timedelta(seconds=RETRY_SECONDS_MAX),
            },
            credential_provider=make_credential_provider(self._credentials),
        )


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
    return Clients(s3=client, settings=settings, _credentials=credentials)


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


def body_timeout_seconds(settings: ClientSettings) -> float:
    """The time limit of obstore spans a whole body. At 20 MiB/s the largest range that is read at
    once, 1 GiB, takes 51 s.
    """
    return settings.read_timeout_seconds + GIB / (20 * 1024 * 1024)


def make_credential_provider(
    credentials: Credentials,
) -> Callable[[], dict[str, Any]]:
    """A function that hands botocore's present credentials to obstore, renewed where they can
    be.
    """

    def provide() -> dict[str, Any]:
        frozen = credentials.get_frozen_credentials()
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": datetime.now(UTC) + CREDENTIALS_TTL,
        }

    return provide
