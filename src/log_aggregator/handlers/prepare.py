"""The beginning of a run: its days, buckets and declared layouts, and how their listing is split
into tasks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from log_aggregator.core.concurrency import fit_branches
from log_aggregator.core.layouts.declared import Layouts
from log_aggregator.core.windows import DateWindow, Days, make_window
from log_aggregator.errors import AccessDenied, CannotStart, NotFound, ObjectFrozen, SettingsError
from log_aggregator.handlers.concurrency import fit_steps
from log_aggregator.handlers.entry import Call, Event, Result, serve
from log_aggregator.limits import MIB
from log_aggregator.settings import check_sources, parse_layouts
from log_aggregator.steps.fanout.folder import Kind, RunFolder
from log_aggregator.steps.fanout.gather import RunRecord, write_listing_plan
from log_aggregator.steps.fanout.sorting import check_sorted
from log_aggregator.steps.fanout.tasks import ListingPlan, plan_inventory_listing, plan_listing
from log_aggregator.steps.job import Job
from log_aggregator.steps.packing.run import abort_stale_uploads

LAYOUTS_KEY = "settings/layouts.toml"
"""In the work bucket: the `[[layouts]]` that the stack uses. Each run reads it once, at its
beginning.
"""

LAYOUTS_BYTES_MAX = MIB

_LOOK_BACK_DAYS_MAX = 366
_RUN = re.compile(r"\d{4}-\d{2}-\d{2}/[A-Za-z0-9_-]{1,80}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Asked:
    """The state machine's input, checked."""

    days: Days
    bucket_name: str | None
    look_back_days: int | None
    dry_run: bool
    inventory: str
    history: str

    def is_nightly(self, look_back_days: int) -> bool:
        """Whether it does everything that a nightly run does. The weekly run does, and one started
        by hand without input; a dry run, a window of history, and a run over named days or one
        bucket do not.
        """
        looks_back = self.look_back_days is None or self.look_back_days >= look_back_days
        named = self.days != Days() or self.bucket_name is not None
        return looks_back and not named and not self.dry_run


@serve("prepare")
def handler(event: Event, call: Call) -> Result:
    """`{"execution": name, "input": {...}, "at_once": {"list", "pack"}}` -> the run's name, for
    both kinds of logs where the listing tasks are and how many, how many functions may run at the
    same time, and whether it is a nightly run.
    """
    asked = read_input(event["input"])
    now = call.job.clock.now()
    check_sources(call.settings)
    job = call.job.for_days(_window(asked, call)).for_layouts(read_layouts(call))
    _check_bucket(job, asked.bucket_name)
    plan = _plan_listing(call, job, asked)
    buckets = {task.bucket.name for tasks in plan.tasks.values() for task in tasks}
    targets = set() if asked.dry_run else {job.rules.target(bucket) for bucket in buckets}
    aborted, refused = abort_stale_uploads(call.job.store, call.job.clock, targets)
    plan.failures += refused
    run, window = f"{now:%Y-%m-%d}/{event['execution']}", job.rules.selection.window
    record = RunRecord(
        run,
        window.first,
        window.last,
        now.date(),
        now.isoformat(),
        aborted,
        asked.dry_run,
        asked.is_nightly(call.settings.look_back_days),
        asked.inventory,
        job.rules.layouts,
        job.rules.group.stage,
        asked.history,
    )
    folder = call.folder(record.run)
    counts = write_listing_plan(folder, record, plan, call.job.requests)
    return {
        "run": record.run,
        "nightly": record.is_nightly,
        "at_once": fit_steps(call, event.get("at_once", {}), fit_branches),
        **{kind: describe_array(folder, folder.tasks_key(kind), counts[kind]) for kind in Kind},
    }


def read_input(given: Mapping[str, Any]) -> Asked:
    """Raises SettingsError, which names what was expected."""
    allowed = (
        "date",
        "start_date",
        "end_date",
        "bucket_name",
        "look_back_days",
        "dry_run",
        "inventory",
        "history",
    )
    unknown = sorted(set(given) - set(allowed))
    if unknown:
        raise SettingsError(f"input: {unknown[0]!r} is not known; expected {', '.join(allowed)}")
    texts = {name: given.get(name) for name in allowed[:4]}
    for name, value in texts.items():
        if value is not None and not isinstance(value, str):
            raise SettingsError(f"input: {name} = {value!r}: expected text")
    look_back_days = given.get("look_back_days")
    if look_back_days is not None and (
        type(look_back_days) is not int or not 0 <= look_back_days <= _LOOK_BACK_DAYS_MAX
    ):
        raise SettingsError(
            f"input: look_back_days = {look_back_days!r}: expected a number from 0 to "
            f"{_LOOK_BACK_DAYS_MAX}"
        )
    dry_run = given.get("dry_run", False)
    if not isinstance(dry_run, bool):
        raise SettingsError(f"input: dry_run = {dry_run!r}: expected true or false")
    inventory = _read_run(given, "inventory", "the name of a run that sorted one")
    history = _read_run(given, "history", "the name of the run that it is a window of")
    days = Days(texts["date"], texts["start_date"], texts["end_date"])
    if inventory and (texts["bucket_name"] is None or texts["start_date"] is None):
        raise SettingsError(
            "input: inventory: allowed only together with start_date, end_date and bucket_name"
        )
    return Asked(days, texts["bucket_name"], look_back_days, dry_run, inventory, history)


def _read_run(given: Mapping[str, Any], name: str, expected: str) -> str:
    run = given.get(name, "")
    if not isinstance(run, str) or (run and not _RUN.fullmatch(run)):
        raise SettingsError(
            f"input: {name} = {run!r}: expected {expected}; the work on history sets it"
        )
    return run


def describe_array(folder: RunFolder, key: str, count: int) -> dict[str, Any]:
    """Where the items of a map are. If there are none, the state machine skips the map."""
    return {"bucket": folder.bucket, "key": key, "count": count}


def read_layouts(call: Call) -> Layouts:
    """What the file declares now; empty without a file. Raises SettingsError, CannotStart."""
    store, bucket = call.job.store, call.work_bucket
    file = f"s3://{bucket}/{LAYOUTS_KEY}"
    try:
        size_bytes = store.head_object(bucket, LAYOUTS_KEY).size_bytes
        if size_bytes > LAYOUTS_BYTES_MAX:
            raise SettingsError(f"{file}: {size_bytes} bytes: expected at most {LAYOUTS_BYTES_MAX}")
        return parse_layouts(store.get_object(bucket, LAYOUTS_KEY).data, file)
    except NotFound:
        return Layouts()
    except (AccessDenied, ObjectFrozen) as error:
        raise CannotStart(f"{file}: cannot be read: {error}") from error


def _plan_listing(call: Call, job: Job, asked: Asked) -> ListingPlan:
    if not asked.inventory or asked.bucket_name is None:
        return plan_listing(job, asked.bucket_name)
    window = job.rules.selection.window
    check_sorted(call.folder(asked.inventory), window, asked.bucket_name)
    return plan_inventory_listing(job, asked.bucket_name, asked.inventory)


def _window(asked: Asked, call: Call) -> DateWindow:
    settings = call.settings
    look_back_days = (
        settings.look_back_days if asked.look_back_days is None else asked.look_back_days
    )
    today = call.job.clock.now().date()
    return make_window(asked.days, today, look_back_days, settings.days_kept)


def _check_bucket(job: Job, name: str | None) -> None:
    if name is not None and name not in job.list_source_buckets():
        raise SettingsError(
            f"input: bucket_name = {name!r}: expected one of the buckets that the stack names, "
            "because it has permissions for no others"
        )
