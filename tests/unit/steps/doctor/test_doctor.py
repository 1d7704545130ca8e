"""The doctor finds what is wrong with buckets, says what to do, and reports what it could not
see.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.account import ACCOUNT, OPERATIONS, OTHER_ACCOUNT, ROLE
from tests.support.clinic import MAIN, NOW, Clinic, rule

from log_aggregator.core.windows import DateWindow
from log_aggregator.errors import (
    AccessDenied,
    CannotStart,
    NotAuthenticated,
    RequestFailed,
    Unreachable,
    WrongClock,
    WrongSignature,
)
from log_aggregator.ports.account import (
    BucketEncryption,
    BucketVersioning,
    Decision,
    KmsKey,
    ObjectLock,
    PublicAccessBlock,
    Trail,
    Transition,
)
from log_aggregator.settings import read_settings
from log_aggregator.steps.doctor.examine import examine
from log_aggregator.steps.doctor.findings import Finding, Level
from log_aggregator.wiring import make_run_rules
from log_aggregator_lab.stores.faults import FaultyStore

KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/0"


@pytest.fixture
def clinic() -> Clinic:
    return Clinic()


def test_a_healthy_account_has_neither_problems_nor_warnings(clinic: Clinic) -> None:
    """With everything as documented, every finding is ok, except the simulated permission to delete
    packs.
    """
    clinic.account.decide = lambda _, action, resource: Decision(
        action, "implicitDeny" if "Delete" in action and "packs/" in resource else "allowed"
    )
    levels = Counter(finding.level for finding in clinic.examine())
    assert set(levels) == {Level.OK}
    assert levels[Level.OK] > 25


def test_every_finding_except_ok_has_advice() -> None:
    """A finding that is not ok cannot be created without advice."""
    with pytest.raises(ValueError, match="needs advice"):
        Finding(Level.NOTE, "account", "check", "seen")


@pytest.mark.parametrize(
    ("mistake", "check", "where", "level"),
    [
        (lambda c: c.account.buckets.pop("flow"), "exists", "flow", Level.PROBLEM),
        (lambda c: c.account.buckets.pop("packs"), "exists", "packs", Level.PROBLEM),
        (lambda c: setattr(c.account, "region", "us-east-1"), "exists", "flow", Level.WARNING),
        (lambda c: c.account.deny("HeadBucket"), "exists", "flow", Level.PROBLEM),
        (lambda c: c.change("flow", owner=OTHER_ACCOUNT), "owner", "flow", Level.PROBLEM),
        (lambda c: c.change("packs", owner=OTHER_ACCOUNT), "owner", "packs", Level.PROBLEM),
        (lambda c: c.account.owners.update(flow=OTHER_ACCOUNT), "owner", "flow", Level.PROBLEM),
        (
            lambda c: c.change("flow", versioning=BucketVersioning()),
            "versioning",
            "flow",
            Level.NOTE,
        ),
        (
            lambda c: c.change("flow", versioning=BucketVersioning("Suspended")),
            "versioning",
            "flow",
            Level.NOTE,
        ),
        (
            lambda c: c.change("flow", versioning=BucketVersioning("Enabled", True)),
            "mfa-delete",
            "flow",
            Level.PROBLEM,
        ),
        (lambda c: c.change("flow", ownership="ObjectWriter"), "ownership", "flow", Level.NOTE),
        (lambda c: c.change("flow", lock=ObjectLock(True)), "object-lock", "flow", Level.NOTE),
        (
            lambda c: c.change("flow", lock=ObjectLock(True, "GOVERNANCE", 30)),
            "object-lock",
            "flow",
            Level.WARNING,
        ),
        (
            lambda c: c.change("flow", encryption=BucketEncryption()),
            "encryption",
            "flow",
            Level.NOTE,
        ),
        (
            lambda c: c.change("flow", lifecycle=(rule(expiration_days=365),)),
            "lifecycle",
            "flow",
            Level.NOTE,
        ),
        (
            lambda c: c.change("flow", lifecycle=(rule(expiration_days=2),)),
            "lifecycle",
            "flow",
            Level.WARNING,
        ),
        (
            lambda c: c.change("flow", lifecycle=(rule(transitions=(Transition("GLACIER", 90),)),)),
            "lifecycle",
            "flow",
            Level.NOTE,
        ),
        (
            lambda c: c.change("packs", versioning=BucketVersioning()),
            "versioning",
            "packs",
            Level.WARNING,
        ),
        (
            lambda c: c.change("packs", block=PublicAccessBlock(True, True, True, False)),
            "public-access",
            "packs",
            Level.WARNING,
        ),
        (lambda c: c.change("packs", lifecycle=()), "lifecycle-abort", "packs", Level.WARNING),
        (
            lambda c: c.change("packs", lifecycle=(rule(prefix="indexes/", abort_days=1),)),
            "lifecycle-abort",
            "packs",
            Level.WARNING,
        ),
        (
            lambda c: c.settings.update(destination_bucket="flow"),
            "destination",
            "flow",
            Level.PROBLEM,
        ),
        (
            lambda c: c.settings.update(organization_id="o-other12345"),
            "organization",
            "",
            Level.PROBLEM,
        ),
        (
            lambda c: c.settings.update(organization_id="o-other12345"),
            "organization",
            MAIN,
            Level.PROBLEM,
        ),
        (lambda c: c.settings.update(other_buckets="nosuch*"), "find-buckets", "", Level.PROBLEM),
        (
            lambda c: c.put("o-zzzz9999/AWSLogs/222222222222/CloudTrail/a"),
            "organization",
            MAIN,
            Level.NOTE,
        ),
        (
            lambda c: c.settings.update(control_tower_bucket="flow", other_buckets=""),
            "layout",
            "flow",
            Level.WARNING,
        ),
        (
            lambda c: c.account.trails.append(Trail("t", "elsewhere", True)),
            "trail",
            "",
            Level.WARNING,
        ),
    ],
)
def test_every_mistake_is_found(
    clinic: Clinic, mistake: Callable[[Clinic], Any], check: str, where: str, level: Level
) -> None:
    """Each possible mistake has its finding, of the right level, in the right place, with
    advice.
    """
    mistake(clinic)
    found = clinic.find(check, where)
    assert found.level is level
    assert len(found.advice) > 15


def test_a_missing_bucket_is_not_examined_further(clinic: Clinic) -> None:
    """A missing bucket gets one finding, not ten."""
    del clinic.account.buckets["flow"]
    assert [finding.check for finding in clinic.examine() if finding.where == "s3://flow"] == [
        "exists"
    ]


@pytest.mark.parametrize("bucket", ["flow", "packs", MAIN])
def test_a_bucket_of_another_account_is_not_examined_further(clinic: Clinic, bucket: str) -> None:
    """It is named with the expected account, because S3 would refuse everything else."""
    clinic.change(bucket, owner=OTHER_ACCOUNT)
    found = [finding for finding in clinic.examine() if finding.where == f"s3://{bucket}"]
    assert [finding.check for finding in found if finding.level is not Level.OK] == ["owner"]
    assert {finding.check for finding in found} == {"exists", "owner"}
    assert f"does not belong to account {ACCOUNT} as expected" in found[-1].seen
    assert "bucket_accounts" in found[-1].advice


def test_an_expected_bucket_of_another_account_is_a_warning(clinic: Clinic) -> None:
    """Another account's bucket works if its policy allows; everything else is examined."""
    clinic.change("flow", owner=OTHER_ACCOUNT)
    clinic.account.owners["flow"] = OTHER_ACCOUNT
    found = clinic.find("owner", "flow")
    assert found.level is Level.WARNING
    assert OTHER_ACCOUNT in found.seen
    assert clinic.find("versioning", "flow").level is Level.OK


