"""CloudTrail's public keys. Each Region has its own, so there is one client for each Region, made
when it is needed.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from botocore.session import Session

from log_aggregator.adapters.s3.clients import (
    ClientSettings,
    make_clients,
    make_service_client,
)
from log_aggregator.adapters.s3.inspection import service_errors
from log_aggregator.errors import StoreError
from log_aggregator.ports.trail_keys import TrailKey

OPERATION = "ListPublicKeys"
PAGES_MAX = 1_000


class CloudTrailKeys:
    """Implements `log_aggregator.trailkeys.TrailKeys`. Thread safe."""

    def __init__(self, settings: ClientSettings, session: Session, s3_endpoint_url: str) -> None:
        self._settings = settings
        self._session = session
        self._s3_endpoint_url = s3_endpoint_url
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    @classmethod
    def connect(cls, settings: ClientSettings) -> CloudTrailKeys | None:
        """None if the S3 server is not AWS: others have no CloudTrail, unless
        AWS_ENDPOINT_URL_CLOUDTRAIL names one.

        Raises BadConfiguration if there are no credentials, or if the configuration cannot be used.
        """
        clients = make_clients(settings)
        s3_endpoint_url = str(clients.s3.meta.endpoint_url)
        keys = cls(replace(settings, endpoint_url=None), clients.session, s3_endpoint_url)
        client = keys._client(clients.region)
        return None if str(client.meta.endpoint_url) == s3_endpoint_url else keys

    def list_public_keys(self, region: str, first: datetime, last: datetime) -> list[TrailKey]:
        """Every key whose validity overlaps the period, over all pages
        (https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_ListPublicKeys.html).
        """
        found: list[TrailKey] = []
        request: dict[str, Any] = {"StartTime": first, "EndTime": last}
        for _ in range(PAGES_MAX):
            with service_errors(OPERATION, f"cloudtrail {region}"):
                response = self._client(region).list_public_keys(**request)
                # botocore parses the page of some other web server as an empty answer. That must be
                # a LookupError, not "no keys".
                found += [_parse_key(entry) for entry in response["PublicKeyList"]]
            if not response.get("NextToken"):
                return found
            request["NextToken"] = response["NextToken"]
        raise StoreError(
            f"{OPERATION} cloudtrail {region}: more than {PAGES_MAX} pages",
            code="BadAnswer",
            operation=OPERATION,
        )

    def _client(self, region: str) -> Any:
        with self._lock:
            if region not in self._clients:
                settings = replace(self._settings, region=region)
                self._clients[region] = make_service_client(
                    self._session, "cloudtrail", settings, self._s3_endpoint_url
                )
            return self._clients[region]


def _parse_key(entry: dict[str, Any]) -> TrailKey:
    return TrailKey(
        entry["Fingerprint"],
        bytes(entry["Value"]),
        entry["ValidityStartTime"].astimezone(UTC),
        entry["ValidityEndTime"].astimezone(UTC),
    )
