"""Finds names, ids, ARNs and access keys in the parameters of an API call and in its answer, by a
rule about their keys. Only texts are taken; policies, documents, bodies and the like are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any

from log_aggregator.core.terms.model import Field


class Closed(Enum):
    """The kind of a key below which nothing is read."""

    CLOSED = 0


Kind = Field | Closed | None
"""What is under a key: a term, something closed, or anything else."""

Found = list[tuple[Field, str]]
"""Terms that were found, with duplicates."""


def gather(parameters: Any, found: Found) -> None:
    """Adds the terms in `parameters`, a decoded JSON value of a CloudTrail event."""
    _gather(parameters, found, _KINDS)


def gather_finding(resource: Any, found: Found) -> None:
    """The same for a resource or an action in a GuardDuty finding."""
    _gather(resource, found, _FINDING_KINDS)


def _gather(parameters: Any, found: Found, kinds: _Kinds) -> None:
    """Without recursion, because the value may be nested as deep as the decoder allows."""
    stack = [parameters]
    while stack:
        node = stack.pop()
        if type(node) is dict:
            _look_into(node, found, kinds, stack)
        elif type(node) is list:
            stack += [each for each in node if type(each) is dict or type(each) is list]


def _look_into(node: dict[str, Any], found: Found, kinds: _Kinds, stack: list[Any]) -> None:
    terms = kinds.terms
    for key, value in node.items():
        if type(value) is str:
            field = terms[key]
            if field is not None and value:
                found.append((field, value))
        elif (type(value) is dict or type(value) is list) and kinds[key] is not Closed.CLOSED:
            stack.append(value)
            field = terms[key]
            if field is not None and type(value) is list:
                found += [(field, each) for each in value if type(each) is str and each]


def kind_of(key: str) -> Kind:
    """Decides by the last word of the key: `roleArn`, `KeyId`, `instanceIds`,
    `DBInstanceIdentifier`, `bucketName`, `aws:s3:arn`, `name`.
    """
    plain = key.lower()
    if plain in _NEVER or len(key) > _KEY_CHARS_MAX:
        return None
    if plain in _EXACT:
        return _EXACT[plain]
    if _RESOURCE.search(key):
        return Field.RESOURCE
    if _NAME.search(key):
        return Field.NAME
    return Closed.CLOSED if plain.endswith(CLOSED_WORDS) else None


def kind_words() -> list[tuple[str, str]]:
    """The rule as a table: (keys, the field of their values)."""
    exact: dict[Field, list[str]] = {}
    for key, field in EXACT.items():
        exact.setdefault(field, []).append(f"`{key}`")
    rows = [(", ".join(keys), f"`{field}`") for field, keys in exact.items()]
    rows += [(f"`{key}`, in findings", f"`{field}`") for key, field in EXACT_IN_FINDINGS.items()]
    resource = "`...Arn`, `...Id`, `...Identifier`, their plurals, and these words alone"
    name = "`...Name`, `...Names`, and these words alone"
    return [*rows, (resource, f"`{Field.RESOURCE}`"), (name, f"`{Field.NAME}`")]


_KEY_CHARS_MAX = 100
EXACT = {
    "accessKeyId": Field.ACCESS_KEY,
    "roleSessionName": Field.SESSION,
    "networkInterfaceId": Field.INTERFACE,
    "publicIp": Field.ADDRESS,
    "privateIpAddress": Field.ADDRESS,
    "ipAddress": Field.ADDRESS,
    "ipAddressV4": Field.ADDRESS,
    "ipAddressV6": Field.ADDRESS,
    "ipv6Address": Field.ADDRESS,
    "ipv6Addresses": Field.ADDRESS,
}
EXACT_IN_FINDINGS = {"domain": Field.HOST, "userName": Field.PRINCIPAL}
_EXACT = {key.lower(): field for key, field in EXACT.items()}
_RESOURCE = re.compile(r"(?:Arn|ARN|Id|ID|Identifier)s?\Z|(?:\A|[_.:-])(?:arn|id|identifier)s?\Z")
_NAME = re.compile(r"Names?\Z|(?:\A|[_.:-])names?\Z")
CLOSED_WORDS = (
    *("policy", "policies", "document", "documents", "statement", "statements", "body", "script"),
    *("content", "contents", "payload", "message", "messages", "querystring", "secretstring"),
    *("tagging", "tag", "tags", "tagset", "metadata", "header", "headers", "userdata", "password"),
    *("environment", "variables", "parameters", "arguments", "attributes"),
)
"""Last words of keys with free content, in which keys have no known meaning."""
_NEVER = frozenset(
    (
        *("requestid", "x-amz-request-id", "eventid", "sharedeventid", "versionid", "uploadid"),
        *("x-amz-version-id", "messageid", "operationid", "activityid", "correlationid", "traceid"),
        *("transactionid", "clientrequestid", "invocationid", "idempotencyid", "logstreamname"),
        *("firstname", "lastname", "fullname", "givenname", "familyname", "middlename"),
        *("displayname", "externalid"),
    )
)


class _Kinds(dict[str, Kind]):
    """A cache of the kinds of keys; there are a few thousand in all of AWS."""

    def __init__(self, exact: Mapping[str, Field]) -> None:
        super().__init__()
        self._exact = exact
        self.terms = _Terms(self)

    def __missing__(self, key: str) -> Kind:
        kind = self._exact.get(key.lower()) or kind_of(key)
        if len(self) < _KINDS_MAX and len(key) <= _KEY_CHARS_MAX:
            self[key] = kind
        return kind


class _Terms(dict[str, Field | None]):
    """A cache of the field for a text under a key, or None."""

    def __init__(self, kinds: _Kinds) -> None:
        super().__init__()
        self._kinds = kinds

    def __missing__(self, key: str) -> Field | None:
        kind = self._kinds[key]
        field = kind if isinstance(kind, Field) else None
        if len(self) < _KINDS_MAX and len(key) <= _KEY_CHARS_MAX:
            self[key] = field
        return field


_KINDS_MAX = 10_000
_KINDS = _Kinds({})
_FINDING_KINDS = _Kinds({key.lower(): field for key, field in EXACT_IN_FINDINGS.items()})
