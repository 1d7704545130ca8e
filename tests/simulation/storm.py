"""Faults of S3, of the network and of the machine, drawn from a seed; each before or after a
call.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from log_aggregator.adapters.forwarding import Call, ForwardingStore
from log_aggregator.errors import (
    NotFound,
    PreconditionFailed,
    RequestFailed,
    StoreError,
    Unreachable,
)
from log_aggregator.model import LogObject, StoredObject
from log_aggregator.ports.store import Body, Deletion, DeletionFailure, ObjectStore, Page
from log_aggregator_lab.stores.faults import Killed

T = TypeVar("T")

LOUD: tuple[tuple[str, type[RequestFailed]], ...] = (
    ("InternalError", StoreError),  # 500
    ("SlowDown", StoreError),  # 503
    ("ReadTimeoutError", Unreachable),
    ("ConnectionClosedError", Unreachable),  # a reset
)
CONDITIONAL = frozenset({"PutObject", "CompleteMultipartUpload"})
GZIP_MAGIC, GZIP_HEAD_BYTES, GZIP_TAIL_BYTES = b"\x1f\x8b", 10, 8
CONFLICT = "ConditionalRequestConflict"
REFUSALS = ("AccessDenied", "SlowDown", "InternalError", CONFLICT)


@dataclass(slots=True)
class Storm:
    """How much goes wrong. Probabilities are per call."""

    random: random.Random
    loud: float = 0.0
    """An error, or an answer lost after the call took effect."""
    quiet: float = 0.0
    """A wrong answer: bytes cut or flipped, a checksum wrong or missing, an entry listed twice, a
    deletion refused.
    """
    killed: float = 0.0
    rotten: float = 0.0
    """For each pack written: S3 stores other bytes than were sent, and its checksum matches what it
    stores.
    """
    spares_gzip_heads: bool = False
    """If ETags are not MD5s (KMS), only TLS protects a gzip's header and the padding in its last
    deflate byte: that is the limit.
    """
    log: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    rot: Callable[[Call], None] = lambda _: None

    def note(self, number: int, call: Call, what: str) -> None:
        self.log.append(f"call {number:>4}  {call.operation} {call.bucket}/{call.key}: {what}")
        self.counts[what.partition(" ")[0].rstrip(",:")] += 1


class StormyStore(ForwardingStore):
    """One process's view of the store. Once killed, it stays dead. Each call passes `gate`
    first.
    """

    def __init__(
        self, inner: ObjectStore, storm: Storm, gate: Callable[[Call], None] = lambda _: None
    ) -> None:
        super().__init__(inner)
        self._storm = storm
        self._gate = gate
        self._is_dead = False
        self._pages: dict[tuple[str, str], Page] = {}
        """The last page of each listing in progress."""
        self.calls: list[Call] = []

    def _call(self, call: Call, run: Callable[[], T]) -> T:
        if self._is_dead:
            raise Killed
        self._gate(call)
        storm, draw, number = self._storm, self._storm.random.random, len(self.calls)
        self.calls.append(call)
        if draw() < storm.killed:
            self._is_dead = True
            is_late = draw() < 0.5
            storm.note(number, call, f"killed {'after' if is_late else 'before'} it")
            if is_late:
                run()
            raise Killed
        if draw() < storm.loud:
            return self._fail(call, run, number)
        if draw() < storm.quiet:
            return self._lie(call, run, number)
        result = self._remember(call, run())
        if call.operation in CONDITIONAL and "packs/" in call.key and draw() < storm.rotten:
            storm.rot(call)
            storm.note(number, call, "rotten: a bit is stored as another one")
        return result

    def _fail(self, call: Call, run: Callable[[], T], number: int) -> T:
        rng = self._storm.random
        if rng.random() < 0.2:
            return self._repeat(call, run, number)
        code, kind = rng.choice(LOUD)
        if call.operation in CONDITIONAL and rng.random() < 0.3:
            code, kind = CONFLICT, PreconditionFailed  # 409, without any effect
        elif rng.random() < 0.5:
            self._storm.note(number, call, f"{code} after it")
            run()
            raise kind(f"{call.operation}: {code}", code=code, operation=call.operation)
        self._storm.note(number, call, f"{code} instead of it")
        raise kind(f"{call.operation}: {code}", code=code, operation=call.operation)

    def _repeat(self, call: Call, run: Callable[[], T], number: int) -> T:
        """The answer is lost, and the client sends the request again, which then sees the effect of
        the first.
        """
        self._storm.note(number, call, "repeated, as its answer was lost")
        run()
        if call.operation == "DeleteObjects":
            return self._delete_again(call)  # type: ignore[return-value]
        if call.operation not in CONDITIONAL:
            return self._remember(call, run())
        if call.operation == "CompleteMultipartUpload" and self._storm.random.random() < 0.5:
            raise NotFound(
                f"{call.operation}: NoSuchUpload", code="NoSuchUpload", operation=call.operation
            )
        raise PreconditionFailed(
            f"{call.operation}: PreconditionFailed",
            code="PreconditionFailed",
            operation=call.operation,
        )

    def _delete_again(self, call: Call) -> list[DeletionFailure]:
        """A version that is already gone is not a failure; for a condition, S3 may answer either
        way.
        """
        code = self._storm.random.choice(("NoSuchKey", "PreconditionFailed"))
        failures = self.inner.delete_objects(call.bucket, call.arguments["deletions"])
        refused = {failure.deletion for failure in failures}
        conditional = [
            deletion
            for deletion in call.arguments["deletions"]
            if deletion.etag is not None and deletion not in refused
        ]
        return [*failures, *(DeletionFailure(deletion, code) for deletion in conditional)]

    def _lie(self, call: Call, run: Callable[[], T], number: int) -> T:
        if call.operation == "DeleteObjects":
            return self._refuse_some(call, number)  # type: ignore[return-value]
        result: Any = run()
        altered, what = _alter(result, self._storm, self._pages.get((call.bucket, call.key)))
        if what:
            self._storm.note(number, call, what)
        self._remember(call, result)
        return altered  # type: ignore[no-any-return]

    def _remember(self, call: Call, result: T) -> T:
        if isinstance(result, Page):
            self._pages[call.bucket, call.key] = result
        return result

    def _refuse_some(self, call: Call, number: int) -> list[DeletionFailure]:
        deletions: Sequence[Deletion] = call.arguments["deletions"]
        code = self._storm.random.choice(REFUSALS)
        may_be = [
            deletion for deletion in deletions if code != CONFLICT or deletion.etag is not None
        ]
        refused = [deletion for deletion in may_be if self._storm.random.random() < 0.5]
        done = [deletion for deletion in deletions if deletion not in refused]
        self._storm.note(number, call, f"{code} for {len(refused)} of {len(deletions)} keys")
        failures = self.inner.delete_objects(call.bucket, done) if done else []
        return [*failures, *(DeletionFailure(deletion, code) for deletion in refused)]


def _alter(result: Any, storm: Storm, page_before: Page | None) -> tuple[Any, str]:
    """The answer, and what was done to it, if it is of a kind that can be altered."""
    rng = storm.random
    match result:
        case Body() if result.data:
            data, what = _alter_bytes(result.data, storm)
            return replace(result, data=data), what
        case (Body() as body, bool() as is_trusted) if body.data and not is_trusted:
            data, what = _alter_bytes(body.data, storm)
            return (replace(body, data=data), is_trusted), what
        case StoredObject():
            return _alter_head(result, rng)
        case Page() if result.objects:
            return _list_twice(result, page_before, rng)
        case _:
            return result, ""


def _alter_bytes(data: bytes, storm: Storm) -> tuple[bytes, str]:
    rng = storm.random
    at = rng.randrange(len(data))
    if rng.random() < 0.4:
        return data[:at], f"cut at byte {at} of {len(data)}"
    if storm.spares_gzip_heads and data.startswith(GZIP_MAGIC):
        at = rng.randrange(GZIP_HEAD_BYTES, len(data) - GZIP_TAIL_BYTES - 1)
    return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[
        at + 1 :
    ], f"flipped a bit of byte {at}"


def _alter_head(stored: StoredObject, rng: random.Random) -> tuple[StoredObject, str]:
    match rng.randrange(3):
        case 0:
            return replace(stored, crc64nvme=None), "no checksum in the answer"
        case 1:
            return replace(
                stored, crc64nvme=(stored.crc64nvme or 0) ^ 1
            ), "wrong checksum in the answer"
        case _:
            return replace(stored, size_bytes=stored.size_bytes + 1), "wrong length in the answer"


def _list_twice(page: Page, page_before: Page | None, rng: random.Random) -> tuple[Page, str]:
    """Repeats an entry of this page, or the last one of the previous page, at the place of its key
    in S3's order.
    """
    last = None if page_before is None or page_before.next_start is None else _last_of(page_before)
    if last is not None and rng.random() < 0.5:
        return replace(page, objects=(last, *page.objects)), f"listed twice: {last.key}"
    position = rng.randrange(len(page.objects))
    twice = page.objects[position]
    return replace(
        page, objects=(*page.objects[: position + 1], *page.objects[position:])
    ), f"listed twice: {twice.key}"


def _last_of(page: Page) -> LogObject | None:
    """The page's last entry, unless it is a delete marker."""
    is_marker = page.markers and (not page.objects or page.markers[-1].key > page.objects[-1].key)
    return None if is_marker or not page.objects else page.objects[-1]
