"""What a nightly examination reports: what got worse since its findings were last accepted."""

from __future__ import annotations

import pytest
from tests.support.account import ROLE, FakeBucket
from tests.support.clinic import MAIN, NOW, Clinic

from log_aggregator.core.windows import DateWindow
from log_aggregator.ports.account import BucketVersioning, Decision, LambdaConcurrency
from log_aggregator.settings import read_settings
from log_aggregator.steps.doctor.drift import ACCEPTED_KEY, find_drift
from log_aggregator.steps.doctor.examine import examine_settings
from log_aggregator.steps.doctor.findings import Finding, Level
from log_aggregator.wiring import make_run_rules


@pytest.fixture
def clinic() -> Clinic:
    made = Clinic()
    made.store.create_bucket("work")
    return made


def look(clinic: Clinic) -> list[Finding]:
    day = NOW.date()
    rules = make_run_rules(read_settings(None, clinic.settings), DateWindow(day, day))
    return examine_settings(clinic.account, clinic.store, clinic, rules, [ROLE])


def night(clinic: Clinic) -> list[tuple[str, str]]:
    return [(found.where, found.check) for found in find_drift(clinic.store, "work", look(clinic))]


def test_warnings_of_the_first_night_are_accepted(clinic: Clinic) -> None:
    """A warning from when the stack was made is not repeated night after night."""
    clinic.change("flow", versioning=BucketVersioning("Suspended"))
    warned = {found.check for found in look(clinic) if found.level is Level.WARNING}
    assert warned
    assert [night(clinic) for _ in range(3)] == [[], [], []]


def test_new_warnings_are_reported_until_resolved(clinic: Clinic) -> None:
    """A later warning is reported every night until it is gone."""
    assert night(clinic) == []
    clinic.change("packs", versioning=BucketVersioning("Suspended"))
    assert night(clinic) == night(clinic) == [("s3://packs", "versioning")]
    clinic.change("packs", versioning=BucketVersioning("Enabled"))
    assert night(clinic) == []


def test_new_warnings_can_be_accepted(clinic: Clinic) -> None:
    """Deleting what was accepted before accepts the present state."""
    night(clinic)
    clinic.change("packs", versioning=BucketVersioning("Suspended"))
    assert night(clinic)
    clinic.store.delete("work", ACCEPTED_KEY)
    assert night(clinic) == []


def test_a_problem_is_never_accepted(clinic: Clinic) -> None:
    """A problem is reported from the first night on, because a run would fail."""
    clinic.account.decide = lambda _, action, __: Decision(
        action, "implicitDeny" if action == "s3:DeleteObjectVersion" else "allowed"
    )
    told = [("s3://" + MAIN, "delete"), ("s3://flow", "delete")]
    assert [night(clinic) for _ in range(2)] == [told, told]


def test_two_simultaneous_nights_accept_the_same(clinic: Clinic) -> None:
    """The second takes what the first has written."""
    seen = look(clinic)
    later = [*seen, Finding(Level.WARNING, "account", "new", "something", "Look at it.")]
    assert find_drift(clinic.store, "work", seen) == []
    assert [found.check for found in find_drift(clinic.store, "work", later)] == ["new"]


def test_no_bucket_is_listed_and_few_services_are_asked(clinic: Clinic) -> None:
    """A function needs to know nothing of the organisation's settings or keys."""
    clinic.account.deny("DescribeOrganization", "DescribeTrails", "DescribeDeliveryChannels")
    clinic.account.concurrency = LambdaConcurrency(10, 10)
    found = look(clinic)
    assert not [each for each in found if "could not be checked" in each.seen]
    assert {each.check for each in found} >= {"versioning", "lifecycle", "write", "lambda-quota"}
    assert not {"contents", "layout", "other-writers"} & {each.check for each in found}


def test_a_deleted_bucket_is_reported(clinic: Clinic) -> None:
    """A deleted source bucket is reported in the morning."""
    night(clinic)
    del clinic.account.buckets["flow"]
    assert ("s3://flow", "exists") in night(clinic)
    clinic.account.buckets["flow"] = FakeBucket()
    assert night(clinic) == []
