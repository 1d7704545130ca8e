"""Sorts an inventory for packing history: each of its files into sorted runs, one for each window
of days, which lie in S3.

    inventory  ->  SortTask for each file
               ->  runs/<run>/inventory/<first day of a window>/<file>.jsonl.gz

The listing of a window then merges the sorted runs of all files. So each file is read once, however
many windows there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Any

from log_aggregator.core.inventory.manifest import Format, InventoryFile, Manifest, check_versions
from log_aggregator.core.inventory.sorting import Dated, EntrySorter, merge_runs, write_run
from log_aggregator.core.windows import WINDOW_DAYS_MAX, DateWindow, split_window
from log_aggregator.errors import BadInventory, SettingsError
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.fanout.folder import RunFolder
from log_aggregator.steps.inventory import (
    Inventory,
    InventoryReader,
    InventorySource,
    find_dated,
    naming,
)
from log_aggregator.steps.packing.buckets import SourceBucket
from log_aggregator.steps.packing.selection import Selection
from log_aggregator.steps.packs.pages import list_all
from log_aggregator.steps.rules import Rules
from log_aggregator.steps.workers import Workers

ROWS_MAX = 5_000_000
"""Rows of a window that one call merges and selects from: about 400 MB, and a few minutes."""
BYTES_PER_ROW_MIN = 25
"""The size of a compressed row of an inventory; S3's have 40 bytes and more."""


@dataclass(frozen=True, slots=True)
class SortTask:
    """One file of an inventory, and the windows that its rows go to."""

    manifest: Manifest
    """Only this file's manifest."""
    number: int
    source: InventorySource
    window: DateWindow
    days_each: int

    @property
    def file(self) -> InventoryFile:
        return self.manifest.files[0]

    def encode(self, run: str) -> dict[str, Any]:
        """As an item of the state machine's map."""
        return {
            "run": run,
            "number": self.number,
            "bucket": self.source.bucket.name,
            "versioning": self.source.bucket.versioning,
            "skipped": list(self.source.skipped),
            "organization_id": self.source.organization_id,
            "inventory_bucket": self.manifest.bucket,
            "created": self.manifest.created.isoformat(),
            "format": self.manifest.format,
            "columns": list(self.manifest.columns),
            "file": asdict(self.file),
            "first": self.window.first.isoformat(),
            "last": self.window.last.isoformat(),
            "days_each": self.days_each,
        }

    @classmethod
    def decode(cls, item: Mapping[str, Any]) -> SortTask:
        manifest = Manifest(
            item["bucket"],
            item["inventory_bucket"],
            datetime.fromisoformat(item["created"]),
            Format(item["format"]),
            tuple(item["columns"]),
            (InventoryFile(**item["file"]),),
        )
        source = InventorySource(
            SourceBucket(item["bucket"], item["versioning"], is_main=True),
            tuple(item["skipped"]),
            organization_id=item["organization_id"],
        )
        window = DateWindow(date.fromisoformat(item["first"]), date.fromisoformat(item["last"]))
        return cls(manifest, item["number"], source, window, item["days_each"])


def plan_sorting(
    inventory: Inventory, source: InventorySource, window: DateWindow
) -> list[SortTask]:
    """A task for each file of a main bucket's inventory. Raises BadInventory, SettingsError."""
    manifest = inventory.manifest
    with naming(inventory.location):
        check_versions(manifest, source.bucket.versioning)
    days_each = choose_days(manifest, window)
    return [
        SortTask(
            Manifest(
                manifest.source_bucket,
                manifest.bucket,
                manifest.created,
                manifest.format,
                manifest.columns,
                (file,),
            ),
            number,
            source,
            window,
            days_each,
        )
        for number, file in enumerate(manifest.files, 1)
    ]


def choose_days(manifest: Manifest, window: DateWindow) -> int:
    """The days of a window, so that one call can list it. Assumes that all rows are evenly spread
    over the wanted days.
    """
    days = (window.last - window.first).days + 1
    rows_a_day = manifest.size_bytes / BYTES_PER_ROW_MIN / days
    return max(1, min(WINDOW_DAYS_MAX, int(ROWS_MAX / max(1, rows_a_day))))


def sort_file(
    store: ObjectStore, workers: Workers, task: SortTask, folder: RunFolder
) -> dict[str, Any]:
    """Sorts one file, and writes its counts to the run's folder. Raises BadInventory, CannotStart,
    Interrupted.
    """
    sorter, left = EntrySorter(), Selection()
    with naming(f"s3://{task.manifest.bucket}/{task.file.key}"):
        reader = InventoryReader(store, workers, task.manifest, task.source.bucket.versioning)
        rows = reader.read(task.file)
        sorter.take(find_dated(rows, task.source, Rules(task.window), left))
    for first, data in _cut(sorter.merge(task.source.bucket.name), task):
        workers.check_stop()
        folder.write(folder.inventory_key(first, task.number), data)
    done = {
        "file": task.file.key,
        "rows": sum(sorter.days.values()),
        "left": {reason.value: count for reason, count in left.left.items()},
    }
    folder.write_json(folder.sorted_key(task.number), done)
    return done


def _cut(rows: Iterator[Dated], task: SortTask) -> Iterator[tuple[date, bytes]]:
    """(first day of a window, its rows as a sorted run)."""
    firsts = sorted(window.first for window in split_window(task.window, task.days_each))

    def window_of(row: Dated) -> date:
        return max(first for first in firsts if first <= row[0])

    for first, same in groupby(rows, key=window_of):
        yield first, write_run(same)


def check_sorted(folder: RunFolder, window: DateWindow, bucket: str) -> None:
    """Checks that all files of an inventory were sorted, and that this is one of its windows.
    Raises SettingsError, BadInventory, NotFound.
    """
    wanted = {"start_date": str(window.first), "end_date": str(window.last), "bucket_name": bucket}
    windows = [
        {name: each["input"][name] for name in wanted}
        for each in folder.read_json(folder.windows_key)
    ]
    if wanted not in windows:
        raise SettingsError(
            f"input: inventory = {folder.run!r}: that run has no window of {bucket} from "
            f"{window.first} to {window.last}"
        )
    files = len(folder.read_json(folder.files_key))
    done = sum(1 for _ in list_all(folder.store, folder.bucket, folder.sorted_prefix))
    if done != files:
        raise BadInventory(
            f"only {done} of {files} files of the inventory were sorted; start the history again"
        )


def read_window(folder: RunFolder, window: DateWindow, bucket: str) -> Iterator[Dated]:
    """The rows of a window from all files, in the order of a listing. Raises BadInventory if a
    sorted run cannot be read.
    """
    keys = [
        found.key
        for found in list_all(folder.store, folder.bucket, folder.inventory_prefix(window.first))
    ]
    runs: Sequence[bytes] = [folder.read(key) for key in keys]
    try:
        yield from merge_runs(bucket, runs)
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise BadInventory(
            f"a sorted file of the inventory cannot be read: {type(error).__name__}"
        ) from error
