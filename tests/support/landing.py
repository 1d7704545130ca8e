"""An account as `init` finds it: buckets of every kind, and nothing configured yet."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.support.account import ACCOUNT, FakeAccount, FakeBucket
from tests.support.world import access_key, flow_key, trail_key

from log_aggregator.ports.account import (
    BucketEncryption,
    BucketVersioning,
    InventoryConfiguration,
    LifecycleRule,
    Trail,
)
from log_aggregator.steps.doctor.prospect import Prospect, look_around
from log_aggregator_lab.stores.memory import MemoryStore

MAIN = f"aws-controltower-logs-{ACCOUNT}-eu-west-1"
KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/00000000-0000-0000-0000-000000000000"


@dataclass
class Landing:
    """A landing zone's buckets, and what else an account has."""

    account: FakeAccount = field(default_factory=FakeAccount)
    store: MemoryStore = field(default_factory=MemoryStore)

    def __post_init__(self) -> None:
        self.add(MAIN, trail_key(1), trail_key(2, account="222222222222"))
        self.add("flow", flow_key("a.log.gz"), flow_key("b.log.gz"), access_key(1))
        self.add("app", "app/2026/03/14/server-01.log", "app/2026/03/15/server-01.log")
        self.add("website", "index.html", "style.css")
        self.add("empty")
        self.change(
            "flow",
            versioning=BucketVersioning(),
            encryption=BucketEncryption("aws:kms", KEY, True),
            lifecycle=(LifecycleRule("gone", expiration_days=365),),
            inventories=(InventoryConfiguration("weekly", "website"),),
        )
        self.account.trails = [Trail("org", MAIN, is_organization=True)]

    def add(self, name: str, *keys: str) -> None:
        self.account.buckets[name] = FakeBucket()
        self.store.create_bucket(name, versioning="Enabled")
        for key in keys:
            self.store.put(name, key, b"x")

    def change(self, name: str, **values: object) -> None:
        for attribute, value in values.items():
            setattr(self.account.buckets[name], attribute, value)

    def look(self, *names: str) -> Prospect:
        return look_around(self.account, self.store, names)
