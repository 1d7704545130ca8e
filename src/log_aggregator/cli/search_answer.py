"""`search` without --events: what was found, the packs it is in, and the thawing of these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from log_aggregator.cli.lasting import print_lasting_report
from log_aggregator.cli.printing import print_json, print_lines
from log_aggregator.cli.thaw import check_price
from log_aggregator.errors import Failure
from log_aggregator.reports.search import describe_answer, render_answer, render_pack_list
from log_aggregator.reports.thaw import describe_failures, render_outcome
from log_aggregator.steps.job import Job
from log_aggregator.steps.retrieval.thaw import (
    PackState,
    State,
    TierOption,
    price_tiers,
    start_thawing,
)
from log_aggregator.steps.search.answers import Answer
from log_aggregator.steps.search.events import look_at

DAYS_DEFAULT = 7
"""How long thawed copies stay, for the price of thawing."""


@dataclass(frozen=True, slots=True)
class Thawing:
    """How the packs that were found are to be thawed."""

    tier: str
    days: int
    dollars_max: float
    is_agreed: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """How an answer is shown."""

    only_packs: bool
    as_json: bool
    values: Sequence[str]


def print_answer(job: Job, answer: Answer, shown: Shown, thawing: Thawing | None) -> bool:
    """Prints what was found, and what reading it costs. Gives whether something failed."""
    listed = [pack for pack in answer.packs if pack.storage_class is not None]
    states, failures = look_at(job.store, job.workers, listed)
    tiers = price_tiers(states, thawing.days if thawing else DAYS_DEFAULT)
    described = describe_answer(answer, shown.values, states, tiers)
    described["started"] = 0
    if not shown.as_json:
        print_lines(render_pack_list(described) if shown.only_packs else render_answer(described))
    if thawing is not None:
        started, refused = _thaw(job, states, tiers, thawing)
        described["started"] = len(started)
        failures += refused
    described["failures"] = describe_failures(failures)
    lines = list(render_outcome({**described, "thawed": 0, "without_terms": 0}, waited=False))
    if thawing is not None:
        print_lasting_report(described, lines, "the thawing", as_json=shown.as_json)
    elif shown.as_json:
        print_json(described)
    else:
        print_lines(lines)
    return bool(failures)


def _thaw(
    job: Job, states: Sequence[PackState], tiers: Sequence[TierOption], thawing: Thawing
) -> tuple[list[PackState], list[Failure]]:
    """Starts it if the price is agreed to. Raises LimitExceeded, SettingsError."""
    if states and not any(each.state is State.FROZEN for each in states):
        print_lines(["nothing needs thawing: --events can read the packs"], err=True)
        return [], []
    check_price(states, tiers, thawing.tier, thawing.dollars_max, is_agreed=thawing.is_agreed)
    return start_thawing(job.store, job.workers, states, days=thawing.days, tier=thawing.tier)
