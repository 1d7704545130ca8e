"""Finds the hours of an account's trails that no valid digest covers.

The link of the next digest reveals a missing one, but only the last of several in a row, and none
at the end of a trail. So the hours themselves are accounted for, Region by Region.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from log_aggregator.core.digests import (
    DIGEST_LOG_TYPE,
    PERIOD,
    Chain,
    Digest,
    DigestName,
    parse_digest_key,
)
from log_aggregator.core.evidence.hours import Span, TrailHours
from log_aggregator.core.times import encode_time
from log_aggregator.core.windows import DateWindow
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.cloudtrail.accounts import has_digests
from log_aggregator.steps.cloudtrail.copies import Copy, read_copies
from log_aggregator.steps.cloudtrail.digests import use_digest
from log_aggregator.steps.cloudtrail.files import TrailFiles
from log_aggregator.steps.cloudtrail.findings import Finding, Hole, Kind, Request, State
from log_aggregator.steps.cloudtrail.notes import AccountNotes
from log_aggregator.steps.workers import Workers

_DAY = timedelta(days=1)
_UNKNOWN_TRAIL = ""

Lineage = tuple[str, str, str, str, bool]


@dataclass(slots=True)
class AccountHours:
    """Notes every hourly digest while an account is validated, and reports the holes at the end."""

    store: ObjectStore
    workers: Workers
    files: TrailFiles
    request: Request
    notes: AccountNotes
    _hours: dict[Lineage, TrailHours] = field(default_factory=dict)
    _newest: dict[Lineage, DigestName] = field(default_factory=dict)
    _before: dict[Lineage, Chain] = field(default_factory=dict)
    _after: dict[Lineage, tuple[DigestName, Copy]] = field(default_factory=dict)

    def take_valid(self, name: DigestName, digest: Digest) -> None:
        """Notes that it covers its own hour, and the time since the end of the digest that it links
        to: there is none between the two.
        """
        begin = digest.start
        if digest.previous is not None:
            previous = parse_digest_key(digest.previous.bucket, digest.previous.key)
            begin = min(begin, previous.end) if previous is not None else begin
        if hours := self._of(name):
            hours.valid.add(begin, digest.end)
            if digest.previous is None:
                hours.begun.append(digest.start)

    def take_invalid(self, name: DigestName) -> None:
        if hours := self._of(name):
            hours.invalid.add(name.end - PERIOD, name.end)

    def take_unchecked(self, name: DigestName) -> None:
        if hours := self._of(name):
            hours.unchecked.add(name.end - PERIOD, name.end)

    def see_beside(self, names: Mapping[tuple[str, str], DigestName | None], copy: Copy) -> None:
        """Notes a listed digest that may lie outside the range: it shows that its trail existed."""
        name = names[copy.bucket, copy.key]
        if name is None or name.chain.is_backfill or not self.request.wants_chain(name.chain):
            return
        lineage = name.chain.lineage
        if name.end < self.request.first:
            self._before[lineage] = name.chain
        elif name.end > self.request.last + PERIOD and (
            lineage not in self._after or name.end < self._after[lineage][0].end
        ):
            self._after[lineage] = name, copy

    def tell(self) -> None:
        """Reports all holes as findings."""
        due = self.request.due
        if due[0] >= due[1]:
            return
        self._look_beside()
        silent = self._find_silent()
        chains = {lineage: name.chain for lineage, name in self._newest.items()} | silent
        for lineage, chain in sorted(chains.items()):
            hours = self._hours.get(lineage, TrailHours())
            others = [
                other
                for key, other in self._hours.items()
                if key != lineage and key[:2] == lineage[:2]
            ]
            self._tell_holes(chain, hours.find_holes(due, others))
            self.notes.result.leave_unproven(hours.find_unproven(due))
            self._tell_end(lineage, due)

    def _of(self, name: DigestName) -> TrailHours | None:
        """The hours of a digest's trail. None for a backfill digest: it names logs that hourly
        digests missed, and does not stand for an hour
        (https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html).
        """
        if name.chain.is_backfill:
            return None
        lineage = name.chain.lineage
        if lineage not in self._newest or self._newest[lineage].end < name.end:
            self._newest[lineage] = name
        return self._hours.setdefault(lineage, TrailHours())

    def _tell_holes(self, chain: Chain, holes: list[Span]) -> None:
        """Reports holes. If something could not be read, the digest may be in it, so the hours are
        only unchecked.
        """
        is_certain = not self.files.failures
        for hole in holes:
            begin, end = (encode_time(time, "seconds") for time in hole)
            text = f"no valid digest covers {begin} to {end}"
            if chain.trail == _UNKNOWN_TRAIL:
                text += ", although there are logs"
            if not is_certain:
                text = f"no digest in what could be read covers {begin} to {end}"
            state = State.HOLE if is_certain else State.UNCHECKED
            key = f"{chain.folder}{DIGEST_LOG_TYPE}/{chain.region}/"
            self.notes.add(Finding(Kind.DIGEST, state, chain.bucket, key, text), [])
            if is_certain:
                self.notes.result.add_hole(Hole(chain, *hole))

    def _tell_end(self, lineage: Lineage, due: Span) -> None:
        """Notes a trail that ended early while another continued: not a hole, but worth knowing."""
        name = self._newest.get(lineage)
        if name is None or name.end >= due[1]:
            return
        holes = self.notes.result.holes
        if any(hole.chain.lineage == lineage and hole.end == due[1] for hole in holes):
            return
        text = (
            "is the newest digest of its trail: nothing shows what this trail delivered from "
            f"{encode_time(name.end, 'seconds')} to {encode_time(due[1], 'seconds')}"
        )
        bucket = name.chain.bucket
        self.notes.add(Finding(Kind.DIGEST, State.NOTE, bucket, name.key, text), [])

    def _look_beside(self) -> None:
        """Lists the days before and after the range, for trails whose digests in it are all
        gone.
        """
        days = [self.request.first.date() - _DAY]
        if self.request.window.last == self.request.last.date():  # otherwise it was listed already
            days.append(self.request.window.last + _DAY)
        for day in days:
            for copies in self.files.list_digests(DateWindow(day, day)).values():
                for copy in copies:
                    name = parse_digest_key(copy.bucket, copy.key)
                    self.see_beside({(copy.bucket, copy.key): name}, copy)

    def _find_silent(self) -> dict[Lineage, Chain]:
        """Trails that should have digests in the range but have none: those that had some the day
        before, or continue after it, and Regions that have logs.
        """
        found = {
            lineage: chain for lineage, chain in self._before.items() if lineage not in self._hours
        }
        after = [
            (lineage, *seen)
            for lineage, seen in self._after.items()
            if lineage not in self._hours and lineage not in found
        ]
        starting = {
            (reading.copy.bucket, reading.copy.key)
            for reading in read_copies(
                self.store, self.workers, (copy for *_, copy in after), use_digest
            )
            if reading.value is not None
            and isinstance(reading.value.parsed, Digest)
            and reading.value.parsed.previous is None
        }
        for lineage, name, copy in after:
            if (copy.bucket, copy.key) not in starting:
                found[lineage] = name.chain
        if not self.request.trails:  # a log's key does not name its trail
            found |= self._find_logged(found)
        return found

    def _find_logged(self, found: Collection[Lineage]) -> dict[Lineage, Chain]:
        """Regions that have logs but no digests. An account without any digest may never have had
        log file validation: that is a note, not a hole.
        """
        seen = {*self._hours, *self._before, *self._after, *found}
        places = self.files.places
        logged = {
            chain.lineage: chain
            for bucket, folder, region in self.files.find_logged_regions(
                {lineage[1] for lineage in seen}
            )
            if self.request.wants_chain(
                chain := Chain(bucket, folder, places.account, region, _UNKNOWN_TRAIL, "")
            )
        }
        if seen or has_digests(self.store, places):
            return logged
        for chain in logged.values():
            key = f"{chain.folder}{DIGEST_LOG_TYPE}/{chain.region}/"
            text = (
                "there are logs, but no digest of any day: log file validation was never turned "
                "on, or all digests are gone"
            )
            self.notes.add(Finding(Kind.DIGEST, State.NOTE, chain.bucket, key, text), [])
        return {}
