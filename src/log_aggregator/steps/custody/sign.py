"""Signs the newest record of a chain, at the end of a run or on request.

If that fails, nothing is undone: the record exists, and a later signature covers it too.
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
    "Everything is packed, and its custody record is written. The next run's signature covers this "
    "record too; `log-aggregator custody sign` signs it now."
)
STAMP_ADVICE = (
    "The record is signed, but not stamped; a later record's time stamp covers it too. Check "
    "time_stamp_url, and whether the network allows it."
)


def sign_after_run(job: Job, result: RunResult, connect: Callable[[], Signing | None]) -> None:
    """Signs the newest of the run's records in each target. An error becomes a failure of the run.
    `connect` returns None if nothing is to be signed.
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
        result.is_stopped = True  # the report of what was done is still written
    except LogAggregatorError as error:
        result.failures.append(Failure.of("signature of the custody record", error, ADVICE))
    except Exception as error:  # noqa: BLE001 - the run is done, and must have a report
        unexpected = Unexpected(name_place(error))
        result.failures.append(Failure.of("signature of the custody record", unexpected, ADVICE))


def sign_record(
    job: Job, written: WrittenRecord, signing: Signing
) -> tuple[WrittenSignature, list[Failure]]:
    """Signs a record, unless it is already signed. If stamping fails, the signature is stored
    without a time stamp, which is among the failures. Raises RequestFailed, VerificationError.
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
    except PreconditionFailed:  # another run signed it; or our own first answer was lost
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
    """The newest record of each target."""
    newest: dict[Target, WrittenRecord] = {}
    for written in records:
        target = target_of(written)
        if target not in newest or newest[target].sequence < written.sequence:
            newest[target] = written
    return list(newest.values())


def _make_signature(job: Job, target: Target, written: WrittenRecord, signer: Signer) -> Signature:
    """A signature, checked before it is stored, because it cannot be replaced. Raises
    RequestFailed, VerificationError.
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
    """The stored signature, or None. Raises VerificationError if it does not match this record, and
    BadPack if it cannot be decoded.
    """
    try:
        found = decode_signature(job.store.get_object(place.bucket, place.key).data)
    except NotFound:
        return None
    flaw = find_flaw(found, target, written.sequence)
    if flaw is None and found.statement.sha256 != written.sha256:
        flaw = f"it signs the hash {found.statement.sha256}, but the record has {written.sha256}"
    if flaw is not None:
        raise VerificationError(f"s3://{place.bucket}/{place.key}: {flaw}")
    return replace(
        place, signed_by=found.key, is_stamped=found.time_stamp is not None, is_new=False
    )
