"""The command line as its users run it: a process of its own, against the embedded server.

Most of these processes are forked from one that has loaded everything. Where it matters how a
process begins or ends, it is started as a user starts it.
"""

from __future__ import annotations

import itertools
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from tests.support.forking import Done, Forked, ForkServer, Tuning
from tests.support.proxy import Action, Decide, Exchange, Proxy, pass_through
from tests.support.waiting import SECONDS_MAX

from log_aggregator.core.layouts.declarations import render_declarations
from log_aggregator.model import Target
from log_aggregator.ports.store import ObjectStore
from log_aggregator.steps.workers import SerialWorkers
from log_aggregator.wiring import Connection, connect
from log_aggregator_lab.check import CheckResult, check_originals
from log_aggregator_lab.organisation.generate import OrganisationSpec, generate, small
from log_aggregator_lab.organisation.synthetic import ManifestEntry
from log_aggregator_lab.servers.s3 import EmbeddedS3
from log_aggregator_lab.upload import create_bucket, create_buckets, upload

IN_BACKGROUND = ("/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh")
"""How a shell without job control starts what stands before an `&`: with SIGINT ignored."""

_NUMBERS = itertools.count(1)
_OWN = f"{os.getpid()}-{secrets.token_hex(2)}"
"""pytest imports this module twice, as a plugin and by its name, and each counts from 1: without
this they would share buckets.
"""


