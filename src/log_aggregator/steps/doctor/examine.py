"""The whole examination: the account, every bucket that logs are taken from, what lies in them, and
where packs go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from log_aggregator.errors import CannotStart
from log_aggregator.model import Target
from log_aggregator.ports.account import (
    AccountInspector,
    BucketEncryption,
    Caller,
    DeliveryChannel,
    LifecycleRule,
    Trail,
)
from log_aggregator.ports.store import Clock, ObjectStore
from log_aggregator.steps.doctor.access import (
    Records,
    examine_finding_buckets,
    examine_own_name,
    examine_records_access,
    examine_signing_access,
    examine_source_access,
    examine_target_access,
)
from log_aggregator.steps.doctor.account import (
    examine_caller,
    examine_lambda_quota,
    examine_organization,
    find_partition,
    find_principals,
)
from log_aggregator.steps.doctor.buckets import (
    KnownBucket,
    examine_destination,
    examine_existence,
    examine_source,
    locate,
)
from log_aggregator.steps.doctor.contents import examine_contents, examine_inventories
from log_aggregator.steps.doctor.findings import Finding, Notebook
from log_aggregator.steps.doctor.keys import KeyUse, examine_key
from log_aggregator.steps.doctor.landing_zone import (
    examine_channels,
    examine_config,
    examine_layout,
    examine_trails,
)
from log_aggregator.steps.doctor.lifecycle import examine_source_rules, examine_target_rules
from log_aggregator.steps.doctor.permissions import Simulation
from log_aggregator.steps.doctor.public_keys import examine_public_keys, find_digest_regions
from log_aggregator.steps.job import expand_names
from log_aggregator.steps.packing.buckets import SourceBucket
from log_aggregator.steps.rules import RunRules


def examine(
    inspector: AccountInspector,
    store: ObjectStore,
    clock: Clock,
    rules: RunRules,
    role_arns: Sequence[str] = (),
) -> list[Finding]:
    """All findings. Only reads; a check that gets no answer is a finding too. Raises CannotStart if
    the credentials are not accepted.

    `role_arns` are simulated instead of the caller: the roles of deployed functions, which share
    the work.
    """
    examination = _begin(inspector, store, clock, rules, role_arns)
    examination.examine_everything()
    return examination.notebook.findings


def examine_settings(
    inspector: AccountInspector,
    store: ObjectStore,
    clock: Clock,
    rules: RunRules,
    role_arns: Sequence[str],
) -> list[Finding]:
    """Findings about what an operator may change from one day to the next: buckets, keys,
    permissions, quotas. Lists no bucket and asks neither CloudTrail nor Config.
    """
    examination = _begin(inspector, store, clock, rules, role_arns)
    examination.examine_settings()
    return examination.notebook.findings


def _begin(
    inspector: AccountInspector,
    store: ObjectStore,
    clock: Clock,
    rules: RunRules,
    role_arns: Sequence[str],
) -> Examination:
    notebook = Notebook()
    caller = examine_caller(inspector, notebook)
    principals = find_principals(inspector, notebook, caller, role_arns)
    simulation = Simulation(
        inspector,
        notebook,
        principals,
        find_partition(caller),
        caller.account if caller is not None else None,
    )
    if role_arns:
        examine_lambda_quota(inspector, notebook)
    return Examination(inspector, store, rules, notebook, simulation, caller, clock.now().date())


@dataclass(frozen=True, slots=True)
class Services:
    """Where CloudTrail and Config say that they write. None: they gave no answer."""

    trails: Sequence[Trail] = ()
    channels: Sequence[DeliveryChannel] | None = None

    def keys(self, bucket: str) -> set[str]:
        """Keys that the services encrypt with, independent of the bucket's default."""
        uses = [
            *((trail.bucket, trail.kms_key_id) for trail in self.trails),
            *((item.bucket, item.kms_key_id) for item in self.channels or ()),
        ]
        return {key for name, key in uses if name == bucket and key}


