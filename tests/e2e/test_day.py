"""A day of an organisation, from the first run of the deployed stack to its later ones."""

from __future__ import annotations

import gzip
import html
import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from tests.e2e import telemetry
from tests.e2e.building import BuiltTemplate, Machine
from tests.e2e.executions import Execution, failed_children, run, scheduled_input
from tests.e2e.local_aws import LocalAws
from tests.e2e.site import Inventory, Site, alarm_metrics, make_site, one_day, read_json

from log_aggregator_lab.check import PACKED
from log_aggregator_lab.organisation.generate import generate, late
from log_aggregator_lab.organisation.synthetic import ManifestEntry, Purpose
from log_aggregator_lab.upload import create_bucket

DAYS_AGO = 20
"""More than the nightly look-back, less than the weekly one."""
SELF_LOGGING = "example-self-logging-access-logs"


@dataclass(frozen=True, slots=True)
class Done:
    """The site after its first run, and what was there before and after."""

    site: Site
    execution: Execution
    before: Inventory
    after: Inventory
    search_key: str
    """The ARN of the KMS key for search."""

    @property
    def result(self) -> dict[str, Any]:
        """The run's whole result, from the work bucket."""
        return read_json(self.site, self.execution.output["result"])


@pytest.fixture(scope="module")
def done(aws: LocalAws, built: BuiltTemplate, machine: Machine) -> Done:
    """The organisation's day exists, the stack is deployed and has run once for this day."""
    day = (datetime.now(UTC) - timedelta(days=DAYS_AGO)).date()
    spec = replace(one_day(seed=3), first_day=day)
    create_bucket(SELF_LOGGING, aws, is_versioned=True)
    search_key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    site = make_site(
        aws,
        built,
        machine,
        spec,
        generate(spec),
        {
            "ControlTowerBucketAccessLogBucket": SELF_LOGGING,
            "SearchKmsKeyArn": search_key,
        },
    )
    before = site.inventory()
    execution = run(site.deployment, "CombineLogFilesSM", {"date": str(day)})
    return Done(site, execution, before, site.inventory(), search_key)


def test_every_original_is_in_a_pack_and_gone(done: Done) -> None:
    """Each log of the day comes back byte for byte with its metadata and is gone from its bucket;
    everything else is where it was.
    """
    check = done.site.check()
    assert check.problems == []
    assert check.found_in_packs > 300
    assert check.still_there > 30
    assert done.site.open_uploads() == []


def test_only_originals_are_deleted(done: Done) -> None:
    """Exactly the day's logs and their old delete markers are gone from the source buckets; the
    destination only grew.
    """
    logs = {(entry.bucket, entry.key) for entry in done.site.entries if entry.purpose in PACKED}
    gone = {(bucket, key) for (bucket, key, _) in set(done.before) - set(done.after)}
    assert gone == logs
    new = {bucket for (bucket, _, _) in set(done.after) - set(done.before)}
    assert new == {done.site.destination}


def test_every_pack_has_an_index_in_the_right_storage_class(done: Done) -> None:
    """Each pack has its index and each index its pack; packs have the configured storage class,
    indexes stay warm.
    """
    s3 = done.site.aws.client("s3")
    packs, indexes = done.site.list_keys("packs/"), done.site.list_keys("indexes/")
    assert len(packs) > 20
    assert [f"indexes/{key.removeprefix('packs/')}.index.jsonl.gz" for key in packs] == indexes
    assert {
        s3.head_object(Bucket=done.site.destination, Key=key).get("StorageClass") for key in packs
    } == {"STANDARD_IA"}
    assert {
        s3.head_object(Bucket=done.site.destination, Key=key).get("StorageClass", "STANDARD")
        for key in indexes
    } == {"STANDARD"}
    assert sorted(pack["key"] for pack in done.result["packs"]) == packs


def test_main_and_auxiliary_items_all_succeeded(done: Done) -> None:
    """Every item of every map succeeded at the first or second attempt, for both kinds of logs."""
    assert failed_children(done.site.deployment, done.execution) == []
    assert done.execution.output["objects"]["deleted"] == done.result["objects"]["packed"]
    assert done.result["failures"] == []


