"""Reports to be drawn: with everything that may be in one, and with hostile text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from log_aggregator.core.custody import RecordKind
from log_aggregator.core.evidence.at_rest import Algorithm, AtRestCheck, PackAtRest, Verdict
from log_aggregator.core.evidence.calendar import (
    By,
    Calendar,
    DayState,
    Gap,
    GapKind,
    Row,
    RowName,
)
from log_aggregator.core.evidence.drills import Drill, RecoveryTime
from log_aggregator.core.signatures import Proof, Proven, Stamp
from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import Failure
from log_aggregator.model import Target
from log_aggregator.ports.account import (
    BucketEncryption,
    BucketVersioning,
    LifecycleRule,
    ObjectLock,
    PublicAccessBlock,
    Transition,
)
from log_aggregator.steps.custody.once import Finding
from log_aggregator.steps.custody.totals import PackedTotal, PackedTotals
from log_aggregator.steps.custody.walk import Walked
from log_aggregator.steps.evidence.report import Answer, Place, Protection, RecordRow, Report

FIRST = date(2025, 1, 1)
MADE = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
SHA256 = "5f" * 32
YEAR = [DayState.ARCHIVED] * 275 + [DayState.PACKED] * 60 + [DayState.BOTH] * 29 + [5]


def make_calendar(
    rows: Sequence[tuple[RowName, bytes]], gaps: Sequence[Gap] = (), failures: Sequence[str] = ()
) -> Calendar:
    days = len(rows[0][1]) if rows else 1
    return Calendar(
        FIRST,
        FIRST + timedelta(days=days - 1),
        By.ACCOUNT,
        tuple(Row(*row) for row in sorted(rows)),
        tuple(gaps),
        tuple(Failure(where, "StoreError", "it cannot be read", "Look.") for where in failures),
    )


def make_year(accounts: int, log_types: Sequence[str] = ("CloudTrail",)) -> Calendar:
    """Each account has a hole of three days and a day with missing files."""
    rows, gaps = [], []
    for log_type in log_types:
        for number in range(accounts):
            name = RowName(log_type, f"{100_000_000_000 + number}")
            states = bytearray(YEAR)
            day = number * 7 % 340
            states[day] = DayState.MISSING
            states[day + 9 : day + 12] = bytes([DayState.HOLE] * 3)
            states[number % 11] = DayState.UNKNOWN
            rows.append((name, bytes(states)))
            gaps.append(Gap(GapKind.MISSING, name, FIRST + timedelta(days=day), 12, 3))
            gaps += (
                Gap(GapKind.HOLE, name, FIRST + timedelta(days=day + more)) for more in (9, 10, 11)
            )
    return make_calendar(rows, gaps)


def make_drill(*, members: int = 299, bad: int = 0) -> Drill:
    return Drill(
        seed=7,
        confidence=0.95,
        population=1_000_000,
        is_counted=True,
        population_packs=4_000,
        members=members,
        bad=bad,
        packs=280,
        packs_frozen=200,
        packs_bad=0,
        digests_valid=4,
        digests_invalid=0,
        digests_unvouched=0,
        warm=RecoveryTime(99, 0.4, 1.25),
        frozen=None,
        dollars=0.42,
        sample_key="drills/x.jsonl.gz",
        sample_sha256=SHA256,
    )


def make_check(verdict: Verdict = Verdict.GOOD, key: str = "packs/a") -> AtRestCheck:
    reason = "" if verdict is Verdict.GOOD else "its SHA-256 is another"
    pack = PackAtRest(key, 5_000, Algorithm.SHA256, verdict, reason, "")
    return AtRestCheck("2025-12-01", ("job",), 0.1, (pack,))


def make_record(sequence: int, **more: object) -> RecordRow:
    values = {
        "key": f"custody/0000000/{sequence:010d}.jsonl.gz",
        "sha256": SHA256,
        "kind": RecordKind.CLOSING,
        "run": f"run-{sequence}",
        "began": MADE - timedelta(days=9),
        "ended": MADE - timedelta(days=9),
        "days": (FIRST, FIRST),
        "packs": 3,
        "objects": 1_000,
        "deleted": 990,
    }
    return RecordRow(sequence, **(values | more))  # type: ignore[arg-type]


def make_protection() -> Protection:
    rules = (
        LifecycleRule("freeze", "packs/", transitions=(Transition("DEEP_ARCHIVE", 30),)),
        LifecycleRule("end", "packs/", expiration_days=2_555),
    )
    return Protection(
        Answer(ObjectLock(is_enabled=True, mode="COMPLIANCE", retention_days=365)),
        Answer(rules),
        Answer(BucketVersioning("Enabled")),
        Answer(BucketEncryption("aws:kms", "arn:aws:kms:eu-west-1:111122223333:key/k")),
        Answer(PublicAccessBlock(True, True, True, True)),
    )


def make_proven(key: str = "ours", *, is_trusted: bool = True) -> Proven:
    """The newest record is signed, and the signature time-stamped."""
    stamp = Stamp(MADE - timedelta(days=8), f"CN={key}")
    proof = Proof(3, SHA256, MADE - timedelta(days=8), key, is_trusted, True, stamp, MADE)
    return Proven(1, proof, proof, 0, 0)


def make_place(
    records: Sequence[RecordRow] | None = None,
    protection: Protection | None = None,
    findings: Sequence[Finding] = (),
    proven: Proven | None = None,
) -> Place:
    if records is None:
        records = [
            make_record(3, drill=make_drill(), kind=RecordKind.DRILL),
            make_record(2, at_rest=make_check(), kind=RecordKind.AT_REST),
            *(make_record(number) for number in (1, 0)),
        ]
    target = Target("example-packs")
    newest = (records[0].sequence, SHA256) if records else None
    walked = Walked(target, len(records), newest, 12, findings=list(findings))
    walked.proven = proven or make_proven()
    return Place(target, walked, tuple(records), 0, protection or make_protection())


def make_report(calendar: Calendar | None = None, *places: Place) -> Report:
    """Everything is in order unless a test changes it."""
    totals = PackedTotals(records=4)
    totals.total = PackedTotal(12, 4_000, 9_000_000, 8_000_000, 3_990)
    totals.pack_sizes.add(8_000_000)
    window = DateWindow(FIRST, calendar.last if calendar else FIRST)
    return Report(MADE, "log-aggregator 9", window, places or (make_place(),), totals, calendar)
