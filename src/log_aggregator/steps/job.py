"""The job: what every command and every Lambda function works with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Protocol, runtime_checkable

from log_aggregator.core.layouts.declared import Layouts
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import CannotStart, cannot_start
from log_aggregator.model import Stage, Target
from log_aggregator.ports.store import Clock, ObjectStore
from log_aggregator.steps.conditions import Conditions
from log_aggregator.steps.rules import RunRules
from log_aggregator.steps.workers import Workers


@dataclass(frozen=True, slots=True)
class Job:
    """The object store, the workers, the rules and the clock. Made by `wiring.open_job`."""

    store: ObjectStore
    workers: Workers
    rules: RunRules
    clock: Clock
    conditions: Conditions = field(default_factory=Conditions)
    """The conditions that the server was found to honour in this run."""

    @property
    def today(self) -> date:
        """In UTC."""
        return self.clock.now().date()

    @property
    def requests(self) -> Mapping[str, int]:
        """Requests so far, by S3's name of the operation; empty if the store does not count."""
        return self.store.requests if isinstance(self.store, _Counted) else {}

    def for_days(self, window: DateWindow) -> Job:
        """This job for a run over these days."""
        selection = replace(self.rules.selection, window=window)
        return replace(self, rules=replace(self.rules, selection=selection))

    def for_layouts(self, layouts: Layouts) -> Job:
        """This job for a run with these declarations."""
        return replace(self, rules=replace(self.rules, layouts=layouts))

    def for_stage(self, stage: Stage) -> Job:
        """This job for a run of this stage: whether originals are deleted."""
        return replace(
            self, rules=replace(self.rules, group=replace(self.rules.group, stage=stage))
        )

    def for_listing(self, *, is_old: bool) -> Job:
        """This job for a listing that shows what existed some time ago, or what exists now."""
        return replace(
            self, rules=replace(self.rules, group=replace(self.rules.group, is_listing_old=is_old))
        )

    def list_source_buckets(self) -> list[str]:
        """The names of the buckets that logs are taken from, main buckets first. Raises CannotStart
        if a pattern matches no bucket.
        """
        others = expand_names(self.store, self.rules.other_buckets)
        return list(dict.fromkeys([*self.rules.main_buckets, *others]))

    def list_targets(self) -> list[Target]:
        """Where packs may lie: the destination bucket, or each bucket that logs are taken from.
        Raises CannotStart.
        """
        if self.rules.destination_bucket is not None:
            return [Target(self.rules.destination_bucket)]
        return [self.rules.target(name) for name in self.list_source_buckets()]


def expand_names(store: ObjectStore, names: Sequence[str]) -> Iterator[str]:
    """The names of buckets, with patterns that end in * expanded. Raises CannotStart if a pattern
    matches no bucket.
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
            raise CannotStart(f"other_buckets: no bucket's name begins with {beginning!r}")
        yield from found


@runtime_checkable
class _Counted(Protocol):
    @property
    def requests(self) -> Mapping[str, int]: ...
