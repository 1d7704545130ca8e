"""A synthetic organisation in the local AWS with the aggregator deployed next to it, and what can
be checked about them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from tests.e2e.building import BuiltTemplate, Machine
from tests.e2e.deployment import Deployment, deploy
from tests.e2e.local_aws import ACCOUNT, LocalAws
from tests.support.waiting import SECONDS_MAX

from log_aggregator.adapters.counting import CountingStore
from log_aggregator.core.layouts.declarations import render_declarations
from log_aggregator.handlers.prepare import LAYOUTS_KEY
from log_aggregator.model import Group, Target
from log_aggregator.steps.workers import SerialWorkers
from log_aggregator.wiring import Connection, connect
from log_aggregator_lab.check import CheckResult, check_originals
from log_aggregator_lab.organisation.generate import AuxiliaryCounts, OrganisationSpec, small
from log_aggregator_lab.organisation.synthetic import ManifestEntry, SyntheticObject
from log_aggregator_lab.upload import create_buckets, upload

IN_PLACE_PREFIX = "AggregatedLogs"
"""The template's default for FinalAggregationPrefix."""

Inventory = dict[tuple[str, str, str], tuple[str, int]]
"""(bucket, key, version id) -> (ETag, size); a delete marker has the ETag ""."""


def one_day(seed: int = 1) -> OrganisationSpec:
    """A few hundred objects of one day, from four accounts, in the Control Tower bucket (versioned)
    and three auxiliary ones.
    """
    return in_few_buckets(
        replace(
            small(seed),
            accounts=4,
            objects=160,
            size_bytes_median=1_500,
            digest_chains=2,
            config_histories=2,
            auxiliary=AuxiliaryCounts(
                flow=40,
                flow_parquet=4,
                alb=20,
                clb=4,
                access=60,
                waf=10,
                dns=10,
                cloudfront=10,
                guardduty=4,
                vended=4,
                firehose=4,
                nginx=4,
                app=4,
                edge=4,
            ),
            oddities=replace(small(seed).oddities, versions=2, hostile_key=1, other_day=2),
        )
    )


def many_days(seed: int, days: int) -> OrganisationSpec:
    """A few main logs and flow logs on each of many days."""
    return in_few_buckets(
        OrganisationSpec(
            seed,
            accounts=2,
            days=days,
            objects=6 * days,
            size_bytes_median=1_200,
            auxiliary=AuxiliaryCounts(flow=2),
        )
    )


def in_few_buckets(spec: OrganisationSpec) -> OrganisationSpec:
    """Load balancer, WAF, DNS, GuardDuty and the organisation's own logs share the flow-log bucket:
    one bucket for each would run the same code.
    """
    shared = spec.flow_bucket
    return replace(
        spec,
        elb_bucket=shared,
        waf_bucket=shared,
        dns_bucket=shared,
        guardduty_bucket=shared,
        app_bucket=shared,
    )


