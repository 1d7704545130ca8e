"""The whole life of a day's logs, by the same steps as `plan`, `run`, `find`, `extract`, `thaw`,
`verify`, `put-back`, `validate-cloudtrail` and `custody verify`.

Whatever fails, the last step looks for lost originals: those that neither lie where they were
delivered nor come out of a pack.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from log_aggregator.core.query import Query
from log_aggregator.errors import Failure, Interrupted, LogAggregatorError
from log_aggregator.steps.cloudtrail.accounts import ReadFrom, find_accounts
from log_aggregator.steps.cloudtrail.findings import Request, State
from log_aggregator.steps.cloudtrail.public_keys import KeyRing
from log_aggregator.steps.cloudtrail.validate import validate
from log_aggregator.steps.custody.walk import WalkRules, walk_chain
from log_aggregator.steps.job import Job
from log_aggregator.steps.packing.listing import Progress
from log_aggregator.steps.packing.plan import RunPlan, plan_run
from log_aggregator.steps.packing.results import RunResult
from log_aggregator.steps.rehearsal.signing import RehearsalKeys
from log_aggregator.steps.rehearsal.stage import (
    LOGS,
    PACKS,
    RETURNED,
    TARGET,
    Death,
    Stage,
)
from log_aggregator.steps.retrieval.fetch import FetchProgress
from log_aggregator.steps.retrieval.put_back import ReturnAddress, put_back
from log_aggregator.steps.retrieval.thaw import State as PackState
from log_aggregator.steps.retrieval.thaw import look_at_packs
from log_aggregator.steps.rules import Level
from log_aggregator.steps.upkeep.check import Sound, check_places, list_places

AFTER_PACK = Death(frozenset({"PutObject", "CompleteMultipartUpload"}), PACKS, "packs/")


@dataclass(frozen=True, slots=True)
class Row:
    """The result of a step: what was expected, and what was seen."""

    name: str
    text: str
    expected: str
    seen: str
    is_kept: bool


class Unexpected(Exception):
    """A step did not end as expected; the text says how."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a life. `do` returns what was seen, or raises Unexpected."""

    name: str
    text: str
    expected: str
    do: Callable[[Stage], str]


def live(stage: Stage, watch: Callable[[str], None]) -> Iterator[Row]:
    """Runs every step in order; a failed step does not stop the others. Raises Interrupted."""
    for step in STEPS:
        watch(step.text)
        yield _take(step, stage)


def _take(step: Step, stage: Stage) -> Row:
    try:
        seen, is_kept = step.do(stage), True
    except Unexpected as error:
        seen, is_kept = str(error), False
    except Interrupted:
        raise
    except LogAggregatorError as error:
        seen, is_kept = f"{error.state_name}: {error}", False
    return Row(step.name, step.text, step.expected, seen, is_kept)


def deliver(stage: Stage) -> str:
    first, *others = stage.organisation.list_originals()
    if stage.has_versions:
        stage.take_versions(first, stage.organisation.make_hidden())
    else:
        stage.take(first)
    for original in others:
        stage.take(original)
    seen = f"{len(stage.logs)} logs and {len(stage.originals) - len(stage.logs)} other objects"
    if not stage.organisation.has_large:
        return f"{seen}; no large one, as this server cannot show what a copied part contains"
    return seen


def look_for_losses(stage: Stage) -> str:
    if lost := stage.find_lost():
        raise Unexpected(f"{len(lost)} of {len(stage.originals)} originals are lost")
    return "none is lost"


def plan_day(stage: Stage) -> str:
    with stage.open_job(stage.window) as job:
        planned = plan_run(job, Progress())
    members = sum(pack.members for group in planned.groups for pack in group.packs)
    expected = len(stage.logs) + len(stage.older)
    seen = f"{members} of {expected} versions of logs in {planned.totals.packs} packs"
    if members != expected or planned.failures:
        raise Unexpected(_with_failure(seen, planned))
    return seen


def die_after_pack(stage: Stage) -> str:
    return _die(stage, AFTER_PACK)


def die_while_deleting(stage: Stage) -> str:
    """Dies when the log with two versions is deleted. Groups are deleted in no fixed order, so with
    any other log the outcome on a server that hides older versions would be chance.
    """
    first = stage.organisation.list_originals()[0]
    return _die(stage, Death(frozenset({"DeleteObjects"}), LOGS, first.key))


