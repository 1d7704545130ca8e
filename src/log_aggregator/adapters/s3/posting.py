"""POST requests to other servers than AWS, with botocore's rules for proxies and certificates, and
with a deadline.
"""

from __future__ import annotations

from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies
from urllib3.exceptions import HTTPError

from log_aggregator.adapters.s3.clients import ClientSettings, make_session
from log_aggregator.adapters.s3.configuration import configuration_errors
from log_aggregator.adapters.s3.deadlines import calling
from log_aggregator.adapters.s3.errors import explain
from log_aggregator.adapters.s3.wire import Wire, watch_pools
from log_aggregator.errors import Unreachable


class Poster:
    """Sends POST requests. An answer is read up to a limit; one that is cut off before it is an
    error.
    """

    def __init__(self, settings: ClientSettings, operation: str, answer_bytes_max: int) -> None:
        """Raises BadConfiguration."""
        with configuration_errors():
            bundle = make_session(settings).get_config_variable("ca_bundle")
        self._settings = settings
        self._operation = operation
        self._answer_bytes_max = answer_bytes_max
        self._verify: str | bool = bundle or True
        self._wire = Wire(settings.request_seconds, settings.read_timeout_seconds)

    def post(self, url: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """(status, body), at most `answer_bytes_max` of the body. Raises Unreachable."""
        limits = (self._settings.connect_timeout_seconds, self._settings.read_timeout_seconds)
        session = URLLib3Session(
            verify=self._verify, proxies=get_environ_proxies(url), timeout=limits
        )
        watch_pools(session)

        def send(request: object) -> tuple[int, bytes]:
            answer = session.send(request)
            data = bytes(answer.raw.read(self._answer_bytes_max))
            promised = int(answer.headers.get("Content-Length", len(data)))
            # urllib3 does not notice a short body when it is asked for a number of bytes.
            if len(data) < min(promised, self._answer_bytes_max):
                raise ConnectionError(f"only {len(data)} of {promised} bytes came")
            return int(answer.status_code), data

        request = AWSRequest("POST", url, headers, body, stream_output=True).prepare()
        try:
            with calling(self._operation):
                status, answer = self._wire.send(send, request)
        # HTTPError comes from reading the body, which botocore does not wrap.
        except (BotoCoreError, HTTPError, OSError, ValueError) as error:
            raise Unreachable(
                f"{self._operation} {url}: {explain(error)}", operation=self._operation
            ) from error
        finally:
            session.close()
        return status, answer
