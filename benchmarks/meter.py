"""CPU time of a run by step and by what was done: the functions that do the work are wrapped, and
their threads' CPU clocks are read.

Native code that runs in such a thread (libcurl, hashing, inflating, parsing XML) counts where it
was called. Time spent waiting, for S3 or for the interpreter, is no CPU time. Linux only.
"""

from __future__ import annotations

import importlib
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

_SRC = "log_aggregator"
_CALIBRATION_CALLS = 20_000
OTHER = "the program's own threads: handing over, counting, appending"
REST = "everything not measured elsewhere"


@dataclass(frozen=True, slots=True)
class Area:
    """A function, by module and name, and what its time is for. Time of areas that it calls is not
    in it.

    With a `step` it is where a step begins: everything under it belongs to that step.
    """

    place: str
    name: str
    what: str
    step: str | None = None


AREAS = (
    Area("steps.packing.listing", "list_prefixes", "listing: finding the prefixes", "list"),
    Area("steps.packing.listing.BucketListing", "_list_area", "listing: skip-scan", "list"),
    Area("steps.packing.selection", "select", "listing: layouts, dates, groups"),
    Area("steps.packing.shelf.Shelf", "take", "listing: holding the result in little memory"),
    Area("adapters.s3.listing", "parse_listing", "listing: parsing XML"),
    Area("steps.packing.group.GroupWork", "plan", "plan", "plan"),
    Area("steps.packing.group", "combine", OTHER, "combine"),
    Area("steps.packing.read.Reader", "_begin", OTHER, "combine"),
    Area("adapters.s3.curl_loop.ReadLoop", "_drive", "reads: libcurl and its signature"),
    Area("adapters.s3.curl_loop.ReadLoop", "_send", "reads: libcurl and its signature"),
    Area("steps.packing.read", "inspect_original", "SHA-256 of each log object"),
    Area("steps.packing.read", "_has_md5", "MD5 of each log object, to compare it with its ETag"),
    Area(
        "core.packformat.builder",
        "inspect",
        "inflating each log object, to see that its gzip is whole",
    ),
    Area("core.checksums.RunningChecksum", "take", "CRC64NVME of the pack"),
    Area("steps.packing.pack_writer", "crc64nvme", "CRC64NVME of the pack"),
    Area("adapters.s3.writing", "upload_part", "boto3: UploadPart", "combine"),
    Area("steps.packing.combine", "encode_index", "index: writing JSON and gzip"),
    Area("steps.packing.combine", "encode_tail", "index: the pack's tail"),
    Area("steps.packing.combine", "expected_pack", "index: the pack's tail"),
    Area("steps.packing.group", "verify_pack", "verify", "verify"),
    Area("steps.packs.index", "scan_index", "index: reading it back and checking it"),
    Area("steps.packs.verify", "expected_pack", "index: the pack's tail"),
    Area(
        "steps.packing.group",
        "delete_originals",
        "delete: choosing, from the verified index",
        "delete",
    ),
)


