"""Checks of any bucket: that it exists, its owner, versioning, Object Lock. Sources and targets are
judged differently.
"""

from __future__ import annotations

from dataclasses import dataclass

from log_aggregator.errors import (
    AccessDenied,
    CannotStart,
    NoSuchBucket,
    NotAuthenticated,
    RequestFailed,
    Unreachable,
    WrongSignature,
)
from log_aggregator.ports.account import AccountInspector, BucketVersioning, Caller, ObjectLock
from log_aggregator.steps.doctor.findings import Notebook, advise


@dataclass(frozen=True, slots=True)
class KnownBucket:
    """A bucket that exists. `versioning` is None if it could not be checked."""

    bucket: str
    versioning: BucketVersioning | None = None

    @property
    def where(self) -> str:
        return locate(self.bucket)

    @property
    def never_had_versions(self) -> bool:
        return self.versioning is not None and self.versioning.status is None


def locate(bucket: str) -> str:
    return f"s3://{bucket}"


def examine_existence(
    inspector: AccountInspector, notebook: Notebook, caller: Caller | None, bucket: str
) -> bool:
    """Does the bucket exist, in the client's Region, and belong to the expected account? HeadBucket
    tells the Region even to callers without permission
    (https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html).

    False if there is nothing more to ask of this bucket.
    """
    where = locate(bucket)
    try:
        region = inspector.head_bucket(bucket)
    except NoSuchBucket:
        notebook.problem(
            where,
            "exists",
            "there is no bucket of this name",
            "Correct the name in the settings, or create the bucket.",
        )
        return False
    except AccessDenied as error:
        _check_credentials(inspector, bucket)
        advice = (
            "Grant s3:ListBucket on it. If it belongs to another account, its bucket policy must "
            "allow it too."
        )
        notebook.problem(
            where, "exists", f"the bucket exists, but access to it is denied: {error}", advice
        )
        return False
    except RequestFailed as error:
        if isinstance(error, Unreachable) and not notebook.findings_of("exists"):
            raise CannotStart.because(error) from error  # no other request would succeed either
        notebook.problem(
            where, "exists", f"could not be checked: {error}", advise(error, "s3:ListBucket")
        )
        return False
    if region and region != inspector.region:
        seen = f"the bucket is in {region}, the client in {inspector.region}"
        advice = (
            f"Run with --region {region}. This run would work, but transfers between Regions cost "
            "extra: one run for each Region, with a destination bucket in it, is cheaper."
        )
        notebook.warn(where, "exists", seen, advice)
    else:
        notebook.ok(
            where,
            "exists",
            f"exists, in {region}" if region else "exists; the server does not tell its Region",
        )
    return _examine_owner(inspector, notebook, caller, bucket)


def _check_credentials(inspector: AccountInspector, bucket: str) -> None:
    """S3's answer to a HEAD request has no body, so a wrong secret key (403
    SignatureDoesNotMatch) looks like a missing permission (403 AccessDenied). The answer to a GET
    carries the error code. Raises CannotStart.
    """
    try:
        inspector.get_bucket_versioning(bucket)
    except (NotAuthenticated, WrongSignature) as error:
        raise CannotStart.because(error) from error
    except RequestFailed:  # the check that needs the versioning asks again and reports it
        return


def examine_source(
    inspector: AccountInspector, notebook: Notebook, bucket: str, keep_originals_days: int
) -> KnownBucket:
    """Can originals be read and deleted here?"""
    where = locate(bucket)
    versioning = notebook.ask(
        where,
        "versioning",
        "s3:GetBucketVersioning",
        lambda: inspector.get_bucket_versioning(bucket),
    )
    if versioning is not None:
        _write_source_versioning(notebook, where, versioning, keep_originals_days)
    lock = notebook.ask(
        where,
        "object-lock",
        "s3:GetBucketObjectLockConfiguration",
        lambda: inspector.get_object_lock_configuration(bucket),
    )
    if lock is not None:
        _write_source_lock(notebook, where, lock, keep_originals_days)
    ownership = notebook.ask(
        where,
        "ownership",
        "s3:GetBucketOwnershipControls",
        lambda: inspector.get_bucket_ownership_controls(bucket),
    )
    if ownership is not None:
        _write_ownership(notebook, where, ownership)
    return KnownBucket(bucket, versioning)


def examine_destination(
    inspector: AccountInspector, notebook: Notebook, bucket: str
) -> KnownBucket:
    """Are packs safe here?"""
    where = locate(bucket)
    versioning = notebook.ask(
        where,
        "versioning",
        "s3:GetBucketVersioning",
        lambda: inspector.get_bucket_versioning(bucket),
    )
    if versioning is not None and versioning.status == "Enabled":
        notebook.ok(where, "versioning", "versioning is on")
    elif versioning is not None:
        seen = "versioning is not on: a pack that is deleted or overwritten is lost for good"
        notebook.warn(where, "versioning", seen, "Turn versioning on.")
    lock = notebook.ask(
        where,
        "object-lock",
        "s3:GetBucketObjectLockConfiguration",
        lambda: inspector.get_object_lock_configuration(bucket),
    )
    if lock is not None:
        notebook.ok(
            where,
            "object-lock",
            f"packs are kept: {_show_lock(lock)}" if lock.mode else "no default retention",
        )
    block = notebook.ask(
        where,
        "public-access",
        "s3:GetBucketPublicAccessBlock",
        lambda: inspector.get_public_access_block(bucket),
    )
    if block is not None and block.is_complete:
        notebook.ok(where, "public-access", "public access is blocked")
    elif block is not None:
        seen = (
            "the bucket does not block public access in all four ways (the account's own settings "
            "were not checked)"
        )
        notebook.warn(
            where, "public-access", seen, "Turn on all four settings of Block Public Access."
        )
    return KnownBucket(bucket, versioning)