@dataclass(slots=True)
class Site:
    """A synthetic organisation on a server, and the command line pointed at it."""

    server: EmbeddedS3
    forks: ForkServer
    spec: OrganisationSpec
    destination: str | None
    entries: list[ManifestEntry] = field(default_factory=list)
    config: Path | None = None
    """A settings file with the layouts that the organisation declares."""

    @property
    def day(self) -> date:
        return self.spec.first_day

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        return kept | {
            "AWS_ACCESS_KEY_ID": self.server.access_key,
            "AWS_SECRET_ACCESS_KEY": self.server.secret_key,
            "AWS_ENDPOINT_URL_S3": self.server.endpoint_url,
            "AWS_REGION": self.server.region,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @property
    def client(self) -> Any:
        return client_of(self.server)

    @property
    def sources(self) -> list[str]:
        others = ",".join(
            name for name in self.spec.buckets if name != self.spec.control_tower_bucket
        )
        options = [
            "--control-tower-bucket",
            self.spec.control_tower_bucket,
            *(["--other-buckets", others] if others else []),
        ]
        options += ["--aggregation-regions", ",".join(self.spec.regions), "--date", str(self.day)]
        options += ["--delete-originals"]
        options += ["--config", str(self.config)] if self.config else []
        return [*options, "--destination-bucket", self.destination] if self.destination else options

    @property
    def targets(self) -> list[Target]:
        if self.destination:
            return [Target(self.destination)]
        return [Target(name, "aggregated/") for name in self.spec.buckets]

    def start_command(self, *arguments: str) -> list[str]:
        return [*IN_BACKGROUND, sys.executable, "-m", "log_aggregator", *arguments]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start it as a user does."""
        return subprocess.Popen(
            self.start_command(*arguments),
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def start_until_packing(self, *arguments: str) -> Forked:
        """Start a run and wait until it has listed everything and is packing groups."""
        command = ["run", *self.sources, *arguments]
        process = self.forks.start(command, self.environment)
        if not process.wait_for(lambda: "\npacking" in process.err.read_text()):
            raise AssertionError(f"the run ended before it began to pack: {process.wait()}")
        return process

    def strike(
        self,
        proxy: Proxy,
        decide: Callable[[Action], Decide],
        number: signal.Signals,
        *arguments: str,
    ) -> Done:
        """Start a command through the proxy and signal it right before the chosen request; returns
        how it ended.
        """
        is_started = threading.Event()

        def send(exchange: Exchange) -> None:
            assert is_started.wait(SECONDS_MAX)
            process.send_signal(number)
            pass_through(exchange)

        proxy.restart(decide(send))
        place = {"AWS_ENDPOINT_URL_S3": proxy.endpoint_url}
        process = self.forks.start(arguments, self.environment | place)
        is_started.set()
        done = process.wait()
        assert proxy.faulty, f"it ended before: {done.err}"
        proxy.wait_until_idle()
        return done

    def call(
        self,
        *arguments: str,
        code: int = 0,
        endpoint_url: str | None = None,
        tuning: Tuning | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run the command line to its end and check its exit code."""
        place = {"AWS_ENDPOINT_URL_S3": endpoint_url or self.server.endpoint_url}
        done = self.forks.start(arguments, self.environment | place, tuning=tuning).wait()
        assert done.code == code, f"exit code {done.code}\n{done.out}\n{done.err}"
        return subprocess.CompletedProcess(arguments, done.code, done.out, done.err)

    def run_json(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        result: dict[str, Any] = json.loads(
            self.call("run", "--json", *self.sources, *arguments, code=code).stdout
        )
        return result

    def check(self) -> CheckResult:
        """Check all originals against the manifest."""
        return check_originals(
            store_of(self.server),
            SerialWorkers(),
            self.targets,
            self.entries,
            self.day,
            self.day,
        )

    def has_packed(self, count: int) -> bool:
        """Whether this many packs and indexes are there, a thousand at most."""
        found = self.client.list_objects_v2(Bucket=self.destination)
        return int(found.get("KeyCount", 0)) >= count

    def has_opened(self, count: int) -> bool:
        return len(self.open_uploads()) >= count

    def open_uploads(self) -> list[str]:
        buckets: Sequence[str] = [self.destination] if self.destination else self.spec.buckets
        answers = [self.client.list_multipart_uploads(Bucket=bucket) for bucket in buckets]
        return [upload["Key"] for answer in answers for upload in answer.get("Uploads", [])]


@cache
def client_of(server: EmbeddedS3) -> Any:
    """The client is made once, which takes longer than most requests."""
    return boto3.client(
        "s3",
        endpoint_url=server.endpoint_url,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        region_name=server.region,
    )


@cache
def store_of(server: EmbeddedS3) -> ObjectStore:
    place = (server.region, server.endpoint_url, server.access_key, server.secret_key)
    return connect(Connection(None, *place))


@dataclass(frozen=True, slots=True)
class Sites:
    """Makes sites, with one server and cheap processes."""

    server: EmbeddedS3
    forks: ForkServer
    folder: Path

    def without_buckets(self) -> Site:
        return Site(self.server, self.forks, small(), None)

    def make(self, spec: OrganisationSpec, *, in_place: bool = False) -> Site:
        """Put the organisation into new buckets."""
        own = spec.with_bucket_prefix(f"t{next(_NUMBERS)}-{_OWN}-")
        create_buckets(own, self.server)
        destination = None
        if not in_place:
            destination = f"t{next(_NUMBERS)}-{_OWN}-packs"
            create_bucket(destination, self.server, is_versioned=True)
        for bucket in (*own.buckets, *([destination] if destination else [])):
            self.server.make_room(bucket)
        entries = list(upload(generate(own), self.server).entries)
        config = self.folder / f"{own.app_bucket}.toml"
        config.write_text(render_declarations(own.layouts), encoding="utf-8")
        return Site(self.server, self.forks, own, destination, entries, config)


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> Iterator[None]:
    """Under nohup, cron and a shell's background jobs SIGINT is ignored. A process started here
    would inherit that and could not be interrupted.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def forks() -> Iterator[ForkServer]:
    with ForkServer() as server:
        yield server


@pytest.fixture(scope="session")
def sites(
    embedded_s3: EmbeddedS3, forks: ForkServer, tmp_path_factory: pytest.TempPathFactory
) -> Sites:
    return Sites(embedded_s3, forks, tmp_path_factory.mktemp("sites"))


@pytest.fixture
def site(sites: Sites) -> Site:
    """The small organisation, with all its oddities."""
    return sites.make(small(seed=7))


@pytest.fixture(scope="session")
def packed(sites: Sites) -> Site:
    """The same after its run. Tests share it, so none may change it."""
    site = sites.make(small(seed=7))
    site.run_json()
    return site
