"""The rules of a run and of its groups: the settings, as the steps use them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

from log_aggregator.core.layouts.declared import BUILT_IN, BucketLayouts, Layouts
from log_aggregator.core.planning import PackLimits
from log_aggregator.core.terms.hashing import SearchKey
from log_aggregator.core.windows import DateWindow
from log_aggregator.model import KeyFacts, Stage, Target
from log_aggregator.ports.store import WriteOptions


class Level(StrEnum):
    """How thoroughly a pack is verified."""

    CHECKSUM = "checksum"
    TAIL = "tail"
    READ_BACK = "read-back"


@dataclass(frozen=True, slots=True)
class Holds:
    """Logs that are never touched: neither packed nor deleted."""

    buckets: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()
    dates: tuple[tuple[date, date], ...] = ()

    def hold(self, bucket: str, key: str, facts: KeyFacts) -> bool:
        return (
            bucket in self.buckets
            or facts.account in self.accounts
            or any(
                f"{bucket}/{key}".startswith(prefix) or key.startswith(prefix)
                for prefix in self.prefixes
            )
            or any(first <= facts.date <= last for first, last in self.dates)
        )


@dataclass(frozen=True, slots=True)
class Rules:
    """Which logs are wanted."""

    window: DateWindow
    regions: frozenset[str] | None = None
    discard_other_regions: bool = False
    holds: Holds = field(default_factory=Holds)


@dataclass(frozen=True, slots=True)
class TermsOptions:
    """How the terms of packs are written."""

    write: WriteOptions = field(default_factory=lambda: WriteOptions(may_replace=True))
    is_hashed: bool = False
    key: SearchKey | None = None
    """The key that values are hashed with. None: values are not hashed; or, if `is_hashed`, the key
    is missing, and no terms are made.
    """

    @property
    def lacks_key(self) -> bool:
        return self.is_hashed and self.key is None


@dataclass(frozen=True, slots=True)
class CombineOptions:
    """How packs are written."""

    limits: PackLimits = field(default_factory=PackLimits)
    pack: WriteOptions = field(default_factory=WriteOptions)
    index: WriteOptions = field(default_factory=WriteOptions)
    terms: TermsOptions | None = None
    """None: no terms are written."""


@dataclass(frozen=True, slots=True)
class GroupRules:
    """Rules for all groups of a run."""

    combine: CombineOptions
    level: Level = Level.CHECKSUM
    stage: Stage = Stage.PACK
    keep_originals_days: int = 0
    packs_new: bool = True
    """Pack log objects that are in no pack yet. Otherwise they are left for the next run."""
    is_listing_old: bool = False
    """Listed objects may be gone: packed ones are looked up before they are deleted, so that none
    is counted twice.
    """

    def keeps(self, since: date, today: date) -> bool:
        """Whether originals that were packed on that day are kept: before the stage `delete`
        always, and then until they are as old as the settings say. A future day comes from a wrong
        clock, and counts as today.
        """
        if self.stage is Stage.PACK:
            return True
        return max(0, (today - since).days) < self.keep_originals_days


@dataclass(frozen=True, slots=True)
class RunRules:
    """The rules of a run."""

    main_buckets: tuple[str, ...]
    other_buckets: tuple[str, ...]
    organization_id: str | None
    destination_bucket: str | None
    final_aggregation_prefix: str
    selection: Rules
    group: GroupRules
    objects_max: int
    layouts: Layouts = field(default_factory=Layouts)
    sign_with: str | None = None
    """The value of the setting."""

    @property
    def signing_key_arn(self) -> str | None:
        """The ARN of the KMS key or of its alias; None if records are not signed with KMS."""
        named = self.sign_with or ""
        return named.removeprefix("kms:") if named.startswith("kms:") else None

    def layouts_of(self, source_bucket: str) -> BucketLayouts:
        """How a bucket's keys are read. Declared layouts do not apply to main buckets."""
        return BUILT_IN if self.is_main(source_bucket) else self.layouts.of(source_bucket)

    def target(self, source_bucket: str) -> Target:
        """Where the packs of a bucket's logs go."""
        if self.destination_bucket is not None:
            return Target(self.destination_bucket)
        return Target(source_bucket, f"{self.final_aggregation_prefix}/")

    def is_main(self, source_bucket: str) -> bool:
        """Whether the bucket is a main bucket, whose logs are found by account and service."""
        return source_bucket in self.main_buckets

    def holding(self, bucket: str) -> RunRules:
        """These rules, with a hold on this bucket too."""
        holds = self.selection.holds
        held = replace(holds, buckets=holds.buckets | {bucket})
        return replace(self, selection=replace(self.selection, holds=held))

    def own_prefixes(self, source_bucket: str) -> tuple[str, ...]:
        """Prefixes of our own objects in the bucket, which are never logs."""
        target = self.target(source_bucket)
        return target.own_prefixes if target.bucket == source_bucket else ()
