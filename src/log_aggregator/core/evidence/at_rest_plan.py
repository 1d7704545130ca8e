"""A check of packs at rest that is under way: what it writes into the bucket of the packs, so that
it can be continued days later, from another machine.

    at-rest/<check>/plan.jsonl.gz       what is to be hashed, and by which role
    at-rest/<check>/sha256.csv          the manifest of a job, one for each algorithm
    at-rest/<check>/sha256.job.json     its id
    at-rest/<check>/sha256/job-<id>/    S3's completion report
    at-rest/<check>/done.json           it is over, and in which custody record its result is

None of this is trusted: when the reports are there, the expected hashes are read from indexes and
custody records.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from log_aggregator.core.evidence.at_rest import (
    Algorithm,
    HashTask,
    PackAtRest,
    Verdict,
    describe_pack,
    parse_pack,
)
from log_aggregator.core.formats import check_format
from log_aggregator.core.jsontext import (
    decode_json,
    decoding,
    encode_json_line,
    inflate_lines,
)
from log_aggregator.core.packformat.deflate import encode_gzip
from log_aggregator.core.times import decode_time, encode_time
from log_aggregator.errors import BadPack
from log_aggregator.model import AT_REST, Target

FORMAT, VERSION = "log-aggregator-at-rest", 1
PLAN, DONE = "plan.jsonl.gz", "done.json"
_NAME = re.compile(r"[0-9]{8}T[0-9]{6}\.[0-9]{6}Z-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class AtRestPlan:
    """The packs that one check hashes in one target."""

    target: Target
    check: str
    began: datetime
    role_arn: str
    dollars: float
    first: date
    last: date
    """Log dates of the packs."""
    tasks: tuple[HashTask, ...]
    judged: tuple[PackAtRest, ...] = ()
    """Packs that S3 need not hash, because their verdict was clear immediately."""
    skipped: int = 0

    @property
    def folder(self) -> str:
        return f"{checks_prefix(self.target)}{self.check}/"

    @property
    def algorithms(self) -> list[Algorithm]:
        """The algorithms that have a job."""
        return [each for each in Algorithm if self.tasks_of(each)]

    def tasks_of(self, algorithm: Algorithm) -> list[HashTask]:
        return [task for task in self.tasks if task.algorithm is algorithm]

    def manifest_key(self, algorithm: Algorithm) -> str:
        return f"{self.folder}{algorithm.value.lower()}.csv"

    def job_key(self, algorithm: Algorithm) -> str:
        return f"{self.folder}{algorithm.value.lower()}.job.json"

    def report_prefix(self, algorithm: Algorithm) -> str:
        return f"{self.folder}{algorithm.value.lower()}"


def checks_prefix(target: Target) -> str:
    return f"{target.root}{AT_REST}"


def parse_check_key(target: Target, key: str) -> tuple[str, str] | None:
    """(name of the check, the rest of the key); None if the key belongs to no check."""
    name, slash, rest = key.removeprefix(checks_prefix(target)).partition("/")
    is_ours = key.startswith(checks_prefix(target)) and slash and _NAME.fullmatch(name)
    return (name, rest) if is_ours else None


def encode_plan(plan: AtRestPlan) -> bytes:
    return encode_gzip(b"".join(encode_json_line(line) for line in _lines(plan)))


def decode_plan(target: Target, check: str, data: bytes) -> AtRestPlan:
    """Raises BadPack if it cannot be read, or is the plan of another check or target."""
    with decoding(f"the plan of the check {check}"):
        lines = map(decode_json, inflate_lines(data))
        head: Mapping[str, Any] = next(lines, {})
        check_format(f"the plan of the check {check}", head, FORMAT, VERSION)
        rows = list(lines)
        plan = AtRestPlan(
            Target(head["bucket"], head["root"]),
            str(head["check"]),
            decode_time(head["began"]),
            str(head["role_arn"]),
            float(head["dollars"]),
            date.fromisoformat(head["first_date"]),
            date.fromisoformat(head["last_date"]),
            tuple(_parse_task(row) for row in rows if "verdict" not in row),
            tuple(parse_pack(row) for row in rows if "verdict" in row),
            int(head["skipped"]),
        )
    if (plan.target, plan.check) != (target, check):
        raise BadPack(f"{plan.check}: the plan of another check is in the folder of {check}")
    packs = f"{target.root}packs/"
    if not all(task.key.startswith(packs) for task in plan.tasks):
        raise BadPack(f"{plan.check}: its plan names a key that is not a pack")
    if any(pack.verdict is Verdict.GOOD for pack in plan.judged):
        raise BadPack(f"{plan.check}: its plan calls a pack good although S3 has not hashed it")
    return plan


def _lines(plan: AtRestPlan) -> Iterator[dict[str, Any]]:
    yield {
        "format": FORMAT,
        "version": VERSION,
        "check": plan.check,
        "bucket": plan.target.bucket,
        "root": plan.target.root,
        "began": encode_time(plan.began),
        "role_arn": plan.role_arn,
        "dollars": plan.dollars,
        "first_date": plan.first.isoformat(),
        "last_date": plan.last.isoformat(),
        "skipped": plan.skipped,
    }
    for task in plan.tasks:
        yield {
            "key": task.key,
            "version_id": task.version_id,
            "etag": task.etag,
            "size_bytes": task.size_bytes,
            "algorithm": task.algorithm.value,
        }
    yield from map(describe_pack, plan.judged)


def _parse_task(row: dict[str, Any]) -> HashTask:
    return HashTask(
        row["key"],
        row["version_id"],
        str(row["etag"]),
        int(row["size_bytes"]),
        Algorithm(row["algorithm"]),
    )
