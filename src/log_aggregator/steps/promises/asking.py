"""A promise, the ground on which it is probed, and the answer."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum

from log_aggregator.core.checksums import crc64nvme
from log_aggregator.errors import RequestFailed
from log_aggregator.model import LogObject
from log_aggregator.ports.scratch import Hands
from log_aggregator.ports.store import ObjectStore, WriteOptions

WRONG_ETAG = "0" * 32
OWN_CODES = frozenset({"InvalidListing", "NoDelimiter", "BadAnswer", "BadHeader"})
"""Error codes of our own: the server answered, but the answer cannot be used."""


class Seen(StrEnum):
    """How a server keeps a promise."""

    KEPT = "kept"
    BROKEN = "broken"
    """It did something else, without an error."""
    REFUSED = "refused"
    """It answered with an error, so the program notices that the promise is not kept."""
    NOT_ASKED = "not asked"
    """There was no suitable bucket, or no permission."""


class Needs(StrEnum):
    """The kind of bucket in which a promise is probed; `ANY` is kept in all of them."""

    ANY = "a bucket"
    PLAIN = "a bucket without versions"
    VERSIONS = "a bucket with versions"
    LOCK = "a bucket with Object Lock"


class Rests(StrEnum):
    """What depends on a promise."""

    SAFETY = "safety"
    COMMAND = "a command"
    COST = "cost"


@dataclass(frozen=True, slots=True)
class Answer:
    """What was seen, in one line; empty if the promise is kept."""

    seen: Seen
    what: str = ""


class NotGranted(Exception):
    """The caller lacks a permission that the probe needs; the text names it. This shows nothing
    about the server.
    """


class Broken(Exception):
    """A server did not keep a promise; the text says what it did."""


@dataclass(frozen=True, slots=True)
class Ground:
    """Where promises are probed: a bucket and a prefix; and, if there are any, a bucket with
    versions and one with Object Lock, which may be the same.
    """

    store: ObjectStore
    hands: Hands
    bucket: str
    versioned_bucket: str | None = None
    locked_bucket: str | None = None
    is_plain: bool = True
    """`bucket` has no versions."""
    prefix: str = field(default_factory=lambda: f"promises-{secrets.token_hex(6)}/")
    written: set[str] = field(default_factory=set)

    def choose_bucket(self, needs: Needs) -> str | None:
        """The bucket of this kind, or None."""
        buckets = {
            Needs.ANY: self.bucket,
            Needs.PLAIN: self.bucket if self.is_plain else None,
            Needs.VERSIONS: self.versioned_bucket,
            Needs.LOCK: self.locked_bucket,
        }
        return buckets[needs]

    def key(self, name: str) -> str:
        return self.prefix + name

    def write(self, name: str, data: bytes = b"", options: WriteOptions | None = None) -> str:
        """Writes as the program does, only if the key does not exist. Returns the key."""
        key = self.key(name)
        self.written.add(key)
        self.store.put_object(
            self.bucket,
            key,
            data,
            crc64nvme=crc64nvme(data),
            options=options or WriteOptions(),
        )
        return key

    def write_versions(self, name: str, *versions: bytes) -> str:
        """Writes as services do, each version over the one before. Returns the key."""
        for data in versions:
            self.hands.overwrite(self.bucket, self.key(name), data)
        return self.key(name)

    def read(self, key: str) -> bytes:
        return self.store.get_object(self.bucket, key).data

    def find(self, key: str) -> LogObject:
        """The object as it is listed. Raises Broken if it is not listed."""
        found = [
            each
            for each in self.store.list_objects(self.bucket, prefix=key).objects
            if each.key == key
        ]
        if len(found) != 1:
            raise Broken("what was written is not listed")
        return found[0]

    def has(self, key: str) -> bool:
        return key in {
            each.key for each in self.store.list_objects(self.bucket, prefix=key).objects
        }


@dataclass(frozen=True, slots=True)
class Promise:
    """`text` is what S3 does, `why` what needs it, `otherwise` what happens on a server that does
    not.
    """

    name: str
    text: str
    why: str
    otherwise: str
    rests: Rests
    probe: Callable[[Ground], None]
    """Returns if the promise is kept. Raises Broken, or RequestFailed if the server refused."""
    needs: Needs = Needs.ANY


def ask(promise: Promise, ground: Ground) -> Answer:
    """Whether the server keeps the promise. Does not raise errors of requests: a failed request is
    a refusal.
    """
    bucket = ground.choose_bucket(promise.needs)
    if bucket is None:
        return Answer(Seen.NOT_ASKED, f"it needs {promise.needs}")
    prefix = f"{ground.prefix}{promise.name}/"
    own = replace(ground, bucket=bucket, prefix=prefix, written=set())
    try:
        promise.probe(own)
    except Broken as error:
        return Answer(Seen.BROKEN, str(error))
    except NotGranted as error:
        return Answer(Seen.NOT_ASKED, str(error))
    except RequestFailed as error:
        is_broken = error.code in OWN_CODES
        return Answer(Seen.BROKEN if is_broken else Seen.REFUSED, _describe(error, own))
    finally:
        with suppress(RequestFailed):
            own.hands.clear(own.bucket, own.prefix, own.written)
    return Answer(Seen.KEPT)


def _describe(error: RequestFailed, ground: Ground) -> str:
    """The error without the random names of scratch bucket and prefix."""
    if error.code not in OWN_CODES:
        return f"{error.operation}: {error.code}" if error.operation else error.code
    where = f"s3://{ground.bucket}/{ground.prefix}"
    return str(error).replace(f" {where}:", ":").replace(where, "").replace(ground.prefix, "")
