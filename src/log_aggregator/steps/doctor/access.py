"""What a run must be allowed to do with each bucket, and that no one may delete packs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from log_aggregator.model import Target
from log_aggregator.steps.doctor.buckets import KnownBucket, locate
from log_aggregator.steps.doctor.findings import Notebook
from log_aggregator.steps.doctor.permissions import (
    ABORT,
    ANY_LOG,
    ANY_OBJECT,
    DELETE_ANY,
    DELETE_UNVERSIONED,
    DELETE_VERSIONS,
    DOCUMENTS,
    FIND_BUCKETS,
    LIST_SOURCE,
    LIST_TARGET,
    READ_SOURCE,
    READ_TARGET,
    SIGN,
    WRITE_AGAIN,
    WRITE_ONCE,
    WRITTEN_AGAIN,
    WRITTEN_ONCE,
    Simulation,
    Verdict,
    write_verdict,
)

PROTECTED_BY_4_0 = re.compile(r"aws-controltower-(logs|cloudtrail|config|access-logs)-.*")
"""On these buckets the controls CT.S3.PV.7 and CT.S3.PV.8 of landing zone 4.0 deny every role but
Control Tower's own all actions except a list of allowed ones. s3:AbortMultipartUpload is not on
that list (https://docs.aws.amazon.com/controltower/latest/controlreference/mandatory-controls.html).
"""

PACK_POLICY = f"`log-aggregator iam-policy --stage pack` prints the policy; see {DOCUMENTS}."
DELETE_POLICY = f"`log-aggregator iam-policy --stage delete` prints the policy; see {DOCUMENTS}."


def examine_source_access(
    notebook: Notebook, simulation: Simulation, known: KnownBucket, keep_originals_days: int
) -> None:
    """May a run list, read and delete here?"""
    bucket = known.bucket
    log = simulation.object_arn(bucket, ANY_LOG)
    verdicts = [
        simulation.examine(LIST_SOURCE, simulation.bucket_arn(bucket)),
        simulation.examine(READ_SOURCE, log),
    ]
    write_verdict(
        notebook, known.where, "read", "listing and reading sources", verdicts, advice=PACK_POLICY
    )
    status = known.versioning.status if known.versioning is not None else "Enabled"
    needed = {"Enabled": DELETE_VERSIONS, None: DELETE_UNVERSIONED}.get(status, DELETE_ANY)
    advice = (
        f"{DELETE_POLICY} Without it packs are still written, and every original is reported as "
        "retained."
    )
    verdict = simulation.examine(needed, log)
    write_verdict(
        notebook,
        known.where,
        "delete",
        "deleting originals",
        [verdict],
        advice=advice,
        is_fatal=not keep_originals_days,
    )


def examine_target_access(
    notebook: Notebook, simulation: Simulation, target: Target, *, is_in_place: bool
) -> None:
    """May a run write here, and is it denied deleting packs? In place, a refused
    AbortMultipartUpload rules the bucket out.
    """
    where = locate(target.bucket)
    pack, index = (_any_in(simulation, target, folder) for folder in ("packs/", "indexes/"))
    abort = simulation.examine(ABORT, pack)
    verdicts = [
        simulation.examine(
            LIST_TARGET, simulation.bucket_arn(target.bucket), {"s3:prefix": f"{target.root}packs/"}
        ),
        simulation.examine(WRITE_ONCE, pack, WRITTEN_ONCE),
        simulation.examine(WRITE_ONCE, index, WRITTEN_ONCE),
    ]
    write_verdict(
        notebook,
        where,
        "write",
        "writing and verifying packs",
        [*verdicts, *([] if is_in_place else [abort])],
        advice=PACK_POLICY,
    )
    if is_in_place:
        examine_in_place(notebook, target.bucket, abort)
    _examine_deletion_of_packs(notebook, simulation, where, pack)


@dataclass(frozen=True, slots=True)
class Records:
    """What else a run writes to a target, next to packs and indexes: the parts that depend on the
    settings and the sources.
    """

    public_keys: bool
    """There are main buckets, and with them CloudTrail's digests."""
    discards: bool
    """`other_regions = "delete"`."""
    probes: bool
    """Originals are deleted from a bucket that has no versions."""
    terms: bool = True
    """Unless `search = "off"`."""


def examine_records_access(
    notebook: Notebook, simulation: Simulation, target: Target, records: Records
) -> None:
    """May a run record what it does? Without its custody record it touches nothing."""

    def write(check: str, purpose: str, folder: str, advice: str = PACK_POLICY) -> None:
        arn = _any_in(simulation, target, folder)
        verdict = simulation.examine(WRITE_ONCE, arn, WRITTEN_ONCE)
        asked = f"{purpose}, {target.root}{folder}*"
        write_verdict(notebook, locate(target.bucket), check, asked, [verdict], advice=advice)

    write("custody", "writing custody records", "custody/")
    if records.public_keys:
        write("keep-keys", "keeping CloudTrail's public keys", "keys/")
    if records.discards:
        write("discards", "writing lists of what other_regions discards", "discards/")
    if records.terms:
        _examine_terms(notebook, simulation, target)
    if records.probes:
        _examine_probes(notebook, simulation, target)


def examine_signing_access(
    notebook: Notebook, simulation: Simulation, target: Target, key_arn: str | None
) -> None:
    """May a run sign its custody record? All other work is done by then, but the run would end as
    failed. Policies name keys and not aliases, so the use of an alias cannot be simulated.
    """
    advice = (
        "docs/how-to/iam-permissions.md has the statement. Without it everything is packed, but "
        "every run ends as failed."
    )
    signatures = _any_in(simulation, target, "signatures/")
    asked = [
        (
            "signatures",
            f"writing signatures of custody records, {target.root}signatures/*",
            simulation.examine(WRITE_ONCE, signatures, WRITTEN_ONCE),
        )
    ]
    if key_arn is not None and ":key/" in key_arn:
        purpose = f"signing custody records with {key_arn}"
        asked.append(("signing-key", purpose, simulation.examine(SIGN, key_arn)))
    for check, purpose, verdict in asked:
        where = locate(target.bucket)
        write_verdict(notebook, where, check, purpose, [verdict], advice=advice, is_fatal=False)


def _examine_terms(notebook: Notebook, simulation: Simulation, target: Target) -> None:
    """Packing does not depend on them."""
    terms, tables = (_any_in(simulation, target, folder) for folder in ("terms/", "tables/"))
    write_verdict(
        notebook,
        locate(target.bucket),
        "terms",
        f"writing the terms that events are searched by, {target.root}terms/*",
        [simulation.examine(WRITE_AGAIN, terms, WRITTEN_AGAIN)],
        advice=f"{PACK_POLICY} Without it packs are written but cannot be searched; if that is "
        'what you want, set search = "off".',
        is_fatal=False,
    )
    write_verdict(
        notebook,
        locate(target.bucket),
        "tables",
        f"merging terms into tables, {target.root}tables/*",
        [
            simulation.examine(READ_TARGET, terms),
            simulation.examine(WRITE_ONCE, tables, WRITTEN_ONCE),
        ],
        advice=f"{PACK_POLICY} Without it a search reads the terms of each pack, and refuses if "
        "there are too many.",
        is_fatal=False,
    )


def _examine_probes(notebook: Notebook, simulation: Simulation, target: Target) -> None:
    """Before any original is deleted, a run tries to delete a probe object on a condition that must
    fail.
    """
    arn = simulation.object_arn(target.bucket, target.probes_prefix + ANY_OBJECT)
    verdicts = [
        simulation.examine(WRITE_ONCE, arn, WRITTEN_ONCE),
        simulation.examine(DELETE_UNVERSIONED, arn),
    ]
    write_verdict(
        notebook,
        locate(target.bucket),
        "probes",
        f"testing whether S3 honours conditions, {target.probes_prefix}*",
        verdicts,
        advice=f"{DELETE_POLICY} Without it no original is deleted from an unversioned bucket.",
    )


def _any_in(simulation: Simulation, target: Target, folder: str) -> str:
    return simulation.object_arn(target.bucket, f"{target.root}{folder}{ANY_OBJECT}")


def examine_in_place(notebook: Notebook, bucket: str, abort: Verdict | None) -> None:
    """Packs may lie in the source bucket itself only if incomplete uploads can be removed there."""
    where = locate(bucket)
    advice = (
        "Set destination_bucket to a bucket of your own whose name does not begin with "
        "aws-controltower."
    )
    if PROTECTED_BY_4_0.fullmatch(bucket):
        seen = (
            "packs cannot lie in this bucket itself: landing zone 4.0 (controls CT.S3.PV.7, "
            "CT.S3.PV.8) denies s3:AbortMultipartUpload here to everyone, so incomplete uploads "
            "could never be removed"
        )
        notebook.problem(where, "in-place", seen, advice)
    elif abort is not None and abort.denied:
        seen = (
            "packs cannot lie in this bucket itself: s3:AbortMultipartUpload is denied "
            f"({abort.denied[ABORT[0]]})"
        )
        notebook.problem(where, "in-place", seen, f"{advice} Or grant s3:AbortMultipartUpload.")
    elif abort is not None and not abort.unsure:
        notebook.ok(
            where, "in-place", "packs can lie in this bucket itself: uploads can be aborted"
        )


def examine_own_name(notebook: Notebook, target: Target, sources: Sequence[str]) -> None:
    """A destination is a separate bucket, and not one of Control Tower's."""
    where = locate(target.bucket)
    if target.bucket in sources:
        seen = "the destination is also a bucket that logs are taken from"
        notebook.problem(
            where,
            "destination",
            seen,
            "Set destination_bucket to a bucket that is used for nothing else.",
        )
    if target.bucket.startswith("aws-controltower"):
        seen = (
            "the destination's name is one that Control Tower's controls protect: they deny "
            "changes of lifecycle rules and policy, and s3:AbortMultipartUpload"
        )
        notebook.problem(
            where,
            "destination",
            seen,
            "Set destination_bucket to a bucket whose name does not begin with aws-controltower.",
        )


def examine_finding_buckets(notebook: Notebook, simulation: Simulation) -> None:
    """Names that end in * are looked up in the list of all buckets."""
    verdict = simulation.examine(FIND_BUCKETS, "*")
    advice = f"Or name every bucket in full in other_buckets. {PACK_POLICY}"
    write_verdict(
        notebook,
        "account",
        "find-buckets",
        "finding buckets by their beginning",
        [verdict],
        advice=advice,
    )


def _examine_deletion_of_packs(
    notebook: Notebook, simulation: Simulation, where: str, pack_arn: str
) -> None:
    verdict = simulation.examine(DELETE_ANY, pack_arn)
    if verdict is None:
        return
    if verdict.allowed:
        seen = (
            f"packs could be deleted: {', '.join(verdict.allowed)} is allowed to "
            f"{', '.join(simulation.principals)}"
        )
        advice = (
            f"Deny both delete actions on {pack_arn.rpartition('/')[0]}/* to these principals; "
            f"see {DOCUMENTS}."
        )
        notebook.warn(where, "packs-kept", seen, advice)
    elif not verdict.unsure:
        notebook.ok(where, "packs-kept", "the program has no permission to delete packs")
