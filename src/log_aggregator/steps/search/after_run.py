"""Merges the terms of a run's packs into tables, once all its other work is done.

No pack waits for this, and it undoes nothing. Any error becomes a warning: the terms exist, a
search reads them one by one, and the next run merges them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace

from log_aggregator.core.terms.table import has_terms
from log_aggregator.errors import Failure, Interrupted, LogAggregatorError, Unexpected, name_place
from log_aggregator.model import Target
from log_aggregator.ports.store import WriteOptions
from log_aggregator.steps.job import Job
from log_aggregator.steps.packing.results import RunResult
from log_aggregator.steps.rules import CombineOptions
from log_aggregator.steps.search.merge import MergeResult, Merging, merge_terms
from log_aggregator.steps.search.tables import EXTRA, has_reader

TABLES = "tables of terms"
ADVICE = (
    "Everything is packed, and packs with terms can be searched. The next run merges the terms, or "
    "`log-aggregator index tables` does it now."
)
_INSTALL = f"pip install 'control-tower-log-aggregator[{EXTRA}]'"


def merge_after_run(job: Job, result: RunResult) -> None:
    """Merges terms, and adds a warning to the result if something could not be merged."""
    if job.rules.group.combine.terms is None or _has_ended(job, result):
        return
    packs = _packs_by_target(job, result)
    if not packs:
        return
    if not has_reader():
        result.warnings.append(_not_installed())
        return
    try:
        for target, keys in sorted(packs.items()):
            result.warnings += merge_packs(job, target, keys)
    except (KeyboardInterrupt, Interrupted):
        result.is_stopped = True  # the report of what was done is still written
        job.workers.end()


def _has_ended(job: Job, result: RunResult) -> bool:
    """Whether it was stopped, or its credentials expired, so that nothing more can be started."""
    try:
        job.workers.check_stop()
    except Interrupted:
        return True
    return result.is_stopped


def merge_packs(job: Job, target: Target, pack_keys: Iterable[str]) -> list[Failure]:
    """Merges packs' terms, and returns what could not be merged. Raises Interrupted."""
    try:
        return list(_warn(target, merge_terms(make_merging(job, target), pack_keys)))
    except Interrupted:
        raise
    except LogAggregatorError as error:
        return [Failure.of(f"{TABLES} in {target.bucket}", error, ADVICE)]
    except Exception as error:  # noqa: BLE001 - the run is done, and must have a report
        return [Failure.of(TABLES, Unexpected(name_place(error)), ADVICE)]


def make_merging(job: Job, target: Target) -> Merging:
    """Tables are stored and encrypted as terms are."""
    options = table_options(job.rules.group.combine)
    return Merging(job.store, job.workers, target, options, job.today)


def table_options(combine: CombineOptions) -> WriteOptions:
    """How tables are written: once, and with the KMS key of terms; if the settings write no terms,
    with that of indexes. The media type:
    https://www.iana.org/assignments/media-types/application/vnd.apache.parquet
    """
    terms = combine.terms
    key_id = combine.index.kms_key_id if terms is None else terms.write.kms_key_id
    return replace(combine.index, kms_key_id=key_id, content_type="application/vnd.apache.parquet")


def _packs_by_target(job: Job, result: RunResult) -> dict[Target, set[str]]:
    """The packs that were verified, including older ones: a run that was killed may have left terms
    that are in no table.
    """
    packs: dict[Target, set[str]] = defaultdict(set)
    for group in result.groups:
        if group.settled and has_terms(group.group.log_type):
            packs[job.rules.target(group.group.bucket)].update(group.settled)
    return packs


def _warn(target: Target, merged: MergeResult) -> Iterator[Failure]:
    """One warning, however many failures there are; it names the first."""
    if merged.failures:
        first = merged.failures[0]
        message = f"{len(merged.failures):,} could not be read; the first: {first.message}"
        yield Failure(f"{TABLES} in {target.bucket}", first.error, message, ADVICE)


def _not_installed() -> Failure:
    return Failure(
        TABLES,
        "NotInstalled",
        "terms are stored for each pack but not merged into tables, because arro3-io is not "
        "installed; a search reads them one by one",
        f"{_INSTALL}, for faster searches. Without it they find the same.",
    )
