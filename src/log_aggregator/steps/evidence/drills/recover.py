"""Brings members of a pack back, as somebody would who needs them, and compares everything: the
index with what was drawn, the bytes with the index, the pack with its index, and a digest of
CloudTrail with its signature.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from log_aggregator.core.digests import Flaw, parse_digest_key
from log_aggregator.errors import (
    BadPack,
    Failure,
    GroupFailed,
    NotFound,
    StoreError,
    Unsound,
    VerificationError,
)
from log_aggregator.model import Group, Member, Target
from log_aggregator.ports.store import Clock, ObjectStore
from log_aggregator.steps.cloudtrail.digests import find_flaw, find_signature, use_digest
from log_aggregator.steps.cloudtrail.public_keys import KeyRing
from log_aggregator.steps.packs.index import read_index
from log_aggregator.steps.packs.verify import verify_pack
from log_aggregator.steps.retrieval.catalog import entry_of
from log_aggregator.steps.retrieval.fetch import Fetched, Wanted, fetch
from log_aggregator.steps.retrieval.find import FoundPack
from log_aggregator.steps.rules import Level
from log_aggregator.steps.workers import SerialWorkers

UNVOUCHED_ADVICE = (
    "Nothing is said against these digests: a drill goes by the public keys that are kept beside "
    "the packs. `validate-cloudtrail` asks CloudTrail too, `keep-public-keys` keeps what it says."
)


class Verdict(StrEnum):
    """What is known of a digest."""

    VALID = "valid"
    INVALID = "invalid"
    UNVOUCHED = "unvouched"  # its public key is not kept, or its signature stands elsewhere


@dataclass(slots=True)
class PackOutcome:
    """What came of one pack's part of the sample."""

    pack_key: str
    bad: int = 0
    is_bad: bool = False
    """The pack itself is not what its index says."""
    seconds: list[float] = field(default_factory=list)
    """From the first request to the last byte, of each member that came back."""
    verdicts: list[Verdict] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    warnings: list[Failure] = field(default_factory=list)

    def fail(self, where: str, error: GroupFailed, bad: int = 0) -> None:
        self.bad += bad
        self.failures.append(Failure.of(where, error))

    def fail_pack(self, where: str, error: GroupFailed, bad: int = 0) -> None:
        """What S3 refuses says nothing of the pack; that nothing came back is bad all the same."""
        self.is_bad = isinstance(error, (Unsound, NotFound))
        self.fail(where, error, bad)


@dataclass(frozen=True, slots=True)
class Recovery:
    """What members of a target are brought back with."""

    store: ObjectStore
    target: Target
    keys: KeyRing
    clock: Clock

    def recover(self, pack_key: str, members: Sequence[Member]) -> PackOutcome:
        """Raises Unreachable, NotAuthenticated: they say nothing of any pack."""
        outcome = PackOutcome(pack_key)
        where = f"s3://{self.target.bucket}/{pack_key}"
        try:
            for fetched in self._fetch(outcome, pack_key, members):
                self._take(outcome, fetched)
        except GroupFailed as error:
            outcome.fail_pack(where, error, len(members) - outcome.bad - len(outcome.seconds))
            return outcome
        try:
            verify_pack(self.store, self.target, pack_key, Level.TAIL)
        except GroupFailed as error:
            outcome.fail_pack(where, error)
        return outcome

    def _fetch(
        self, outcome: PackOutcome, pack_key: str, members: Sequence[Member]
    ) -> Iterator[tuple[Fetched, float]]:
        """Each with the time at which the pack was begun. What the index has no longer, or
        otherwise, is bad.
        """
        began = self.clock.now().timestamp()
        group = _group_of(self.target, pack_key)
        wanted = {member.key for member in members}
        index = read_index(self.store, self.target, pack_key)
        head, found = index.find_members(wanted.__contains__)
        there = _keep_equal(outcome, group, members, found)
        pack = FoundPack(self.target, pack_key, group, head.format, tuple(there))
        for fetched in fetch(self.store, SerialWorkers(), [Wanted(pack, frozenset())]):
            yield fetched, began

    def _take(self, outcome: PackOutcome, taken: tuple[Fetched, float]) -> None:
        fetched, began = taken
        try:
            verdict = self._compare(outcome, fetched)
        except GroupFailed as error:
            outcome.fail(fetched.where, error, 1)
            return
        outcome.seconds.append(self.clock.now().timestamp() - began)
        if verdict is not None:
            outcome.verdicts.append(verdict)

    def _compare(self, outcome: PackOutcome, fetched: Fetched) -> Verdict | None:
        """Takes all of its bytes, which compares them with the index. None for what is no digest.
        Raises GroupFailed where they are others.
        """
        name = parse_digest_key(fetched.pack.group.bucket, fetched.member.key)
        if name is None:
            for _ in fetched.pieces:
                pass
            return None
        read = use_digest(fetched.member.metadata, fetched.pieces)
        for _ in fetched.pieces:  # of one that is too large
            pass
        flaw = read.parsed
        if not isinstance(flaw, Flaw):
            signature, _ = find_signature(read.metadata, ())
            try:
                if not signature:
                    raise StoreError("its signature is not with it; the next digest may have it")
                found = find_flaw(name, flaw, read.metadata, signature, self.keys)
            except GroupFailed as error:
                outcome.warnings.append(Failure.of(fetched.where, error, UNVOUCHED_ADVICE))
                return Verdict.UNVOUCHED
            if found is None:
                return Verdict.VALID
            flaw = found
        outcome.fail(fetched.where, VerificationError(f"{fetched.where}: digest {flaw.text}"))
        return Verdict.INVALID


def _keep_equal(
    outcome: PackOutcome, group: Group, drawn: Sequence[Member], found: Collection[Member]
) -> list[Member]:
    """Those drawn that the index has as they were drawn."""
    there = {member.identity: member for member in found}
    kept = []
    for member in drawn:
        now = there.get(member.identity)
        if now == member:
            kept.append(member)
            continue
        where = f"s3://{group.bucket}/{member.key}"
        what = "has no line" if now is None else "has another line"
        text = f"{where}: the index of {outcome.pack_key} {what} of it since it was drawn"
        outcome.fail(where, VerificationError(text), 1)
    return kept


def _group_of(target: Target, pack_key: str) -> Group:
    try:
        return entry_of(target, pack_key).group
    except ValueError as error:
        raise BadPack(str(error)) from None
