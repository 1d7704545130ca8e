"""Collects what is found in one account while its trails are validated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from log_aggregator.core.digests import NOT_FOUND, Chain, Flaw
from log_aggregator.errors import Failure, GroupFailed
from log_aggregator.steps.cloudtrail.copies import Copy
from log_aggregator.steps.cloudtrail.findings import (
    Finding,
    Kind,
    State,
    Tally,
    Validation,
    kind_of,
)

LINES_MAX = 10_000
"""Findings of one account that are kept; `watch` gets all of them."""

Watch = Callable[[Sequence[Finding]], None]
"""Gets what was found, including valid files, for a day of an account at a time. Called from
several threads.
"""


@dataclass(slots=True)
class AccountNotes:
    """Tallies and findings of one account, and why files could not be checked."""

    watch: Watch
    result: Validation = field(default_factory=Validation)
    _untold: list[Finding] = field(default_factory=list)
    _failed: dict[str, Failure] = field(default_factory=dict)

    def add(self, finding: Finding, chains: Sequence[Chain]) -> None:
        for chain in chains:
            tally = self.result.tallies.setdefault(chain, Tally())
            (tally.logs if finding.kind is Kind.LOG else tally.digests)[finding.state] += 1
        self._untold.append(finding)
        if finding.state is State.VALID:
            return
        if len(self.result.findings) < LINES_MAX:
            self.result.findings.append(finding)
        else:
            self.result.unlisted += 1

    def reject(self, chain: Chain, copy: Copy, flaw: Flaw) -> None:
        found = Finding(kind_of(chain), State.INVALID, copy.bucket, copy.key, flaw.text, copy.pack)
        self.add(found, [chain])

    def miss(
        self, kind: Kind, identity: tuple[str, str], chains: Sequence[Chain], *, is_certain: bool
    ) -> None:
        """Reports a missing file. Without `is_certain` it may lie in what could not be read, so it
        is only unchecked.
        """
        state, text = State.INVALID, NOT_FOUND.text
        if not is_certain:
            state, text = State.UNCHECKED, "not found in what could be read"
        self.add(Finding(kind, state, *identity, text), chains)

    def leave_unchecked(
        self,
        kind: Kind,
        chains: Sequence[Chain],
        copy: Copy,
        error: GroupFailed,
        cause: str | None = None,
        advice: str | None = None,
    ) -> None:
        """Reports a file that could not be checked. `cause` is what could not be read, if it is not
        the file itself; `advice` replaces the error's own.
        """
        self.add(
            Finding(kind, State.UNCHECKED, copy.bucket, copy.key, str(error), copy.pack), chains
        )
        where = (
            copy.where
            if copy.packed or kind is not Kind.LOG
            else f"s3://{copy.bucket}/{copy.key.rpartition('/')[0]}/"
        )
        self._failed.setdefault(cause or where, Failure.of(cause or where, error, advice))

    def tell(self) -> None:
        """Passes on what was found since the last call."""
        if self._untold:
            self.watch(self._untold)
            self._untold = []

    def take_failures(self, failures: Iterable[tuple[str, GroupFailed]]) -> None:
        """Adds these failures, and one for each pack or folder that could not be read, however many
        files it concerns.
        """
        of_places = [Failure.of(where, error) for where, error in dict(failures).items()]
        own = [self._failed[where] for where in sorted(self._failed)]
        self.result.failures += [*of_places, *own]