def test_another_owner_is_a_warning_if_none_is_expected(clinic: Clinic) -> None:
    """A server other than AWS refuses nothing."""
    clinic.account.expects_owners = False
    clinic.change("flow", owner=OTHER_ACCOUNT)
    assert clinic.find("owner", "flow").level is Level.WARNING
    assert clinic.find("versioning", "flow").level is Level.OK


def test_kept_originals_make_mfa_delete_a_warning(clinic: Clinic) -> None:
    """While originals are kept, MFA delete does not fail a run; later it will."""
    clinic.change("flow", versioning=BucketVersioning("Enabled", True))
    clinic.settings["keep_originals_days"] = 30
    assert clinic.find("mfa-delete", "flow").level is Level.WARNING


@pytest.mark.parametrize("mode", ["GOVERNANCE", "COMPLIANCE"])
def test_originals_kept_beyond_the_retention_are_fine(clinic: Clinic, mode: str) -> None:
    """keep_originals_days is at least the retention, so retained originals are not due for
    deletion. Compliance mode is told apart.
    """
    clinic.change("flow", lock=ObjectLock(True, mode, 30))
    clinic.settings["keep_originals_days"] = 29
    assert clinic.find("object-lock", "flow").level is Level.WARNING
    clinic.settings["keep_originals_days"] = 30
    assert clinic.find("object-lock", "flow").level is Level.NOTE
    assert ("no one can shorten" in clinic.find("object-lock", "flow").seen) == (
        mode == "COMPLIANCE"
    )


