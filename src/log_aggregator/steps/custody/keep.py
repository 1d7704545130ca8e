"""Records a run while it works: custody records, window by window, and the public keys of the
digests that it packs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime

from log_aggregator.core.windows import DateWindow
from log_aggregator.model import Group
from log_aggregator.steps.custody.recover import recover_runs
from log_aggregator.steps.custody.write import RunSpan, open_custody, write_custody
from log_aggregator.steps.job import Job
from log_aggregator.steps.packing.results import RunResult


@dataclass(slots=True)
class CustodyKeeper:
    """Keeps custody of one run. Implements `log_aggregator.steps.packing.run.Recorder`."""

    job: Job
    run: str
    archive_keys: Callable[[RunResult], None]
    """Archives the public keys of the digests that were packed."""
    recovers: bool = True
    """At its end it records what interrupted runs left unrecorded. That examines every group of
    every run under way, so in a series of runs only the last one does it.
    """
    _began: datetime = field(init=False)

    def begin(self, window: DateWindow, groups: Collection[Group]) -> None:
        self._began = self.job.clock.now()
        if groups:
            span = RunSpan(self.run, self._began, self._began)
            open_custody(self.job, span, window.first, window.last, groups)

    def end(self, done: RunResult) -> None:
        """If the run was stopped, writes the record first: there may not be time for the keys."""
        if not done.is_stopped:
            self.archive_keys(done)
        write_custody(self.job, done, RunSpan(self.run, self._began, self.job.clock.now()))
        if done.is_stopped:
            self.archive_keys(done)

    def finish(self, result: RunResult) -> None:
        if not self.recovers:
            return
        now = self.job.clock.now()
        recover_runs(self.job, result, RunSpan(self.run, now, now), self.archive_keys)