class CpuMeter:
    """`install` it around the work; `read` it while the work's threads still live."""

    def __init__(self) -> None:
        self._local = threading.local()
        self._lock = threading.Lock()
        self._spent: list[dict[tuple[str | None, str], list[float]]] = []
        self._first = read_thread_clocks()

    @contextmanager
    def install(self) -> Iterator[None]:
        undo: list[tuple[Any, str, Any]] = []
        try:
            for area in AREAS:
                owner = find_owner(area.place)
                undo.append((owner, area.name, getattr(owner, area.name)))
                setattr(
                    owner, area.name, self._wrap(getattr(owner, area.name), area.what, area.step)
                )
            client = importlib.import_module("botocore.client").BaseClient
            undo.append((client, "_make_api_call", client._make_api_call))  # noqa: SLF001 - every request of boto3 goes through it
            client._make_api_call = self._wrap_boto3(client._make_api_call)  # noqa: SLF001
            yield
        finally:
            for owner, name, value in reversed(undo):
                setattr(owner, name, value)

    def read(self) -> list[tuple[str, str, float]]:
        """(step, what, CPU seconds), all threads; the largest first."""
        found = self._find_spent()
        seconds: dict[tuple[str, str], float] = defaultdict(float)
        for step, what, taken, _ in found:
            seconds[step or "run", what] += taken
        rest = 0.0
        for thread_id, (name, taken) in read_thread_clocks().items():
            rest += taken - self._first.get(thread_id, (name, 0.0))[1]
        seconds["run", REST] += rest - sum(taken for _, _, taken, _ in found)
        return [
            (step, what, taken)
            for (step, what), taken in sorted(seconds.items(), key=lambda item: -item[1])
        ]

    @property
    def calls(self) -> int:
        """How often a wrapped function was called."""
        return round(sum(calls for _, _, _, calls in self._find_spent()))

    def _find_spent(self) -> list[tuple[str | None, str, float, float]]:
        """(step, what, CPU seconds, calls), thread by thread."""
        with self._lock:
            return [
                (step, what, taken, calls)
                for spent in self._spent
                for (step, what), (taken, calls) in spent.items()
            ]

    def _wrap(
        self, function: Callable[..., Any], what: str, step: str | None
    ) -> Callable[..., Any]:
        """The wrapped function is called several times for each log object, hence no helpers
        inside.
        """
        local, clock = self._local, time.thread_time

        @wraps(function)
        def measured(*positional: Any, **named: Any) -> Any:
            try:
                stack = local.stack
            except AttributeError:
                stack = self._begin_thread()
            frame: list[Any] = [step or (stack[-1][0] if stack else None), 0.0]
            stack.append(frame)
            began = clock()
            try:
                return function(*positional, **named)
            finally:
                taken = clock() - began
                stack.pop()
                spent = local.spent[frame[0], what]
                spent[0] += taken - frame[1]
                spent[1] += 1
                if stack:
                    stack[-1][1] += taken

        return measured

    def _begin_thread(self) -> list[list[Any]]:
        """The calls under way, outermost first: the step of each, and the CPU of what it called."""
        self._local.stack, self._local.spent = [], defaultdict(lambda: [0.0, 0])
        with self._lock:
            self._spent.append(self._local.spent)
        stack: list[list[Any]] = self._local.stack
        return stack

    def _wrap_boto3(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Each operation is something of its own."""
        operations: dict[str, Callable[..., Any]] = {}

        @wraps(function)
        def measured(client: Any, operation: str, parameters: Any) -> Any:
            if operation not in operations:
                operations[operation] = self._wrap(function, f"boto3: {operation}", None)
            return operations[operation](client, operation, parameters)

        return measured


def measure_call_seconds() -> float:
    """What it costs to measure one call of a function that does nothing."""
    wrapped = CpuMeter()._wrap(lambda: None, "", None)  # noqa: SLF001 - of this module
    began = time.thread_time()
    for _ in range(_CALIBRATION_CALLS):
        wrapped()
    return (time.thread_time() - began) / _CALIBRATION_CALLS


def find_owner(place: str) -> Any:
    """The module, or the class in a module."""
    module, _, name = place.rpartition(".")
    if name[0].isupper():
        return getattr(importlib.import_module(f"{_SRC}.{module}"), name)
    return importlib.import_module(f"{_SRC}.{place}")


def read_thread_clocks() -> dict[int, tuple[str, float]]:
    """Thread -> (name, CPU seconds), of this process, by Linux's clocks as pthread_getcpuclockid(3)
    makes them.
    """
    found = {}
    for task in Path("/proc/self/task").iterdir():
        try:
            name = (task / "comm").read_text().strip()
            found[int(task.name)] = name, time.clock_gettime((~int(task.name) << 3) | 6)
        except OSError:  # it has ended
            continue
    return found
