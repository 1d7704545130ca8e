"""Promises about listings: complete, in order, from any starting point."""

from __future__ import annotations

from collections.abc import Callable

from log_aggregator.errors import AccessDenied
from log_aggregator.ports.store import ListStart, Page
from log_aggregator.steps.promises.asking import Broken, Ground, Needs, Promise, Rests

NAMES = sorted(
    ["B", "a!", "a-b", "a.b", "a/b", "a/c/d", "a0", "z", "ä", "\uff5e", "\U0001f600", "~"],
    key=str.encode,
)
"""Neighbours of "a/", which servers that list directories put in another order; and names beyond
ASCII, which UTF-16 puts in another order. S3 sorts by UTF-8 bytes
(https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html).
"""

NOBODY = "000000000000"


def probe_list_order(ground: Ground) -> None:
    check_order(ground, ground.store.list_objects, NAMES)


def probe_versions_order(ground: Ground) -> None:
    check_order(ground, ground.store.list_object_versions, NAMES)


def check_order(ground: Ground, list_page: Callable[..., Page], names: list[str]) -> None:
    keys = [ground.write(name) for name in names]
    found = [each.key for each in list_page(ground.bucket, prefix=ground.prefix).objects]
    if sorted(found) != keys:
        raise Broken(f"it lists {len(set(found) & set(keys))} of {len(keys)} keys")
    if found != keys:
        raise Broken("keys are not in the order of their UTF-8 bytes")


def probe_key_and_folder(ground: Ground) -> None:
    names = ["a", "a/b", "a/b/c"]
    for name in names:
        ground.write(name, name.encode())
    for name in names:
        if ground.read(ground.key(name)) != name.encode():
            raise Broken(f"{name!r} reads another object")


PLAIN = ["a", "b/1", "b/2", "c", "d/1/x"]
"""In the same order on every server, so that only the start is tested."""


def probe_start_after(ground: Ground) -> None:
    check_start(ground, ground.store.list_objects)


def probe_versions_start(ground: Ground) -> None:
    check_start(ground, ground.store.list_object_versions)


def check_start(ground: Ground, list_page: Callable[..., Page]) -> None:
    """Starts after each key, and after keys that do not exist."""
    keys = [ground.write(name) for name in PLAIN]
    for start in [*keys, ground.key("b/1x"), ground.key("c~")]:
        page = list_page(ground.bucket, prefix=ground.prefix, start=ListStart(start))
        if [each.key for each in page.objects] != [key for key in keys if key > start]:
            raise Broken("it does not begin directly after the given key")


def probe_common_prefixes(ground: Ground) -> None:
    for name in ("a/b/1", "a/b/2", "a/c/3", "d/e/f", "g"):
        ground.write(name)
    for folder, prefixes, objects in (
        ("", ["a/", "d/"], ["g"]),
        ("a/", ["a/b/", "a/c/"], []),
        ("d/", ["d/e/"], []),
        ("none/", [], []),
    ):
        page = ground.store.list_prefixes(ground.bucket, prefix=ground.key(folder))
        if sorted(page.prefixes) != [ground.key(name) for name in prefixes]:
            raise Broken("it does not return all folders")
        if [each.key for each in page.objects] != [ground.key(name) for name in objects]:
            raise Broken("it does not return exactly the objects directly in the folder")


def make_key_probe(*names: str) -> Callable[[Ground], None]:
    """A probe that these keys are listed unchanged, and name their own objects only."""

    def probe(ground: Ground) -> None:
        for name in names:
            data = repr(name).encode()
            key = ground.write(name, data)
            found = ground.store.list_objects(ground.bucket, prefix=ground.prefix).objects
            if [each.key for each in found] != [key]:
                raise Broken(f"{name!r} is listed as something else, or not at all")
            if ground.read(key) != data:
                raise Broken(f"{name!r} reads another object")
            ground.hands.delete(ground.bucket, key)
            if ground.has(key):
                raise Broken(f"{name!r} is not deleted")

    return probe


def probe_version_keys(ground: Ground) -> None:
    keys = sorted(ground.write(name) for name in ("bell\x07", "e\u0301", "%41+ &<", "🙂"))
    page = ground.store.list_object_versions(ground.bucket, prefix=ground.prefix)
    if sorted(each.key for each in page.objects) != keys:
        raise Broken("these keys are listed as something else, or not at all")


def probe_time_stable(ground: Ground) -> None:
    key = ground.write("k", b"data")
    before = ground.find(key).last_modified
    ground.hands.wait()
    ground.read(key)
    ground.write("other")
    if ground.find(key).last_modified != before:
        raise Broken("it lists a different time later")


