"""Where in a bucket logs lie: accounts and services of a main bucket, found by delimiter."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from log_aggregator.core.windows import DateWindow
from log_aggregator.model import ListedKey
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.packing.buckets import SourceBucket
from log_aggregator.steps.packing.selection import Left, Rules, Selection, select
from log_aggregator.steps.workers import Workers

MAIN_SERVICES = frozenset(
    {
        "CloudTrail",
        "CloudTrail-Digest",
        "CloudTrail-Insight",
        "CloudTrail-NetworkActivity",
        "CloudTrail-Aggregated",
        "Config",
    }
)
"""What is taken from a Control Tower bucket; anything else in it is reported and left alone."""


_ACCOUNT = re.compile(r"\d{12}")
_ORGANIZATION = re.compile(r"o-[a-z0-9]{4,32}")
_MAIN_LOG = re.compile(
    r"(?:(?!AWSLogs/)(?P<top>[^/]+)/)?AWSLogs/(?:o-[a-z0-9]{4,32}/)?\d{12}/(?P<service>[^/]+)/",
    re.ASCII,
)


AWS_LOGS = "AWSLogs/"


@dataclass(frozen=True, slots=True)
class AccountFolder:
    """Where an account's logs lie in a main bucket."""

    root: str
    """`AWSLogs/`, or `<prefix>/AWSLogs/` where the prefix is an organisation's id or any other
    single segment.
    """
    organization: str | None
    """The organisation's id that stands between root and account, since landing zone 3.0."""
    account: str

    @property
    def prefix(self) -> str:
        """`…/AWSLogs/…/<account>/`."""
        between = f"{self.organization}/" if self.organization else ""
        return f"{self.root}{between}{self.account}/"


def list_prefixes(
    store: ObjectStore,
    workers: Workers,
    bucket: SourceBucket,
    organization_id: str | None,
    selection: Selection,
) -> list[str]:
    """The prefixes of a bucket that are listed, each by itself. What is seen on the way and left
    alone goes into `selection`.
    """
    if not bucket.is_main:
        return [""]
    accounts = list_accounts(store, bucket, organization_id, selection)
    return list(list_services(store, workers, bucket, accounts, selection))


def list_accounts(
    store: ObjectStore, bucket: SourceBucket, organization_id: str | None, selection: Selection
) -> list[str]:
    """`…/AWSLogs/…/<account>/` of every account of a main bucket, in both organisation layouts."""
    folders = list_account_folders(store, bucket, organization_id, selection)
    return [folder.prefix for folder in folders]


def list_account_folders(
    store: ObjectStore, bucket: SourceBucket, organization_id: str | None, selection: Selection
) -> Iterator[AccountFolder]:
    """The same, and what the prefixes say. By delimiter, three levels deep."""
    for root in _list_roots(store, bucket, organization_id, selection):
        for prefix in _children(store, bucket, root, selection):
            organization = _last(prefix)
            if is_organization(organization):
                inner = _children(store, bucket, prefix, selection)
                yield from _folders_of(bucket, root, organization, inner, selection)
            else:
                yield from _folders_of(bucket, root, None, (prefix,), selection)


def list_services(
    store: ObjectStore,
    workers: Workers,
    bucket: SourceBucket,
    account_prefixes: Sequence[str],
    selection: Selection,
) -> Iterator[str]:
    """`…/<account>/<service>/` of these accounts of a main bucket.

    Not their regions: where the days before are packed, all regions of a service are a page or two,
    and the skip-scan needs no more than it would need region by region where they are not.
    """

    def list_one(account_prefix: str) -> tuple[list[str], Selection]:
        """What is seen goes into a selection of its own: accounts are looked at by several
        threads.
        """
        services, seen = [], Selection()
        for service in _children(store, bucket, account_prefix, seen):
            if _last(service) in MAIN_SERVICES:
                services.append(service)
            else:
                _leave_unknown(bucket, service, "not a service of a Control Tower bucket", seen)
        return services, seen

    for services, seen in workers.each(list_one, account_prefixes):
        selection.merge(seen)
        yield from services


def list_folders(store: ObjectStore, bucket: SourceBucket) -> list[str]:
    """The folders under `AWSLogs/` of an auxiliary bucket, an organisation's id opened too, so that
    they can be listed side by side.

    Empty where there is none, or where objects lie beside them: then the bucket is listed as a
    whole.
    """
    folders: list[str] = []
    page = store.list_prefixes(bucket.name, prefix=AWS_LOGS)
    for prefix in page.prefixes:
        inner = (
            store.list_prefixes(bucket.name, prefix=prefix)
            if is_organization(_last(prefix))
            else None
        )
        folders += [prefix] if inner is None or inner.objects else inner.prefixes
    return [] if page.objects else folders


def is_main_log(key: str, organization_id: str | None) -> bool:
    """Whether a key lies where `list_prefixes` looks for the logs of a main bucket, for those who
    learn of keys in another way.
    """
    found = _MAIN_LOG.match(key)
    if found is None or found["service"] not in MAIN_SERVICES:
        return False
    top = found["top"]
    return not (organization_id and top and is_organization(top) and top != organization_id)


def is_organization(segment: str) -> bool:
    """Whether a segment of a prefix is an organisation's id."""
    return _ORGANIZATION.fullmatch(segment) is not None


def _folders_of(
    bucket: SourceBucket,
    root: str,
    organization: str | None,
    prefixes: Iterable[str],
    selection: Selection,
) -> Iterator[AccountFolder]:
    for prefix in prefixes:
        if _ACCOUNT.fullmatch(_last(prefix)):
            yield AccountFolder(root, organization, _last(prefix))
        else:
            _leave_unknown(bucket, prefix, "not the number of an account", selection)


def _list_roots(
    store: ObjectStore, bucket: SourceBucket, organization_id: str | None, selection: Selection
) -> Iterator[str]:
    for top in _children(store, bucket, "", selection):
        if top.startswith(bucket.own_prefixes):
            continue
        if top == AWS_LOGS:
            yield top
        elif organization_id and is_organization(_last(top)) and _last(top) != organization_id:
            _leave_unknown(bucket, top, "another organisation's", selection)
        else:
            roots = [
                prefix
                for prefix in _children(store, bucket, top, selection)
                if _last(prefix) == "AWSLogs"
            ]
            if not roots and not any(own.startswith(top) for own in bucket.own_prefixes):
                _leave_unknown(bucket, top, "no AWSLogs/ under it", selection)
            yield from roots


def _children(
    store: ObjectStore, bucket: SourceBucket, prefix: str, selection: Selection
) -> tuple[str, ...]:
    """The prefixes right under one; objects there are reported, as no log lies there."""
    page = store.list_prefixes(bucket.name, prefix=prefix)
    selection.merge(
        select(bucket.name, (ListedKey(found.key, (found,)) for found in page.objects), _NOTHING)
    )
    return page.prefixes


def _leave_unknown(bucket: SourceBucket, prefix: str, reason: str, selection: Selection) -> None:
    selection.leave(Left.UNKNOWN)
    selection.add_sample(f"s3://{bucket.name}/{prefix}", reason)


def _last(prefix: str) -> str:
    return prefix.rstrip("/").rpartition("/")[2]


_NOTHING = Rules(DateWindow(date.min, date.min))
"""Wants no day at all."""
