"""`verify --at-rest`: S3 itself hashes the packs, frozen or not, without a thaw.

S3 Batch Operations can compute checksums of stored objects in every storage class
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-compute-checksums.html).
"""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import click

from log_aggregator.cli.lasting import print_lasting_report, require_room
from log_aggregator.cli.printing import print_lines, print_report
from log_aggregator.cli.progress.counting import say, show_bar
from log_aggregator.core.evidence.at_rest_plan import AtRestPlan
from log_aggregator.errors import LimitExceeded, SettingsError
from log_aggregator.model import Target
from log_aggregator.ports.hash_jobs import HashJobs
from log_aggregator.reports.evidence.at_rest import (
    describe_finished,
    describe_planned,
    render_checks,
    render_planned,
)
from log_aggregator.reports.numbers import format_dollars
from log_aggregator.steps.evidence.at_rest import (
    find_open,
    finish,
    go_on,
    is_begun,
    is_over,
    start,
    wait,
)
from log_aggregator.steps.evidence.at_rest_plan import estimate, plan_check
from log_aggregator.steps.job import Job
from log_aggregator.steps.upkeep.check import PackPlace

F = TypeVar("F", bound=Callable[..., Any])
_ROLE = re.compile(r"arn:[a-z0-9-]+:iam::[0-9]{12}:role/.+")
UNDER_WAY = 4
"""The exit code where nothing is known to be wrong, but S3 is not done yet."""


@dataclass(frozen=True, slots=True)
class AtRestOptions:
    """The options of --at-rest."""

    role_arn: str | None
    dollars_max: float
    is_agreed: bool
    dry_run: bool
    waits: bool
    interval: int


def at_rest_options(function: F) -> F:
    """Gives the command `at_rest: AtRestOptions | None`. Raises SettingsError where an option that
    needs --at-rest is given without it.
    """

    @functools.wraps(function)
    def with_options(**values: Any) -> Any:
        is_asked = values.pop("is_at_rest")
        context = click.get_current_context()
        given = {name: values.pop(name) for name in _NAMES}
        if not is_asked:
            for name, option in _NAMES.items():
                if context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT:
                    raise SettingsError(f"{option}: allowed only with --at-rest")
            return function(at_rest=None, **values)
        if context.get_parameter_source("level") is not click.core.ParameterSource.DEFAULT:
            raise SettingsError("--level: expected either --level or --at-rest")
        if given["role_arn"] is not None:
            check_role(given["role_arn"])
        return function(at_rest=AtRestOptions(**given), **values)

    decorated: Any = with_options
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


def check_role(role_arn: str) -> None:
    """Raises SettingsError."""
    if not _ROLE.fullmatch(role_arn):
        raise SettingsError(
            f"--role-arn {role_arn!r}: expected the ARN of a role, such as "
            "arn:aws:iam::111122223333:role/hash-packs"
        )


def check_at_rest(
    job: Job,
    jobs: HashJobs,
    choose: Callable[[], Sequence[PackPlace]],
    options: AtRestOptions,
    *,
    as_json: bool,
) -> int:
    """Continues the checks that are under way, or else begins new ones. Gives the exit code."""
    if not options.dry_run:
        require_room()
    plans = _find_open(job)
    if plans:
        if options.dry_run:
            return _report([describe_planned(plan, "under way") for plan in plans], as_json=as_json)
        plans = [_agree_again(job, plan, options) for plan in plans]
    else:
        plans = _plan(job, choose(), options.role_arn or "")
        described = [describe_planned(plan, "planned") for plan in plans]
        if not as_json:
            print_lines(render_planned(described))
        if options.dry_run:
            if as_json:
                print_report({"checks": described}, (), as_json=True)
            return 0
        _check_price(plans, options)
        for plan in plans:
            start(job, jobs, plan)
    return _report(_go_on(job, jobs, plans, options), as_json=as_json)


def _find_open(job: Job) -> list[AtRestPlan]:
    plans: list[AtRestPlan] = []
    for target in job.list_targets():
        found, unreadable = find_open(job, target)
        plans += found
        for where in unreadable:
            say(f"skipped: {where} is not a plan of a check; find out who wrote it")
    for plan in plans:
        say(f"continuing check {plan.check}; to check other packs, start again once it is done")
    return plans


