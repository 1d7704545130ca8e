"""A healthy account, in which one thing can be broken to see what the doctor finds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from tests.support.account import ACCOUNT, FakeAccount, FakeBucket

from log_aggregator.core.windows import DateWindow
from log_aggregator.ports.account import LifecycleRule
from log_aggregator.settings import read_settings
from log_aggregator.steps.doctor.examine import examine
from log_aggregator.steps.doctor.findings import Finding
from log_aggregator.wiring import make_run_rules
from log_aggregator_lab.stores.memory import MemoryStore

NOW = datetime(2026, 3, 15, 5, tzinfo=UTC)
MAIN = "aws-controltower-logs-111122223333-eu-west-1"
ORGANIZATION = "o-abcd1234"


@dataclass
class Clinic:
    """A healthy account with a Control Tower bucket, a flow-log bucket and a destination, and the
    doctor's findings.
    """

    account: FakeAccount = field(default_factory=FakeAccount)
    store: MemoryStore = field(default_factory=MemoryStore)
    settings: dict[str, Any] = field(default_factory=dict)
    role_arns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.settings = {
            "control_tower_bucket": MAIN,
            "other_buckets": "flow",
            "destination_bucket": "packs",
        } | self.settings
        for name in (MAIN, "flow", "packs"):
            self.account.buckets[name] = FakeBucket()
            self.store.create_bucket(name, versioning="Enabled")
        self.put(
            f"{ORGANIZATION}/AWSLogs/{ORGANIZATION}/{ACCOUNT}/CloudTrail/eu-west-1/2026/03/15/a.json.gz"
        )
        self.put(
            f"{ORGANIZATION}/AWSLogs/{ACCOUNT}/Config/eu-west-1/2026/3/14/ConfigHistory/a.json.gz"
        )

    def put(self, key: str, bucket: str = MAIN) -> None:
        self.store.put(bucket, key, b"x")

    def change(self, bucket: str, **values: Any) -> None:
        self.account.buckets[bucket] = replace(self.account.buckets[bucket], **values)

    def examine(self) -> list[Finding]:
        day = NOW.date()
        rules = make_run_rules(read_settings(None, self.settings), DateWindow(day, day))
        return examine(self.account, self.store, self, rules, self.role_arns)

    def now(self) -> datetime:
        return NOW

    def find(self, check: str, where: str = "") -> Finding:
        """The worst finding about a bucket, or about the account."""
        place = f"s3://{where}" if where else "account"
        found = [
            finding
            for finding in self.examine()
            if finding.check == check and finding.where == place
        ]
        assert found, f"nothing was said about {check} of {place}"
        return max(found, key=lambda finding: finding.level.rank)


def rule(rule_id: str = "rule", **values: Any) -> LifecycleRule:
    return LifecycleRule(rule_id, **values)
