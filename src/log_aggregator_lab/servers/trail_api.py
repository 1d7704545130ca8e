"""A stand-in for the three calls of CloudTrail and Organizations that are needed to check
signatures. Its answers match the organisation.

`aws cloudtrail validate-logs` finds it by AWS_ENDPOINT_URL_CLOUDTRAIL and
AWS_ENDPOINT_URL_ORGANIZATIONS; requests are not checked.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from log_aggregator.ports.trail_keys import TrailKey
from log_aggregator_lab.organisation.generate import public_key_der, public_key_fingerprint
from log_aggregator_lab.organisation.specification import OrganisationSpec

MANAGEMENT_ACCOUNT = "999999999999"
_KEY_DAYS = 30

REGION_DENY = {
    "__type": "AccessDeniedException",
    "message": "User: arn:aws:sts::111122223333:assumed-role/finish/finish is not authorized to "
    "perform: cloudtrail:ListPublicKeys with an explicit deny in a service control policy",
}


class LabTrailKeys:
    """Implements `log_aggregator.trailkeys.TrailKeys`: one key, valid around the organisation's
    days, the same in every region.
    """

    def __init__(self, spec: OrganisationSpec) -> None:
        begin = datetime.combine(spec.first_day, time(), UTC)
        days = timedelta(days=_KEY_DAYS)
        self.keys = [
            TrailKey(
                public_key_fingerprint(spec),
                public_key_der(spec),
                begin - days,
                begin + timedelta(days=spec.days) + days,
            )
        ]
        self.asked: list[tuple[str, datetime, datetime]] = []

    @property
    def period(self) -> tuple[datetime, datetime]:
        """The time in which its keys are valid."""
        return self.keys[0].valid_from, self.keys[-1].valid_until

    def list_public_keys(self, region: str, first: datetime, last: datetime) -> list[TrailKey]:
        self.asked.append((region, first, last))
        return [key for key in self.keys if key.valid_from <= last and key.valid_until >= first]


def trail_arn(spec: OrganisationSpec) -> str:
    """The ARN of the trail that delivers the organisation's logs."""
    return f"arn:aws:cloudtrail:{spec.home_region}:{MANAGEMENT_ACCOUNT}:trail/{spec.trail_name}"


class TrailApi:
    """Serves ListPublicKeys, DescribeTrails and DescribeOrganization on a free port of this machine
    while the block runs.

    A Region of `refused` gives no public keys, as under a Region deny; `asked` are those that were
    asked for any.
    """

    def __init__(self, spec: OrganisationSpec) -> None:
        self.keys = LabTrailKeys(spec)
        self.refused: set[str] = set()
        self.asked: list[str] = []
        self._spec = spec
        answers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "ListPublicKeys": self._list_public_keys,
            "DescribeTrails": self._describe_trails,
            "DescribeOrganization": self._describe_organization,
        }

        def refuse(region: str) -> dict[str, Any] | None:
            self.asked.append(region)
            return REGION_DENY if region in self.refused else None

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = json.loads(
                    self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}"
                )
                operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
                answer = answers.get(operation)
                error = None if answer else {"__type": "UnknownOperationException"}
                if operation == "ListPublicKeys":
                    error = refuse(_region_of(self.headers.get("Authorization", "")))
                body = json.dumps(answer(request) if answer and not error else error).encode()
                self.send_response(400 if error else 200)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Prints nothing on standard error."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def environment(self) -> dict[str, str]:
        """The endpoint for AWS's clients."""
        return {
            "AWS_ENDPOINT_URL_CLOUDTRAIL": self.endpoint_url,
            "AWS_ENDPOINT_URL_ORGANIZATIONS": self.endpoint_url,
        }

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _list_public_keys(self, request: dict[str, Any]) -> dict[str, Any]:
        first, last = (
            datetime.fromtimestamp(float(request[name]), UTC) for name in ("StartTime", "EndTime")
        )
        return {
            "PublicKeyList": [
                _describe_key(key) for key in self.keys.list_public_keys("", first, last)
            ]
        }

    def _describe_trails(self, _: dict[str, Any]) -> dict[str, Any]:
        spec = self._spec
        trail = {
            "Name": spec.trail_name,
            "TrailARN": trail_arn(spec),
            "HomeRegion": spec.home_region,
            "S3BucketName": spec.control_tower_bucket,
            "S3KeyPrefix": spec.organization_id,
            "IsOrganizationTrail": True,
        }
        return {"trailList": [trail]}

    def _describe_organization(self, _: dict[str, Any]) -> dict[str, Any]:
        return {
            "Organization": {
                "Id": self._spec.organization_id,
                "MasterAccountId": MANAGEMENT_ACCOUNT,
            }
        }


def _region_of(authorization: str) -> str:
    """The Region that it is signed for: `Credential=<key>/<day>/<region>/<service>/...`."""
    scope = authorization.partition("Credential=")[2].split("/")
    return scope[2] if len(scope) > 2 else ""


def _describe_key(key: TrailKey) -> dict[str, Any]:
    return {
        "Value": base64.b64encode(key.der).decode(),
        "Fingerprint": key.fingerprint,
        "ValidityStartTime": key.valid_from.timestamp(),
        "ValidityEndTime": key.valid_until.timestamp(),
    }
