"""A run signs its newest record at its end, and a failure to sign undoes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

import pytest
from tests.support.custody import run_recorded, write_chain
from tests.support.signing import make_signer
from tests.support.world import WINDOW, World, document, job_over, make_world, trail_key

from log_aggregator.adapters.forwarding import Call
from log_aggregator.core.custody import WrittenRecord
from log_aggregator.core.signatures import (
    Signature,
    decode_signature,
    find_flaw,
)
from log_aggregator.errors import (
    AccessDenied,
    CannotStart,
    Interrupted,
    LogAggregatorError,
    NotInstalled,
    SettingsError,
    Unreachable,
    VerificationError,
)
from log_aggregator.model import Target
from log_aggregator.ports.signing import Signing
from log_aggregator.steps.backfill.recover import tell_of_killed_runs
from log_aggregator.steps.custody.sign import sign_after_run, sign_record, target_of
from log_aggregator.steps.packing.results import RunResult
from log_aggregator_lab.stores.faults import Fault, FaultyStore
from log_aggregator_lab.stores.memory import MemoryStore

DEST = Target("dest")
SIGNING = Signing(make_signer())


@dataclass
class Stamper:
    """Stamps by writing a prefix."""

    error: LogAggregatorError | None = None

    def stamp(self, data: bytes) -> bytes:
        if self.error is not None:
            raise self.error
        return b"stamp of " + data


@dataclass
class Liar:
    """Gives a signature other than the one that was asked for."""

    name: str = make_signer().name
    public_key: bytes = make_signer().public_key

    def sign(self, message: bytes) -> bytes:
        return make_signer().sign(message + b"x")


def make_chain(length: int = 3) -> tuple[MemoryStore, list[WrittenRecord]]:
    store = MemoryStore()
    store.create_bucket("dest")
    return store, write_chain(store, [f"run {number}" for number in range(length)])


def read(store: MemoryStore, key: str) -> Signature:
    return decode_signature(store.get_object("dest", key).data)


def make_packed(**settings: object) -> tuple[World, RunResult]:
    world = make_world(**settings)  # type: ignore[arg-type]
    world.put("logs", trail_key(1), document(1))
    return world, run_recorded(world, "run")


def test_a_record_is_signed_once() -> None:
    """The second call finds the signature, and does not sign again."""
    store, written = make_chain()
    signed, failures = sign_record(job_over(store), written[2], SIGNING)
    assert (signed.key, signed.sequence, signed.is_new, signed.is_stamped, failures) == (
        "signatures/0000000/0000000002.json",
        2,
        True,
        False,
        [],
    )
    found = read(store, signed.key)
    assert find_flaw(found, DEST, 2) is None
    assert found.statement.sha256 == written[2].sha256
    again, failures = sign_record(job_over(store), written[2], Signing(Liar()))
    assert (again, failures) == (replace(signed, is_new=False), [])


def test_the_time_stamp_covers_the_signature() -> None:
    store, written = make_chain(1)
    signed, _ = sign_record(job_over(store), written[0], Signing(make_signer(), Stamper()))
    found = read(store, signed.key)
    assert signed.is_stamped
    assert found.time_stamp == b"stamp of " + found.signature


def test_a_record_without_a_stamp_is_still_signed() -> None:
    """The missing stamp is reported."""
    store, written = make_chain(1)
    stamper = Stamper(Unreachable("no answer"))
    signed, failures = sign_record(job_over(store), written[0], Signing(make_signer(), stamper))
    assert not signed.is_stamped
    assert [(each.error, each.message) for each in failures] == [("Unreachable", "no answer")]
    assert find_flaw(read(store, signed.key), DEST, 0) is None


def test_a_signature_by_the_wrong_key_is_not_stored() -> None:
    """A signature is stored once, so a wrong one could never be corrected."""
    store, written = make_chain(1)
    with pytest.raises(VerificationError, match="was not stored"):
        sign_record(job_over(store), written[0], Signing(Liar()))
    assert not store.list_objects("dest", prefix="signatures/").objects


@pytest.mark.parametrize("kind", ["other-record", "no-signature"])
def test_an_existing_object_is_not_replaced(kind: str) -> None:
    """The foreign object stays, and the record counts as not signed."""
    store, written = make_chain(2)
    key = "signatures/0000000/0000000001.json"
    wrong = replace(written[1], sha256="ab" * 32)
    elsewhere, _ = make_chain(2)
    sign_record(job_over(elsewhere), wrong, SIGNING)
    data = elsewhere.get_object("dest", key).data if kind == "other-record" else b"{}"
    store.put("dest", key, data)
    with pytest.raises(LogAggregatorError, match="signature"):
        sign_record(job_over(store), written[1], SIGNING)
    assert store.get_object("dest", key).data == data


@pytest.mark.parametrize("who", ["another-run", "this-call"])
def test_the_first_of_two_signatures_is_kept(who: str) -> None:
    """Two runs sign one record at the same time, or the answer was lost and the request sent again:
    the first signature counts.
    """
    store, written = make_chain(1)
    other = make_signer(1 if who == "another-run" else 0)

    def meanwhile(_: int, call: Call) -> Fault | None:
        if call.operation == "PutObject":
            sign_record(job_over(store), written[0], Signing(other))
        return None

    signed, failures = sign_record(job_over(FaultyStore(store, meanwhile)), written[0], SIGNING)
    assert (signed.signed_by, signed.is_new, failures) == (other.name, False, [])


@pytest.mark.parametrize("settings", [{}, {"destination_bucket": ""}], ids=["common", "in-place"])
def test_a_run_signs_its_newest_record(settings: dict[str, object]) -> None:
    """The signature goes to the record's target."""
    world, result = make_packed(**settings)
    sign_after_run(world.job(), result, lambda: SIGNING)
    (newest,) = result.custody
    (signed,) = result.signatures
    target = target_of(newest)
    assert target == (Target("logs", "aggregated/") if settings else DEST)
    assert (signed.bucket, signed.sequence) == (target.bucket, newest.sequence)
    assert signed.key.startswith(f"{target.root}signatures/")
    found = decode_signature(world.store.get_object(signed.bucket, signed.key).data)
    assert find_flaw(found, target, newest.sequence) is None
    assert result.failures == []


