"""Access logs of load balancers: application (and its connection logs), network, classic. All have
the same service name in their keys; the beginning of a line says which kind it is.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html,
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-connection-logs.html,
https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-access-logs.html,
https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/access-log-collection.html.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from log_aggregator.core.terms.model import Field
from log_aggregator.core.terms.readers.moments import by_time, seconds_of
from log_aggregator.core.terms.readers.pieces import Pieces, once
from log_aggregator.core.terms.readers.unparsable import Unparsable
from log_aggregator.core.terms.tally import Tally


def read_balancers(data: bytes, tally: Tally) -> None:
    """Counts the terms of a log. Raises Unparsable, TooMany."""
    damaged = False
    pieces = Pieces(data)
    for piece in pieces:
        lines = [line for line in piece.decode("utf-8", "replace").split("\n") if line.strip()]
        read = [_read_line(line) for line in lines]
        requests = [request for request in read if request is not None]
        damaged = damaged or len(requests) < len(read)
        _count(requests, tally)
    pieces.check()
    if damaged:
        raise Unparsable


@dataclass(frozen=True, slots=True)
class _Form:
    """The positions of the parts in a line; None for a part that this kind does not have."""

    words_min: int
    time: int
    client: int
    request: int | None = None
    domain: int | None = None


_APPLICATION = _Form(words_min=19, time=1, client=3, request=12, domain=18)
_NETWORK = _Form(words_min=18, time=2, client=5, domain=17)
_CLASSIC = _Form(words_min=12, time=0, client=2, request=11)
_CONNECTION = _Form(words_min=7, time=0, client=1)
_FORMS = {
    **dict.fromkeys(("http", "https", "h2", "grpc", "grpcs", "ws", "wss"), _APPLICATION),
    "tls": _NETWORK,
}
_TARGET_GROUP = 16
"""The position of the target group's ARN, in a line of an application load balancer."""
_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
_URL_HOST = re.compile(r"\S+ [a-z0-9]+://(\[[^\]]*\]|[^/:?# ]*)")

_Request = tuple[str, str | None, str | None, str | None]
"""(time, address, host of the TLS handshake, host of the request)."""


def _read_line(line: str) -> _Request | None:
    words = _words_of(line)
    form = _form_of(words)
    if form is None or len(words) < form.words_min:
        return None
    if form is _APPLICATION and not words[_TARGET_GROUP].startswith(("arn:", "-")):
        return None  # a quotation mark inside a text has shifted the words
    request = None if form.request is None else _URL_HOST.match(words[form.request])
    domain = None if form.domain is None else words[form.domain]
    return (
        words[form.time],
        _address(words[form.client]),
        None if domain == "-" else domain,
        request[1].strip("[]") if request and request[1] != "-" else None,
    )


def _words_of(line: str) -> list[str]:
    if "\\" in line:
        return [quoted or plain for quoted, plain in _WORD.findall(line)]
    words: list[str] = []
    for number, part in enumerate(line.split('"')):
        if number % 2:
            words.append(part)
        else:
            words += part.split()
    return words


def _form_of(words: Sequence[str]) -> _Form | None:
    form = _FORMS.get(words[0]) if words else None
    if form is None and len(words) > 3 and seconds_of(words[0]) is not None:
        # A connection log has the client's port as a separate word.
        return _CONNECTION if words[2].isdigit() else _CLASSIC
    return form


def _address(client: str) -> str | None:
    """The address without its port: `192.0.2.1:443`, `[2001:db8::1]:443`. A connection log has no
    port here.
    """
    if client.count(":") > 1 and not client.startswith("["):
        front, _, port = client.rpartition(":")
        return front if len(front.split(":")) == 8 and port.isdigit() else client
    address = client.rpartition(":")[0] or client
    return address.strip("[]") if address != "-" else None


def _count(requests: Sequence[_Request], tally: Tally) -> None:
    for some, times in by_time(requests, [seconds_of(request[0]) for request in requests]):
        tally.count(Field.ADDRESS, [request[1] for request in some], times)
        for column in once([each[2] for each in some], [each[3] for each in some]):
            tally.count(Field.HOST, column, times)
