"""`status`: how far backfills are, and what a stack is doing, as seen from any machine."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import click

from log_aggregator.cli.options import (
    connection_options,
    json_option,
    make_connection,
    target_options,
)
from log_aggregator.cli.printing import (
    own_stream,
    print_json_lines,
    print_line,
    print_lines,
    print_report,
)
from log_aggregator.core.backfill.entries import backfills_prefix, check_name
from log_aggregator.core.backfill.states import BackfillState, State
from log_aggregator.errors import BadPack, NotFound, NothingFound, cannot_start
from log_aggregator.model import Target
from log_aggregator.ports.executions import Execution, ExecutionViewer
from log_aggregator.reports.status import Status, describe_status, render_status
from log_aggregator.settings import Settings
from log_aggregator.steps.backfill.ledger import Reader, choose_target, list_backfills, read_plan
from log_aggregator.steps.backfill.runs import list_runs
from log_aggregator.steps.job import Job
from log_aggregator.wiring import connect_executions, open_job

WATCH_SECONDS = 10.0
CLEAR = "\x1b[H\x1b[2J"
"""Clears the screen, and moves the cursor to its top left corner."""

EXAMPLE = """\b
Example:
  log-aggregator status --watch
  log-aggregator status --stack log-aggregator --work-bucket example-work-bucket
"""


@click.command(epilog=EXAMPLE)
@click.option("--name", metavar="NAME", help="Only this backfill. Left out: all of them.")
@click.option(
    "--stack",
    metavar="NAME",
    help="Also show executions of this CloudFormation stack's state machines: the running ones "
    "with their windows and work items, and the newest of the others. Left out: none.",
)
@click.option(
    "--work-bucket",
    metavar="NAME",
    help="Also show the newest runs that left their result in this bucket, the stack's WorkBucket. "
    "Left out: none.",
)
@click.option(
    "--watch",
    is_flag=True,
    help="Look again every ten seconds, until nothing is left to do. With --json, one document "
    "per line.",
)
@target_options
@connection_options
@json_option
def status(
    settings: Settings,
    name: str | None,
    stack: str | None,
    work_bucket: str | None,
    watch: bool,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
) -> int:
    """Show how far backfills are: windows done, failed, under way and to do, log objects, bytes,
    dollars, rate, and roughly how long the rest takes. Changes nothing.

    Exit code 1 if a window has failed, or if there is nothing to show.
    """
    if name is not None:
        check_name(name)
    connection = make_connection(profile, region, endpoint_url)
    executions = connect_executions(connection) if stack else None
    with open_job(connection, settings) as job:
        look = Look(job, choose_target(job), Wish(name, stack, work_bucket), executions)
        found = look.look()
        if found.is_empty:
            raise NothingFound(f"nothing found in {look.where}")
        _print(found, as_json=as_json, watch=watch)
        while watch and not found.is_over:
            job.workers.pause(WATCH_SECONDS)
            job.workers.check_stop()
            found = look.look()
            _print(found, as_json=as_json, watch=watch)
    return 1 if any(state.count(State.FAILED) for state in found.backfills) else 0


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user wants to see."""

    name: str | None
    stack: str | None
    work_bucket: str | None


class Look:
    """Looks repeatedly, and reads what never changes only once."""

    def __init__(
        self, job: Job, target: Target, wish: Wish, executions: ExecutionViewer | None
    ) -> None:
        self._target = target
        self._job = job
        self._wish = wish
        self._executions = executions
        self._readers: dict[str, Reader] = {}

    @property
    def where(self) -> str:
        """Where it looks, for messages."""
        target, wish = self._target, self._wish
        places = [
            f"s3://{target.bucket}/{backfills_prefix(target)}",
            *([f"s3://{wish.work_bucket}/runs/"] if wish.work_bucket else []),
            *([f"stack {wish.stack}"] if wish.stack else []),
        ]
        return " and ".join(places)

    def look(self) -> Status:
        """Raises CannotStart, NothingFound."""
        wish = self._wish
        with cannot_start(f"{self.where} cannot be read"):
            backfills = list(self._read_backfills())
            runs = list_runs(self._job.store, wish.work_bucket) if wish.work_bucket else []
            executions = self._list_executions(wish.stack) if wish.stack else []
        return Status(self._target, backfills, executions, runs)

    def _list_executions(self, stack: str) -> list[Execution]:
        try:
            return self._executions.list_executions(stack) if self._executions else []
        except NotFound as error:
            raise NothingFound(str(error)) from None

    def _read_backfills(self) -> Iterator[BackfillState]:
        """The one that was asked for, or all of them. A folder without a readable plan does not
        count.
        """
        name = self._wish.name
        for each in [name] if name else list_backfills(self._job, self._target):
            reader = self._find_reader(each)
            if reader is not None:
                yield reader.read()
            elif name:
                raise NothingFound(f"no backfill {name!r} in {self.where}")

    def _find_reader(self, name: str) -> Reader | None:
        if name not in self._readers:
            try:
                plan = read_plan(self._job, self._target, name)
            except NotFound:
                return None
            except BadPack as error:
                print_line(f"skipped: {error}", err=True)
                return None
            self._readers[name] = Reader(self._job, self._target, plan)
        return self._readers[name]


def _print(found: Status, *, as_json: bool, watch: bool) -> None:
    described = describe_status(found)
    if watch and as_json:
        print_json_lines([json.dumps(described, ensure_ascii=False)])
        return
    if watch and sys.stdout.isatty():
        own_stream(sys.stdout).write(CLEAR)
    elif watch:
        print_lines([""])
    print_report(described, render_status(described), as_json=as_json)