def test_of_many_records_the_newest_is_signed() -> None:
    """A long run writes a record for each window, and each names the one before it."""
    store, written = make_chain(4)
    result = RunResult(date(2025, 4, 2), date(2025, 4, 4), custody=[written[3], *written[:3]])
    sign_after_run(job_over(store), result, lambda: SIGNING)
    assert [each.sequence for each in result.signatures] == [3]


def raising(error: BaseException) -> Callable[[], Signing]:
    def connect() -> Signing:
        raise error

    return connect


ERRORS = (
    SettingsError("no such file"),
    NotInstalled("cryptography"),
    CannotStart("no credentials"),
    AccessDenied("kms:Sign"),
    KeyError("not foreseen"),
)


@pytest.mark.parametrize("error", ERRORS, ids=[type(each).__name__ for each in ERRORS])
def test_a_failed_signature_fails_the_run_and_undoes_nothing(error: Exception) -> None:
    """The record, packs and originals stay as they were, and the failure says what to do."""
    world, result = make_packed()
    before = sorted(entry.key for entry in world.store.list_objects("dest", prefix="").objects)
    sign_after_run(world.job(), result, raising(error))
    (failure,) = result.failures
    assert "custody sign" in failure.advice
    after = sorted(entry.key for entry in world.store.list_objects("dest", prefix="").objects)
    assert (after, result.signatures) == (before, [])


def test_a_stop_while_signing_leaves_the_report() -> None:
    world, result = make_packed()
    sign_after_run(world.job(), result, raising(Interrupted("stopped")))
    assert (result.is_stopped, result.failures) == (True, [])


def test_the_end_of_a_backfill_is_signed() -> None:
    world, _ = make_packed()
    seen: list[RunResult] = []
    tell_of_killed_runs(world.job(), WINDOW, "end", lambda _: None, seen.append)
    assert [(each.first, each.last) for each in seen] == [(WINDOW.first, WINDOW.last)]


def test_nothing_to_sign_asks_no_key() -> None:
    """Without a record, after a stopped run, or without a key, nothing is signed."""
    world, result = make_packed()
    empty = RunResult(result.first, result.last)
    sign_after_run(world.job(), empty, raising(AssertionError()))
    sign_after_run(world.job(), replace_stopped(result), raising(AssertionError()))
    sign_after_run(world.job(), result, lambda: None)
    assert (empty.failures, result.failures, result.signatures) == ([], [], [])


def replace_stopped(result: RunResult) -> RunResult:
    return replace(result, is_stopped=True)


def test_the_signing_time_has_whole_seconds() -> None:
    store, written = make_chain(1)
    signed, _ = sign_record(job_over(store), written[0], SIGNING)
    moment = read(store, signed.key).statement.signed_at
    assert moment == moment.replace(microsecond=0) > datetime(2020, 1, 1, tzinfo=UTC)
