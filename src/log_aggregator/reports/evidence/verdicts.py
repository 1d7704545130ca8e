"""A report's verdicts, part by part: in order, open, wrong or unknown, with a sentence why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from log_aggregator.core.evidence.at_rest import Verdict as PackVerdict
from log_aggregator.core.evidence.calendar import Calendar, DayState
from log_aggregator.core.evidence.standards import Section
from log_aggregator.ports.account import LifecycleRule
from log_aggregator.reports.numbers import format_count
from log_aggregator.steps.custody.walk import Walked
from log_aggregator.steps.evidence.report import Place, RecordRow, Report

DRILL_DAYS_MAX = 92
"""A quarter: an older drill says little about today."""
RETENTION_DAYS_MIN = 365
"""PCI DSS 10.5.1 asks for 12 months."""


class State(StrEnum):
    """A part has the worst state of its sentences."""

    GOOD = "in order"
    UNKNOWN = "unknown"
    OPEN = "open"  # an auditor may object to it
    WRONG = "wrong"

    @property
    def rank(self) -> int:
        return list(State).index(self)


@dataclass(frozen=True, slots=True)
class Sentence:
    """One finding. `record`: the (number of the place, record) that shows it."""

    state: State
    text: str
    record: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on one part of a report."""

    section: Section
    sentences: tuple[Sentence, ...]

    @property
    def state(self) -> State:
        return max((each.state for each in self.sentences), key=lambda state: state.rank)


def judge_report(report: Report) -> list[Verdict]:
    """All parts in their order, except what was saved, which cannot be right or wrong."""
    return [
        Verdict(Section.COVERAGE, tuple(_judge_coverage(report.calendar))),
        _judge_places(report, Section.INTEGRITY),
        _judge_places(report, Section.RETENTION),
        _judge_places(report, Section.DRILLS),
    ]


def _judge_places(report: Report, section: Section) -> Verdict:
    """Judges each bucket by itself, and names them where there are several."""
    sentences: list[Sentence] = []
    for number, place in enumerate(report.places):
        where = f"s3://{place.target.bucket}: " if len(report.places) > 1 else ""
        sentences += (
            Sentence(each.state, where + each.text, each.record)
            for each in _judge_place(report, section, number)
        )
    return Verdict(section, tuple(sentences or [Sentence(State.UNKNOWN, "There are no packs.")]))


def _judge_place(report: Report, section: Section, number: int) -> Iterator[Sentence]:
    place = report.places[number]
    if section is Section.INTEGRITY:
        return _judge_integrity(number, place)
    if section is Section.RETENTION:
        return _judge_retention(place)
    return _judge_drills(report, number, place)


def _judge_coverage(calendar: Calendar | None) -> Iterator[Sentence]:
    if calendar is None:
        yield Sentence(State.UNKNOWN, "Coverage was not checked.")
        return
    counts = calendar.count()
    bad = sum(count for state, count in counts.items() if state.is_bad)
    there = sum(count for state, count in counts.items() if state.is_there)
    failed = len(calendar.failures)
    rows = format_count(len(calendar.rows), "row")
    if bad:
        bad_rows = sum(any(state.is_bad for state in row.count()) for row in calendar.rows)
        text = (
            f"Something that must be there is missing: {format_count(bad, 'day')} in "
            f"{bad_rows:,} of {rows}."
        )
        yield Sentence(State.WRONG, text)
    elif not there:
        yield Sentence(State.UNKNOWN, "There are no logs of these days.")
    else:
        text = f"{format_count(there, 'day')} with logs, in {rows}; no expected log is missing."
        yield Sentence(State.GOOD, text)
    if there and not calendar.has_every_digest:
        text = (
            "Digests of days with logs were not read, so single files and hours may be missing; "
            "--every-digest reads them."
        )
        yield Sentence(State.UNKNOWN, text)
    if counts[DayState.UNCHECKED]:
        text = f"{format_count(counts[DayState.UNCHECKED], 'day')} could not be checked."
        yield Sentence(State.UNKNOWN, text)
    if failed:
        text = f"{format_count(failed, 'place')} could not be read."
        yield Sentence(State.UNKNOWN, text)
    if counts[DayState.UNKNOWN]:
        days = format_count(counts[DayState.UNKNOWN], "day")
        text = f"For {days} without a log, nothing says whether there should be one."
        yield Sentence(State.UNKNOWN, text)


def _judge_integrity(number: int, place: Place) -> Iterator[Sentence]:
    walked, broken = place.walked, len(place.walked.findings)
    if broken:
        text = f"The custody records are broken: {format_count(broken, 'finding')}, listed below."
        yield Sentence(State.WRONG, text)
    elif walked.newest is None:
        yield Sentence(State.UNKNOWN, "There are no custody records.")
    else:
        newest = walked.newest[0]
        text = (
            f"{format_count(walked.records, 'custody record')} in an unbroken chain up to "
            f"{newest}, naming {format_count(walked.packs, 'pack')}."
        )
        yield Sentence(State.GOOD, text, (number, newest))
        yield _judge_signature(number, walked)
    yield from _judge_at_rest(number, place.checks)