def test_the_command_line_reads_what_the_stack_wrote(done: Done, tmp_path: Path) -> None:
    """`verify` finds all packs good, and `extract` returns a CloudTrail digest: shell and Lambda
    use one format.
    """
    where = ("--destination-bucket", done.site.destination)
    packs = len(done.site.list_keys("packs/"))
    assert f"{packs} packs verified" in done.site.call(
        "verify", "--date", str(done.site.day), *where
    )
    digest = next(
        entry
        for entry in done.site.entries
        if entry.source == "digest" and entry.purpose is Purpose.LOG
    )
    output = tmp_path / "digest.json.gz"
    done.site.call("extract", digest.key, "--output", str(output), *where)
    assert len(output.read_bytes()) == digest.size_bytes


def test_a_search_finds_what_the_function_merged(done: Done) -> None:
    """An access key of the day, searched for in the tables alone, is found in its pack; every pack
    with terms is in a table.
    """
    site, where = done.site, ("--destination-bucket", done.site.destination)
    pack = next(key for key in site.list_keys("packs/") if "/CloudTrail/" in key)
    stored = site.aws.client("s3").get_object(Bucket=site.destination, Key=pack)
    found = re.search(rb'"accessKeyId":"(ASIA\w+)"', gzip.decompress(stored["Body"].read()))
    assert found is not None
    value = found[1].decode()
    answer = json.loads(site.call("search", value, "--quick", "--json", *where))
    assert {each["value"] for each in answer["found"]} == {value}
    assert pack in {each["pack"] for each in answer["packs"]}
    assert answer["searched"]["packs"] == len(site.list_keys("terms/")) > 10
    assert done.execution.output["search"]["is_done"] is True


def test_terms_and_tables_have_their_own_key(done: Done) -> None:
    """Terms and tables are encrypted with the search key, packs and indexes with the bucket's
    default.
    """
    s3, site = done.site.aws.client("s3"), done.site
    keys = {
        folder: {
            s3.head_object(Bucket=site.destination, Key=key).get("SSEKMSKeyId")
            for key in site.list_keys(folder)
        }
        for folder in ("packs/", "indexes/", "terms/", "tables/")
    }
    own, others = {done.search_key}, {None}
    assert keys == {"packs/": others, "indexes/": others, "terms/": own, "tables/": own}


def test_metrics_match_the_result(done: Done, built: BuiltTemplate) -> None:
    """The run's metrics equal the result's numbers; the groups' metrics add up to them; all metrics
    used by alarms are written.
    """
    deployment = done.site.deployment
    run_of_day = telemetry.sum_metrics(
        deployment, "FinishFunction", run=done.execution.output["run"]
    )
    groups = telemetry.sum_metrics(deployment, "DeleteFunction", run=done.execution.output["run"])
    objects = done.result["objects"]
    assert (
        run_of_day["ObjectsPacked"]
        == objects["packed"]
        == run_of_day["ObjectsDeleted"]
        == groups["GroupObjects"]
        == groups["GroupDeleted"]
    )
    assert run_of_day["PacksWritten"] == len(done.result["packs"]) == groups["GroupPacks"]
    assert run_of_day["BytesIn"] == groups["GroupBytesIn"] > 0
    assert run_of_day["Requests"] == sum(done.result["requests"].values()) > objects["packed"]
    assert (
        run_of_day["Failures"] == run_of_day["GroupsFailed"] == run_of_day["ObjectsRetained"] == 0
    )
    assert run_of_day["DollarsSaved"] > 0
    assert all(
        run_of_day[f"Seconds{step}"] > 0
        for step in ("Listing", "Combining", "Verifying", "Deleting")
    )
    # A run for a named day is not a night: the scheduled runs below write the metrics of nights.
    assert "NightsDone" not in run_of_day
    merged = telemetry.sum_metrics(
        deployment, "MergeTermsFunction", run=done.execution.output["run"]
    )
    assert merged["PacksMerged"] == len(done.site.list_keys("terms/")) > merged["TablesWritten"] > 0
    assert merged["MergeFailures"] == 0
    of_others = {"NightsDone", "Drift", "ReportPartsWrong", *telemetry.AWS_METRICS}
    assert set(alarm_metrics(built.template)) <= set(run_of_day) | of_others
    data = list(telemetry.read_metrics(deployment, "FinishFunction"))
    assert {datum.namespace for datum in data} == {"LogAggregator"}
    assert ("Stack",) in {names for datum in data for names in datum.dimension_sets}


