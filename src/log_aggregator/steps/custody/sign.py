"""Signs the newest record of a chain: at the end of a run, or whenever somebody asks for it.

Nothing is undone where that fails: the record is there all the same, and a later signature vouches
for it too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from log_aggregator.core.checksums import crc64nvme
from log_aggregator.core.custody import WrittenRecord, record_key
from log_aggregator.core.signatures import (
    Signature,
    Statement,
    WrittenSignature,
    decode_signature,
    encode_signature,
    find_flaw,
    signature_key,
)
from log_aggregator.errors import (
    Failure,
    Interrupted,
    LogAggregatorError,
    NotFound,
    PreconditionFailed,
    RequestFailed,
    Unexpected,
    VerificationError,
    name_place,
)
from log_aggregator.model import Target
from log_aggregator.ports.signing import Signer, Signing
from log_aggregator.ports.store import WriteOptions
from log_aggregator.steps.job import Job
from log_aggregator.steps.packing.results import RunResult

ADVICE = (
    "All is packed as ever, and its custody record is written. The next run signs again, and with "
    "that vouches for this record too; `log-aggregator custody sign` does it at once."
)
STAMP_ADVICE = (
    "The record is signed all the same; a later record's time stamp vouches for it too. Look at "
    "time_stamp_url and the network."
)


def sign_after_run(job: Job, result: RunResult, connect: Callable[[], Signing | None]) -> None:
    """The newest of the run's records in each target. What cannot be signed is a failure of the
    run. `connect` gives None where nothing is to be signed.
    """
    if not result.custody or result.is_stopped:
        return
    try:
        signing = connect()
        if signing is None:
            return
        for written in _newest(result.custody):
            signed, failures = sign_record(job, written, signing)
            result.signatures.append(signed)
            result.failures += failures
    except (KeyboardInterrupt, Interrupted):
        result.is_stopped = True  # with the report of all that was done
    except LogAggregatorError as error:
        result.failures.append(Failure.of("signature of the custody record", error, ADVICE))
    except Exception as error:  # noqa: BLE001 - whatever it is, the run is done and has a report
        unexpected = Unexpected(name_place(error))
        result.failures.append(Failure.of("signature of the custody record", unexpected, ADVICE))


def sign_record(
    job: Job, written: WrittenRecord, signing: Signing
) -> tuple[WrittenSignature, list[Failure]]:
    """Signs a record, unless it is signed. Without its time stamp the signature is stored all the
    same: that is among the failures. Raises RequestFailed, VerificationError.
    """
    target = target_of(written)
    place = WrittenSignature(
        written.bucket,
        signature_key(target, written.sequence),
        written.sequence,
        signing.signer.name,
        is_stamped=False,
    )
    known = _read_signature(job, target, written, place)
    if known is not None:
        return known, []
    signature = _make_signature(job, target, written, signing.signer)
    failures: list[Failure] = []
    if signing.stamper is not None:
        try:
            stamp = signing.stamper.stamp(signature.signature)
            signature = replace(signature, time_stamp=stamp)
        except RequestFailed as error:
            where = f"time stamp of s3://{place.bucket}/{place.key}"
            failures.append(Failure.of(where, error, STAMP_ADVICE))
    try:
        _store(job, place, encode_signature(signature))
    except PreconditionFailed:  # another run, or this call's own request whose answer was lost
        other = _read_signature(job, target, written, place)
        if other is None:
            raise
        return other, failures
    return replace(place, is_stamped=signature.time_stamp is not None), failures


def target_of(written: WrittenRecord) -> Target:
    """The target that a record is in."""
    return Target(
        written.bucket,
        written.key.removesuffix(record_key(Target(written.bucket), written.sequence)),
    )


def _newest(records: Iterable[WrittenRecord]) -> list[WrittenRecord]:
    """Of each target."""
    newest: dict[Target, WrittenRecord] = {}
    for written in records:
        target = target_of(written)
        if target not in newest or newest[target].sequence < written.sequence:
            newest[target] = written
    return list(newest.values())


def _make_signature(job: Job, target: Target, written: WrittenRecord, signer: Signer) -> Signature:
    """Checked before it is stored, since it is stored once. Raises RequestFailed,
    VerificationError.
    """
    statement = Statement(
        target.bucket,
        written.key,
        written.sequence,
        written.sha256,
        job.clock.now().replace(microsecond=0),
    )
    signature = Signature(
        statement, signer.name, signer.public_key, signer.sign(statement.encode())
    )
    flaw = find_flaw(signature, target, written.sequence)
    if flaw is not None:
        raise VerificationError(f"the signature by {signer.name} was not stored: {flaw}")
    return signature


def _store(job: Job, place: WrittenSignature, data: bytes) -> None:
    options: WriteOptions = job.rules.group.combine.index
    job.store.put_object(
        place.bucket,
        place.key,
        data,
        crc64nvme=crc64nvme(data),
        options=replace(options, content_type="application/json"),
    )


def _read_signature(
    job: Job, target: Target, written: WrittenRecord, place: WrittenSignature
) -> WrittenSignature | None:
    """The one that is there. None where there is none. Raises VerificationError where it is not one
    of this record, and BadPack where it is none at all.
    """
    try:
        found = decode_signature(job.store.get_object(place.bucket, place.key).data)
    except NotFound:
        return None
    flaw = find_flaw(found, target, written.sequence)
    if flaw is None and found.statement.sha256 != written.sha256:
        flaw = f"it names the hash {found.statement.sha256}, and the record has {written.sha256}"
    if flaw is not None:
        raise VerificationError(f"s3://{place.bucket}/{place.key}: {flaw}")
    return replace(
        place, signed_by=found.key, is_stamped=found.time_stamp is not None, is_new=False
    )