def _die(stage: Stage, death: Death) -> str:
    result = stage.run(death)
    lost = stage.find_lost()
    if lost:
        raise Unexpected(f"{len(lost)} originals are lost")
    if result is not None:
        raise Unexpected(_with_failure("the run ended without making that request", result))
    with stage.open_job(stage.window) as job:
        left = len(stage.logs.keys() & stage.find_left(job.store))
    return f"killed; {left} of {len(stage.logs)} originals in place, the others in packs"


def run_again(stage: Stage) -> str:
    seen, result = _run_whole(stage)
    strangers = stage.originals.keys() - stage.logs.keys()
    with stage.open_job(stage.window) as job:
        gone = strangers - stage.find_left(job.store)
        members = [member for wanted in stage.choose(job) for member in wanted.pack.members]
    if gone:
        raise Unexpected(f"{len(gone)} objects that are not logs of this day were deleted")
    expected = len(stage.logs) + len(stage.older)
    if len(members) != expected:
        seen = f"{len(members)} members of {expected} versions of logs"
        raise Unexpected(_with_failure(seen, result))
    return f"{seen}; {len(strangers)} other objects stayed"


def pack_late(stage: Stage) -> str:
    """A pack is never overwritten: the late log gets a pack of its own."""
    with stage.open_job(stage.window) as job:
        before = _list_packs(stage, job)
    stage.take(stage.organisation.make_late())
    seen, _ = _run_whole(stage)
    with stage.open_job(stage.window) as job:
        after = _list_packs(stage, job)
    if any(after.get(key) != etag for key, etag in before.items()):
        raise Unexpected("an existing pack was changed or deleted")
    if len(after) != len(before) + 1:
        raise Unexpected(f"{len(before)} packs before, {len(after)} afterwards")
    return f"{seen}; one more pack, {len(before)} unchanged"


def _run_whole(stage: Stage) -> tuple[str, RunResult]:
    """Everything is packed and deleted."""
    result = stage.run()
    if result is None:
        raise Unexpected("the run did not finish")
    with stage.open_job(stage.window) as job:
        left = stage.logs.keys() & stage.find_left(job.store)
        packed = stage.list_packed(job)
    seen = f"{len(packed)} of {len(stage.logs)} logs packed, {len(left)} originals kept"
    if left or packed != stage.logs.keys() or result.failures:
        raise Unexpected(_with_failure(seen, result))
    return seen, result


def _list_packs(stage: Stage, job: Job) -> Mapping[str, str]:
    """The ETags of the packs, by key."""
    keys = {found.pack_key for found in stage.find(job, [])}
    return {key: job.store.head_object(PACKS, key).etag for key in sorted(keys)}


def find_logs(stage: Stage) -> str:
    gaps: list[Failure] = []
    with stage.open_job(stage.window) as job:
        found = {member.key for pack in stage.find(job, gaps) for member in pack.members}
    if found != stage.logs.keys() or gaps:
        raise Unexpected(f"{len(found)} of {len(stage.logs)} logs")
    return f"{len(found)} of {len(stage.logs)} logs"


def extract_logs(stage: Stage) -> str:
    with stage.open_job(stage.window) as job:
        packed = stage.read_packed(job, stage.logs)
    seen = f"{len(packed)} of {len(stage.logs)} logs, with their metadata"
    if packed != stage.logs.keys():
        raise Unexpected(seen)
    return seen


def look_at_versions(stage: Stage) -> str:
    """Every version of a live key is a member; a key whose newest entry is a marker is not."""
    if not stage.has_versions:
        return "this bucket has no versions"
    with stage.open_job(stage.window) as job:
        for key, older in stage.older.items():
            if stage.read_versions(job, key) != {older, stage.originals[key].data}:
                raise Unexpected("not both versions of a log come out of the packs")
        for key in stage.hidden:
            page = job.store.list_object_versions(LOGS, prefix=key)
            if len(page.objects) != 1 or [each.is_latest for each in page.markers] != [True]:
                raise Unexpected("a version under a delete marker was not left alone")
    return f"both versions of {len(stage.older)} log, {len(stage.hidden)} deleted key untouched"