def _examine_owner(
    inspector: AccountInspector, notebook: Notebook, caller: Caller | None, bucket: str
) -> bool:
    """Whether S3 answers requests that name the expected owner. It has answered one without.

    A wrong x-amz-expected-bucket-owner gives 403, like a missing permission
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html).
    """
    where, expected = locate(bucket), inspector.expected_owner(bucket)
    account = expected or (caller.account if caller is not None else None)
    if account is None:
        return True
    try:
        inspector.head_bucket(bucket, owner=account)
    except AccessDenied:
        if expected is None:
            _write_foreign(notebook, where, f"another account than {account}")
            return True
        seen = (
            f"the bucket does not belong to account {account} as expected: S3 refuses every "
            "request of a run here"
        )
        advice = (
            "Correct the bucket's name. If it is the right bucket, set the account that it belongs "
            "to in destination_account or bucket_accounts."
        )
        notebook.problem(where, "owner", seen, advice)
        return False
    except RequestFailed as error:
        notebook.warn(
            where,
            "owner",
            f"could not be checked: {error}",
            advise(error, "s3:ListBucket"),
        )
        return True
    if caller is not None and caller.account != account:
        _write_foreign(notebook, where, f"account {account}")
    return True


def _write_foreign(notebook: Notebook, where: str, owner: str) -> None:
    seen = (
        f"the bucket belongs to {owner}: its bucket policy must allow access too, which cannot be "
        "simulated"
    )
    advice = (
        "Deploy in the bucket's own account, or have its policy allow what "
        "docs/how-to/iam-permissions.md lists."
    )
    notebook.warn(where, "owner", seen, advice)


def _write_source_versioning(
    notebook: Notebook, where: str, versioning: BucketVersioning, keep_originals_days: int
) -> None:
    if versioning.status == "Enabled":
        notebook.ok(
            where,
            "versioning",
            "versioning is on: originals are deleted by version id, which frees their storage "
            "and cannot be undone",
        )
    elif versioning.status == "Suspended":
        seen = (
            "versioning is suspended: older versions are deleted by version id, and objects "
            "written since then only if their ETag is unchanged"
        )
        notebook.note(
            where,
            "versioning",
            seen,
            "Nothing to do; runs need both s3:DeleteObjectVersion and s3:DeleteObject.",
        )
    else:
        seen = (
            "versioning was never on: an original is deleted only if its ETag is still the listed "
            "one"
        )
        notebook.note(
            where,
            "versioning",
            seen,
            "Grant s3:DeleteObject here, with s3:GetObject, which the condition needs.",
        )
    if versioning.has_mfa_delete:
        _write_mfa_delete(notebook, where, keep_originals_days)


def _write_mfa_delete(notebook: Notebook, where: str, keep_originals_days: int) -> None:
    """Only the root user, with a device, can delete a version
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMFADelete.html)."""
    seen = (
        "MFA delete is on: only the root user with its MFA device can delete versions, so a run "
        "can never delete originals"
    )
    advice = (
        "Turn MFA delete off as the root user, and lock the destination instead; or pack without "
        "deleting: keep_originals_days = 3660."
    )
    if keep_originals_days:
        notebook.warn(where, "mfa-delete", f"{seen}, even after {keep_originals_days} days", advice)
    else:
        notebook.problem(where, "mfa-delete", seen, advice)


def _write_source_lock(
    notebook: Notebook, where: str, lock: ObjectLock, keep_originals_days: int
) -> None:
    """A retention keeps runs from deleting originals until it ends
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html). Config's logs and S3's
    access logs cannot be delivered into a bucket with a default retention
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerLogs.html).
    """
    if not lock.is_enabled:
        notebook.ok(where, "object-lock", "no Object Lock")
        return
    if lock.mode is None:
        seen = (
            "Object Lock is on without a default retention: single objects can still have a "
            "retention or a legal hold"
        )
        notebook.note(
            where,
            "object-lock",
            seen,
            "Nothing to do: runs report objects that S3 refuses to delete as retained.",
        )
        return
    seen = f"{_show_lock(lock)}: S3 refuses to delete an original before that"
    if lock.mode == "COMPLIANCE":
        seen += ", and no one can shorten it, not even the root user"
    if keep_originals_days >= lock.retention_days:
        notebook.note(
            where,
            "object-lock",
            seen,
            f"Nothing to do: keep_originals_days is {keep_originals_days}.",
        )
        return
    advice = (
        f"Set keep_originals_days to {lock.retention_days}, or every run ends as failed with "
        "retained originals."
        " Better: lock the destination instead; Config and access logs cannot be delivered into "
        "a bucket with a default retention."
    )
    notebook.warn(where, "object-lock", seen, advice)


def _show_lock(lock: ObjectLock) -> str:
    return f"Object Lock retains in {lock.mode} mode for {lock.retention_days} days"


def _write_ownership(notebook: Notebook, where: str, ownership: str) -> None:
    """AWS Config owns what it delivers from another account, unless Object Ownership enforces the
    bucket's owner (https://docs.aws.amazon.com/config/latest/developerguide/s3-bucket-policy.html).
    """
    if ownership == "BucketOwnerEnforced":
        notebook.ok(where, "ownership", "the bucket's owner owns every object")
        return
    seen = (
        f"Object Ownership is {ownership or 'not set'}: objects that another account wrote can be "
        "read only if their ACL allows it"
    )
    notebook.note(
        where,
        "ownership",
        seen,
        "If a run reports unreadable objects, set Object Ownership to BucketOwnerEnforced.",
    )
