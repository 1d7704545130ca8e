"""ProcessHistoricalMainLogsSM: windows of days, stopped and started again, including one that
fails.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from tests.e2e.building import BuiltTemplate, Machine
from tests.e2e.deployment import STACK
from tests.e2e.executions import run, start, stop, wait, wait_until_quiet
from tests.e2e.local_aws import LocalAws
from tests.e2e.site import Site, foreign_key, make_site, many_days, remove
from tests.support.waiting import wait_until

from log_aggregator.core.windows import WINDOW_DAYS_MAX
from log_aggregator.model import Group
from log_aggregator.ports.executions import Execution
from log_aggregator.wiring import Connection, connect_executions
from log_aggregator_lab.organisation.generate import generate
from log_aggregator_lab.organisation.synthetic import ManifestEntry

DAYS = 2 * WINDOW_DAYS_MAX + 2
WINDOWS = 3
STATES_IN_BETWEEN = ("is in no pack", "is packed, but was not deleted")
HISTORY, RUN = "ProcessHistoricalMainLogsSM", "CombineLogFilesSM"


@pytest.fixture
def site(aws: LocalAws, built: BuiltTemplate, machine: Machine) -> Site:
    """Main and auxiliary logs on enough days for three windows."""
    spec = many_days(seed=7, days=DAYS)
    return make_site(aws, built, machine, spec, generate(spec), {"HistoryConcurrency": "1"})


def test_history_stopped_and_started_again(site: Site) -> None:
    """A stop in the middle loses nothing; a failed window fails the whole and stops no other; in
    the end everything is done once.
    """
    last = site.day + timedelta(days=DAYS - 1)
    given = {
        "start_date": str(site.day),
        "end_date": str(last),
        "bucket_name": site.spec.control_tower_bucket,
    }
    main = [entry for entry in site.entries if entry.bucket == site.spec.control_tower_bucket]
    auxiliary = {
        place: found
        for place, found in site.inventory().items()
        if place[0] in site.spec.buckets[1:]
    }

    _stop_in_the_middle(site, given)
    left = _left(site, main)
    assert 0 < len(left) <= len(main), "stopped after it had begun and before it was done"
    harmless = {
        f"s3://{entry.bucket}/{entry.key}: {state}" for entry in left for state in STATES_IN_BETWEEN
    }
    assert set(site.check(site.day, last, main).problems) <= harmless, (
        "what is gone from its bucket is in a pack"
    )

    group = Group(site.spec.control_tower_bucket, "CloudTrail", site.spec.account_ids[0], last)
    site.aws.client("s3").put_object(
        Bucket=site.destination, Key=foreign_key(group), Body=b"not a pack"
    )
    failed = run(site.deployment, HISTORY, given, expect="FAILED")
    assert failed.error == "RunFailed"
    assert failed.message.startswith(f"1 of {WINDOWS} runs failed")
    assert str(last - timedelta(days=(DAYS - 1) % WINDOW_DAYS_MAX)) in failed.message, (
        "the window is named by its first day"
    )
    remove(site, foreign_key(group))
    assert {entry.day for entry in _left(site, main)} == {last}
    assert site.check(site.day, last, [entry for entry in main if entry.day != last]).problems == []

    assert run(site.deployment, HISTORY, given).output["windows"] == WINDOWS
    assert site.check(site.day, last, main).problems == []
    after = site.inventory()
    assert {
        place: found for place, found in after.items() if place[0] in site.spec.buckets[1:]
    } == auxiliary
    run(site.deployment, HISTORY, given)
    assert site.inventory() == after
    _check_status(site)


def _stop_in_the_middle(site: Site, given: dict[str, str]) -> None:
    """Once the first pack exists. AWS starts no more functions for a stopped execution; the local
    AWS would, so it is prevented.
    """
    arn = start(site.deployment, HISTORY, given)
    wait_until(lambda: site.list_keys("packs/"))
    (seen,) = _look_at_running(site)
    stop(site.deployment, arn)
    assert (seen.first_date, seen.last_date) == (given["start_date"], given["end_date"])
    (counts,) = (each.counts for each in seen.maps if each.state == "RunWindows")
    assert (counts.total, counts.failed) == (WINDOWS, 0)
    assert counts.pending + counts.running + counts.succeeded == WINDOWS
    with _no_functions(site):
        assert wait(site.deployment, arn).status == "ABORTED"
        wait_until_quiet(site.deployment, RUN)


def _look_at_running(site: Site) -> list[Execution]:
    """Does what `status --stack` does, without the time a process takes to start."""
    aws = site.aws
    viewer = connect_executions(
        Connection(None, aws.region, aws.endpoint_url, aws.access_key, aws.secret_key)
    )
    found = viewer.list_executions(STACK)
    return [each for each in found if each.state_machine == HISTORY and each.ended is None]


def _check_status(site: Site) -> None:
    """`status` shows the result of the four histories and of the runs of their windows."""
    work = site.deployment.outputs["WorkBucketName"]
    options = ("--stack", STACK, "--work-bucket", work, "--destination-bucket", site.destination)
    told = json.loads(site.call("status", *options, "--json"))
    ends = [each["status"] for each in told["executions"] if each["state_machine"] == HISTORY]
    assert ends == ["SUCCEEDED", "SUCCEEDED", "FAILED", "ABORTED"]
    assert all(each["ended"] for each in told["executions"])
    assert any(each["objects"] for each in told["runs"])


@contextmanager
def _no_functions(site: Site) -> Iterator[None]:
    functions = site.aws.client("lambda")
    for name in site.deployment.functions.values():
        functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    yield
    for name in site.deployment.functions.values():
        functions.delete_function_concurrency(FunctionName=name)


def _left(site: Site, entries: list[ManifestEntry]) -> list[ManifestEntry]:
    """Objects that are still in their bucket."""
    there = {(bucket, key) for (bucket, key, _) in site.inventory(site.spec.buckets)}
    return [entry for entry in entries if (entry.bucket, entry.key) in there]