def test_logs_are_json_without_contents(done: Done) -> None:
    """Every line of every function is a JSON object; ours name their step and, except the first
    function's, their run; none contains log contents.
    """
    names = (
        "PrepareFunction",
        "ListFunction",
        "PlanFunction",
        "CombineFunction",
        "VerifyFunction",
        "DeleteFunction",
        "FinishFunction",
        "MergeTermsFunction",
    )
    lines = {name: telemetry.read_lines(done.site.deployment, name) for name in names}
    for name in names:
        records = [json.loads(line) for line in lines[name]]
        ours = [record for record in records if "_aws" not in record and "logger" not in record]
        assert ours, name
        wanted = {"timestamp", "level", "message", "step"} | (
            {"run"} if name != "PrepareFunction" else set()
        )
        assert [record for record in ours if not wanted <= set(record)] == []
    everything = "\n".join(line for each in lines.values() for line in each)
    for content in ("eventVersion", "configurationItem", "srcaddr", "HTTP/1.1", "PlainText0"):
        assert content not in everything


def test_x_ray_receives_a_trace_of_each_function(done: Done) -> None:
    """Every sampled invocation arrives as subsegments of the segment that Lambda makes: the
    function's step, with a span for each group that can be searched for by the group's properties.
    Nothing of an unsampled invocation arrives, and never any log contents.
    """
    traces = telemetry.read_traces(done.site.deployment)
    assert all(bool(trace.subsegments) == trace.segment["is_sampled"] for trace in traces)
    assert [trace for trace in traces if not trace.is_whole] == []
    assert {trace.function for trace in traces} == {
        "PrepareFunction",
        "ListFunction",
        "PlanFunction",
        "CombineFunction",
        "VerifyFunction",
        "DeleteFunction",
        "FinishFunction",
        "MergeTermsFunction",
    }
    combined = [trace for trace in traces if trace.function == "CombineFunction"]
    groups = {
        "/".join(
            (
                found["bucket"],
                found["log_type"],
                found.get("account", "all"),
                found["date"].replace("-", "/"),
            )
        )
        for found in spans_of(combined, "combine group")
    }
    packs = [pack["key"].removeprefix("packs/") for pack in done.result["packs"]]
    assert groups == {key.rpartition("/")[0] for key in packs}
    assert {found["run"] for found in spans_of(combined, "combine")} == {
        done.execution.output["run"]
    }
    everything = b"\n".join(done.site.aws.daemon.read_all())
    for content in (b"eventVersion", b"configurationItem", b"srcaddr", b"HTTP/1.1", b"PlainText0"):
        assert content not in everything


def test_an_unexpected_error_is_reported_by_its_place(done: Done) -> None:
    """For an unexpected error, Lambda's own runtime client reports a name that is on the errors
    page, the place, and no frames except the handler's.
    """
    answer = done.site.aws.client("lambda").invoke(
        FunctionName=done.site.deployment.functions["PlanFunction"], Payload=b"{}"
    )
    told = json.loads(answer["Payload"].read())
    assert told["errorType"] == "Unexpected"
    assert re.fullmatch(
        r"KeyError at log_aggregator/handlers/plan\.py:[0-9]+ in handler", told["errorMessage"]
    )
    assert ["entry.py" in frame for frame in told["stackTrace"]] == [True]


def spans_of(traces: list[telemetry.Trace], name: str) -> list[dict[str, Any]]:
    """The annotations of all spans with this name."""
    return [
        each["annotations"]
        for trace in traces
        for each in trace.subsegments
        if each["name"] == name
    ]


def test_a_dry_run_reports_what_there_is_to_do(done: Done) -> None:
    """Nothing changes; the result counts what a run over the neighbouring days would pack."""
    before = done.site.inventory()
    days = {
        "start_date": str(done.site.day - timedelta(days=1)),
        "end_date": str(done.site.day + timedelta(days=1)),
    }
    dry = run(done.site.deployment, "CombineLogFilesSM", days | {"dry_run": True})
    others = [entry for entry in done.site.entries if entry.purpose is Purpose.OTHER_DAY]
    assert dry.output["planned"]["objects"] == len(others) > 0
    assert dry.output["packs"] == 0
    assert done.site.inventory() == before


def test_a_second_execution_changes_nothing(done: Done) -> None:
    """The same day again: no pack, no deletion, every version of every object as before."""
    before = done.site.inventory()
    second = run(done.site.deployment, "CombineLogFilesSM", {"date": str(done.site.day)})
    assert second.output["packs"] == 0
    assert second.output["objects"]["deleted"] == 0
    assert done.site.inventory() == before


def test_the_chain_of_custody_is_unbroken(done: Done) -> None:
    """Every execution left a record, including the one above, and each names the previous one."""
    told = json.loads(
        done.site.call("custody", "verify", "--json", "--destination-bucket", done.site.destination)
    )
    assert [(chain["findings"], chain["records"] >= 2) for chain in told["chains"]] == [([], True)]