def probe_owner(ground: Ground) -> None:
    try:
        ground.hands.list_of_owner(ground.bucket, ground.prefix, NOBODY)
    except AccessDenied:
        return
    raise Broken("it answers although the expected owner is another account")


OTHER_ORDER = (
    "a bucket with keys in another order is not listed: the run, or the command, ends with an "
    "error that says so"
)
LEFT = "objects with keys like these do not exist, or are left alone"

LISTING = (
    Promise(
        "list-order",
        "ListObjectsV2 returns keys in the order of their UTF-8 bytes",
        "unwanted days are skipped",
        OTHER_ORDER,
        Rests.COMMAND,
        probe_list_order,
    ),
    Promise(
        "versions-order",
        "ListObjectVersions returns keys in the order of their UTF-8 bytes",
        "unwanted days are skipped",
        OTHER_ORDER,
        Rests.COMMAND,
        probe_versions_order,
        needs=Needs.VERSIONS,
    ),
    Promise(
        "start-after",
        "ListObjectsV2 with StartAfter begins directly after any key",
        "a listing can resume anywhere, without repeating or omitting anything",
        "a page that begins too early is an error; if it begins too late, logs are not seen",
        Rests.COMMAND,
        probe_start_after,
    ),
    Promise(
        "key-marker",
        "ListObjectVersions with KeyMarker begins directly after any key",
        "a listing of versions can resume anywhere, without repeating or omitting anything",
        "a page that begins too early is an error; if it begins too late, logs are not seen",
        Rests.COMMAND,
        probe_versions_start,
        needs=Needs.VERSIONS,
    ),
    Promise(
        "common-prefixes",
        'ListObjectsV2 with delimiter "/" returns all folders',
        "accounts, services and the folders of packs are found",
        "if it returns nothing at all, the run or the command ends with an error that says so; "
        "if it omits some folders, what is in them is not seen",
        Rests.COMMAND,
        probe_common_prefixes,
    ),
    Promise(
        "key-and-folder",
        "`a` and `a/b` can both exist",
        "keys are not paths: a log may have the name of a folder",
        LEFT,
        Rests.COMMAND,
        probe_key_and_folder,
    ),
    Promise(
        "keys-unicode",
        "keys can be any UTF-8, and are returned unchanged",
        "AWS Config puts names of resources into keys",
        LEFT,
        Rests.COMMAND,
        make_key_probe("ünïcödé/日本語/🙂.gz", "e\u0301-and-\u00e9"),
    ),
    Promise(
        "keys-signs",
        "keys can contain spaces and all ASCII punctuation",
        "AWS Config writes `AWS::EC2::Instance`; applications write anything",
        LEFT,
        Rests.COMMAND,
        make_key_probe(
            "a b+c", "%41/100%/%2F", "a&b<c>\"'", "what?x=1#y", "AWS::EC2::Instance/x=1,y;z@$!*()~"
        ),
    ),
    Promise(
        "keys-slashes",
        "keys can contain empty segments and dots, such as `a//b` and `a/../b`",
        "S3 server access logs with a prefix that ends in a slash have them",
        LEFT,
        Rests.COMMAND,
        make_key_probe("a//b", "/a", "a/./b", "a/../b"),
    ),
    Promise(
        "keys-control",
        "keys can contain control characters, which XML cannot",
        "a listing with a key like this can be read",
        "the page of the listing cannot be read, and the run, or the command, ends with an error",
        Rests.COMMAND,
        make_key_probe("tab\there", "line\nbreak", "bell\x07"),
    ),
    Promise(
        "version-keys",
        "ListObjectVersions returns all these keys unchanged, too",
        "a listing of versions with a key like this can be read",
        "the page of the listing cannot be read, and the run, or the command, ends with an error",
        Rests.COMMAND,
        probe_version_keys,
        needs=Needs.VERSIONS,
    ),
    Promise(
        "time-stable",
        "LastModified of an object is the same in every listing",
        "it is part of the identity of an object without a version id",
        "the original counts as replaced, and is kept",
        Rests.SAFETY,
        probe_time_stable,
    ),
    Promise(
        "expected-owner",
        "requests are refused if the bucket's owner is not ExpectedBucketOwner",
        "packs never go to another owner's bucket",
        "the server has one owner for all buckets: check who can create buckets on it",
        Rests.COST,
        probe_owner,
    ),
)
