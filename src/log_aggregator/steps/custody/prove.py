"""Establishes up to which record a chain is proven, and by whom: checks the signatures stored with
it, and compares them with its records.

Anyone who can write to the bucket can add signatures by their own keys, so only keys that the user
names count. A signature of a missing record shows that the chain was truncated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from log_aggregator.core.signatures import (
    SIGNATURE_BYTES_MAX,
    Proof,
    Proven,
    Signature,
    Stamp,
    decode_signature,
    find_flaw,
    name_key,
    parse_signature_key,
    signature_key,
    signatures_prefix,
)
from log_aggregator.errors import BadPack, NotFound
from log_aggregator.model import LogObject, Target
from log_aggregator.ports.signing import StampReader
from log_aggregator.steps.custody.once import Finding, list_written_once
from log_aggregator.steps.custody.walk import StoredRecord, Walked, WalkRules, walk_chain
from log_aggregator.steps.job import Job

CLOCKS_MAX = timedelta(hours=24)
"""A signature is stamped as soon as it is made. Its time and the stamp's may differ by this much,
for clocks that are wrong."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose signatures and time stamps count."""

    keys: Mapping[bytes, str] = field(default_factory=dict)
    """Public keys and their names. If empty, signatures are checked, but prove only that they match
    the records.
    """
    stamps: StampReader | None = None


def prove_chain(job: Job, target: Target, rules: WalkRules, trust: Trust) -> Walked:
    """Walks a chain and checks the signatures of all records; problems become findings of the walk.
    Raises StoreError if S3 cannot be reached.

    Signatures are listed before records: a run under way writes a record before it signs it.
    """
    findings: list[Finding] = []
    proofs: dict[int, Proof] = {}
    proven = Proven()
    for sequence, read in _read_signatures(job, target, trust, findings):
        proven.signatures += 1
        if isinstance(read, Finding):
            findings.append(read)
        else:
            proofs[sequence] = read
    comparing = _Comparing(target, proofs, proven, findings)
    walked = walk_chain(job, target, rules, comparing.take)
    findings += comparing.find_missing(rules)
    if walked.records:
        findings += _find_unproven(target, proofs, trust)
    walked.findings += findings
    walked.proven = proven
    return walked


@dataclass(slots=True)
class _Comparing:
    """Compares records with their signatures, the newest first."""

    target: Target
    proofs: Mapping[int, Proof]
    proven: Proven
    findings: list[Finding]
    _seen: set[int] = field(default_factory=set)

    def take(self, found: StoredRecord) -> None:
        proven, proof = self.proven, self.proofs.get(found.sequence)
        proven.oldest = found.sequence
        self._seen.add(found.sequence)
        if proof is not None and found.sha256 is not None and proof.sha256 != found.sha256:
            what = f"its SHA-256 is {found.sha256}, but {proof.sha256} was signed at"
            self.findings.append(Finding(found.key, f"{what} {proof.signed_at:%Y-%m-%dT%H:%M:%SZ}"))
        elif proof is not None and found.record is not None and found.sha256 is not None:
            settled = replace(proof, ended=found.record.ended)
            proven.newest = proven.newest or settled
            if settled.stamp is not None:
                proven.stamped = proven.stamped or settled
        if proven.newest is None and found.record is not None:
            proven.after += 1

    def find_missing(self, rules: WalkRules) -> Iterator[Finding]:
        """Signed records that are missing."""
        begin = rules.oldest
        if rules.last is not None and self.proven.oldest is not None:
            begin = max(begin, self.proven.oldest)
        for sequence in sorted(self.proofs):
            if sequence >= begin and sequence not in self._seen:
                signed_at = self.proofs[sequence].signed_at
                yield Finding(
                    signature_key(self.target, sequence),
                    f"it signs record {sequence}, which is missing: the record existed at "
                    f"{signed_at:%Y-%m-%dT%H:%M:%SZ} and was removed since",
                )


def _find_unproven(target: Target, proofs: Mapping[int, Proof], trust: Trust) -> Iterator[Finding]:
    """Findings if the user named keys or authorities, but nothing is signed or stamped by them."""
    where = signatures_prefix(target)
    if trust.keys and not proofs:
        yield Finding(where, "no signature is by a key that was named")
    elif trust.stamps is not None and not any(proof.stamp for proof in proofs.values()):
        yield Finding(where, "no time stamp is by an authority that was named")


def _read_signatures(
    job: Job, target: Target, trust: Trust, findings: list[Finding]
) -> Iterator[tuple[int, Proof | Finding]]:
    """Each signature's proof, or what is wrong with it."""

    def parse(key: str) -> int | None:
        return parse_signature_key(target, key)

    listed: dict[int, LogObject] = list_written_once(
        job.store,
        target.bucket,
        signatures_prefix(target),
        parse,
        "it is not a signature of a custody record",
        findings,
    )

    def read(sequence: int) -> tuple[int, Proof | Finding]:
        key = signature_key(target, sequence)
        if listed[sequence].size_bytes > SIGNATURE_BYTES_MAX:
            return sequence, Finding(key, "it is larger than any signature")
        try:
            signature = decode_signature(job.store.get_object(target.bucket, key).data)
        except NotFound:
            return sequence, Finding(key, "it was deleted during the check")
        except BadPack as error:
            return sequence, Finding(key, str(error))
        proof = check_signature(signature, target, sequence, trust)
        return sequence, Finding(key, proof) if isinstance(proof, str) else proof

    yield from job.workers.read_ahead(
        read, sorted(listed), lambda sequence: listed[sequence].size_bytes
    )


def check_signature(
    signature: Signature, target: Target, sequence: int, trust: Trust
) -> Proof | str:
    """What a signature proves about the record with the hash that it names; or, as text, what is
    wrong with it.
    """
    flaw = find_flaw(signature, target, sequence)
    if flaw is not None:
        return flaw
    statement, name = signature.statement, name_key(signature.public_key)
    if trust.keys and signature.public_key not in trust.keys:
        return f"it is by a key that was not named: {name}"
    stamp: Stamp | None = None
    if trust.stamps is not None and signature.time_stamp is not None:
        try:
            stamp = trust.stamps.read(signature.time_stamp, signature.signature)
        except ValueError as error:
            return f"its time stamp is not valid: {error}"
        if abs(stamp.moment - statement.signed_at) > CLOCKS_MAX:
            return (
                f"it claims to be signed at {statement.signed_at:%Y-%m-%dT%H:%M:%SZ}, but was "
                f"stamped at {stamp.moment:%Y-%m-%dT%H:%M:%SZ}"
            )
    return Proof(
        sequence,
        statement.sha256,
        statement.signed_at,
        trust.keys.get(signature.public_key, name),
        bool(trust.keys),
        signature.time_stamp is not None,
        stamp,
    )
