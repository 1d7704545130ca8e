"""Finds where logs lie in a bucket: accounts and services of a main bucket, listed by delimiter."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from log_aggregator.core.windows import DateWindow
from log_aggregator.model import ListedKey
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.job import Job
from log_aggregator.steps.packing.buckets import SourceBucket
from log_aggregator.steps.packing.selection import Left, LeftWhy, Selection, select
from log_aggregator.steps.rules import Rules
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
"""The folders that are packed of a Control Tower bucket; anything else is reported and left
alone."""

AWS_LOGS = "AWSLogs/"

NO_AWS_LOGS = (
    "there is no AWSLogs/ in it: everything is packed, or it is not the bucket that Control Tower "
    "writes to"
)

_ACCOUNT = re.compile(r"\d{12}")
_ORGANIZATION = re.compile(r"o-[a-z0-9]{4,32}")
_MAIN_LOG = re.compile(
    r"(?:(?!AWSLogs/)(?P<top>[^/]+)/)?AWSLogs/(?:o-[a-z0-9]{4,32}/)?\d{12}/(?P<service>[^/]+)/",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class AccountFolder:
    """Where an account's logs lie in a main bucket."""

    root: str
    """`AWSLogs/`, or `<prefix>/AWSLogs/`, where the prefix is an organisation's id or any other
    single segment.
    """
    organization: str | None
    """The organisation's id between root and account, which keys have since landing zone 3.0."""
    account: str

    @property
    def prefix(self) -> str:
        """`…/AWSLogs/…/<account>/`."""
        between = f"{self.organization}/" if self.organization else ""
        return f"{self.root}{between}{self.account}/"


def list_prefixes(job: Job, bucket: str, seen: Selection) -> list[str]:
    """The prefixes of a bucket to list, each separately. `seen` collects what was found on the way
    and left alone. Raises StoreError.
    """
    if not job.rules.is_main(bucket):
        return [""]
    tree = MainTree.of(job, bucket)
    accounts = [folder.prefix for folder in tree.list_accounts(seen)]
    return list(tree.list_services(job.workers, accounts, seen))


@dataclass(frozen=True, slots=True)
class MainTree:
    """The folders of a bucket that contain Control Tower's logs, in both organisation layouts.

    Without an `organization_id`, those of any organisation. `skipped` are our own prefixes. The
    caller's `seen` collects what was found on the way and left alone.
    """

    store: ObjectStore
    bucket: str
    organization_id: str | None = None
    skipped: tuple[str, ...] = ()

    @classmethod
    def of(cls, job: Job, bucket: str) -> MainTree:
        rules = job.rules
        return cls(job.store, bucket, rules.organization_id, rules.own_prefixes(bucket))

    def list_accounts(self, seen: Selection) -> list[AccountFolder]:
        """The folders of all accounts, by delimiter, three levels deep. Raises StoreError."""
        return list(self._iter_accounts(seen))

    def list_services(
        self, workers: Workers, account_prefixes: Sequence[str], seen: Selection
    ) -> Iterator[str]:
        """`…/<account>/<service>/` of these accounts.

        Not their Regions: once earlier days are packed, all Regions of a service fill a page or
        two; before that, the skip-scan needs no more requests than it would Region by Region.
        """

        def list_one(account_prefix: str) -> tuple[list[str], Selection]:
            """Has its own selection, because several threads list accounts."""
            services, seen_here = [], Selection()
            for service in self._list_children(account_prefix, seen_here):
                if _last(service) in MAIN_SERVICES:
                    services.append(service)
                else:
                    reason = "not a service of a Control Tower bucket"
                    self._leave_unknown(service, reason, seen_here)
            return services, seen_here

        for services, seen_here in workers.each(list_one, account_prefixes):
            seen.merge(seen_here)
            yield from services

    def _iter_accounts(self, seen: Selection) -> Iterator[AccountFolder]:
        for root in self._list_roots(seen):
            for prefix in self._list_children(root, seen):
                organization = _last(prefix) if is_organization(_last(prefix)) else None
                inner = self._list_children(prefix, seen) if organization else (prefix,)
                for each in inner:
                    if _ACCOUNT.fullmatch(_last(each)):
                        yield AccountFolder(root, organization, _last(each))
                    else:
                        self._leave_unknown(each, "not the number of an account", seen)

    def _list_roots(self, seen: Selection) -> Iterator[str]:
        """`AWSLogs/`, and `<prefix>/AWSLogs/`, where the prefix is the organisation's id or any
        other single segment. Reports if there is none: it may be the wrong bucket.
        """
        found = False
        for top in self._list_children("", seen):
            if top.startswith(self.skipped):
                continue
            if top == AWS_LOGS:
                found = True
                yield top
            elif self._is_anothers(_last(top)):
                self._leave_unknown(top, "another organisation's", seen)
            else:
                under = self._list_children(top, seen)
                roots = [prefix for prefix in under if _last(prefix) == "AWSLogs"]
                if not roots and not any(own.startswith(top) for own in self.skipped):
                    self._leave_unknown(top, "no AWSLogs/ under it", seen)
                found = found or bool(roots)
                yield from roots
        if not found:
            seen.leave(LeftWhy(self.bucket, Left.NOTHING, NO_AWS_LOGS), "", 0, is_dateless=True)

    def _is_anothers(self, name: str) -> bool:
        wanted = self.organization_id
        return bool(wanted and is_organization(name) and name != wanted)

    def _list_children(self, prefix: str, seen: Selection) -> tuple[str, ...]:
        """The prefixes directly under one. Objects there are not logs, and are reported."""
        page = self.store.list_prefixes(self.bucket, prefix=prefix)
        keys = (ListedKey(found.key, (found,)) for found in page.objects)
        seen.merge(select(SourceBucket(self.bucket, None, is_main=True), keys, _NOTHING))
        return page.prefixes

    def _leave_unknown(self, prefix: str, reason: str, seen: Selection) -> None:
        seen.leave(LeftWhy(self.bucket, Left.UNKNOWN, reason), prefix, is_dateless=True)


def list_folders(store: ObjectStore, bucket: str) -> list[str]:
    """The folders under `AWSLogs/` of an auxiliary bucket, and those under an organisation's id, so
    that they can be listed concurrently.

    Empty if there is none, or if objects lie next to them: the bucket is listed as a whole then.
    """
    folders: list[str] = []
    page = store.list_prefixes(bucket, prefix=AWS_LOGS)
    for prefix in page.prefixes:
        inner = (
            store.list_prefixes(bucket, prefix=prefix) if is_organization(_last(prefix)) else None
        )
        folders += [prefix] if inner is None or inner.objects else inner.prefixes
    return [] if page.objects else folders


def is_main_log(key: str, organization_id: str | None) -> bool:
    """Whether a key lies where `list_prefixes` looks for the logs of a main bucket. For keys that
    come from elsewhere, such as an inventory.
    """
    found = _MAIN_LOG.match(key)
    if found is None or found["service"] not in MAIN_SERVICES:
        return False
    top = found["top"]
    return not (organization_id and top and is_organization(top) and top != organization_id)


def is_organization(segment: str) -> bool:
    """Whether a segment of a prefix is an organisation's id."""
    return _ORGANIZATION.fullmatch(segment) is not None


def _last(prefix: str) -> str:
    return prefix.rstrip("/").rpartition("/")[2]


_NOTHING = Rules(DateWindow(date.min, date.min))
"""Wants no day at all."""