def _agree_again(job: Job, plan: AtRestPlan, options: AtRestOptions) -> AtRestPlan:
    """A plan that was not begun will still cost money, and anyone who can write to the packs'
    bucket can write a plan. So the role and the price limit come from this call, never from the
    stored plan.
    """
    if is_begun(job, plan):
        return plan
    anew = replace(plan, role_arn=options.role_arn or "", dollars=estimate(plan.tasks))
    _check_price([anew], options)
    return anew


def _plan(job: Job, places: Sequence[PackPlace], role_arn: str) -> list[AtRestPlan]:
    by_target: dict[Target, list[PackPlace]] = {}
    for place in places:
        by_target.setdefault(place.target, []).append(place)
    return [plan_check(job, target, each, role_arn) for target, each in by_target.items()]


def _check_price(plans: Sequence[AtRestPlan], options: AtRestOptions) -> None:
    if options.role_arn is None:
        raise SettingsError(
            "--role-arn: expected the role that S3 Batch Operations assumes; `log-aggregator "
            "iam-policy --stage hash` prints its policy"
        )
    dollars = sum(plan.dollars for plan in plans)
    if dollars > options.dollars_max and not options.is_agreed:
        raise LimitExceeded(
            f"hashing costs about {format_dollars(dollars)}, and --max-dollars is "
            f"{format_dollars(options.dollars_max)}; to start it, raise that or add --yes"
        )


def _go_on(
    job: Job, jobs: HashJobs, plans: Sequence[AtRestPlan], options: AtRestOptions
) -> list[dict[str, Any]]:
    if options.waits:
        say("S3 works by itself: ctrl-C ends only the waiting, and the same command resumes it.")
    return [_go_on_with(job, jobs, plan, options) for plan in plans]


def _go_on_with(
    job: Job, jobs: HashJobs, plan: AtRestPlan, options: AtRestOptions
) -> dict[str, Any]:
    if options.waits:
        with show_bar("hashing", len(plan.tasks)) as show:
            states = wait(job, jobs, plan, lambda: time.sleep(options.interval), show)
    else:
        states = go_on(job, jobs, plan)
    if not is_over(states):
        return describe_planned(plan, "under way", states)
    return describe_finished(finish(job, plan, states), states)


def _report(described: list[dict[str, Any]], *, as_json: bool) -> int:
    print_lasting_report(
        {"checks": described}, list(render_checks(described)), "the check", as_json=as_json
    )
    if any(each["is_good"] is False for each in described):
        return 1
    return UNDER_WAY if any(each["is_good"] is None for each in described) else 0


_NAMES = {
    "role_arn": "--role-arn",
    "dollars_max": "--max-dollars",
    "is_agreed": "--yes",
    "dry_run": "--dry-run",
    "waits": "--wait",
    "interval": "--interval",
}
_OPTIONS = (
    click.option(
        "--at-rest",
        "is_at_rest",
        is_flag=True,
        help="Have S3 hash every byte of the packs, frozen ones too, without a thaw, and record "
        "the result in custody. Started again, it continues the check that is under way.",
    ),
    click.option(
        "--role-arn",
        metavar="ARN",
        help="With --at-rest: the role that S3 Batch Operations assumes. Left out: only a check "
        "that is under way is continued.",
    ),
    click.option(
        "--max-dollars",
        "dollars_max",
        type=click.FloatRange(min=0),
        default=1.0,
        show_default=True,
        help="With --at-rest: start nothing that costs more US dollars than this, unless --yes is "
        "given.",
    ),
    click.option(
        "--yes", "is_agreed", is_flag=True, help="With --at-rest: start, whatever it costs."
    ),
    click.option(
        "--dry-run", is_flag=True, help="With --at-rest: only show what there is and what it costs."
    ),
    click.option("--wait", "waits", is_flag=True, help="With --at-rest: wait until S3 is done."),
    click.option(
        "--interval",
        type=click.IntRange(1, 3600),
        default=60,
        show_default=True,
        help="With --at-rest and --wait: seconds between two looks.",
    ),
)
