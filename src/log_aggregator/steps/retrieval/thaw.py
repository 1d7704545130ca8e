"""Thaws packs: finds out which are frozen and what thawing costs, asks S3 for readable copies, and
waits for them.

Nothing is stored between two calls: S3 itself shows what is under way or done, in the header
x-amz-restore of HeadObject. So a call can be stopped at any time, and repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from log_aggregator.core.costs import RETRIEVALS, estimate_thaw_dollars
from log_aggregator.errors import Failure, GroupFailed, NotFound, ObjectFrozen, Unreachable
from log_aggregator.model import StoredObject
from log_aggregator.ports.store import Clock, ObjectStore
from log_aggregator.steps.packs.ranges import missing_pack
from log_aggregator.steps.retrieval.find import FoundPack
from log_aggregator.steps.workers import Workers

ARCHIVE_CLASSES = frozenset(storage_class for storage_class, _ in RETRIEVALS)
_MAY_BE_FROZEN = ARCHIVE_CLASSES | {"INTELLIGENT_TIERING"}
"""A listing does not show in which tier of Intelligent-Tiering an object is; HeadObject does
(https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html, x-amz-archive-status)."""
TIERS = ("Bulk", "Standard", "Expedited")

_LOOKS_PER_ROUND_MAX = 100
"""S3 thaws packs in roughly the order in which they were requested, so each round need not look at
all of them.
"""
_BLIND_ROUNDS_MAX = 12
"""While waiting for hours, S3 may fail to answer this many rounds in a row."""


class State(StrEnum):
    """Whether a pack can be read now."""

    READABLE = "readable"  # its storage class needs no thawing
    THAWED = "thawed"  # in an archive class, with a readable copy
    THAWING = "thawing"  # a copy is being made
    FROZEN = "frozen"


@dataclass(frozen=True, slots=True)
class PackState:
    """A pack as S3 describes it."""

    bucket: str
    key: str
    size_bytes: int
    storage_class: str
    state: State
    members: int
    """The number of log objects wanted from it."""
    expires: datetime | None = None
    """When the readable copy expires."""


@dataclass(frozen=True, slots=True)
class TierOption:
    """The price and time of thawing everything that is frozen, in one tier. `dollars` is None if
    the storage class of a pack does not have the tier.
    """

    tier: str
    dollars: float | None
    takes: tuple[str, ...]
    hours_max: float


class ThawProgress:
    """Is told how thawing proceeds. This class shows nothing."""

    def waiting(self, thawed: int, total: int) -> None:
        """Called each round with the number of thawed packs."""

    def ready(self, pack: PackState) -> None:
        """Called when a pack is first seen to be readable."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How to wait: a pause of some seconds, again and again, for a number of hours at most."""

    pause: Callable[[float], None]
    interval_seconds: float
    hours_max: float


def look_at_packs(
    store: ObjectStore, workers: Workers, packs: Iterable[FoundPack]
) -> tuple[list[PackState], list[Failure]]:
    """The states of packs, with one HEAD request for each that is, or may be, in an archive class
    or tier. Results are in key order.
    """

    def look(pack: _Seen) -> PackState | Failure:
        where = f"s3://{pack.bucket}/{pack.key}"
        try:
            return _look(store, pack)
        except NotFound as error:
            return Failure.of(where, missing_pack(where, error))
        except GroupFailed as error:
            return Failure.of(where, error)

    seen = (
        _Seen(
            each.target.bucket,
            each.pack_key,
            each.pack_bytes,
            each.storage_class,
            len(each.members),
        )
        for each in packs
    )
    looked = list(workers.read_ahead(look, seen, lambda _: 1))
    states = [each for each in looked if isinstance(each, PackState)]
    return sorted(states, key=lambda each: (each.bucket, each.key)), [
        each for each in looked if isinstance(each, Failure)
    ]


def price_tiers(states: Sequence[PackState], days: int) -> list[TierOption]:
    """The price and time of thawing the frozen packs, by tier."""
    frozen = [each for each in states if each.state is State.FROZEN]
    return [_price_tier(frozen, tier, days) for tier in TIERS]


def start_thawing(
    store: ObjectStore, workers: Workers, states: Iterable[PackState], *, days: int, tier: str
) -> tuple[list[PackState], list[Failure]]:
    """Requests copies of the frozen packs only: a second request for a pack that is being thawed
    gets 409 RestoreAlreadyInProgress, or extends the copy. Returns the requested packs, and the
    refusals.
    """

    def ask(pack: PackState) -> PackState | Failure:
        try:
            store.restore_object(pack.bucket, pack.key, days=days, tier=tier)
        except GroupFailed as error:
            return Failure.of(f"s3://{pack.bucket}/{pack.key}", error)
        return pack

    asked = list(
        workers.read_ahead(
            ask, [each for each in states if each.state is State.FROZEN], lambda _: 1
        )
    )
    return [each for each in asked if isinstance(each, PackState)], [
        each for each in asked if isinstance(each, Failure)
    ]


