"""Promises about versions."""

from __future__ import annotations

from log_aggregator.model import NULL_VERSION
from log_aggregator.ports.store import Deletion
from log_aggregator.steps.promises.asking import Broken, Ground, Needs, Promise, Rests


def probe_versioning_told(ground: Ground) -> None:
    if (state := ground.store.get_bucket_versioning(ground.bucket)) is not None:
        raise Broken(f"it reports {state} for a bucket that has no versions")


def probe_versions_listed(ground: Ground) -> None:
    key = ground.write_versions("k", b"1", b"22", b"333")
    listed = ground.store.list_object_versions(ground.bucket, prefix=key).objects
    if [each.size_bytes for each in listed] != [3, 2, 1]:
        raise Broken("it lists other versions, or not the newest first")
    if [each.is_latest for each in listed] != [True, False, False]:
        raise Broken("it does not show which version is the latest")
    ids = {each.version_id for each in listed}
    if len(ids) != 3 or NULL_VERSION in ids or None in ids:
        raise Broken("versions do not have distinct ids")


def probe_marker_listed(ground: Ground) -> None:
    key = ground.write_versions("k", b"1")
    ground.hands.delete(ground.bucket, key)
    page = ground.store.list_object_versions(ground.bucket, prefix=key)
    if [each.is_latest for each in page.markers] != [True]:
        raise Broken("it does not list the delete marker of a deleted key")
    if [each.is_latest for each in page.objects] != [False]:
        raise Broken("the version under a delete marker is not listed as an older one")
    if ground.has(key):
        raise Broken("a deleted key is listed as an object")


def probe_null_version(ground: Ground) -> None:
    key = ground.write("k", b"data")
    (listed,) = ground.store.list_object_versions(ground.bucket, prefix=key).objects or (None,)
    if listed is None:
        raise Broken("an object without versions is not listed among the versions")
    if listed.version_id != NULL_VERSION:
        raise Broken("an object without versions has a version id other than null")
    body = ground.store.get_object(ground.bucket, key, version_id=NULL_VERSION)
    if body.data != b"data":
        raise Broken("GetObject of the version null returns different bytes")


def probe_delete_version(ground: Ground) -> None:
    key = ground.write_versions("k", b"1", b"22", b"333")
    listed = ground.store.list_object_versions(ground.bucket, prefix=key).objects
    if len(listed) != 3:
        raise Broken(f"it lists {len(listed)} versions of 3")
    doomed = Deletion(key, listed[1].version_id)
    for _ in range(2):  # deleting it again must not fail either
        if failures := ground.store.delete_objects(ground.bucket, [doomed]):
            raise Broken(f"it reports {failures[0].code}")
    page = ground.store.list_object_versions(ground.bucket, prefix=key)
    if [each.version_id for each in page.objects] != [listed[0].version_id, listed[2].version_id]:
        raise Broken("it did not delete exactly the given version")
    if page.markers:
        raise Broken("it left a delete marker")


VERSIONS = (
    Promise(
        "versioning-told",
        "GetBucketVersioning shows whether a bucket has versions",
        "it decides how a bucket is listed and how objects are deleted",
        "the run ends with an error before it touches anything",
        Rests.COMMAND,
        probe_versioning_told,
        needs=Needs.PLAIN,
    ),
    Promise(
        "versions-listed",
        "ListObjectVersions returns all versions, the newest first, with their ids",
        "every version of a live key is packed",
        "what is not listed is not packed and stays; a wrong latest version makes a live key count "
        "as deleted, or a deleted one as live",
        Rests.SAFETY,
        probe_versions_listed,
        needs=Needs.VERSIONS,
    ),
    Promise(
        "marker-listed",
        "ListObjectVersions returns delete markers",
        "a deleted key is left alone",
        "a deleted key counts as a live one, and its versions are packed",
        Rests.SAFETY,
        probe_marker_listed,
        needs=Needs.VERSIONS,
    ),
    Promise(
        "null-version",
        "an object from before versioning has the version id `null`",
        "buckets whose versioning was suspended or turned on later are packed",
        "buckets like these are not packed, and the run reports that",
        Rests.COMMAND,
        probe_null_version,
        needs=Needs.PLAIN,
    ),
    Promise(
        "delete-version",
        "DeleteObjects deletes exactly the given version, and leaves no marker",
        "only what was packed is deleted",
        "do not use the program on buckets with versions",
        Rests.SAFETY,
        probe_delete_version,
        needs=Needs.VERSIONS,
    ),
)