def test_an_expiry_before_the_deletion_is_a_warning(clinic: Clinic) -> None:
    """S3 would delete originals that keep_originals_days keeps."""
    clinic.change("flow", lifecycle=(rule(expiration_days=30),))
    clinic.settings["keep_originals_days"] = 30
    assert clinic.find("lifecycle", "flow").level is Level.WARNING


@pytest.mark.parametrize(
    ("prefix", "storage_class", "level"),
    [
        ("", "DEEP_ARCHIVE", Level.WARNING),
        ("indexes/", "GLACIER", Level.WARNING),
        ("indexes/flow/", "GLACIER", Level.WARNING),
        ("i", "GLACIER", Level.WARNING),
        ("", "GLACIER_IR", Level.OK),
        ("packs/", "DEEP_ARCHIVE", Level.OK),
        ("packs/flow/", "DEEP_ARCHIVE", Level.OK),
    ],
)
def test_only_packs_may_be_archived(
    clinic: Clinic, prefix: str, storage_class: str, level: Level
) -> None:
    """A rule that moves indexes to an archive class is a warning, whatever its prefix; for packs it
    is intended.
    """
    clinic.change(
        "packs",
        lifecycle=(
            rule(prefix=prefix, transitions=(Transition(storage_class, 90),), abort_days=1),
        ),
    )
    assert clinic.find("lifecycle", "packs").level is level


def test_rules_for_tagged_objects_are_ignored(clinic: Clinic) -> None:
    """Packs and indexes carry no tags, so a rule for tags neither freezes nor cleans up
    anything.
    """
    clinic.change(
        "packs",
        lifecycle=(rule(has_tags=True, transitions=(Transition("GLACIER", 1),), abort_days=1),),
    )
    assert [
        finding.check
        for finding in clinic.examine()
        if finding.where == "s3://packs" and finding.level is not Level.OK
    ] == [
        "lifecycle-abort",
        "packs-kept",
    ]


def test_indexes_must_expire_with_their_packs(clinic: Clinic) -> None:
    """Packs without indexes are a warning; both expiring together is a matter of retention."""
    clinic.change(
        "packs", lifecycle=(rule(prefix="indexes/", expiration_days=3650), rule(abort_days=1))
    )
    assert clinic.find("lifecycle", "packs").level is Level.WARNING
    clinic.change("packs", lifecycle=(rule(expiration_days=3650, abort_days=1),))
    assert clinic.find("lifecycle", "packs").level is Level.NOTE