def look_whether_frozen(stage: Stage) -> str:
    with stage.open_job(stage.window) as job:
        states, failures = look_at_packs(job.store, job.workers, stage.find(job, []))
    frozen = [each for each in states if each.state is not PackState.READABLE]
    if frozen or failures or not states:
        raise Unexpected(
            f"{len(frozen)} of {len(states)} packs frozen, {len(failures)} could not be checked"
        )
    return f"{len(states)} packs, all readable"


def read_packs_whole(stage: Stage) -> str:
    query = Query.of_days(stage.window.first, stage.window.last)
    with stage.open_job(stage.window) as job:
        places = list(list_places(job.store, job.workers, [TARGET], query))
        found = list(check_places(job.store, job.workers, places, Level.READ_BACK))
    sound = [each for each in found if isinstance(each, Sound)]
    seen = f"{len(sound)} of {len(found)} packs"
    if len(sound) != len(found) or not found:
        raise Unexpected(seen)
    return seen


def put_logs_back(stage: Stage) -> str:
    with stage.open_job(stage.window) as job:
        put_back(
            job.store,
            job.workers,
            stage.choose(job, newest_only=True),
            ReturnAddress(RETURNED),
            FetchProgress(),
        )
        back = stage.find_left(job.store, RETURNED)
    seen = f"{len(back)} of {len(stage.logs)} logs, with their metadata"
    if back != stage.logs.keys():
        raise Unexpected(seen)
    return seen


def validate_digests(stage: Stage) -> str:
    """Validates from packs alone: the originals are deleted by now."""
    request = Request(*stage.organisation.signed, read_from=ReadFrom.PACKS)
    with stage.open_job(stage.window) as job:
        accounts = find_accounts(job.store, [TARGET], [], [], request.read_from)
        keys = KeyRing(
            job.store,
            [TARGET],
            RehearsalKeys(stage.organisation.key, job.clock.now()),
            request.first,
            request.last,
        )
        result = validate(job.store, job.workers, [TARGET], accounts, request, keys, lambda _: None)
    seen = f"{result.count(State.VALID)} valid, {result.count(State.INVALID)} invalid"
    if result.holes:
        seen += f", {len(result.holes)} gaps without a digest"
    if not result.is_sound:
        raise Unexpected(seen)
    return seen


def walk_custody(stage: Stage) -> str:
    with stage.open_job(stage.window) as job:
        walked = walk_chain(job, TARGET, WalkRules(reads_indexes=True))
    if walked.findings or not walked.records:
        first = f": {walked.findings[0].what}" if walked.findings else ""
        raise Unexpected(f"{len(walked.findings)} breaks in {walked.records} records{first}")
    return f"{walked.records} records, no break"


def _with_failure(seen: str, result: RunResult | RunPlan) -> str:
    return f"{seen}: {result.failures[0].message}" if result.failures else seen


STEPS = (
    Step("deliver", "write a day of logs, as AWS does", "all are written", deliver),
    Step("plan", "list a day and plan it", "all its logs, and nothing else", plan_day),
    Step(
        "kill-after-pack",
        "kill a run when its first pack is written",
        "nothing is lost",
        die_after_pack,
    ),
    Step(
        "kill-while-deleting",
        "kill a run while it deletes",
        "nothing is lost",
        die_while_deleting,
    ),
    Step(
        "resume",
        "run again: pack, verify, delete",
        "all logs packed once, all originals gone",
        run_again,
    ),
    Step("late", "pack a log that arrives late", "one more pack, the others unchanged", pack_late),
    Step("find", "find the day's logs in the indexes", "all of them", find_logs),
    Step("extract", "extract all of them", "byte for byte", extract_logs),
    Step(
        "versions",
        "look at an older version, and at a deleted key",
        "the version is packed, the key is left alone",
        look_at_versions,
    ),
    Step("thaw", "ask what must be thawed", "nothing", look_whether_frozen),
    Step("verify", "read every pack and compare every hash", "all are sound", read_packs_whole),
    Step("put-back", "put all originals back elsewhere", "byte for byte", put_logs_back),
    Step(
        "validate",
        "validate CloudTrail's signatures from the packs",
        "all are valid",
        validate_digests,
    ),
    Step("custody", "walk the chain of custody", "no break", walk_custody),
    Step("lost", "look for every original", "none is lost", look_for_losses),
)
