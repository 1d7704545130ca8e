"""`iam-policy`: the documents, and notes on what they do not cover."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from log_aggregator.core.policies import count_characters
from log_aggregator.reports.numbers import format_count
from log_aggregator.steps.doctor.findings import Finding
from log_aggregator.steps.doctor.grants import Scope, Stage, is_key_arn

ATTACHED_MAX = 10
"""Managed policies of a role, unless the quota is raised
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html)."""


def describe_policies(
    documents: Sequence[Mapping[str, Any]],
    stages: Sequence[Stage],
    scope: Scope,
    kms_key_id: str | None,
    findings: Sequence[Finding] = (),
) -> dict[str, Any]:
    """The names are documented in docs/reference/json.md."""
    name = "-".join(["log-aggregator", *stages])
    numbers = [""] if len(documents) == 1 else [f"-{each + 1}" for each in range(len(documents))]
    policies = [
        {
            "name": f"{name}{number}",
            "characters": count_characters(document),
            "document": document,
        }
        for number, document in zip(numbers, documents, strict=True)
    ]
    notes = [f"{each.where}, {each.check}: {each.seen}. {each.advice}" for each in findings]
    notes += [*_note_keys(stages, scope, kms_key_id), *_note_stages(stages, scope)]
    if len(documents) > ATTACHED_MAX:
        notes.append(
            f"A role can have {ATTACHED_MAX} managed policies unless its quota is raised, and "
            f"these are {len(documents)}: name fewer buckets, or beginnings of names."
        )
    return {"stages": [*stages], "policies": policies, "files": [], "notes": notes}


def render_notes(described: Mapping[str, Any]) -> Iterator[str]:
    """For people; the policies themselves go to standard output."""
    for policy in described["policies"]:
        characters = format_count(policy["characters"], "character")
        yield f"{policy['name']}: {characters} of the 6,144 that a managed policy may have"
    yield from described["notes"]


def name_file(policy: str) -> str:
    return f"{policy}.json"


def _note_keys(stages: Sequence[Stage], scope: Scope, kms_key_id: str | None) -> Iterator[str]:
    reads_sources = {Stage.PACK, Stage.DELETE} & {*stages}
    if reads_sources and not scope.source_keys:
        yield (
            "Log objects that are encrypted with a KMS key of your own need "
            "--source-kms-key-arn; the key's policy must allow it too."
        )
    if kms_key_id is not None and not is_key_arn(kms_key_id) and not scope.target_keys:
        yield (
            f"kms_key_id = {kms_key_id!r} is not the ARN of a key, and IAM matches only ARNs: add "
            "--target-kms-key-arn."
        )
    elif not scope.target_keys:
        yield (
            "If the packs' bucket encrypts with a KMS key of your own, add --target-kms-key-arn."
        )


def _note_stages(stages: Sequence[Stage], scope: Scope) -> Iterator[str]:
    if Stage.DELETE in stages:
        known = scope.versioned | scope.unversioned
        if unknown := [name for name in scope.sources if name not in known]:
            yield (
                f"It is not known whether {', '.join(unknown)} ever had versioning: "
                "DeleteVersions is for buckets that have or had it, DeleteUnversioned for those "
                "that never had it. --look asks S3."
            )
        if Stage.PACK not in stages:
            yield "`run` packs late logs before it deletes; it needs --stage pack too."
    if {Stage.SURVEY, Stage.PACK} & {*stages}:
        yield "--inventory needs s3:GetObject and s3:ListBucket where the inventory is written."
    if {Stage.READ, Stage.DRILL} & {*stages}:
        yield "Thawing costs money: remove ThawPacks from the policy of users who must not thaw."
    if Stage.DRILL in stages:
        yield (
            "drill --planted also needs s3:GetBucketVersioning, s3:ListBucketVersions, and "
            "s3:PutObject, s3:GetObject, s3:DeleteObject and s3:DeleteObjectVersion where its "
            "copies go: under probes/, or in --scratch-bucket."
        )
    if Stage.READ in stages:
        yield (
            "put-back needs s3:PutObject, s3:GetObject, s3:ListBucket and s3:AbortMultipartUpload "
            "where it writes; reading other tools' aggregates needs s3:GetObject on them."
        )
    yield from _note_hashing(stages, scope)
    if scope.rules.destination_bucket is None and any(name.endswith("*") for name in scope.sources):
        yield (
            "In a policy, the * in a bucket's name also matches slashes. So a log object in a "
            "folder named like ours counts as a pack, and is not deleted."
        )


def _note_hashing(stages: Sequence[Stage], scope: Scope) -> Iterator[str]:
    if Stage.PROVE in stages and not scope.roles:
        yield "iam:PassRole is missing: name the role that S3 hashes packs with by --role-arn."
    if Stage.HASH in stages:
        yield (
            "hash is for a role that batchoperations.s3.amazonaws.com may assume; "
            "docs/how-to/check-packs.md shows its trust policy."
        )
