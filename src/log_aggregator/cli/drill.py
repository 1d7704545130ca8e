"""`drill`: recovers a random sample of what was packed, and records the result."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import click

from log_aggregator.cli.lasting import print_lasting_report, require_room
from log_aggregator.cli.options import (
    connection_options,
    json_option,
    make_connection,
    target_writing_options,
)
from log_aggregator.cli.progress.counting import show_bar
from log_aggregator.cli.progress.thawing import show_waiting
from log_aggregator.core.custody import custody_prefix
from log_aggregator.core.evidence.proportions import plan_sample_size
from log_aggregator.errors import NothingFound, SettingsError
from log_aggregator.model import Target
from log_aggregator.reports.evidence.drills import (
    describe_drills,
    describe_planted,
    render_drills,
    render_planted,
)
from log_aggregator.settings import Settings
from log_aggregator.steps.evidence.drills.draw import DrawRules
from log_aggregator.steps.evidence.drills.drill import (
    DrillOutcome,
    DrillRules,
    DrillWatch,
    advance_drill,
    find_early,
)
from log_aggregator.steps.evidence.drills.planted import run_planted
from log_aggregator.steps.evidence.drills.thawing import THAW_DAYS, THAW_TIME_MAX, ThawRules
from log_aggregator.steps.job import Job
from log_aggregator.steps.retrieval.thaw import TIERS, Patience
from log_aggregator.wiring import open_job, open_room

WAITING = 4
"""The exit code while packs are thawing: nothing is known yet, so 0 would be wrong."""
SAMPLE_MAX = 100_000
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class _Wishes:
    """The options that say which drill is wanted."""

    sample: int | None
    confidence: float
    bad_max: float
    seed: int | None
    tier: str
    days: int
    dollars_max: float
    waits: bool
    interval: int
    dry_run: bool

    @property
    def draw(self) -> DrawRules:
        confidence = self.confidence / 100
        members = self.sample or plan_sample_size(confidence, self.bad_max / 100)
        if members > SAMPLE_MAX:
            raise SettingsError(
                f"--confidence, --bad-max: these need a sample of {members:,} members; expected at "
                f"most {SAMPLE_MAX:,}"
            )
        seed = secrets.randbits(32) if self.seed is None else self.seed
        return DrawRules(seed, members, confidence)

    @property
    def rules(self) -> DrillRules:
        hours = THAW_TIME_MAX.total_seconds() / 3600
        return DrillRules(
            self.draw,
            ThawRules(self.tier, self.days, self.dollars_max),
            Patience(time.sleep, self.interval, hours) if self.waits else None,
            self.dry_run,
        )


def _drill_options(function: F) -> F:
    options = (
        click.option(
            "--sample",
            type=click.IntRange(1, SAMPLE_MAX),
            help="Number of members to draw. Left out: what --confidence and --bad-max need.",
        ),
        click.option(
            "--confidence",
            type=click.FloatRange(0, 100, min_open=True, max_open=True),
            default=95.0,
            show_default=True,
            help="How sure the result must be, in percent.",
        ),
        click.option(
            "--bad-max",
            type=click.FloatRange(0, 100, min_open=True, max_open=True),
            default=1.0,
            show_default=True,
            help="What it must be sure of: that fewer than this percentage of all members is bad.",
        ),
        click.option(
            "--seed",
            type=click.IntRange(0, 2**63 - 1),
            help="The same number draws the same members again, as long as the packs are the "
            "same. Left out: random.",
        ),
        click.option(
            "--tier",
            type=click.Choice(TIERS),
            default="Bulk",
            show_default=True,
            help="Retrieval tier for frozen packs: the faster, the more it costs.",
        ),
        click.option(
            "--days",
            type=click.IntRange(1, 365),
            default=THAW_DAYS,
            show_default=True,
            help="Days for which thawed copies can be read.",
        ),
        click.option(
            "--dollars-max",
            type=click.FloatRange(min=0),
            default=1.0,
            show_default=True,
            help="Most US dollars that one drill may spend on thawing, in total.",
        ),
        click.option(
            "--wait", "waits", is_flag=True, help="Wait until all packs can be read, and continue."
        ),
        click.option(
            "--interval",
            type=click.IntRange(1, 3600),
            default=300,
            show_default=True,
            help="With --wait: seconds between two looks.",
        ),
        click.option(
            "--every",
            "every_days",
            metavar="DAYS",
            type=click.IntRange(1, 3650),
            help="Begin no drill within this many days of the last one, but continue one that has "
            "begun. Left out: always begin one.",
        ),
        click.option(
            "--dry-run",
            is_flag=True,
            help="Only show what would be drawn, and what thawing costs. Writes and starts "
            "nothing.",
        ),
        click.option(
            "--planted",
            "is_planted",
            is_flag=True,
            help="Test the drill itself: copy a pack, damage the copies, check that each damage is "
            "found, and remove the copies.",
        ),
        click.option(
            "--scratch-bucket",
            metavar="NAME",
            help="With --planted: the bucket that the copies go to. Left out: the packs' bucket, "
            "under probes/.",
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


@click.command()
@_drill_options
@target_writing_options
@connection_options
@json_option
def drill(
    settings: Settings,
    every_days: int | None,
    is_planted: bool,
    scratch_bucket: str | None,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
    **wishes: Any,
) -> int:
    """Recover a random sample of all packed log objects, compare every byte, and record the result
    in custody.

    Frozen packs are thawed first, for at most --dollars-max. That takes hours or days: the sample
    is stored, and the same command continues with it whenever it is started again.

    Exit code 1 if anything did not come back as it was packed, 4 while packs are thawing.
    """
    asked = _Wishes(**wishes)
    rules = asked.rules
    if scratch_bucket is not None and (not is_planted or "/" in scratch_bucket):
        raise SettingsError(
            f"--scratch-bucket {scratch_bucket!r}: expected the name of a bucket, and --planted"
        )
    if is_planted and (asked.dry_run or asked.waits):
        raise SettingsError("--planted: not allowed with --dry-run or --wait")
    require_room()
    with open_job(make_connection(profile, region, endpoint_url), settings) as job:
        targets = job.list_targets()
        if is_planted:
            return _plant(job, targets, rules.draw, scratch_bucket, as_json=as_json)
        early = _find_early(job, targets, every_days)
        outcomes = []
        for target in targets:
            if target not in early:
                with _watching(is_quiet=as_json) as watch:
                    outcomes.append(advance_drill(job, target, rules, watch))
    found = [each for each in outcomes if each is not None]
    if not early:
        _require_packs(found, targets)
    described = describe_drills(found, early)
    lines = [] if as_json else list(render_drills(described))
    records = ", ".join(
        f"s3://{each.target.bucket}/{custody_prefix(each.target)}" for each in found if each.written
    )
    advice = f"Its custody records hold the same: {records}" if records else ""
    print_lasting_report(described, lines, "the drill", as_json=as_json, advice=advice)
    return _exit_code(found)


def _find_early(job: Job, targets: list[Target], every_days: int | None) -> dict[Target, datetime]:
    """The targets that need no drill yet, and when their last one was."""
    if every_days is None:
        return {}
    last = {target: find_early(job, target, every_days) for target in targets}
    return {target: drawn for target, drawn in last.items() if drawn is not None}


def _exit_code(outcomes: list[DrillOutcome]) -> int:
    if any(_has_failed(each) for each in outcomes):
        return 1
    return WAITING if any(each.waiting for each in outcomes) else 0


def _has_failed(outcome: DrillOutcome) -> bool:
    is_bad = outcome.drill is not None and not outcome.drill.is_sound
    return is_bad or bool(outcome.failures or outcome.sample.failures)


def _plant(
    job: Job, targets: list[Target], rules: DrawRules, scratch: str | None, *, as_json: bool
) -> int:
    tests = [
        run_planted(job, target, rules, scratch, partial(open_room, job.store, target.bucket))
        for target in targets
    ]
    found = [each for each in tests if each is not None]
    _require_packs(found, targets)
    described = describe_planted(found)
    lines = [] if as_json else list(render_planted(described))
    print_lasting_report(described, lines, "the test of the drill", as_json=as_json)
    return 0 if all(each.is_kept and not each.left for each in found) else 1


def _require_packs(found: list[Any], targets: list[Target]) -> None:
    if not found:
        places = ", ".join(f"s3://{target.bucket}/{target.root}packs/" for target in targets)
        raise NothingFound(f"{places}: no packs, so there is nothing to recover")


class _Watch(DrillWatch):
    """A bar for counting, then one for thawing, then one for recovering: a terminal can show one at
    a time.
    """

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._phase = ""
        self._shown: Any = None

    def counted(self, packs: int) -> None:
        self._show("counting members", lambda: show_bar("packs whose members are counted", None))
        self._shown(packs)

    def waiting(self, thawed: int, total: int) -> None:
        self._show("thawing", lambda: show_waiting(is_quiet=False))
        self._shown.waiting(thawed, total)

    def recovered(self, members: int, total: int) -> None:
        self._show("recovering", lambda: show_bar("recovering", total))
        self._shown(members)

    def _show(self, phase: str, make: Callable[[], AbstractContextManager[Any]]) -> None:
        if self._phase != phase:
            self._stack.close()
            self._phase, self._shown = phase, self._stack.enter_context(make())


@contextmanager
def _watching(*, is_quiet: bool) -> Iterator[DrillWatch]:
    with ExitStack() as stack:
        yield DrillWatch() if is_quiet else _Watch(stack)