def _judge_signature(number: int, walked: Walked) -> Sentence:
    """Whether a signature vouches for the end of an unbroken chain."""
    newest = walked.proven.newest
    if newest is None:
        text = (
            "The newest records are not signed: only a hash kept elsewhere can show that none is "
            "missing from the end of the chain."
        )
        return Sentence(State.OPEN, text)
    record, signed_at = (number, newest.sequence), f"{newest.signed_at:%Y-%m-%d %H:%M} UTC"
    if not newest.is_trusted:
        text = (
            f"Signed at {signed_at} by key {newest.key}, which was not named as trusted: name it "
            "with --public-key."
        )
        return Sentence(State.OPEN, text, record)
    stamp = walked.proven.stamped.stamp if walked.proven.stamped else None
    stamped = f", time-stamped {stamp.moment:%Y-%m-%d %H:%M} by {stamp.authority}" if stamp else ""
    after = format_count(walked.proven.after, "record")
    text = f"Proven by key {newest.key}, signed at {signed_at}{stamped}; {after} after it."
    return Sentence(State.GOOD, text, record)


def _judge_at_rest(number: int, checks: list[RecordRow]) -> Iterator[Sentence]:
    if not checks or checks[0].at_rest is None:
        text = (
            "Packs have not been hashed at rest yet; log-aggregator verify --at-rest has S3 do it."
        )
        yield Sentence(State.OPEN, text)
        return
    found, record = checks[0].at_rest, (number, checks[0].sequence)
    good, packs = found.count(PackVerdict.GOOD), len(found.packs)
    damaged, unproven = found.count(PackVerdict.DAMAGED), found.count(PackVerdict.UNPROVEN)
    text = (
        f"At rest, {good:,} of {format_count(packs, 'pack')} have the hash they were written with"
    )
    if damaged:
        yield Sentence(State.WRONG, f"{text}; {damaged:,} do not.", record)
    elif unproven or found.foreign_rows:
        yield Sentence(State.UNKNOWN, f"{text}; S3 gave no hash of {unproven:,}.", record)
    else:
        yield Sentence(State.GOOD, f"{text}.", record)


def _judge_retention(place: Place) -> Iterator[Sentence]:
    lock, rules = place.protection.lock, place.protection.lifecycle
    if lock.value is None:
        yield Sentence(State.UNKNOWN, f"Object Lock: {lock.problem}")
    elif lock.value.mode:
        text = (
            f"New objects are locked in {lock.value.mode} mode for "
            f"{format_count(lock.value.retention_days, 'day')}."
        )
        yield Sentence(State.GOOD, text)
    elif lock.value.is_enabled:
        text = "Object Lock is on without a default: only objects locked one by one are locked."
        yield Sentence(State.OPEN, text)
    else:
        text = "Object Lock is off: anyone with permission to delete objects can delete packs."
        yield Sentence(State.OPEN, text)
    if rules.value is None:
        yield Sentence(State.UNKNOWN, f"Lifecycle: {rules.problem}")
    else:
        yield _judge_expiry(list(find_expiries(place, rules.value)))


def find_expiries(place: Place, rules: tuple[LifecycleRule, ...]) -> Iterator[LifecycleRule]:
    """The rules that delete packs. Those for tagged objects do not: packs carry none."""
    packs = f"{place.target.root}packs/"
    for rule in rules:
        covers = packs.startswith(rule.prefix) or rule.prefix.startswith(packs)
        if rule.expires and covers and not rule.has_tags:
            yield rule


def _judge_expiry(rules: list[LifecycleRule]) -> Sentence:
    days = [rule.expiration_days for rule in rules if rule.expiration_days is not None]
    if not rules:
        return Sentence(State.GOOD, "No lifecycle rule deletes packs.")
    if len(days) < len(rules):
        return Sentence(State.OPEN, "A lifecycle rule deletes packs on a fixed date.")
    kept = f"Lifecycle rules delete packs after {format_count(min(days), 'day')}"
    if min(days) < RETENTION_DAYS_MIN:
        return Sentence(State.OPEN, f"{kept}: less than 12 months.")
    return Sentence(State.GOOD, f"{kept}.")


def _judge_drills(report: Report, number: int, place: Place) -> Iterator[Sentence]:
    last = next(iter(place.drills), None)
    if last is None or last.drill is None or last.ended is None:
        yield Sentence(State.OPEN, "There has been no drill yet; log-aggregator drill runs one.")
        return
    drill, record = last.drill, (number, last.sequence)
    when = f"The drill of {last.ended:%Y-%m-%d}"
    if drill.is_sound:
        yield Sentence(State.GOOD, f"{when}: {drill.proof}.", record)
    else:
        what = "" if drill.members else ", and so shows nothing"
        text = (
            f"{when} recovered {drill.members - drill.bad:,} of {drill.members:,} members as "
            f"they were packed{what}."
        )
        yield Sentence(State.WRONG, text, record)
    age = report.made - last.ended
    if age > timedelta(days=DRILL_DAYS_MAX):
        text = f"It is {age.days:,} days old; log-aggregator drill runs another one."
        yield Sentence(State.OPEN, text, record)
