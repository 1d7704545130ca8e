"""What the synthetic organisation is made of: objects to be written (or deleted), in order, and the
list of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum


class Step(StrEnum):
    """What is done with the key: a version is written, or a delete marker is put on top."""

    PUT = "put"
    DELETE = "delete"


class Purpose(StrEnum):
    """What a run over the wanted days must do with the object."""

    LOG = "log"  # to be packed: a log of a wanted day (or an old delete marker of such a key)
    LATE = "late"  # the same, but it arrives after the first run
    OTHER_DAY = "other-day"  # stays: a log of the day before or after
    # a log of a wanted day in a region outside the specification; left alone if regions are chosen
    OTHER_REGION = "other-region"
    DELETED = "deleted"  # stays: the newest entry of its key is a delete marker
    NO_LOG = "no-log"  # stays: not a log by its name, or without a byte
    UNKNOWN = "unknown"  # stays: no layout knows such a key, or its dates disagree


class Oddity(StrEnum):
    """The oddity of an object, so that every kind can be counted."""

    NONE = ""
    VERSIONS = "versions"  # one of several versions of a live key
    REVIVED = "revived"  # an old delete marker is between the versions of a live key
    DELETED = "deleted"  # the newest entry is a delete marker
    EMPTY = "empty"  # no bytes
    TRUNCATED = "truncated"  # gzip that ends too early
    PLAIN_TEXT = "plain-text"  # called .gz, but is text
    KEY = "key"  # spaces, unicode, "+", "%41" in the key
    HOSTILE_KEY = "hostile-key"  # "//" or "./" in the key
    LARGE = "large"


@dataclass(frozen=True, slots=True)
class SyntheticObject:
    """One step on one key. The body is made only when it is asked for, and is the same every
    time.
    """

    bucket: str
    key: str
    make: Callable[[], bytes]
    source: str
    """The kind of log, in the lab's own words: `cloudtrail`, `digest`, `flow`, ..."""
    purpose: Purpose
    day: date | None
    """The log date that the key names."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "binary/octet-stream"
    content_encoding: str | None = None
    step: Step = Step.PUT
    oddity: Oddity = Oddity.NONE

    @property
    def body(self) -> bytes:
        return self.make()


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """One line of the list of everything that was written: enough to check any of it afterwards.

    `version_number` counts the entries of one key from 0, the oldest. A delete marker has no hash.
    `version_id` is what the store answered, None before the upload, for delete markers, and for
    buckets without versioning.
    """

    bucket: str
    key: str
    version_number: int
    step: Step
    purpose: Purpose
    source: str
    day: date | None
    oddity: Oddity
    sha256: str | None
    size_bytes: int
    metadata: Mapping[str, str]
    content_type: str
    content_encoding: str | None
    version_id: str | None = None
    etag: str | None = None


def list_manifest(objects: Iterable[SyntheticObject]) -> Iterator[ManifestEntry]:
    """The manifest of objects without any upload. All steps on one key follow one another in
    `objects`.
    """
    for steps in runs_of_one_key(objects):
        for version_number, item in enumerate(steps):
            yield describe(item, item.make(), version_number)


def runs_of_one_key(objects: Iterable[SyntheticObject]) -> Iterator[list[SyntheticObject]]:
    """Gathers the steps on one key, which follow one another."""
    steps: list[SyntheticObject] = []
    for item in objects:
        if steps and (item.bucket, item.key) != (steps[0].bucket, steps[0].key):
            yield steps
            steps = []
        steps.append(item)
    if steps:
        yield steps


def describe(
    item: SyntheticObject,
    body: bytes,
    version_number: int,
    *,
    version_id: str | None = None,
    etag: str | None = None,
) -> ManifestEntry:
    return ManifestEntry(
        bucket=item.bucket,
        key=item.key,
        version_number=version_number,
        step=item.step,
        purpose=item.purpose,
        source=item.source,
        day=item.day,
        oddity=item.oddity,
        sha256=hashlib.sha256(body).hexdigest() if item.step is Step.PUT else None,
        size_bytes=len(body),
        metadata=item.metadata,
        content_type=item.content_type,
        content_encoding=item.content_encoding,
        version_id=version_id,
        etag=etag,
    )
