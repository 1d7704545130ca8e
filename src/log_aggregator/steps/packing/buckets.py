"""The buckets that logs are taken from, each looked at before anything begins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from log_aggregator.errors import CannotStart, NotFound, StoreError, cannot_start
from log_aggregator.model import OWN_FOLDERS
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.packing.rules import RunRules


@dataclass(frozen=True, slots=True)
class SourceBucket:
    """A bucket that logs are taken from. `own_prefixes` are our own packs and indexes in it."""

    name: str
    versioning: str | None
    is_main: bool
    own_prefixes: tuple[str, ...] = ()


def read_versioning(store: ObjectStore, bucket: str) -> str | None:
    """Enabled, Suspended or None. Raises CannotStart where the bucket is not there or may not be
    looked at.
    """
    try:
        return store.get_bucket_versioning(bucket)
    except NotFound:
        raise CannotStart(f"there is no bucket {bucket!r} in this account and region") from None
    except StoreError as error:
        raise CannotStart(f"bucket {bucket!r} cannot be looked at: {error}") from error


def find_buckets(store: ObjectStore, rules: RunRules) -> list[SourceBucket]:
    """The buckets that logs are taken from; each is looked at, so that a wrong name ends the run
    before it begins.
    """
    buckets = [look_at_bucket(store, rules, name) for name in bucket_names(store, rules)]
    check_destination(store, rules)
    return buckets


def bucket_names(store: ObjectStore, rules: RunRules) -> list[str]:
    """Main buckets first. Raises CannotStart where the beginning of a name fits no bucket."""
    return list(dict.fromkeys([*rules.main_buckets, *expand_names(store, rules.other_buckets)]))


def look_at_bucket(store: ObjectStore, rules: RunRules, name: str) -> SourceBucket:
    """Raises CannotStart where it is not there or may not be looked at."""
    target = rules.target(name)
    own = tuple(f"{target.root}{folder}" for folder in OWN_FOLDERS) if target.bucket == name else ()
    return SourceBucket(name, read_versioning(store, name), name in rules.main_buckets, own)


def check_destination(store: ObjectStore, rules: RunRules) -> None:
    """Raises CannotStart where there is a destination bucket in the settings only."""
    if rules.destination_bucket is not None:
        read_versioning(store, rules.destination_bucket)


def expand_names(store: ObjectStore, names: Sequence[str]) -> Iterator[str]:
    """Names of buckets, and all buckets that begin with a name ending in *. Raises CannotStart
    where there is none.
    """
    beginnings = [name.removesuffix("*") for name in names if name.endswith("*")]
    yield from (name for name in names if not name.endswith("*"))
    if not beginnings:
        return
    with cannot_start("other_buckets: buckets cannot be listed"):
        existing = store.list_buckets()
    for beginning in beginnings:
        found = [name for name in existing if name.startswith(beginning)]
        if not found:
            raise CannotStart(
                f"other_buckets: there is no bucket whose name begins with {beginning!r}"
            )
        yield from found
