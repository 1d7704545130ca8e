"""The demo's seventh part: a digest, a log object and a pack are deleted on purpose, and all three
losses are found. It has its own buckets, so the rest of the demo is not touched.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from log_aggregator.cli.output import write_file
from log_aggregator.cli.printing import print_line, print_lines
from log_aggregator.cli.run import measure_run
from log_aggregator.core.evidence.calendar import By, Calendar, Gap, GapKind
from log_aggregator.core.evidence.drills import Drill
from log_aggregator.core.evidence.standards import Section, list_requirements
from log_aggregator.core.windows import DateWindow
from log_aggregator.model import Target
from log_aggregator.ports.store import Deletion, ObjectStore
from log_aggregator.reports.evidence.page import TITLES, render_page
from log_aggregator.reports.evidence.report import describe_report, render_report
from log_aggregator.reports.evidence.verdicts import State, judge_report
from log_aggregator.reports.numbers import format_count
from log_aggregator.settings import Settings, read_settings
from log_aggregator.steps.custody.prove import Trust
from log_aggregator.steps.evidence.coverage import cover
from log_aggregator.steps.evidence.drills.draw import DrawRules
from log_aggregator.steps.evidence.drills.drill import DrillRules, DrillWatch, advance_drill
from log_aggregator.steps.evidence.presence import Asked
from log_aggregator.steps.evidence.report import Report, collect_report
from log_aggregator.steps.packs.index import read_index
from log_aggregator.steps.packs.pages import list_all, list_pages
from log_aggregator.wiring import Connection, connect, connect_inspector, open_job
from log_aggregator_lab.organisation.digests import list_digests
from log_aggregator_lab.organisation.generate import generate
from log_aggregator_lab.organisation.specification import OrganisationSpec
from log_aggregator_lab.servers.s3 import EmbeddedS3
from log_aggregator_lab.servers.trail_api import LabTrailKeys
from log_aggregator_lab.upload import create_bucket, upload

SOURCE = "aws-controltower-logs-444455556666-eu-west-1"
DESTINATION = "all-aggregated-logs-444455556666-eu-west-1"
_NOON = "T12"
"""Part of the key of the lost digest, which is neither the first nor the last of its day."""


@dataclass(frozen=True, slots=True)
class Loss:
    """The three that get lost, each from a different account."""

    digest: str
    log: str
    pack: str
    accounts: tuple[str, ...]
    members: int
    """Log objects in the pack."""


class NoCalendarProgress:
    """Shows nothing, because it takes only a second."""

    def listed(self, count: int) -> None:
        pass

    def checked(self, accounts: int, total: int) -> None:
        pass


def show_losses(
    spec: OrganisationSpec, server: EmbeddedS3, connection: Connection, page: Path
) -> bool:
    """Packs a day, loses three things, looks for them, and writes the page. Gives whether each loss
    was found, and nothing else.
    """
    small = _make_spec(spec)
    settings = _make_settings(small)
    loss = _lose(small, server, connection, settings)
    report = _look(settings, small, connection)
    write_file(page, [render_page(report)], None)
    print_lines(f"  {line}" for line in render_report(describe_report(report)))
    print_lines(f"  {line}" for line in _tell_standards(report))
    print_line(f"  The page for an auditor: {page}")
    problems = list(find_problems(loss, report))
    print_lines(f"  PROBLEM: {problem}" for problem in problems)
    if not problems:
        print_line("  All three losses were found, and nothing else.")
    return not problems


def _make_spec(spec: OrganisationSpec) -> OrganisationSpec:
    """Three accounts in one Region, without anything odd."""
    made = OrganisationSpec(
        seed=spec.seed,
        accounts=3,
        regions=spec.regions[:1],
        first_day=spec.first_day,
        objects=72,
        size_bytes_median=2_000,
        digest_chains=-1,
        config_histories=2,
    )
    return made.with_one_bucket(SOURCE)


def _make_settings(spec: OrganisationSpec) -> Settings:
    return read_settings(
        None,
        {
            "control_tower_bucket": [SOURCE],
            "aggregation_regions": list(spec.regions),
            "destination_bucket": DESTINATION,
            "delete_originals": True,
        },
    )


def _lose(
    spec: OrganisationSpec, server: EmbeddedS3, connection: Connection, settings: Settings
) -> Loss:
    """The digest and the log object before the nightly job, the pack after it."""
    for bucket in (SOURCE, DESTINATION):
        create_bucket(bucket, server, is_versioned=True)
    upload(generate(spec), server)
    store = connect(connection)
    digest, log = _choose(spec)
    print_line("  Before the nightly job, someone deletes a digest and a log object:")
    for key in (digest, log):
        _delete(store, SOURCE, key)
    day = DateWindow(spec.first_day, spec.first_day)
    keys = partial(LabTrailKeys, spec)
    described = measure_run(settings, day, connection, is_quiet=True, connect_keys=keys)
    packed = format_count(described["objects"]["packed"], "log object")
    packs = format_count(len(described["packs"]), "pack")
    print_line(f"  The nightly job: {packed} in {packs}, originals deleted.")
    prefix = f"packs/{SOURCE}/Config/{spec.account_ids[2]}/"
    pack = next(list_all(store, DESTINATION, prefix)).key
    members = len(read_index(store, Target(DESTINATION), pack).decode().members)
    print_line(f"  After it, someone deletes a pack of {format_count(members, 'log object')}:")
    _delete(store, DESTINATION, pack)
    return Loss(digest, log, pack, spec.account_ids, members)


def _choose(spec: OrganisationSpec) -> tuple[str, str]:
    """The keys of a digest of the first account and of a log object of the second."""
    first, second, _ = spec.account_ids
    digests = (each.key for each in list_digests(spec) if each.day == spec.first_day)
    logs = (each.key for each in generate(spec) if each.source == "cloudtrail")
    digest = next(key for key in digests if f"/{first}/" in key and _NOON in key)
    return digest, next(key for key in logs if f"/{second}/" in key)


def _delete(store: ObjectStore, bucket: str, key: str) -> None:
    """Deletes its versions, so that it is gone and not hidden by a delete marker."""
    pages = list_pages(store.list_object_versions, bucket, key)
    store.delete_objects(
        bucket, [Deletion(found.key, found.version_id) for page in pages for found in page.objects]
    )
    print_line(f"    s3://{bucket}/{key}")


def _look(settings: Settings, spec: OrganisationSpec, connection: Connection) -> Report:
    """A drill of all members, and the report, as `drill` and `report --every-digest` make them."""
    window = DateWindow(spec.first_day, spec.first_day)
    inspector = connect_inspector(connection, settings.bucket_owners)
    with open_job(connection, settings, window) as job:
        rules = DrillRules(DrawRules(spec.seed))
        for target in job.list_targets():
            advance_drill(job, target, rules, DrillWatch())
        asked = Asked(window, By.ACCOUNT, every_digest=True)
        calendar = cover(job, asked, NoCalendarProgress())
        print_lines(f"  Missing: {_tell_gap(gap)}" for gap in calendar.gaps)
        return collect_report(job.for_days(window), inspector, Trust(), calendar)


def _tell_gap(gap: Gap) -> str:
    return f"{gap.date}  {gap.name.log_type} {gap.name.account}: {gap.text}"


def _tell_standards(report: Report) -> Iterator[str]:
    """The requirements that cannot be shown to be met while a part is wrong."""
    yield "As long as that is so, these requirements cannot be shown to be met:"
    wrong = [each.section for each in judge_report(report) if each.state is State.WRONG]
    rows = [row for section in wrong for row in list_requirements(section)]
    for row in {(row.standard, row.paragraph): row for row in rows}.values():
        text = f"“{row.text}”" if row.is_quoted else f"{row.text} (paraphrase)"
        yield f"  {row.standard}, {row.paragraph}: {text}"


def find_problems(loss: Loss, report: Report) -> Iterator[str]:
    """Losses that were not found, and findings that are not losses."""
    calendar = report.calendar
    if calendar is None:
        yield "there is no calendar"
        return
    yield from _check_gaps(loss, calendar)
    drill = next((row.drill for place in report.places for row in place.drills), None)
    yield from _check_drill(loss, drill)
    wrong = {each.section for each in judge_report(report) if each.state is State.WRONG}
    for section in sorted(wrong ^ {Section.COVERAGE, Section.DRILLS}):
        reported = "is reported as wrong" if section in wrong else "is not reported as wrong"
        yield f"{TITLES[section]}: {reported}"


def _check_gaps(loss: Loss, calendar: Calendar) -> Iterator[str]:
    """There must be exactly three gaps, and nothing that could not be read."""
    expected = {
        ("CloudTrail", loss.accounts[0], GapKind.HOLE),
        ("CloudTrail", loss.accounts[1], GapKind.MISSING),
        ("Config", loss.accounts[2], GapKind.MISSING),
    }
    found = {(gap.name.log_type, gap.name.account, gap.kind) for gap in calendar.gaps}
    yield from (f"not found: {each}" for each in sorted(expected - found))
    yield from (f"found, but not lost: {each}" for each in sorted(found - expected))
    samples = [sample for gap in calendar.gaps for sample in gap.samples]
    for key in (loss.log, loss.pack):
        if not any(sample.endswith(key) for sample in samples):
            yield f"not named: {key}"
    yield from (f"could not be read: {each.where}" for each in calendar.failures)


def _check_drill(loss: Loss, drill: Drill | None) -> Iterator[str]:
    """It drew every member, so exactly those of the lost pack must be missing."""
    if drill is None:
        yield "the drill left no record"
    elif (drill.bad, drill.packs_bad) != (loss.members, 1):
        yield (
            f"the drill found {drill.bad} bad members in {drill.packs_bad} packs, "
            f"expected {loss.members} in 1"
        )