@pytest.mark.parametrize(
    ("packs", "days", "level"),
    [
        ("packs/", 3650, Level.NOTE),
        ("packs/", 3651, Level.WARNING),
        ("packs/flow/", 3650, Level.WARNING),
    ],
)
def test_separate_rules_for_packs_and_indexes_are_compared(
    clinic: Clinic, packs: str, days: int, level: Level
) -> None:
    """The stack's rules: index expiry at the packs' age is fine, and before any pack's is not."""
    rules = [
        rule(prefix=prefix, expiration_days=age)
        for prefix, age in (("indexes/", 3650), (packs, days))
    ]
    clinic.change("packs", lifecycle=(*rules, rule(abort_days=1)))
    assert clinic.find("lifecycle", "packs").level is level


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_refused_question_is_a_warning(clinic: Clinic, operation: str) -> None:
    """A refused question becomes a warning that names the permission; never silence, never
    a crash.
    """
    clinic.role_arns = (ROLE,)
    clinic.change("packs", encryption=BucketEncryption("aws:kms", KEY, True))
    clinic.account.keys[KEY] = KmsKey(KEY, ACCOUNT)
    clinic.account.deny(operation)
    found = [
        finding
        for finding in clinic.examine()
        if "could not be checked" in finding.seen and operation in finding.seen
    ]
    assert found
    assert {finding.level for finding in found} == {Level.WARNING}
    assert all(re.match(r"Grant [a-z0-9]+:[A-Za-z]+ ", finding.advice) for finding in found)


def test_a_missing_answer_is_not_a_refusal(clinic: Clinic) -> None:
    """No permission helps if the network fails."""
    clinic.account.broken["GetBucketEncryption"] = Unreachable(
        "GetBucketEncryption: timeout", code="ReadTimeoutError"
    )
    found = clinic.find("encryption", "flow")
    assert found.level is Level.WARNING
    assert "network" in found.advice


def test_bad_credentials_end_the_examination(clinic: Clinic) -> None:
    """With rejected credentials nothing can be examined."""
    clinic.account.broken["GetCallerIdentity"] = AccessDenied("ExpiredToken", code="ExpiredToken")
    with pytest.raises(CannotStart, match="log in again"):
        clinic.examine()


def test_the_doctor_changes_nothing(clinic: Clinic) -> None:
    """The doctor only lists the store."""
    clinic.settings["other_buckets"] = "flo*"
    watched = FaultyStore(clinic.store, lambda _index, _call: None)
    day = NOW.date()
    rules = make_run_rules(read_settings(None, clinic.settings), DateWindow(day, day))
    examine(clinic.account, watched, clinic, rules)
    assert {call.operation for call in watched.calls} == {"ListObjectsV2", "ListBuckets"}


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (WrongSignature("SignatureDoesNotMatch"), "secret access key"),
        (NotAuthenticated("ExpiredToken"), "Renew the credentials"),
        (WrongClock("RequestTimeTooSkewed"), "Set the clock"),
    ],
)
def test_a_refusal_without_a_body_is_examined(
    clinic: Clinic, error: RequestFailed, remedy: str
) -> None:
    """S3 answers a HEAD with a bare 403, whatever the cause: if the secret is wrong, the doctor
    stops and asks for no permission.
    """
    clinic.account.deny("HeadBucket")
    clinic.account.broken["GetBucketVersioning"] = error
    with pytest.raises(CannotStart) as caught:
        clinic.examine()
    assert remedy in caught.value.advice


def test_without_any_answer_the_examination_ends(clinic: Clinic) -> None:
    """No answer for the first bucket ends the examination; for a later one it is a finding."""
    clinic.account.broken["HeadBucket"] = Unreachable("no answer")
    with pytest.raises(CannotStart, match="no answer"):
        clinic.examine()
