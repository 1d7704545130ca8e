"""Validates CloudTrail's digests and the logs that they name, wherever these lie now: `aws
cloudtrail validate-logs` over packs.

Account by account, day by day, newest first. Every digest in the range is checked by itself: its
place, its signature, and the hash and signature that a newer digest gives for it. A link to a
missing digest counts as an invalid digest. Logs are checked once all digests that can name them
have been read, so that each index is read once. At the end, hours that no valid digest covers are
reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from log_aggregator.core.digests import (
    INVALID_FORMAT,
    Chain,
    Digest,
    DigestName,
    Flaw,
    LogHash,
    parse_digest_key,
)
from log_aggregator.core.times import encode_time
from log_aggregator.core.windows import split_window
from log_aggregator.errors import GroupFailed, StoreError
from log_aggregator.model import Group, Target
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.cloudtrail.accounts import AccountPlaces
from log_aggregator.steps.cloudtrail.copies import Copy, read_copies
from log_aggregator.steps.cloudtrail.digests import (
    Claim,
    ReadDigest,
    broken_link,
    find_broken_link,
    find_flaw,
    find_signature,
    use_digest,
)
from log_aggregator.steps.cloudtrail.files import TrailFiles, group_of_key
from log_aggregator.steps.cloudtrail.findings import (
    Finding,
    Kind,
    Request,
    State,
    Validation,
    kind_of,
)
from log_aggregator.steps.cloudtrail.hours import AccountHours
from log_aggregator.steps.cloudtrail.notes import AccountNotes, Watch
from log_aggregator.steps.cloudtrail.originals import Originals
from log_aggregator.steps.cloudtrail.public_keys import LIST_PUBLIC_KEYS, KeyRing
from log_aggregator.steps.cloudtrail.refusals import is_refusal
from log_aggregator.steps.workers import Workers

DAYS_AT_ONCE = 31
"""The digests of this many days of an account are listed at a time."""

KEYS_REFUSED = (
    "Ask for the keys in the management account, to which no service control policy applies, and "
    "keep them with keep-public-keys; or leave the Region out with --log-region. See "
    'docs/how-to/validate-cloudtrail.md, section "Regions that cannot be asked".'
)

Identity = tuple[str, str]
"""(bucket, key)"""


def validate(
    store: ObjectStore,
    workers: Workers,
    targets: Sequence[Target],
    accounts: Iterable[AccountPlaces],
    request: Request,
    keys: KeyRing,
    watch: Watch,
) -> Validation:
    """Validates all trails of these accounts, several accounts concurrently. Raises Unreachable,
    and StoreError if a bucket cannot be listed.
    """

    def validate_account(places: AccountPlaces) -> Validation:
        files = TrailFiles(store, workers, targets, places, request.window, request.read_from)
        notes = AccountNotes(watch)
        hours = AccountHours(store, workers, files, request, notes)
        return _AccountValidation(store, workers, files, request, keys, notes, hours).run()

    result = Validation()
    for found in workers.each(validate_account, accounts):
        result.merge(found)
    return result


@dataclass(slots=True)
class _ChainState:
    """The state of the walk along a chain, from its newest digest backwards."""

    expected: Identity | None = None
    """The digest that the last valid digest links to."""
    expected_end: datetime | None = None
    began: datetime | None = None
    """When the chain began, if its last digest was a starting one."""


@dataclass(slots=True)
class _Named:
    """A log, and the hash that each digest gives for it."""

    hashes: list[tuple[Chain, str]] = field(default_factory=list)


@dataclass(slots=True)
class _AccountValidation:
    """The validation of one account. A day's digests and logs limit what is pending."""

    store: ObjectStore
    workers: Workers
    files: TrailFiles
    request: Request
    keys: KeyRing
    notes: AccountNotes
    hours: AccountHours
    originals: Originals = field(default_factory=Originals)
    claims: dict[Identity, list[Claim]] = field(default_factory=dict)
    chains: dict[Chain, _ChainState] = field(default_factory=dict)
    pending: dict[Group | None, dict[Identity, _Named]] = field(default_factory=dict)
    seen_backfills: dict[Identity, tuple[str, str]] = field(default_factory=dict)

    def run(self) -> Validation:
        for window in reversed(list(split_window(self.request.window, DAYS_AT_ONCE))):
            by_day = self.files.list_digests(window)
            for day in sorted(by_day, reverse=True):
                self._check_day(day, by_day[day])
        self._check_missing(date.min)
        self._check_logs(date.min)
        self.hours.tell()
        self.originals.tell(self.notes)
        self.notes.tell()
        self.notes.take_failures(self.files.failures)
        return self.notes.result

    def _check_day(self, day: date, copies: Sequence[Copy]) -> None:
        names = {
            (copy.bucket, copy.key): parse_digest_key(copy.bucket, copy.key) for copy in copies
        }
        wanted = [
            copy
            for copy in copies
            if (name := names[copy.bucket, copy.key]) is not None and self.request.wants(name)
        ]
        for copy in copies:
            self.hours.see_beside(names, copy)
        self._check_missing(day + timedelta(days=1))
        self.originals.take(wanted)
        self._check_digests(wanted)
        self._check_missing(day)
        self._check_logs(day)
        self.notes.tell()

    # Digests

    def _check_digests(self, copies: Iterable[Copy]) -> None:
        """Checks digests, the newest first within each chain, and within chains that may continue
        one another: a link leads to a digest that is checked later.
        """
        readings = {
            (reading.copy.bucket, reading.copy.key): reading
            for reading in read_copies(self.store, self.workers, copies, use_digest)
        }
        named = [
            (name, readings[identity])
            for identity in readings
            if (name := parse_digest_key(*identity)) is not None
        ]
        newest_first = sorted(named, key=lambda item: item[0].end, reverse=True)
        for name, reading in sorted(newest_first, key=lambda item: item[0].chain.lineage):
            self._note_chain(name)
            claims = self.claims.pop((name.chain.bucket, name.key), [])
            if reading.error is not None:
                self.hours.take_unchecked(name)
                self.notes.leave_unchecked(
                    kind_of(name.chain), [name.chain], reading.copy, reading.error
                )
            elif reading.value is None:
                self._reject(name, reading.copy, reading.flaw or INVALID_FORMAT)
            else:
                self._check_digest(name, reading.copy, reading.value, claims)

    def _check_digest(
        self, name: DigestName, copy: Copy, read: ReadDigest, claims: Sequence[Claim]
    ) -> None:
        digest = read.parsed
        if isinstance(digest, Flaw):
            self._reject(name, copy, digest)
            return
        signature, is_borrowed = find_signature(read.metadata, claims)
        try:
            flaw = find_flaw(name, digest, read.metadata, signature, self.keys) or find_broken_link(
                digest, signature, claims
            )
        except GroupFailed as error:
            self.hours.take_unchecked(name)
            self.notes.leave_unchecked(
                kind_of(name.chain),
                [name.chain],
                copy,
                error,
                f"public keys of CloudTrail in {name.chain.region}",
                _advise_on_key(error),
            )
            return
        if flaw is not None:
            self._reject(name, copy, flaw)
            return
        text = (
            "the object has no signature; the one in the next digest was used"
            if is_borrowed
            else ""
        )
        self.notes.add(
            Finding(kind_of(name.chain), State.VALID, copy.bucket, copy.key, text, copy.pack),
            [name.chain],
        )
        self.hours.take_valid(name, digest)
        self.notes.result.tallies[name.chain].cover(
            max(digest.start, self.request.first), min(digest.end, self.request.last)
        )
        if name.chain.is_backfill:
            self.seen_backfills[copy.bucket, copy.key] = (digest.sha256, signature)
        self._follow(name, digest)

    def _reject(self, name: DigestName, copy: Copy, flaw: Flaw) -> None:
        self.hours.take_invalid(name)
        self.notes.reject(name.chain, copy, flaw)

    def _follow(self, name: DigestName, digest: Digest) -> None:
        """Notes what a valid digest says about the one before it, and about its logs."""
        state = self.chains[name.chain]
        link = digest.previous
        if link is None:
            state.began = digest.start
        else:
            previous = parse_digest_key(link.bucket, link.key)
            end = previous.end if previous is not None else digest.start
            state.expected, state.expected_end = (link.bucket, link.key), end
            if end >= self.request.first:
                self._claim(
                    Claim(link, digest, previous.chain if previous is not None else name.chain)
                )
        for log in digest.logs:
            named = self.pending.setdefault(group_of_key(log.bucket, log.key), {}).setdefault(
                (log.bucket, log.key), _Named()
            )
            named.hashes.append((name.chain, log.sha256))

    def _claim(self, claim: Claim) -> None:
        """Notes a claim. Backfill digests are not in the order of their hours, so the one before
        may have been checked already.
        """
        identity = (claim.link.bucket, claim.link.key)
        seen = self.seen_backfills.get(identity)
        if seen is None:
            self.claims.setdefault(identity, []).append(claim)
        elif (claim.link.sha256 or seen[0], claim.link.signature) != seen:
            self.notes.add(
                Finding(kind_of(claim.chain), State.INVALID, *identity, broken_link(claim).text),
                [claim.chain],
            )

    def _note_chain(self, name: DigestName) -> None:
        """Reports what the walk shows between two digests: a gap, or a digest without a link."""
        chain = name.chain
        kind, state = kind_of(chain), self.chains.get(chain)
        if state is None:
            state = self.chains[chain] = _ChainState()
        elif chain.is_backfill:
            pass  # CloudTrail writes them when needed, not every hour, so there are no gaps
        elif state.began is not None:
            text = (
                f"No log files were delivered by CloudTrail between {_format(name.end)} and "
                f"{_format(state.began)}"
            )
            self.notes.add(Finding(kind, State.GAP, chain.bucket, name.key, text), [])
        elif (
            state.expected not in (None, (chain.bucket, name.key))
            and state.expected_end is not None
            and name.end > state.expected_end
        ):
            self.notes.add(
                Finding(
                    kind,
                    State.NOTE,
                    chain.bucket,
                    name.key,
                    "is not part of a chain: no newer digest links to it",
                ),
                [],
            )
            return
        state.expected = state.expected_end = state.began = None

    def _check_missing(self, day: date) -> None:
        """Every digest of this day and later has been seen. Claimed digests that were not among
        them are looked for once more, and then count as missing.
        """
        while due := {
            identity: claims
            for identity, claims in self.claims.items()
            if _day_of(identity, claims) >= day
        }:
            found: dict[Identity, Copy] = {}
            for bucket, key in due:
                found |= self.files.find(group_of_key(bucket, key), {(bucket, key)})
            self._check_digests(found.values())
            for identity, claims in due.items():
                self.claims.pop(identity, None)
                if identity not in found:
                    self._miss(kind_of(claims[0].chain), identity, [claims[0].chain])

    # Logs

    def _check_logs(self, day: date) -> None:
        """Checks the logs of this day and later. A digest that was not read yet may name more logs
        of earlier days.
        """
        due = [group for group in self.pending if group is None or group.date >= day]
        for group in sorted(
            due, key=lambda group: (group is None, group or _NO_GROUP), reverse=True
        ):
            self._check_group(group, self.pending.pop(group))

    def _check_group(self, group: Group | None, wanted: Mapping[Identity, _Named]) -> None:
        found = self.files.find(group, wanted)
        self.originals.take(found.values())
        for identity in sorted(wanted.keys() - found.keys()):
            self._miss(Kind.LOG, identity, [chain for chain, _ in wanted[identity].hashes])
        for reading in read_copies(self.store, self.workers, found.values(), _use_log):
            copy = reading.copy
            for chain, sha256 in wanted[copy.bucket, copy.key].hashes:
                if reading.error is not None:
                    self.notes.leave_unchecked(Kind.LOG, [chain], copy, reading.error)
                    continue
                flaw = reading.flaw or (
                    reading.value.compare(sha256) if reading.value is not None else INVALID_FORMAT
                )
                state = State.INVALID if flaw else State.VALID
                self.notes.add(
                    Finding(
                        Kind.LOG,
                        state,
                        copy.bucket,
                        copy.key,
                        flaw.text if flaw else "",
                        copy.pack,
                    ),
                    [chain],
                )

    def _miss(self, kind: Kind, identity: Identity, chains: Sequence[Chain]) -> None:
        """Reports a missing file, which is not certain if packs could not be searched."""
        self.notes.miss(kind, identity, chains, is_certain=not self.files.failures)


def _advise_on_key(error: GroupFailed) -> str | None:
    """Advice if CloudTrail refuses. None if the bucket of the kept keys does."""
    is_of_cloudtrail = isinstance(error, StoreError) and error.operation == LIST_PUBLIC_KEYS
    return KEYS_REFUSED if is_of_cloudtrail and is_refusal(error) else None


def _use_log(_: Mapping[str, str], pieces: Iterable[bytes]) -> LogHash:
    hashed = LogHash()
    for piece in pieces:
        hashed.take(piece)
    return hashed


def _day_of(identity: Identity, claims: Sequence[Claim]) -> date:
    name = parse_digest_key(*identity)
    return name.end.date() if name is not None else claims[0].by.start.date()


def _format(time: datetime) -> str:
    return encode_time(time, "seconds")


_NO_GROUP = Group("none", "none", "none", date.min)
