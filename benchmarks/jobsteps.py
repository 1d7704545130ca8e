"""The steps of the job over one group, one by one, put together as
`log_aggregator.steps.packing.run` and `.group` do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from functools import partial

from benchmarks.report import BenchmarkBroken
from benchmarks.testbed import DESTINATION, Logs, make_rules

from log_aggregator.model import Group, PackPlan, Target, VerifiedPack
from log_aggregator.ports.store import ObjectStore
from log_aggregator.settings import Settings
from log_aggregator.steps.conditions import Conditions
from log_aggregator.steps.job import Job
from log_aggregator.steps.packing.buckets import Area, SourceBucket, find_buckets
from log_aggregator.steps.packing.combine import combine
from log_aggregator.steps.packing.delete import ListedVersions, OriginalDeleter, delete_originals
from log_aggregator.steps.packing.group import GroupWork
from log_aggregator.steps.packing.prefixes import list_prefixes
from log_aggregator.steps.packing.scan import list_in_chunks
from log_aggregator.steps.packing.selection import GroupSources, Selection
from log_aggregator.steps.rules import Rules, RunRules
from log_aggregator.steps.workers import Workers
from log_aggregator.wiring import SystemClock

WARM_UP_COUNT = 200


@dataclass(frozen=True, slots=True)
class Listed:
    """A group as it was listed."""

    bucket: SourceBucket
    group: Group
    found: GroupSources
    rules: RunRules


def list_whole(store: ObjectStore, area: Area, rules: Rules) -> Selection:
    """Everything in an area that the rules want, in one piece."""
    whole = Selection()
    for chunk in list_in_chunks(store, area, rules):
        whole.merge(chunk)
    return whole


def list_group(store: ObjectStore, workers: Workers, settings: Settings, logs: Logs) -> Listed:
    rules = make_rules(settings, logs.spec)
    job = Job(store, workers, rules, SystemClock())
    bucket = find_buckets(job)[0]
    selection = Selection()
    for prefix in list_prefixes(job, bucket.name, selection):
        selection.merge(list_whole(store, Area(bucket, prefix), rules.selection))
    ((group, found),) = selection.groups.items()
    if len(found.sources) != logs.object_count:
        raise BenchmarkBroken(f"{len(found.sources)} of {logs.object_count} objects listed")
    return Listed(bucket, group, found, rules)


def plan_one_pack(store: ObjectStore, workers: Workers, listed: Listed, root: str = "") -> PackPlan:
    """The group's pack, after a look at the packs that it has. With a `root` of its own it can be
    written again.
    """
    target = Target(DESTINATION, root)
    rules = listed.rules.group
    work = GroupWork(store, workers, listed.bucket, target, rules, date.max, Conditions())
    (pack,) = work.plan(listed.group, listed.found, restore=True).packs
    return pack


def delete_all(store: ObjectStore, workers: Workers, listed: Listed, pack: VerifiedPack) -> None:
    known = ListedVersions(source.log_object for source in listed.found.sources)
    target, options = pack.target, listed.rules.group.combine.index
    check = partial(Conditions().check, store, target, options)
    deleter = OriginalDeleter(store, workers, listed.bucket, listed.group.date, check)
    report = delete_originals(deleter, pack, known, packed_now=True)
    if report.deleted != len(listed.found.sources):
        raise BenchmarkBroken(f"{report.deleted} of {len(listed.found.sources)} objects deleted")


def warm_up(store: ObjectStore, workers: Workers, listed: Listed, root: str = "warm-up/") -> None:
    """Opens the connections and starts the threads."""
    few = replace(listed, found=GroupSources(listed.found.sources[:WARM_UP_COUNT]))
    plan = plan_one_pack(store, workers, few, root)
    combine(store, workers, plan, listed.rules.group.combine)
