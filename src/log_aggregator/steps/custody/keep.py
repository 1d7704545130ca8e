"""What a run tells while it works: custody records, window by window, and the public keys of the
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
    """Of one run; implements `log_aggregator.steps.packing.run.Recorder`."""

    job: Job
    run: str
    archive_keys: Callable[[RunResult], None]
    """Archives the public keys of the digests that were packed."""
    recovers: bool = True
    """At its end it tells what runs left behind that did not say it themselves. That looks at every
    group of every run that is under way, so of many runs one after the other only the last does.
    """
    _began: datetime = field(init=False)

    def begin(self, window: DateWindow, groups: Collection[Group]) -> None:
        self._began = self.job.clock.now()
        if groups:
            span = RunSpan(self.run, self._began, self._began)
            open_custody(self.job, span, window.first, window.last, groups)

    def end(self, done: RunResult) -> None:
        """Where the run was stopped the record comes first: there may not be time for the keys."""
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
