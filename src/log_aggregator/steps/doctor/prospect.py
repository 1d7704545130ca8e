"""An account as a new user finds it: its buckets, what lies in each, and how the settings could use
them. Only reads, and lists a few pages of each bucket.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from log_aggregator.errors import AccessDenied, CannotStart, RequestFailed
from log_aggregator.model import Target
from log_aggregator.ports.account import (
    AccountInspector,
    BucketEncryption,
    BucketVersioning,
    Caller,
    InventoryConfiguration,
    LifecycleRule,
    ObjectLock,
)
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.bucket_sample import BucketSample, sample_bucket
from log_aggregator.steps.doctor.account import NO_ORGANIZATION, examine_caller
from log_aggregator.steps.doctor.buckets import locate
from log_aggregator.steps.doctor.findings import Notebook, advise
from log_aggregator.steps.doctor.landing_zone import Layout, find_layout
from log_aggregator.steps.packing.buckets import SourceBucket

PAGES_MAX = 6
"""Pages that are listed of each bucket: up to 6,000 objects."""

BUCKETS_MAX = 500
"""Buckets beyond this number are looked at only if they are named."""

MAIN_TYPES = re.compile("CloudTrail.*|Config.*")
CONTROL_TOWER = re.compile(r"aws-controltower-(logs|cloudtrail-logs|config-logs)-.*")
"""Control Tower's log buckets, in landing zones before and since 4.0
(https://docs.aws.amazon.com/controltower/latest/userguide/logging-and-monitoring.html)."""


class Use(StrEnum):
    """How the settings could use a bucket."""

    MAIN = "main"  # control_tower_bucket: CloudTrail and Config, by account and service
    OTHER = "other"  # other_buckets: logs of known layouts
    FREE = "free"  # perhaps logs, but their layout must be declared
    TARGET = "target"  # our own packs lie in it
    NONE = "none"  # no logs, or none that a run would take
    UNKNOWN = "unknown"  # could not be looked at


@dataclass(slots=True)
class FoundBucket:
    """A bucket, and what is known about it. None: could not be read."""

    name: str
    use: Use
    reason: str
    region: str = ""
    is_foreign: bool = False
    """It does not belong to the caller's account."""
    sample: BucketSample | None = None
    layout: Layout | None = None
    """The organisations and accounts of a main bucket."""
    versioning: BucketVersioning | None = None
    lock: ObjectLock | None = None
    encryption: BucketEncryption | None = None
    lifecycle: tuple[LifecycleRule, ...] | None = None
    inventories: Sequence[InventoryConfiguration] | None = None

    @property
    def log_types(self) -> list[str]:
        """Most frequent first."""
        return [name for name, _ in self.sample.known.most_common()] if self.sample else []


@dataclass(slots=True)
class Prospect:
    """An account. `notebook` holds only the questions that got no answer."""

    region: str
    caller: Caller | None = None
    organization: str | None = None
    trail_buckets: frozenset[str] = frozenset()
    config_buckets: frozenset[str] = frozenset()
    buckets: list[FoundBucket] = field(default_factory=list)
    elsewhere: dict[str, str] = field(default_factory=dict)
    """Buckets of other accounts that a service of this account writes to -> the service."""
    left_out: int = 0
    """Buckets that were not looked at, because there are too many."""
    notebook: Notebook = field(default_factory=Notebook)

    @property
    def account(self) -> str:
        return self.caller.account if self.caller is not None else ""

    def of(self, *uses: Use) -> list[FoundBucket]:
        return [bucket for bucket in self.buckets if bucket.use in uses]

    def find(self, name: str) -> FoundBucket | None:
        return next((bucket for bucket in self.buckets if bucket.name == name), None)


def look_around(
    inspector: AccountInspector,
    store: ObjectStore,
    names: Sequence[str],
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Prospect:
    """Looks at these buckets, or at all of the account's. Before each one `on_progress` gets the
    number that are done, and their total.

    Raises CannotStart if the credentials are not accepted, or if no name was given and the buckets
    cannot be listed.
    """
    notebook = Notebook()
    prospect = Prospect(inspector.region, examine_caller(inspector, notebook), notebook=notebook)
    prospect.organization = _find_organization(inspector, notebook)
    _find_services(inspector, prospect)
    found = list(names) or _list_buckets(store)
    chosen = found if names else found[:BUCKETS_MAX]
    prospect.left_out = len(found) - len(chosen)
    if not names:
        prospect.elsewhere = _find_elsewhere(prospect, found)
    look = _Look(inspector, store, prospect)
    for done, name in enumerate(chosen):
        on_progress(done, len(chosen))
        prospect.buckets.append(look.at(name))
    on_progress(len(chosen), len(chosen))
    notebook.findings = [finding for finding in notebook.findings if finding.advice]
    return prospect


def _list_buckets(store: ObjectStore) -> list[str]:
    try:
        return store.list_buckets()
    except RequestFailed as error:
        raise CannotStart(
            f"the buckets of the account cannot be listed; name them with --bucket: {error}"
        ) from error


def _find_organization(inspector: AccountInspector, notebook: Notebook) -> str | None:
    try:
        return inspector.describe_organization().id
    except RequestFailed as error:
        if error.code != NO_ORGANIZATION:
            notebook.warn(
                "account",
                "organization",
                f"could not be checked: {error}",
                advise(error, "organizations:DescribeOrganization"),
            )
        return None


def _find_services(inspector: AccountInspector, prospect: Prospect) -> None:
    """Where CloudTrail and Config say that they write."""
    ask = prospect.notebook.ask
    trails = ask("account", "trail", "cloudtrail:DescribeTrails", inspector.describe_trails)
    channels = ask(
        "account",
        "config-channel",
        "config:DescribeDeliveryChannels",
        inspector.describe_delivery_channels,
    )
    prospect.trail_buckets = frozenset(trail.bucket for trail in trails or ())
    prospect.config_buckets = frozenset(channel.bucket for channel in channels or ())


def _find_elsewhere(prospect: Prospect, names: Sequence[str]) -> dict[str, str]:
    uses = [
        *((bucket, "CloudTrail") for bucket in prospect.trail_buckets),
        *((bucket, "AWS Config") for bucket in prospect.config_buckets),
    ]
    return {bucket: service for bucket, service in sorted(uses) if bucket not in names}


@dataclass(frozen=True, slots=True)
class _Look:
    """Looks at one bucket after the other."""

    inspector: AccountInspector
    store: ObjectStore
    prospect: Prospect

    def at(self, name: str) -> FoundBucket:
        try:
            region = self.inspector.head_bucket(name)
        except RequestFailed as error:
            return FoundBucket(name, Use.UNKNOWN, f"could not be checked: {error}")
        if region and region != self.prospect.region:
            reason = f"is in {region}; look there with --region {region}"
            return FoundBucket(name, Use.NONE, reason, region)
        if self._is_foreign(name):
            reason = "belongs to another account; name it with --bucket-accounts"
            return FoundBucket(name, Use.UNKNOWN, reason, region, is_foreign=True)
        return self._look_inside(name, region)

    def _is_foreign(self, name: str) -> bool:
        """Whether S3 would refuse all further requests, which name the expected owner."""
        owner = self.inspector.expected_owner(name) or self.prospect.account
        if not owner:
            return False
        try:
            self.inspector.head_bucket(name, owner=owner)
        except AccessDenied:
            return True
        except RequestFailed:
            return False  # the next request will report it
        return False

    def _look_inside(self, name: str, region: str) -> FoundBucket:
        where, ask = locate(name), self.prospect.notebook.ask
        folders = ask(
            where,
            "contents",
            "s3:ListBucket",
            lambda: self.store.list_prefixes(name, prefix="").prefixes,
        )
        if folders is None:
            return FoundBucket(name, Use.UNKNOWN, "cannot be listed", region)
        if {"packs/", "indexes/"} <= {*folders}:
            found = FoundBucket(name, Use.TARGET, "packs lie in it", region)
        else:
            found = self._judge(name, region)
        if found.use is not Use.NONE:
            self._ask_configuration(found)
        return found

    def _judge(self, name: str, region: str) -> FoundBucket:
        bucket = SourceBucket(name, None)
        own = Target(name, "aggregated/").own_prefixes
        sample = self.prospect.notebook.ask(
            locate(name),
            "contents",
            "s3:ListBucket",
            lambda: sample_bucket(self.store, bucket, own, PAGES_MAX),
        )
        is_candidate = sample is None or self._is_mostly_main(sample)
        layout = self._find_layout(name) if is_candidate else None
        reason = self._find_why_main(name, layout, sample)
        if reason:
            return FoundBucket(name, Use.MAIN, reason, region, sample=sample, layout=layout)
        if sample is None:
            return FoundBucket(name, Use.UNKNOWN, "its contents could not be listed", region)
        use, reason = _judge_contents(sample)
        return FoundBucket(name, use, reason, region, sample=sample)

    def _is_mostly_main(self, sample: BucketSample) -> bool:
        """Whether at least half of the logs are CloudTrail's and Config's: in a main bucket a run
        looks under AWSLogs/ only.
        """
        main = sum(
            count for log_type, count in sample.known.items() if MAIN_TYPES.fullmatch(log_type)
        )
        return main > 0 and 2 * main >= sample.known.total()

    def _find_layout(self, name: str) -> Layout | None:
        return self.prospect.notebook.ask(
            locate(name), "layout", "s3:ListBucket", lambda: find_layout(self.store, name)
        )

    def _find_why_main(self, name: str, layout: Layout | None, sample: BucketSample | None) -> str:
        """Why it is a main bucket; empty if it is not one."""
        if layout is None or not layout.account_prefixes:
            return ""
        if name in self.prospect.trail_buckets:
            return "CloudTrail writes to it"
        if name in self.prospect.config_buckets:
            return "AWS Config writes to it"
        if CONTROL_TOWER.fullmatch(name):
            return "its name is one of Control Tower's"
        return "CloudTrail or Config logs lie in it, by account" if sample is not None else ""

    def _ask_configuration(self, found: FoundBucket) -> None:
        where, name, ask = locate(found.name), found.name, self.prospect.notebook.ask
        found.versioning = ask(
            where,
            "versioning",
            "s3:GetBucketVersioning",
            lambda: self.inspector.get_bucket_versioning(name),
        )
        found.lock = ask(
            where,
            "object-lock",
            "s3:GetBucketObjectLockConfiguration",
            lambda: self.inspector.get_object_lock_configuration(name),
        )
        found.encryption = ask(
            where,
            "encryption",
            "s3:GetEncryptionConfiguration",
            lambda: self.inspector.get_bucket_encryption(name),
        )
        found.lifecycle = ask(
            where,
            "lifecycle",
            "s3:GetLifecycleConfiguration",
            lambda: self.inspector.get_bucket_lifecycle_configuration(name),
        )
        found.inventories = ask(
            where,
            "inventory",
            "s3:GetInventoryConfiguration",
            lambda: self.inspector.list_bucket_inventory_configurations(name),
        )


def _judge_contents(sample: BucketSample) -> tuple[Use, str]:
    free = sum(suggestion.objects for suggestion in sample.suggestions)
    seen = f"of {sample.objects:,} object{'' if sample.objects == 1 else 's'} looked at"
    if not sample.objects:
        return Use.NONE, "it is empty"
    if sample.known:
        return Use.OTHER, f"{seen}, {sample.known.total():,} are logs"
    if free:
        return Use.FREE, f"{seen}, {free:,} could be logs, but their layout must be declared"
    return Use.NONE, f"{seen}, none is a log"
