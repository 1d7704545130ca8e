"""Archives, at the end of a run, the public keys that may have signed its digests.

If they cannot be read, that is a failure of the run, but undoes nothing; the next run that sees
digests asks again. A Region that refuses while others answer is only a warning, and reported once:
the stack cannot change it, and it would be refused every night. The same holds for a refusal that
names the organisation. If no Region answers and none says that, the permission is missing, which is
a failure.
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
    is_beyond_our_permissions,
    is_refusal,
    read_refusals,
)
from log_aggregator.steps.job import Job
from log_aggregator.steps.packing.results import RunResult

FIRST_DIGESTS = datetime(2015, 1, 1, tzinfo=UTC)
"""Before any digest. A Region that refused for a while is asked for all keys from here on: runs of
older days may have skipped it, too.
"""

ASKED_AGAIN = (
    "Check credentials, network and permissions; the next run that sees digests asks again."
)
REFUSED = (
    "Digests of this Region are packed, but cannot be validated without its keys while CloudTrail "
    f"refuses. It is asked again after {ASKED_AGAIN_DAYS} days. See "
    'docs/how-to/validate-cloudtrail.md, section "Regions that cannot be asked".'
)
ALL_REFUSED = (
    "No Region answered, and no refusal names a service control policy, so the permission is "
    "missing: grant cloudtrail:ListPublicKeys. The next run that sees digests asks again."
)
ANSWERS_AGAIN = "Its keys are kept now, including those of the days in between. Nothing to do."


def archive_run_keys(job: Job, connect: Callable[[], TrailKeys | None], result: RunResult) -> None:
    """Archives keys in every target that got digests of a Region. A backfill digest may have been
    signed as late as now. `connect` returns None if there is no CloudTrail to ask.
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
    """A Region that refused just now, and the refusal known from before."""

    target: Target
    region: str
    error: GroupFailed | RequestFailed
    known: Refusal | None

    @property
    def is_doubtful(self) -> bool:
        """Whether only a permission may be missing, unless another Region answers."""
        return self.known is None and not is_beyond_our_permissions(self.error)


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
        """Asks every Region except those that refused lately."""
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
            if known is not None:  # only after its keys are stored: otherwise it is asked again
                self._pad(target).write(region, RegionAnswer.ANSWERS)
        except (GroupFailed, RequestFailed) as error:
            self.result.failures.append(Failure.of(_where(region), error))
            return
        if known is not None:
            text = f"CloudTrail answers again; it refused since {known.since}"
            self.result.warnings.append(
                Failure(_where(region), "AnswersAgain", text, ANSWERS_AGAIN)
            )

    def settle_refusals(self) -> None:
        """After all Regions were asked: notes every refusal, and reports those that are new."""
        for refused in self.refused:
            if refused.is_doubtful and not self.has_answers:
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