def test_late_logs_by_bucket_and_by_look_back(done: Done) -> None:
    """With `bucket_name` only that bucket is processed; the run started by the weekly schedule
    packs the rest into additional packs.
    """
    site, packs = done.site, set(done.site.list_keys("packs/"))
    entries = site.put(late(site.spec))
    auxiliary = [entry for entry in entries if entry.bucket == site.spec.access_bucket]
    main = [entry for entry in entries if entry.bucket == site.spec.control_tower_bucket]
    assert auxiliary
    assert main
    run(
        site.deployment,
        "CombineLogFilesSM",
        {"date": str(site.day), "bucket_name": site.spec.access_bucket},
    )
    assert site.check(entries=auxiliary).problems == []
    assert len(site.check(entries=main).problems) == len(main)
    night = run(
        site.deployment,
        "CombineLogFilesSM",
        scheduled_input(site.deployment, "CombineLogFilesSMNightly"),
    )
    assert night.output["objects"]["listed"] == 0, "the nightly look-back does not reach so far"
    weekly = run(
        site.deployment,
        "CombineLogFilesSM",
        scheduled_input(site.deployment, "CombineLogFilesSMWeekly"),
    )
    assert weekly.output["packs"] > 0
    around = timedelta(days=1)
    assert (
        site.check(
            site.day - around, site.day + around, map(other_days_are_logs_too, site.entries)
        ).problems
        == []
    )
    assert packs < set(site.list_keys("packs/"))
    for scheduled in (night, weekly):
        metrics = telemetry.sum_metrics(
            site.deployment, "FinishFunction", run=scheduled.output["run"]
        )
        assert (metrics["Failures"], metrics["NightsDone"]) == (0, 1)
        assert (metrics["OutstandingLeftBehind"], metrics["OutstandingRetained"]) == (0, 0)


def test_the_hourly_function_empties_the_self_logging_bucket(done: Done) -> None:
    """All versions of access logs are deleted from the self-logging bucket; other objects stay; no
    other bucket is touched.
    """
    s3 = done.site.aws.client("s3")
    before = done.site.inventory()
    for number in range(20):
        s3.put_object(
            Bucket=SELF_LOGGING, Key=f"2026-01-01-00-00-{number:02d}-0123456789ABCDEF", Body=b"log"
        )
    s3.put_object(Bucket=SELF_LOGGING, Key="readme.txt", Body=b"not a log")
    answer = done.site.aws.client("lambda").invoke(
        FunctionName=done.site.deployment.functions["EmptyAccessLogsFunction"], Payload=b"{}"
    )
    assert "FunctionError" not in answer, answer["Payload"].read()
    assert {key for (_, key, _) in done.site.inventory([SELF_LOGGING])} == {"readme.txt"}
    assert done.site.inventory() == before
    assert (
        telemetry.sum_metrics(done.site.deployment, "EmptyAccessLogsFunction")["AccessLogsDeleted"]
        == 20
    )


def test_the_stack_makes_a_months_evidence(done: Done) -> None:
    """What the stack does for an auditor by itself: a drill recovers all its members, and a page
    says so. No pack changes.
    """
    before = set(done.site.list_keys("packs/"))
    told = [invoke(done, name) for name in ("DrillFunction", "ReportFunction")]
    page = done.site.aws.client("s3").get_object(Bucket=told[1]["bucket"], Key=told[1]["page"])
    text = page["Body"].read().decode()
    assert page["ContentType"] == "text/html; charset=utf-8"
    assert text.startswith("<!DOCTYPE html>")
    assert "The drill of " in told[1]["drills"]
    assert told[1]["drills"].startswith("in order")
    assert told[1]["drills"].partition(": ")[2] in html.unescape(text)
    assert telemetry.sum_metrics(done.site.deployment, "DrillFunction")["DrillMembersBad"] == 0
    assert telemetry.sum_metrics(done.site.deployment, "ReportFunction")["ReportDrillAgeDays"] < 1
    assert set(done.site.list_keys("packs/")) == before


def invoke(done: Done, name: str) -> dict[str, Any]:
    answer = done.site.aws.client("lambda").invoke(
        FunctionName=done.site.deployment.functions[name], Payload=b"{}"
    )
    told = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, told
    return cast("dict[str, Any]", told)


def other_days_are_logs_too(entry: ManifestEntry) -> ManifestEntry:
    """For a run over the surrounding days, too."""
    return replace(entry, purpose=Purpose.LOG) if entry.purpose is Purpose.OTHER_DAY else entry