@dataclass(frozen=True, slots=True)
class Examination:
    """One examination: what its checks share."""

    inspector: AccountInspector
    store: ObjectStore
    rules: RunRules
    notebook: Notebook
    simulation: Simulation
    caller: Caller | None
    today: date

    @property
    def is_in_place(self) -> bool:
        return self.rules.destination_bucket is None

    def examine_everything(self) -> None:
        services = self._examine_services()
        sources = self.examine_settings(services)
        for bucket in sources:
            if not self.rules.is_main(bucket):
                self._examine_contents(bucket)
        examine_inventories(self.inspector, self.notebook, sources)
        self._examine_landing_zone(
            [bucket for bucket in sources if bucket in self.rules.main_buckets], services
        )

    def examine_settings(self, services: Services | None = None) -> list[str]:
        """Returns the names of the sources that can be accessed."""
        names = list(self._find_sources())
        sources = [
            bucket
            for bucket in names
            if examine_existence(self.inspector, self.notebook, self.caller, bucket)
        ]
        known = [self._examine_source(bucket, services or Services()) for bucket in sources]
        if self.rules.destination_bucket is not None:
            self._examine_destination(Target(self.rules.destination_bucket), names, known)
        return sources

    def _find_sources(self) -> Iterator[str]:
        """The bucket names of the settings, with those that end in * expanded. A pattern that
        matches no bucket is a problem: a run would not start.
        """
        names = list(self.rules.main_buckets)
        if any(name.endswith("*") for name in self.rules.other_buckets):
            examine_finding_buckets(self.notebook, self.simulation)
        for name in self.rules.other_buckets:
            try:
                names += expand_names(self.store, [name])
            except CannotStart as error:
                advice = "Correct the name, or grant s3:ListAllMyBuckets; a run would not start."
                self.notebook.problem("account", "find-buckets", str(error), advice)
        yield from dict.fromkeys(names)

    def _examine_services(self) -> Services:
        """Asked only where there is a Control Tower bucket to compare the answers with."""
        if not self.rules.main_buckets:
            return Services()
        examine_organization(self.inspector, self.notebook, self.rules.organization_id)
        trails = self.notebook.ask(
            "account", "trail", "cloudtrail:DescribeTrails", self.inspector.describe_trails
        )
        channels = self.notebook.ask(
            "account",
            "config-channel",
            "config:DescribeDeliveryChannels",
            self.inspector.describe_delivery_channels,
        )
        examine_trails(self.notebook, trails or (), self.rules.main_buckets)
        examine_channels(self.notebook, channels or (), self.rules.main_buckets, self.caller)
        return Services(trails or (), channels)

    def _examine_source(self, bucket: str, services: Services) -> KnownBucket:
        where, keep_days = locate(bucket), self.rules.group.keep_originals_days
        known = examine_source(self.inspector, self.notebook, bucket, keep_days)
        encryption = self._examine_encryption(bucket)
        for key_id in sorted(services.keys(bucket)):
            self._examine_key(KeyUse(key_id, where, writes=False))
        if (
            encryption is not None
            and encryption.kms_key_id
            and encryption.kms_key_id not in services.keys(bucket)
        ):
            self._examine_key(KeyUse(encryption.kms_key_id, where, writes=self.is_in_place))
        lifecycle = self._ask_lifecycle(bucket)
        if lifecycle is not None:
            examine_source_rules(self.notebook, where, lifecycle, keep_days)
        examine_source_access(self.notebook, self.simulation, known, keep_days)
        if self.is_in_place:
            self._examine_target(self.rules.target(bucket), lifecycle, [known])
        return known

    def _examine_contents(self, bucket: str) -> None:
        source = SourceBucket.of(self.rules, bucket, None)
        examine_contents(self.store, self.notebook, source, self.rules.own_prefixes(bucket))

    def _examine_landing_zone(self, buckets: Sequence[str], services: Services) -> None:
        targets = {bucket: self.rules.target(bucket) for bucket in buckets}
        layouts = {}
        for bucket in buckets:
            layout = examine_layout(self.store, self.notebook, bucket, self.rules.organization_id)
            if layout is not None and layout.account_prefixes:
                layouts[bucket] = layout
        examine_config(self.store, self.notebook, layouts, targets, services.channels, self.today)
        if self.rules.main_buckets:
            found = find_digest_regions(self.store, self.notebook, layouts)
            own = self.inspector.region
            examine_public_keys(self.notebook, self.simulation, [own, *sorted(found - {own})])

    def _examine_destination(
        self, target: Target, names: Sequence[str], sources: Sequence[KnownBucket]
    ) -> None:
        examine_own_name(self.notebook, target, names)
        if not examine_existence(self.inspector, self.notebook, self.caller, target.bucket):
            return
        examine_destination(self.inspector, self.notebook, target.bucket)
        encryption = self._examine_encryption(target.bucket)
        if (
            encryption is not None
            and encryption.kms_key_id
            and not self.rules.group.combine.pack.kms_key_id
        ):
            self._examine_key(KeyUse(encryption.kms_key_id, locate(target.bucket), writes=True))
        self._examine_target(target, self._ask_lifecycle(target.bucket), sources)

    def _examine_target(
        self,
        target: Target,
        lifecycle: Sequence[LifecycleRule] | None,
        sources: Sequence[KnownBucket],
    ) -> None:
        """A destination, or a source bucket that keeps its own packs."""
        if lifecycle is not None:
            examine_target_rules(self.notebook, locate(target.bucket), lifecycle, target.root)
        if key_id := self.rules.group.combine.pack.kms_key_id:
            self._examine_key(KeyUse(key_id, locate(target.bucket), writes=True))
        terms = self.rules.group.combine.terms
        search_key_id = None if terms is None else terms.write.kms_key_id
        if search_key_id and search_key_id != key_id:
            self._examine_key(KeyUse(search_key_id, locate(target.bucket), writes=True))
        examine_target_access(self.notebook, self.simulation, target, is_in_place=self.is_in_place)
        examine_records_access(self.notebook, self.simulation, target, self._records_of(sources))
        if self.rules.sign_with is not None:
            key_arn = self.rules.signing_key_arn
            examine_signing_access(self.notebook, self.simulation, target, key_arn)

    def _records_of(self, sources: Sequence[KnownBucket]) -> Records:
        has_main = any(self.rules.is_main(known.bucket) for known in sources)
        return Records(
            public_keys=has_main,
            discards=has_main and self.rules.selection.discard_other_regions,
            probes=any(known.never_had_versions for known in sources),
            terms=self.rules.group.combine.terms is not None,
        )

    def _examine_key(self, use: KeyUse) -> None:
        examine_key(self.inspector, self.notebook, self.simulation, self.caller, use)

    def _ask_lifecycle(self, bucket: str) -> tuple[LifecycleRule, ...] | None:
        return self.notebook.ask(
            locate(bucket),
            "lifecycle",
            "s3:GetLifecycleConfiguration",
            lambda: self.inspector.get_bucket_lifecycle_configuration(bucket),
        )

    def _examine_encryption(self, bucket: str) -> BucketEncryption | None:
        """Without S3 Bucket Keys every object costs a request to KMS
        (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html)."""
        where = locate(bucket)
        found = self.notebook.ask(
            where,
            "encryption",
            "s3:GetEncryptionConfiguration",
            lambda: self.inspector.get_bucket_encryption(bucket),
        )
        if found is None:
            return None
        if not found.algorithm:
            self.notebook.note(
                where,
                "encryption",
                "no default encryption is set",
                "Turn it on. AWS encrypts every new object since 2023; this server does not.",
            )
        elif found.is_kms and not found.has_bucket_key:
            seen = (
                f"{found.algorithm} without S3 Bucket Keys: KMS bills a request for every "
                "object, $3 per million"
            )
            self.notebook.note(
                where,
                "encryption",
                seen,
                "Turn on S3 Bucket Keys; they apply to objects written from then on.",
            )
        else:
            self.notebook.ok(where, "encryption", f"encrypted with {found.algorithm}")
        return found
