"""Deadlines for all of botocore's requests.

botocore has no hook for this, so parts of it are replaced: the connections (which report the
sockets that a request uses), and the `send` of a client's HTTP session, which is one attempt from
the name lookup to the last byte of the answer. (botocore would leave an object's body to its
caller, but objects are read by `curl`.) If botocore renames these parts, `guard` raises
AttributeError at the first client.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
)
from botocore.session import Session

from log_aggregator.adapters.s3.credentials import (
    GuardedCredentials,
    Source,
    load_credentials,
)
from log_aggregator.adapters.s3.deadlines import (
    LOCAL,
    RETRY_SPAN,
    SECOND_TRY_SPAN,
    UNANSWERED_MAX_AT_FIRST,
    UPLOADS,
    WATCHDOG,
    Attempt,
    Call,
    estimate_seconds,
    is_silent_at_work,
)
from log_aggregator.limits import KIB

PIECE_BYTES = 256 * KIB
"""A body is sent in pieces of this size. The timeout of Python's `sendall` counts for the whole
call, so a large part would have to be sent within it.
"""


class GuardedSession(Session):  # type: ignore[misc]  # botocore has no types
    """A session whose clients have deadlines, including those that botocore makes itself, for
    example to assume a role. Its credentials raise our errors.
    """

    def __init__(
        self, *, profile: str | None, request_seconds: float, silence_seconds: float
    ) -> None:
        self._credentials: Any = None
        super().__init__(profile=profile)
        self._limits = request_seconds, silence_seconds

    def get_credentials(self) -> Any:
        """The credentials of all clients, None if there are none. Raises BadConfiguration."""
        if self._credentials is None:
            self._credentials = load_credentials(self)
        elif not isinstance(self._credentials, GuardedCredentials):  # from set_credentials
            source = Source(self._credentials.method, None)
            self._credentials = GuardedCredentials(self._credentials, source)
        return self._credentials

    def create_client(self, *arguments: Any, **named: Any) -> Any:
        """A client with deadlines."""
        client = super().create_client(*arguments, **named)
        guard(client, *self._limits)
        return client


def guard(client: Any, request_seconds: float, silence_seconds: float) -> None:
    """Gives every request of this client a deadline."""
    wire = Wire(request_seconds, silence_seconds)
    session = client._endpoint.http_session  # noqa: SLF001 - see above
    watch_pools(session)
    send = session.send
    session.send = lambda request: wire.send(send, request)
    service = client.meta.service_model.service_id.hyphenize()
    client.meta.events.register_first(f"needs-retry.{service}", wire.check_retry)


def watch_pools(session: Any) -> None:
    """Makes the connections of this HTTP session report the sockets that they use."""
    pools = session._pool_classes_by_scheme  # noqa: SLF001 - see above
    if session._manager.pool_classes_by_scheme is not pools:  # noqa: SLF001
        raise AttributeError("botocore has moved its connection pools")
    pools.update(http=WatchedPool, https=WatchedTLSPool)


@dataclass(slots=True)
class Wire:
    """Sends a client's requests."""

    request_seconds: float
    silence_seconds: float
    has_answered: bool = False
    """Whether this server has ever answered."""

    def send(self, send: Callable[[Any], Any], request: Any) -> Any:
        """One attempt, until the whole answer is there. Raises DeadlineExceeded if it was cut;
        after a ctrl-C, Stopped for a write and Interrupted for a read.
        """
        call = LOCAL.call or Call()
        LOCAL.attempt = attempt = self._begin(call)
        try:
            answer = send(request)
        except Exception as error:
            if attempt.is_cut:
                raise attempt.make_error() from error
            raise
        finally:
            LOCAL.attempt = None
            WATCHDOG.end(attempt)
        # A body without a Content-Length ends when the connection ends, so a cut one looks whole.
        if attempt.is_cut:
            raise attempt.make_error()
        self.has_answered = True
        call.unanswered = 0
        return answer

    def check_retry(self, caught_exception: Exception | None = None, **_: Any) -> bool | None:
        """Called before botocore's own handler. Raises the error if the request must not be
        repeated; None leaves the decision to botocore.
        """
        if caught_exception is not None and LOCAL.call and not self.may_retry(LOCAL.call):
            raise caught_exception
        return False if WATCHDOG.is_stopping else None

    def may_retry(self, call: Call) -> bool:
        """Whether a request that got no answer is sent again."""
        if WATCHDOG.is_stopping:
            return False
        if not self.has_answered and call.unanswered >= UNANSWERED_MAX_AT_FIRST:
            return False
        spans = (time.monotonic() - call.began) / self.request_seconds
        return spans < RETRY_SPAN or (call.unanswered < 2 and spans < SECOND_TRY_SPAN)

    def _begin(self, call: Call) -> Attempt:
        seconds = estimate_seconds(call.operation, call.size_bytes, self.request_seconds)
        # Twice as long, so that the deadline ends it and not the silence.
        silence = 2 * seconds if is_silent_at_work(call.operation) else self.silence_seconds
        attempt = Attempt(call, seconds, silence)
        if call.operation in UPLOADS:
            attempt.answer_seconds = estimate_seconds(call.operation, 0, self.request_seconds)
        if not call.unanswered:
            call.began = attempt.began
        call.unanswered += 1
        WATCHDOG.watch(attempt)
        return attempt


class _WatchedConnection:
    """Reports its socket to the attempt that uses it."""

    sock: socket.socket | None
    timeout: float | None
    attempt: Attempt | None = None

    def _new_conn(self) -> socket.socket:
        sock: socket.socket = super()._new_conn()  # type: ignore[misc]  # of the connection class
        self._hold(sock)
        return sock

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        self._be_patient()

    def request(self, *arguments: Any, **named: Any) -> Any:
        # A connection from the pool, which another attempt used before.
        if self.sock is not None and self.attempt is not LOCAL.attempt:
            self._hold(self.sock)
            self._be_patient()
        return super().request(*arguments, **named)  # type: ignore[misc]

    def send(self, data: Any) -> None:
        if not isinstance(data, bytes | bytearray | memoryview):
            super().send(data)  # type: ignore[misc]
            return
        view = memoryview(data).cast("B")
        for begin in range(0, len(view), PIECE_BYTES):
            super().send(view[begin : begin + PIECE_BYTES])  # type: ignore[misc]

    def getresponse(self) -> Any:
        if self.attempt is not None:
            self.timeout = self.attempt.silence_seconds
            WATCHDOG.hurry(self.attempt)
        return super().getresponse()  # type: ignore[misc]

    def _hold(self, sock: socket.socket) -> None:
        self.attempt = LOCAL.attempt
        if self.attempt is not None:
            self.attempt.hold(sock)

    def _be_patient(self) -> None:
        if self.attempt is not None and self.sock is not None:
            self.sock.settimeout(self.attempt.silence_seconds)


class WatchedConnection(_WatchedConnection, AWSHTTPConnection):  # type: ignore[misc]
    """Plain."""


class WatchedTLSConnection(_WatchedConnection, AWSHTTPSConnection):  # type: ignore[misc]
    """With TLS."""


class WatchedPool(AWSHTTPConnectionPool):  # type: ignore[misc]
    """Plain."""

    ConnectionCls = WatchedConnection


class WatchedTLSPool(AWSHTTPSConnectionPool):  # type: ignore[misc]
    """With TLS."""

    ConnectionCls = WatchedTLSConnection
