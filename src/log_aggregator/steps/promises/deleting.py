"""Promises about deleting: only what was packed is deleted."""

from __future__ import annotations

from collections.abc import Callable

from log_aggregator.errors import PreconditionFailed
from log_aggregator.model import NULL_VERSION
from log_aggregator.ports.store import Deletion
from log_aggregator.steps.promises.asking import WRONG_ETAG, Broken, Ground, Needs, Promise, Rests

KEPT_SILENTLY = "it kept the object, but did not report that"
DELETED = "it deleted the object despite a different ETag"


def probe_delete_if_etag(ground: Ground) -> None:
    check_condition(ground, lambda key, etag: Deletion(key, etag=etag))


def probe_delete_null_if_etag(ground: Ground) -> None:
    check_condition(ground, lambda key, etag: Deletion(key, NULL_VERSION, etag))


def check_condition(ground: Ground, make_deletion: Callable[[str, str], Deletion]) -> None:
    """With a wrong ETag the object must stay, with an error; with the right one it must go."""
    key = ground.write("k", b"data")
    etag = ground.find(key).etag
    failures = ground.store.delete_objects(ground.bucket, [make_deletion(key, WRONG_ETAG)])
    if not ground.has(key):
        raise Broken(DELETED)
    if not failures:
        raise Broken(KEPT_SILENTLY)
    if failures[0].code != "PreconditionFailed":
        raise Broken(f"it refuses every condition: {failures[0].code}")
    if failures := ground.store.delete_objects(ground.bucket, [make_deletion(key, etag)]):
        raise Broken(f"it reports {failures[0].code} despite the right ETag")
    if ground.has(key):
        raise Broken(KEPT_SILENTLY)


def probe_delete_one_if_match(ground: Ground) -> None:
    key = ground.write("k", b"data")
    try:
        ground.hands.delete(ground.bucket, key, if_match=WRONG_ETAG)
    except PreconditionFailed:
        if not ground.has(key):
            raise Broken(DELETED) from None
        return
    raise Broken(DELETED if not ground.has(key) else KEPT_SILENTLY)


def probe_errors_by_key(ground: Ground) -> None:
    keys = [ground.write(name, b"data") for name in ("a", "b c+%41", "d")]
    etags = [ground.find(key).etag for key in keys]
    etags[1] = WRONG_ETAG
    deletions = [Deletion(key, etag=etag) for key, etag in zip(keys, etags, strict=True)]
    failures = ground.store.delete_objects(ground.bucket, deletions)
    left = [key for key in keys if ground.has(key)]
    if left != keys[1:2]:
        raise Broken(f"of three objects, one of them with a wrong ETag, it kept {len(left)}")
    if [failure.deletion for failure in failures] != deletions[1:2]:
        raise Broken("it does not report exactly what it kept")


def probe_delete_again(ground: Ground) -> None:
    key = ground.write("k", b"data")
    deletion = Deletion(key, etag=ground.find(key).etag)
    for _ in range(2):
        if failures := ground.store.delete_objects(ground.bucket, [deletion]):
            raise Broken(f"it reports {failures[0].code}")


KEEPS_ALL = (
    "originals in buckets without versions are kept: before it deletes by ETag, the run tests the "
    "server, and reports that"
)

DELETING = (
    Promise(
        "delete-if-etag",
        "DeleteObjects with an ETag deletes only the object that has it",
        "an object that was replaced after it was packed stays",
        KEEPS_ALL,
        Rests.SAFETY,
        probe_delete_if_etag,
        needs=Needs.PLAIN,
    ),
    Promise(
        "delete-null-if-etag",
        "DeleteObjects with the version `null` and an ETag deletes only the object that has both",
        "in buckets with suspended versioning, an object that was replaced stays",
        KEEPS_ALL,
        Rests.SAFETY,
        probe_delete_null_if_etag,
        needs=Needs.PLAIN,
    ),
    Promise(
        "delete-one-if-match",
        "DeleteObject with If-Match deletes only the object that has the ETag",
        "an object that was replaced stays, even if XML cannot contain its key",
        "originals with keys like these are kept: before it deletes by ETag, the run tests the "
        "server, and reports that",
        Rests.SAFETY,
        probe_delete_one_if_match,
        needs=Needs.PLAIN,
    ),
    Promise(
        "errors-by-key",
        "DeleteObjects reports exactly the entries that it did not delete",
        "what was kept is reported as kept, and what was deleted as deleted",
        "a run reports wrong counts",
        Rests.SAFETY,
        probe_errors_by_key,
        needs=Needs.PLAIN,
    ),
    Promise(
        "delete-again",
        "deleting an object that is gone is not an error",
        "a deletion whose answer was lost can be sent again",
        "a run that sends a deletion again reports deleted objects as kept",
        Rests.COMMAND,
        probe_delete_again,
        needs=Needs.PLAIN,
    ),
)