@dataclass(slots=True)
class Site:
    """An organisation, the stack that handles its logs, and everything that was put."""

    aws: LocalAws
    spec: OrganisationSpec
    deployment: Deployment
    entries: list[ManifestEntry] = field(default_factory=list)

    @property
    def day(self) -> date:
        return self.spec.first_day

    @property
    def destination(self) -> str:
        """The common destination bucket. Raises KeyError if each bucket keeps its own packs."""
        return self.deployment.resources["CommonDestinationBucket"]

    @property
    def targets(self) -> list[Target]:
        if "CommonDestinationBucket" in self.deployment.resources:
            return [Target(self.destination)]
        return [Target(bucket, f"{IN_PLACE_PREFIX}/") for bucket in self.spec.buckets]

    @property
    def store(self) -> CountingStore:
        return connect(
            Connection(
                None,
                self.aws.region,
                self.aws.endpoint_url,
                self.aws.access_key,
                self.aws.secret_key,
            )
        )

    def put(self, objects: Iterable[SyntheticObject]) -> list[ManifestEntry]:
        """Puts more logs and remembers them."""
        entries = list(upload(objects, self.aws, concurrency=8).entries)
        self.entries += entries
        return entries

    def check(
        self,
        first: date | None = None,
        last: date | None = None,
        entries: Iterable[ManifestEntry] | None = None,
    ) -> CheckResult:
        """Checks that every log of the days comes back from a pack byte for byte and that
        everything else is where it was.
        """
        wanted = self.entries if entries is None else entries
        return check_originals(
            self.store, SerialWorkers(), self.targets, wanted, first or self.day, last or self.day
        )

    def list_keys(self, prefix: str = "") -> list[str]:
        """Keys in the destination bucket."""
        return sorted(
            key for (_, key, _) in self.inventory([self.destination]) if key.startswith(prefix)
        )

    def inventory(self, buckets: Iterable[str] | None = None) -> Inventory:
        """Every version and delete marker in the source and destination buckets, except custody
        records: each run writes one.
        """
        s3 = self.aws.client("s3")
        found: Inventory = {}
        for bucket in (
            dict.fromkeys([*self.spec.buckets, *(target.bucket for target in self.targets)])
            if buckets is None
            else buckets
        ):
            for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
                for entry in page.get("Versions", []):
                    found[bucket, entry["Key"], entry["VersionId"]] = (entry["ETag"], entry["Size"])
                for entry in page.get("DeleteMarkers", []):
                    found[bucket, entry["Key"], entry["VersionId"]] = ("", 0)
        custody = tuple(f"{target.root}custody/" for target in self.targets)
        return {place: entry for place, entry in found.items() if not place[1].startswith(custody)}

    def open_uploads(self) -> list[str]:
        s3 = self.aws.client("s3")
        answers = [s3.list_multipart_uploads(Bucket=target.bucket) for target in self.targets]
        return [upload["Key"] for answer in answers for upload in answer.get("Uploads", [])]

    def client_of(self, role: str) -> Any:
        """An S3 client with the permissions of this role."""
        arn = f"arn:aws:iam::{ACCOUNT}:role/{self.deployment.resources[role]}"
        found = self.aws.client("sts").assume_role(RoleArn=arn, RoleSessionName="e2e")[
            "Credentials"
        ]
        return replace(
            self.aws,
            access_key=found["AccessKeyId"],
            secret_key=found["SecretAccessKey"],
            session_token=found["SessionToken"],
        ).client("s3")

    def call(self, *arguments: str, code: int = 0) -> str:
        """Runs the command line against the local AWS, expects this exit code and returns its
        output.
        """
        command = [sys.executable, "-m", "log_aggregator", *arguments]
        environment = self.aws.environment | {
            "TMPDIR": os.environ.get("TMPDIR", "/tmp"),
            "PYTHONPATH": ":".join(sys.path),
        }
        done = subprocess.run(
            command,
            env=environment,
            text=True,
            capture_output=True,
            timeout=SECONDS_MAX,
            check=False,
        )
        assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def make_site(
    aws: LocalAws,
    built: BuiltTemplate,
    machine: Machine,
    spec: OrganisationSpec,
    objects: Iterable[SyntheticObject],
    parameters: Mapping[str, str] | None = None,
) -> Site:
    """Makes the buckets with their logs first, as in real life, then the stack and its
    declarations.
    """
    create_buckets(spec, aws)
    entries = list(upload(objects, aws, concurrency=8).entries)
    deployment = deploy(aws, built, stack_parameters(spec, machine) | dict(parameters or {}))
    declared = render_declarations(spec.layouts).encode()
    aws.client("s3").put_object(
        Bucket=deployment.outputs["WorkBucketName"], Key=LAYOUTS_KEY, Body=declared
    )
    return Site(aws, spec, deployment, entries)


def read_json(site: Site, address: str) -> dict[str, Any]:
    bucket, _, key = address.removeprefix("s3://").partition("/")
    value: dict[str, Any] = json.loads(
        site.aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    )
    return value


def foreign_key(group: Group) -> str:
    """The key of a foreign object among a group's packs. Since it is not a pack, the group's ledger
    cannot be read and the group fails.
    """
    return f"packs/{group.path}somebody-elses.json.gz"


def remove(site: Site, key: str) -> None:
    """Deletes all versions of a key in the destination bucket."""
    s3 = site.aws.client("s3")
    for version in s3.list_object_versions(Bucket=site.destination, Prefix=key)["Versions"]:
        s3.delete_object(
            Bucket=site.destination, Key=version["Key"], VersionId=version["VersionId"]
        )


def stack_parameters(spec: OrganisationSpec, machine: Machine) -> dict[str, str]:
    """What a user of this organisation would set, with low concurrency because all functions share
    this machine.
    """
    others = [name for name in spec.buckets if name != spec.control_tower_bucket]
    return {
        "ControlTowerBucket": spec.control_tower_bucket,
        "OtherBuckets": ",".join(others),
        "OrganizationId": spec.organization_id,
        "AggregationRegions": json.dumps(list(spec.regions)),
        "Architecture": machine.architecture,
        "ScheduleState": "DISABLED",
        "DeleteOriginals": "true",
        "ListConcurrency": "2",
        "PackConcurrency": "2",
        "HistoryConcurrency": "2",
    }


def alarm_metrics(template: Mapping[str, Any]) -> list[str]:
    """The names of the metrics that the template's alarms look at."""
    alarms = [
        resource["Properties"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    ]
    queries = [
        query["MetricStat"]["Metric"]
        for alarm in alarms
        for query in alarm.get("Metrics", [])
        if "MetricStat" in query
    ]
    return sorted({found["MetricName"] for found in [*alarms, *queries] if "MetricName" in found})
