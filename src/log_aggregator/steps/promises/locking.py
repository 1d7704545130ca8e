"""Promises about locks: what is locked stays, and is reported as kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from log_aggregator.errors import AccessDenied
from log_aggregator.model import LogObject
from log_aggregator.ports.store import Deletion
from log_aggregator.steps.promises.asking import (
    Broken,
    Ground,
    Needs,
    NotGranted,
    Promise,
    Rests,
)

RETENTION = timedelta(minutes=1)
"""Longer than a few requests take. If governance locks cannot be bypassed, the probe's object stays
for this long.
"""


def probe_legal_hold(ground: Ground) -> None:
    version = write_version(ground)
    with holding(ground, version):
        check_kept(ground, version)


def probe_retention(ground: Ground) -> None:
    version = write_version(ground)
    until = ground.hands.now() + RETENTION
    with granted("s3:PutObjectRetention"):
        ground.hands.retain(ground.bucket, version.key, str(version.version_id), until)
    check_kept(ground, version)


def write_version(ground: Ground) -> LogObject:
    key = ground.write_versions("k", b"data")
    (version,) = ground.store.list_object_versions(ground.bucket, prefix=key).objects or (None,)
    if version is None:
        raise Broken("what was written is not listed")
    return version


@contextmanager
def holding(ground: Ground, version: LogObject) -> Iterator[None]:
    """Sets a legal hold, and removes it whatever happens: a hold never ends on its own."""
    key, version_id = version.key, str(version.version_id)
    with granted("s3:PutObjectLegalHold"):
        ground.hands.hold(ground.bucket, key, version_id, is_held=True)
    try:
        yield
    finally:
        ground.hands.hold(ground.bucket, key, version_id, is_held=False)


@contextmanager
def granted(permission: str) -> Iterator[None]:
    """Raises NotGranted if this permission is missing. Runs do not need it, so many callers lack
    it.
    """
    try:
        yield
    except AccessDenied:
        raise NotGranted(f"it needs {permission}") from None


def check_kept(ground: Ground, version: LogObject) -> None:
    """Checks that a deletion keeps the version and reports that."""
    deletion = Deletion(version.key, version.version_id)
    failures = ground.store.delete_objects(ground.bucket, [deletion])
    left = ground.store.list_object_versions(ground.bucket, prefix=version.key).objects
    if version.version_id not in {each.version_id for each in left}:
        raise Broken("it deleted a version that was locked")
    if [each.deletion for each in failures] != [deletion]:
        raise Broken("it kept a locked version, but did not report that")


LOCKING = (
    Promise(
        "legal-hold",
        "DeleteObjects keeps a version that is under a legal hold, and reports that",
        "an original under a hold stays, and is reported as retained",
        "the program cannot notice that locks have no effect: what is locked would be deleted",
        Rests.SAFETY,
        probe_legal_hold,
        needs=Needs.LOCK,
    ),
    Promise(
        "retention",
        "DeleteObjects keeps a version until its retention ends, and reports that",
        "packs and originals that Object Lock protects stay, and are reported as retained",
        "the program cannot notice that locks have no effect: what is locked would be deleted",
        Rests.SAFETY,
        probe_retention,
        needs=Needs.LOCK,
    ),
)
