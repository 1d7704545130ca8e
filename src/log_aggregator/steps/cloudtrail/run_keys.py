"""Archives, at the end of a run, the public keys that its digests may have been signed with.

What cannot be read is a failure of the run, which takes nothing back; the next run that sees
digests asks again. But a Region that refuses, while others answer, is a warning, and told once:
nothing here can change that, and it would be refused every night. Where no Region answers it is the
permission that is missing, and that is a failure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time

from log_aggregator.errors import CannotStart, Failure, GroupFailed, RequestFailed
from log_aggregator.model import Target
from log_aggregator.ports.store import WriteOptions
from log_aggregator.ports.trail_keys import TrailKeys
from log_aggregator.steps.cloudtrail.public_keys import (
    BACKFILL_MARGIN,
    OPTIONS,
    list_keys,
    write_keys,
)
from log_aggregator.steps.cloudtrail.refusals import (
    ASKED_AGAIN_DAYS,
    Notepad,
    Refusal,
    RegionAnswer,
    is_refusal,
    read_refusals,
)
from log_aggregator.steps.job import Job
from log_aggregator.steps.packing.results import RunResult

FIRST_DIGESTS = datetime(2015, 1, 1, tzinfo=UTC)
"""Before any digest. What a Region is asked for that could not be asked for a while: runs of older
days may have passed it by, too.
"""

ASKED_AGAIN = (
    "Look at credentials, network and permissions; the next run that sees digests asks again."
)
REFUSED = (
    "Digests of this Region are packed all the same, but without its keys they cannot be validated "
    f"for as long as CloudTrail is refused. It is asked again after {ASKED_AGAIN_DAYS} days. See "
    'docs/how-to/validate-cloudtrail.md, section "Regions that cannot be asked".'
)
ALL_REFUSED = (
    "No Region answered, so it is not a Region deny: grant cloudtrail:ListPublicKeys. The next run "
    "that sees digests asks again."
)
ANSWERS_AGAIN = "Its keys are kept now, those of the days between included. There is nothing to do."


def archive_run_keys(job: Job, connect: Callable[[], TrailKeys | None], result: RunResult) -> None:
    """In every target that got digests of a region. A backfill digest may have been signed as late
    as now. `connect` gives None where there is no CloudTrail to ask.
    """
    wanted: dict[Target, set[str]] = {}
    for done in result.groups:
        if done.digest_regions:
            target = job.rules.target(done.group.bucket)
            wanted.setdefault(target, set()).update(done.digest_regions)
    if not wanted:
        return
    try:
        trail_keys = connect()
    except CannotStart as error:
        result.failures.append(Failure.of("public keys of CloudTrail", error, ASKED_AGAIN))
        return
    if trail_keys is None:
        return
    first = datetime.combine(result.first, time.min, UTC) - BACKFILL_MARGIN
    asking = _Asking(job, trail_keys, result, first, job.clock.now())
    for target in sorted(wanted, key=lambda target: (target.bucket, target.root)):
        asking.ask(target, sorted(wanted[target]))
    asking.settle_refusals()


@dataclass(frozen=True, slots=True)
class _Refused:
    """A Region that refused just now, and since when it is known to."""

    target: Target
    region: str
    error: GroupFailed | RequestFailed
    known: Refusal | None


@dataclass(slots=True)
class _Asking:
    """One run's questions."""

    job: Job
    trail_keys: TrailKeys
    result: RunResult
    first: datetime
    now: datetime
    refused: list[_Refused] = field(default_factory=list)
    has_answers: bool = False

    @property
    def today(self) -> date:
        return self.now.date()

    @property
    def options(self) -> WriteOptions:
        return replace(self.job.rules.group.combine.index, content_type=OPTIONS.content_type)

    def ask(self, target: Target, regions: Iterable[str]) -> None:
        """Every Region but those that refused lately."""
        try:
            refusals = read_refusals(self.job.store, target, self.today)
        except (GroupFailed, RequestFailed) as error:
            where = f"public keys of CloudTrail in s3://{target.bucket}"
            self.result.failures.append(Failure.of(where, error, ASKED_AGAIN))
            return
        for region in regions:
            known = refusals.get(region)
            if known is None or known.is_due(self.today):
                self._ask_region(target, region, known)
            else:
                self._note_missing(region)

    def _ask_region(self, target: Target, region: str, known: Refusal | None) -> None:
        first = self.first if known is None else FIRST_DIGESTS
        try:
            keys = list_keys(self.trail_keys, region, first, self.now)
        except (GroupFailed, RequestFailed) as error:
            if is_refusal(error):
                self.refused.append(_Refused(target, region, error, known))
            else:
                self.result.failures.append(Failure.of(_where(region), error))
            return
        self.has_answers = True
        try:
            write_keys(self.job.store, target, region, keys, self.options)
            if known is not None:  # only now that its keys are there: else it is asked again
                self._pad(target).write(region, RegionAnswer.ANSWERS)
        except (GroupFailed, RequestFailed) as error:
            self.result.failures.append(Failure.of(_where(region), error))
            return
        if known is not None:
            text = f"CloudTrail answers again, which refused since {known.since}"
            self.result.warnings.append(
                Failure(_where(region), "AnswersAgain", text, ANSWERS_AGAIN)
            )

    def settle_refusals(self) -> None:
        """Once all Regions were asked: a refusal that is new is told, and remembered; so is one
        that is not, without being told again.
        """
        for refused in self.refused:
            if refused.known is None and not self.has_answers:
                failure = Failure.of(_where(refused.region), refused.error, ALL_REFUSED)
                self.result.failures.append(failure)
                continue
            self._note_missing(refused.region)
            if refused.known is None:
                warning = Failure.of(_where(refused.region), refused.error, REFUSED)
                self.result.warnings.append(warning)
            try:
                self._pad(refused.target).write(
                    refused.region, RegionAnswer.REFUSED, str(refused.error)
                )
            except (GroupFailed, RequestFailed) as error:
                self.result.failures.append(Failure.of(_where(refused.region), error))

    def _note_missing(self, region: str) -> None:
        if region not in self.result.refused_regions:
            self.result.refused_regions.append(region)

    def _pad(self, target: Target) -> Notepad:
        return Notepad(self.job.store, target, self.today, self.options)


def _where(region: str) -> str:
    return f"public keys of CloudTrail in {region}"