def wait_until_thawed(
    store: ObjectStore,
    packs: Sequence[PackState],
    clock: Clock,
    patience: Patience,
    progress: ThawProgress,
) -> list[Failure]:
    """Waits until all of them can be read. Returns those that will not be. Raises Unreachable after
    about an hour without answers.
    """
    deadline = clock.now() + timedelta(hours=patience.hours_max)
    pending, failures, blind_rounds = list(packs), list[Failure](), 0
    while pending:
        progress.waiting(len(packs) - len(pending) - len(failures), len(packs))
        try:
            pending, failed, is_any_ready = _look_again(store, pending, progress)
            failures += failed
            blind_rounds = 0
        except Unreachable:
            is_any_ready, blind_rounds = False, blind_rounds + 1
            if blind_rounds > _BLIND_ROUNDS_MAX:
                raise
        if pending and clock.now() > deadline:
            return failures + [
                _still_frozen(pack, "not thawed yet; run the same command again to keep waiting")
                for pack in pending
            ]
        if pending and not is_any_ready:
            patience.pause(patience.interval_seconds)
    progress.waiting(len(packs) - len(failures), len(packs))
    return failures


@dataclass(frozen=True, slots=True)
class _Seen:
    """A pack as it was listed, without its members: there may be millions."""

    bucket: str
    key: str
    size_bytes: int | None
    storage_class: str | None
    members: int


def _look(store: ObjectStore, pack: _Seen) -> PackState:
    if (
        pack.storage_class is not None
        and pack.size_bytes is not None
        and pack.storage_class not in _MAY_BE_FROZEN
    ):
        return PackState(
            pack.bucket, pack.key, pack.size_bytes, pack.storage_class, State.READABLE, pack.members
        )
    stored = store.head_object(pack.bucket, pack.key)
    if stored.archive_tier is not None and state_of(stored) is State.FROZEN:
        raise _tiered(pack, stored.archive_tier)
    expires = stored.restore.expires if stored.restore else None
    return PackState(
        pack.bucket,
        pack.key,
        stored.size_bytes,
        stored.storage_class,
        state_of(stored),
        pack.members,
        expires,
    )


def state_of(stored: StoredObject) -> State:
    """The state that HeadObject's answer describes."""
    if stored.archive_tier is not None:
        is_asked = stored.restore is not None and stored.restore.is_ongoing
        return State.THAWING if is_asked else State.FROZEN
    if stored.storage_class not in ARCHIVE_CLASSES:
        return State.READABLE
    if stored.restore is None:
        return State.FROZEN
    return State.THAWING if stored.restore.is_ongoing else State.THAWED


def _tiered(pack: _Seen, archive_tier: str) -> ObjectFrozen:
    """The failure of a pack in an archive tier of Intelligent-Tiering. Its restore works
    differently and is not requested here: it takes no days, moves the object back for good, and is
    billed in another way
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/restoring-objects-retrieval-options.html).
    """
    error = ObjectFrozen(
        f"s3://{pack.bucket}/{pack.key}: Intelligent-Tiering has moved it to {archive_tier}"
    )
    error.advice = (
        "`thaw` does not request packs in archive tiers of Intelligent-Tiering. Request each of "
        "them, without days: aws s3api restore-object --bucket BUCKET --key KEY --restore-request "
        '\'{"GlacierJobParameters": {"Tier": "Standard"}}\'. S3 moves it back for good, within '
        "about 12 hours; thaw --wait waits for it."
    )
    return error


def _price_tier(frozen: Sequence[PackState], tier: str, days: int) -> TierOption:
    classes = sorted({pack.storage_class for pack in frozen})
    known = [RETRIEVALS[each, tier] for each in classes if (each, tier) in RETRIEVALS]
    takes, hours = (
        tuple(dict.fromkeys(each.takes for each in known)),
        max((each.hours_max for each in known), default=0.0),
    )
    if len(known) < len(classes):
        return TierOption(tier, None, takes, hours)
    dollars = 0.0
    for storage_class in classes:
        sizes = [pack.size_bytes for pack in frozen if pack.storage_class == storage_class]
        dollars += estimate_thaw_dollars(storage_class, tier, len(sizes), sum(sizes), days)
    return TierOption(tier, dollars, takes, hours)


def _look_again(
    store: ObjectStore, pending: Sequence[PackState], progress: ThawProgress
) -> tuple[list[PackState], list[Failure], bool]:
    """Returns the packs that are not thawed yet, the failures, and whether any pack was ready."""
    waiting: list[PackState] = []
    failures: list[Failure] = []
    for pack in pending[:_LOOKS_PER_ROUND_MAX]:
        try:
            state = state_of(store.head_object(pack.bucket, pack.key))
        except GroupFailed as error:
            failures.append(Failure.of(f"s3://{pack.bucket}/{pack.key}", error))
            continue
        if state is State.THAWING:
            waiting.append(pack)
        elif state is State.FROZEN:
            failures.append(_still_frozen(pack, "it is frozen, and S3 is no longer thawing it"))
        else:
            progress.ready(pack)
    looked = min(len(pending), _LOOKS_PER_ROUND_MAX)
    return (
        [*waiting, *pending[_LOOKS_PER_ROUND_MAX:]],
        failures,
        len(waiting) + len(failures) < looked,
    )


def _still_frozen(pack: PackState, why: str) -> Failure:
    where = f"s3://{pack.bucket}/{pack.key}"
    return Failure.of(where, ObjectFrozen(f"{where}: {why}"))
