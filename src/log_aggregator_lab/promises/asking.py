"""A promise, the ground on which it is probed, and what comes out."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

from log_aggregator.core.checksums import crc64nvme
from log_aggregator.errors import RequestFailed
from log_aggregator.model import LogObject
from log_aggregator.ports.store import ObjectStore, WriteOptions

WRONG_ETAG = "0" * 32
OWN_CODES = frozenset({"InvalidListing", "NoDelimiter", "BadAnswer", "BadHeader"})
"""Not the server's: an answer came, and cannot be used."""


class Seen(StrEnum):
    """How a server keeps a promise."""

    KEPT = "kept"
    BROKEN = "broken"
    """It did something else, and did not say so."""
    REFUSED = "refused"
    """It answered with an error, so that nobody takes the promise for kept."""
    NOT_ASKED = "not asked"
    """There was no bucket for it."""


class Rests(StrEnum):
    """What rests on a promise."""

    SAFETY = "safety"
    COMMAND = "a command"
    COST = "cost"


@dataclass(frozen=True, slots=True)
class Answer:
    """What was seen, in one line; empty where it was kept."""

    seen: Seen
    what: str = ""


class Broken(Exception):
    """A server did not do what it promised; the text says what it did."""


class Hands(Protocol):
    """What a probe needs beyond the port, because the program itself never does it."""

    def overwrite(self, bucket: str, key: str, data: bytes) -> None:
        """PutObject without any condition."""

    def delete(self, bucket: str, key: str, *, if_match: str | None = None) -> None:
        """DeleteObject of the current object, where it has this ETag."""

    def list_of_owner(self, bucket: str, prefix: str, owner: str) -> None:
        """A listing that names the bucket's expected owner."""

    def clear(self, bucket: str, prefix: str, keys: Iterable[str]) -> None:
        """Removes all that is under a prefix, and these keys, which no listing may give: as far as
        the server lets it.
        """

    def wait(self) -> None:
        """Until the clock of S3's times, which are whole seconds, has moved on."""


@dataclass(frozen=True, slots=True)
class Ground:
    """Where promises are probed: a bucket without versions, maybe one with, and a prefix."""

    store: ObjectStore
    hands: Hands
    bucket: str
    versioned_bucket: str | None = None
    prefix: str = field(default_factory=lambda: f"promises-{secrets.token_hex(6)}/")
    written: set[str] = field(default_factory=set)

    def key(self, name: str) -> str:
        return self.prefix + name

    def write(self, name: str, data: bytes = b"", options: WriteOptions | None = None) -> str:
        """As the program writes: only where nothing is. Returns the key."""
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
        """As services do: each over the one before. Returns the key."""
        for data in versions:
            self.hands.overwrite(self.bucket, self.key(name), data)
        return self.key(name)

    def read(self, key: str) -> bytes:
        return self.store.get_object(self.bucket, key).data

    def find(self, key: str) -> LogObject:
        """As it is listed. Raises Broken where it is not."""
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
    """`text` is what S3 does, `why` what needs it, `otherwise` what the program does where a server
    does not.
    """

    name: str
    text: str
    why: str
    otherwise: str
    rests: Rests
    probe: Callable[[Ground], None]
    """Returns where it is kept. Raises Broken, or RequestFailed where the server refused."""
    needs_versions: bool = False


def ask(promise: Promise, ground: Ground) -> Answer:
    """Whether the server keeps the promise. Raises no error of a request: no answer at all is a
    refusal, too.
    """
    bucket = ground.versioned_bucket if promise.needs_versions else ground.bucket
    if bucket is None:
        return Answer(Seen.NOT_ASKED, "there is no bucket with versions")
    prefix = f"{ground.prefix}{promise.name}/"
    own = replace(ground, bucket=bucket, prefix=prefix, written=set())
    try:
        promise.probe(own)
    except Broken as error:
        return Answer(Seen.BROKEN, str(error))
    except RequestFailed as error:
        is_broken = error.code in OWN_CODES
        return Answer(Seen.BROKEN if is_broken else Seen.REFUSED, _describe(error, own))
    finally:
        with suppress(RequestFailed):
            own.hands.clear(own.bucket, own.prefix, own.written)
    return Answer(Seen.KEPT)


def _describe(error: RequestFailed, ground: Ground) -> str:
    """Without the name of the scratch bucket and prefix, which say nothing to anybody."""
    if error.code not in OWN_CODES:
        return f"{error.operation}: {error.code}" if error.operation else error.code
    text = str(error).replace(f" s3://{ground.bucket}/{ground.prefix}", "")
    return text.replace(ground.prefix, "")
