"""Finds the accounts that have trails, and where their files may lie: in buckets, and in packs."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from log_aggregator.core.digests import DIGEST_LOG_TYPE
from log_aggregator.errors import AccessDenied, CannotStart, NoSuchBucket
from log_aggregator.model import Target
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.packing.prefixes import AccountFolder, MainTree
from log_aggregator.steps.packing.selection import Selection

LOG_SERVICE = "CloudTrail"


class ReadFrom(StrEnum):
    """Which copies are validated. BOTH prefers an original that still exists, since that is what
    AWS's own tool would read.
    """

    BOTH = "both"
    ORIGINALS = "originals"
    PACKS = "packs"


@dataclass(frozen=True, slots=True)
class AccountPlaces:
    """Where an account's trails may have files: `folders` are (bucket,
    `.../AWSLogs/.../<account>/`), `packed` (target, source bucket).
    """

    account: str
    folders: tuple[tuple[str, str], ...] = ()
    packed: tuple[tuple[Target, str], ...] = ()
    has_packed_digests: bool = False
    """Packs have digests of the account, of any day."""


def find_accounts(
    store: ObjectStore,
    targets: Iterable[Target],
    main_buckets: Iterable[str],
    buckets: Collection[str],
    read_from: ReadFrom,
) -> list[AccountPlaces]:
    """The accounts that have digests or trail logs in packs, and those that have a folder in a
    bucket: in the named buckets, or by default in the main buckets and all that have packs.

    Raises StoreError, and CannotStart if a bucket does not exist or access is denied.
    """
    folders: dict[str, list[tuple[str, str]]] = {}
    packed: dict[str, list[tuple[Target, str]]] = {}
    with_digests: set[str] = set()
    for target in targets:
        for (bucket, account), has_digests in _list_packed(store, target, buckets).items():
            packed.setdefault(account, []).append((target, bucket))
            with_digests |= {account} if has_digests else set()
    known = [*main_buckets, *(bucket for places in packed.values() for _, bucket in places)]
    for bucket in dict.fromkeys([] if read_from is ReadFrom.PACKS else sorted(buckets) or known):
        was_packed = any(bucket == name for places in packed.values() for _, name in places)
        for folder in _list_account_folders(store, bucket, was_packed=was_packed):
            folders.setdefault(folder.account, []).append((bucket, folder.prefix))
    if read_from is ReadFrom.ORIGINALS:
        packed = {}
    return [
        AccountPlaces(
            account,
            tuple(folders.get(account, ())),
            tuple(packed.get(account, ())),
            account in with_digests,
        )
        for account in sorted({*folders, *packed})
    ]


def has_digests(store: ObjectStore, places: AccountPlaces) -> bool:
    """Whether an account has any digest, of any day. Raises StoreError."""
    return places.has_packed_digests or any(
        store.list_objects(bucket, prefix=f"{folder}{DIGEST_LOG_TYPE}/").objects
        for bucket, folder in places.folders
    )


def _list_packed(
    store: ObjectStore, target: Target, buckets: Collection[str]
) -> dict[tuple[str, str], bool]:
    """(source bucket, account) of all packs of digests and of logs that digests may name, with or
    without an index -> whether there are packs of digests.
    """
    found: dict[tuple[str, str], bool] = {}
    for folder in (f"{target.root}indexes/", f"{target.root}packs/"):
        for prefix in store.list_prefixes(target.bucket, prefix=folder).prefixes:
            bucket = prefix.removeprefix(folder).rstrip("/")
            if not buckets or bucket in buckets:
                for log_type in (DIGEST_LOG_TYPE, LOG_SERVICE):
                    accounts = store.list_prefixes(
                        target.bucket, prefix=f"{prefix}{log_type}/"
                    ).prefixes
                    for name in accounts:
                        place = bucket, name.rstrip("/").rpartition("/")[2]
                        found[place] = found.get(place, False) or log_type == DIGEST_LOG_TYPE
    return dict(sorted(found.items()))


def _list_account_folders(
    store: ObjectStore, bucket: str, *, was_packed: bool
) -> list[AccountFolder]:
    """The account folders of a bucket. Empty if the bucket is gone and its logs are in packs. Any
    other missing bucket is a wrong name, whose validation would find nothing: raises CannotStart.
    """
    try:
        return MainTree(store, bucket).list_accounts(Selection())
    except NoSuchBucket as error:
        if was_packed:
            return []
        raise CannotStart.because(error) from error
    except AccessDenied as error:
        remedy = f"{error.remedy} Or use --read-from packs, which does not read originals."
        raise CannotStart(str(error)).with_remedy(remedy) from error
