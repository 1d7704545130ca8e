"""Recovers members of a pack, as a user in need of them would, and compares everything: the index
with what was drawn, the bytes with the index, the pack with its index, and CloudTrail digests with
their signatures.
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
    "This is not evidence against the digests: a drill only uses public keys kept with the packs. "
    "`validate-cloudtrail` asks CloudTrail too; `keep-public-keys` stores the keys it returns."
)


class Verdict(StrEnum):
    """The result for a digest."""

    VALID = "valid"
    INVALID = "invalid"
    UNVOUCHED = "unvouched"  # its public key is not kept, or its signature is in the next digest


@dataclass(slots=True)
class PackOutcome:
    """The result for one pack's part of the sample."""

    pack_key: str
    bad: int = 0
    is_bad: bool = False
    """The pack itself does not match its index."""
    seconds: list[float] = field(default_factory=list)
    """For each member that was recovered, the time from the first request to the last byte."""
    verdicts: list[Verdict] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    warnings: list[Failure] = field(default_factory=list)

    def fail(self, where: str, error: GroupFailed, bad: int = 0) -> None:
        self.bad += bad
        self.failures.append(Failure.of(where, error))

    def fail_pack(self, where: str, error: GroupFailed, bad: int = 0) -> None:
        """Counts members that were not recovered. A refused request does not make the pack bad."""
        self.is_bad = isinstance(error, (Unsound, NotFound))
        self.fail(where, error, bad)


@dataclass(frozen=True, slots=True)
class Recovery:
    """Recovers members of a target."""

    store: ObjectStore
    target: Target
    keys: KeyRing
    clock: Clock

    def recover(self, pack_key: str, members: Sequence[Member]) -> PackOutcome:
        """Raises Unreachable and NotAuthenticated, which show nothing about any pack."""
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
        """Each member with the time of the pack's first request. A member that the index no longer
        has, or describes differently, is bad.
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
        """Reads all of a member's bytes, which compares them with the index. None if it is not a
        digest. Raises GroupFailed if they differ.
        """
        name = parse_digest_key(fetched.pack.group.bucket, fetched.member.key)
        if name is None:
            for _ in fetched.pieces:
                pass
            return None
        read = use_digest(fetched.member.metadata, fetched.pieces)
        for _ in fetched.pieces:  # the rest of a digest that is too large to parse
            pass
        flaw = read.parsed
        if not isinstance(flaw, Flaw):
            signature, _ = find_signature(read.metadata, ())
            try:
                if not signature:
                    raise StoreError("it has no signature in its metadata; the next digest may")
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
    """The drawn members that the index still describes as it did when they were drawn."""
    there = {member.identity: member for member in found}
    kept = []
    for member in drawn:
        now = there.get(member.identity)
        if now == member:
            kept.append(member)
            continue
        where = f"s3://{group.bucket}/{member.key}"
        what = "no longer has this member" if now is None else "describes this member differently"
        text = f"{where}: the index of {outcome.pack_key} {what} since it was drawn"
        outcome.fail(where, VerificationError(text), 1)
    return kept


def _group_of(target: Target, pack_key: str) -> Group:
    try:
        return entry_of(target, pack_key).group
    except ValueError as error:
        raise BadPack(str(error)) from None
