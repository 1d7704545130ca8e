"""Failed groups keep their originals and fail the run; everything else is done; once the cause is
gone, the next run finishes.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from tests.e2e import telemetry
from tests.e2e.building import BuiltTemplate, Machine
from tests.e2e.deployment import deploy
from tests.e2e.executions import list_children, run
from tests.e2e.local_aws import LocalAws
from tests.e2e.site import (
    Site,
    foreign_key,
    make_site,
    one_day,
    read_json,
    remove,
    stack_parameters,
)

from log_aggregator.model import Group
from log_aggregator_lab.check import PACKED
from log_aggregator_lab.organisation.generate import OddityCounts, generate
from log_aggregator_lab.organisation.synthetic import ManifestEntry


@pytest.fixture
def site(aws: LocalAws, built: BuiltTemplate, machine: Machine) -> Site:
    """An organisation whose flow-log bucket has Object Lock, before any run."""
    spec = replace(one_day(seed=5), objects=40, oddities=OddityCounts())
    place = {"LocationConstraint": aws.region}
    aws.client("s3").create_bucket(
        Bucket=spec.flow_bucket, CreateBucketConfiguration=place, ObjectLockEnabledForBucket=True
    )
    return make_site(aws, built, machine, spec, generate(spec))


def test_failures_keep_originals_and_fail_the_run(
    site: Site, built: BuiltTemplate, machine: Machine
) -> None:
    """One story, because each part needs the one before: too many objects, a bad pack, retained
    originals, and the run after the fix.
    """
    _too_much_touches_nothing(site, built, machine)
    _wrong_input_touches_nothing(site)
    _killed_functions_are_called_again(site)
    broken = _break_a_group(site)
    retained = _hold_some_originals(site)
    _run_with_failures(site, broken, retained)
    remove(site, foreign_key(broken))
    _all_else_is_done(site, broken, retained)
    _release(site, retained)
    run(site.deployment, "CombineLogFilesSM", {"date": str(site.day)})
    assert site.check().problems == []


def _too_much_touches_nothing(site: Site, built: BuiltTemplate, machine: Machine) -> None:
    """Above ObjectsMax the run fails with LimitExceeded before anything is written. Also: a
    deployed stack can be updated.
    """
    before = site.inventory()
    parameters = stack_parameters(site.spec, machine)
    site.deployment = deploy(site.aws, built, parameters | {"ObjectsMax": "10"})
    failed = run(site.deployment, "CombineLogFilesSM", {"date": str(site.day)}, expect="FAILED")
    assert failed.error == "RunFailed"
    assert "LimitExceeded" in failed.message
    assert "objects_max = 10" in failed.message
    assert site.inventory() == before
    site.deployment = deploy(site.aws, built, parameters)


def _wrong_input_touches_nothing(site: Site) -> None:
    """An unknown word, an invalid date, a bucket that the stack does not name: SettingsError, which
    says what is allowed.
    """
    before = site.inventory()
    for given, word in (
        ({"dat": "2026-01-01"}, "expected date"),
        ({"date": "yesterday"}, "such as"),
        ({"bucket_name": "x"}, "bucket_name"),
    ):
        failed = run(site.deployment, "CombineLogFilesSM", given, expect="FAILED")
        assert failed.error == "SettingsError"
        assert word in failed.message
    assert site.inventory() == before


def _killed_functions_are_called_again(site: Site) -> None:
    """A function is killed after its work but before its answer; the state machine calls it again,
    and the run finishes.

    Only for the access-log bucket, so that the other parts have something left to do.
    """
    site.aws.kill_function_at('"message": "ends", "step": "combine"')
    ended = run(
        site.deployment,
        "CombineLogFilesSM",
        {"date": str(site.day), "bucket_name": site.spec.access_bucket},
    )
    errors = [error for child in list_children(site.deployment, ended) for error in child.errors]
    assert errors == ["Runtime.ExitError"], "it was called again because its process died"
    assert (
        site.check(
            entries=[entry for entry in site.entries if entry.bucket == site.spec.access_bucket]
        ).problems
        == []
    )


def _break_a_group(site: Site) -> Group:
    """An object that is not a pack lies among a group's packs: the ledger of this group cannot be
    read.
    """
    group = Group(site.spec.control_tower_bucket, "CloudTrail", site.spec.account_ids[0], site.day)
    site.aws.client("s3").put_object(
        Bucket=site.destination, Key=foreign_key(group), Body=b"not a pack"
    )
    return group


def _hold_some_originals(site: Site) -> list[ManifestEntry]:
    """A legal hold on some flow logs: S3 refuses to delete these versions."""
    entries = [
        entry for entry in site.entries if entry.source == "flow" and entry.purpose in PACKED
    ][:3]
    for entry in entries:
        site.aws.client("s3").put_object_legal_hold(
            Bucket=entry.bucket,
            Key=entry.key,
            VersionId=entry.version_id,
            LegalHold={"Status": "ON"},
        )
    return entries


def _run_with_failures(site: Site, broken: Group, retained: list[ManifestEntry]) -> None:
    failed = run(site.deployment, "CombineLogFilesSM", {"date": str(site.day)}, expect="FAILED")
    assert failed.error == "RunFailed"
    assert "BadPack" in failed.message
    assert str(broken.date) in failed.message
    assert "RetainedObjects" in failed.message
    kept = [
        entry for entry in site.entries if entry.purpose in PACKED and is_of_group(entry, broken)
    ]
    assert kept
    left = {(bucket, key) for (bucket, key, _) in site.inventory(site.spec.buckets)}
    assert {(entry.bucket, entry.key) for entry in [*kept, *retained]} <= left
    result = read_json(site, failed.message.partition("the whole list is in ")[2].split()[0])
    assert result["objects"]["retained"] == len(retained)
    sums = telemetry.sum_metrics(site.deployment, "FinishFunction", run=run_name(failed.message))
    assert sums["GroupsFailed"] == result["groups"]["failed"] >= 2
    assert sums["ObjectsRetained"] == len(retained)


def _all_else_is_done(site: Site, broken: Group, retained: list[ManifestEntry]) -> None:
    """The other groups, and the other originals of the held group, are done; the held ones are
    packed.
    """
    others = [
        entry for entry in site.entries if not is_of_group(entry, broken) and entry not in retained
    ]
    assert site.check(entries=others).problems == []
    assert {problem.rpartition(": ")[2] for problem in site.check(entries=retained).problems} == {
        "is packed, but was not deleted"
    }


def _release(site: Site, retained: list[ManifestEntry]) -> None:
    for entry in retained:
        site.aws.client("s3").put_object_legal_hold(
            Bucket=entry.bucket,
            Key=entry.key,
            VersionId=entry.version_id,
            LegalHold={"Status": "OFF"},
        )


def is_of_group(entry: ManifestEntry, group: Group) -> bool:
    """By key: CloudTrail logs (not digests or Insights) of the group's account."""
    return (
        entry.bucket == group.bucket
        and f"/{group.account}/CloudTrail/" in entry.key
        and _is_of_day(entry, group.date)
    )


def run_name(message: str) -> str:
    """From `... s3://<work bucket>/runs/<run>/result.json`."""
    return message.partition("/runs/")[2].partition("/result.json")[0]


def _is_of_day(entry: ManifestEntry, day: date) -> bool:
    return entry.day == day
