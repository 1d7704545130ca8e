"""Drills: as dictionaries for programs, as lines for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from log_aggregator.core.times import encode_time
from log_aggregator.model import Target
from log_aggregator.reports.evidence.results import describe_result, render_result
from log_aggregator.reports.failures import render_failed
from log_aggregator.reports.numbers import format_count, format_dollars
from log_aggregator.steps.evidence.drills.drill import DrillOutcome
from log_aggregator.steps.evidence.drills.planted import UNDAMAGED, SelfTest
from log_aggregator.steps.retrieval.thaw import State

_WARNINGS_SHOWN_MAX = 3


def describe_drills(
    outcomes: Iterable[DrillOutcome], early: Mapping[Target, datetime]
) -> dict[str, Any]:
    """What `drill --json` writes. `early`: where it is too early for another drill, and when the
    last one was drawn.
    """
    return {
        "drills": [_describe_outcome(each) for each in outcomes],
        "early": [
            {"bucket": target.bucket, "root": target.root, "last": encode_time(last)}
            for target, last in early.items()
        ],
    }


def _describe_outcome(outcome: DrillOutcome) -> dict[str, Any]:
    sample, written = outcome.sample, outcome.written
    frozen = sum(each.state in (State.FROZEN, State.THAWING) for each in outcome.states)
    return {
        "bucket": outcome.target.bucket,
        "root": outcome.target.root,
        "state": _name_state(outcome),
        "has_gone_on": outcome.has_gone_on,
        "seed": sample.seed,
        "drawn": encode_time(sample.drawn),
        "first_date": sample.first.isoformat(),
        "last_date": sample.last.isoformat(),
        "population": sample.population,
        "is_counted": sample.is_counted,
        "population_packs": sample.packs,
        "packs_without_index": sample.packs_without_index,
        "members": len(sample.members) + sample.lost,
        "packs": len(sample.by_pack),
        "frozen": frozen,
        "waiting": outcome.waiting,
        "asked": None if outcome.asked is None else encode_time(outcome.asked, "seconds"),
        "dollars": round(outcome.dollars, 6),
        "result": None if outcome.drill is None else describe_result(outcome.drill),
        "record": None if written is None else asdict(written),
        "failures": [
            *(
                {"where": where, "error": error, "message": message, "advice": ""}
                for where, error, message in sample.failures
            ),
            *map(asdict, outcome.failures),
        ],
        "warnings": [asdict(each) for each in outcome.warnings],
    }


def _name_state(outcome: DrillOutcome) -> str:
    if outcome.drill is not None:
        return "done"
    if outcome.waiting:
        return "waiting"
    return "refused" if outcome.failures else "planned"


def render_drills(described: Mapping[str, Any]) -> Iterator[str]:
    for each in described["drills"]:
        yield from _render_outcome(each)
    for each in described["early"]:
        where = f"s3://{each['bucket']}/{each['root']}"
        yield f"{where}: the last drill was on {each['last']}; it is too early for another one"


def _render_outcome(each: Mapping[str, Any]) -> Iterator[str]:
    about = "" if each["is_counted"] else "about "
    gone_on = ", continued" if each["has_gone_on"] else ""
    yield (
        f"s3://{each['bucket']}/{each['root']}: drill of {each['drawn']}, seed {each['seed']}"
        f"{gone_on}"
    )
    yield (
        f"  drawn     {each['members']:,} of {about}{each['population']:,} members, in "
        f"{format_count(each['packs'], 'pack')} of {each['population_packs']:,}"
    )
    if each["packs_without_index"]:
        count = format_count(each["packs_without_index"], "pack")
        yield f"            {count} left out: no index; `log-aggregator index rebuild` makes one"
    if each["result"] is not None:
        yield from render_result(each["members"], each["packs"], each["result"])
    if each["dollars"]:
        yield f"  thawing   {format_dollars(each['dollars'])}, at list prices"
    yield from _render_state(each)
    yield from render_failed(each["failures"], f"  FAILED    {len(each['failures']):,}")
    yield from _render_warnings(each["warnings"])


def _render_state(each: Mapping[str, Any]) -> Iterator[str]:
    record, state = each["record"], each["state"]
    if record is not None:
        yield f"  record    s3://{record['bucket']}/{record['key']}"
        yield f"            {record['sequence']}:{record['sha256']}"
    elif state == "waiting":
        yield (
            f"  WAITING   for {format_count(each['waiting'], 'pack')}, thawing since "
            f"{each['asked']}; start `log-aggregator drill` again later to continue, or add --wait"
        )
    elif state == "planned":
        frozen = format_count(each["frozen"], "pack")
        yield f"  planned   {frozen} would be thawed; nothing was written or started"
    else:
        yield "  NOT DONE  nothing is recorded; start `log-aggregator drill` again to continue"


def _render_warnings(warnings: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """The warnings are alike, so only the first ones are shown."""
    count = format_count(len(warnings), "digest")
    more = ", and more that --json names" if len(warnings) > _WARNINGS_SHOWN_MAX else ""
    what = f"  note      the signatures of {count} could not be checked{more}"
    yield from render_failed(warnings[:_WARNINGS_SHOWN_MAX], what)


def describe_planted(tests: Iterable[SelfTest]) -> dict[str, Any]:
    """What `drill --planted --json` writes."""
    return {
        "planted": [
            {
                "bucket": test.target.bucket,
                "root": test.target.root,
                "pack": test.pack_key,
                "place": test.place,
                "members": test.members,
                "is_kept": test.is_kept,
                "trials": [
                    {
                        "name": trial.damage.name,
                        "text": trial.damage.text,
                        "is_found": bool(trial.outcome.failures),
                        "is_kept": trial.is_kept,
                        "seen": [failure.message for failure in trial.outcome.failures],
                    }
                    for trial in test.trials
                ],
                "left": test.left,
            }
            for test in tests
        ]
    }


def render_planted(described: Mapping[str, Any]) -> Iterator[str]:
    for test in described["planted"]:
        members = format_count(test["members"], "member")
        yield f"copies of s3://{test['bucket']}/{test['pack']}, {members} drawn from it"
        for trial in test["trials"]:
            expected = "nothing found" if trial["name"] == UNDAMAGED.name else "found"
            word = expected if trial["is_kept"] else f"NOT {expected}".replace("NOT nothing ", "")
            mark = "ok   " if trial["is_kept"] else "WRONG"
            yield f"  {mark}  {trial['text']}: {word}"
        left = "; ".join(test["left"])
        yield f"  LEFT   {left}" if left else f"  the copies in {test['place']} are removed"
