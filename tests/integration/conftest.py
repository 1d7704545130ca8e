"""The command line as its users run it: a process of its own, against the embedded server."""

from __future__ import annotations

import itertools
import json
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import boto3
import pytest
from tests.support.proxy import Action, Decide, Exchange, Proxy, pass_through
from tests.support.waiting import SECONDS_MAX

from log_aggregator.lab.check import CheckResult, check_originals
from log_aggregator.lab.organisation import OrganisationSpec, generate, small
from log_aggregator.lab.server import EmbeddedS3
from log_aggregator.lab.synthetic import ManifestEntry
from log_aggregator.lab.upload import create_bucket, create_buckets, upload
from log_aggregator.model import Target
from log_aggregator.steps.workers import SerialWorkers
from log_aggregator.wiring import Connection, connect

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
    spec: OrganisationSpec
    destination: str | None
    entries: list[ManifestEntry] = field(default_factory=list)

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
        return boto3.client(
            "s3",
            endpoint_url=self.server.endpoint_url,
            aws_access_key_id=self.server.access_key,
            aws_secret_access_key=self.server.secret_key,
            region_name=self.server.region,
        )

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
        return [*options, "--destination-bucket", self.destination] if self.destination else options

    @property
    def targets(self) -> list[Target]:
        if self.destination:
            return [Target(self.destination)]
        return [Target(name, "aggregated/") for name in self.spec.buckets]

    def start_command(self, *arguments: str) -> list[str]:
        return [*IN_BACKGROUND, sys.executable, "-m", "log_aggregator", *arguments]

    def start(self, *arguments: str, through: Proxy | None = None) -> subprocess.Popen[str]:
        """Against the server, or against a proxy in front of it."""
        proxied = {} if through is None else {"AWS_ENDPOINT_URL_S3": through.endpoint_url}
        return subprocess.Popen(
            self.start_command(*arguments),
            env=self.environment | proxied,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def start_until_packing(self, *arguments: str) -> subprocess.Popen[str]:
        """A run that has listed everything and is in the middle of its groups."""
        process = self.start("run", *self.sources, *arguments)
        for line in process.stderr or ():
            if line.startswith("packing"):
                return process
        raise AssertionError("the run ended before it began to pack")

    def strike(
        self, proxy: Proxy, decide: Callable[[Action], Decide], number: int, *arguments: str
    ) -> tuple[int, str]:
        """Starts a command through the proxy and sends it this signal right before the request
        that is decided for; gives the exit code and what it said.
        """
        is_started = threading.Event()

        def send(exchange: Exchange) -> None:
            assert is_started.wait(SECONDS_MAX)
            process.send_signal(number)
            pass_through(exchange)

        proxy.restart(decide(send))
        process = self.start(*arguments, through=proxy)
        is_started.set()
        _, err = process.communicate(timeout=SECONDS_MAX)
        assert proxy.faulty, f"it ended before: {err}"
        proxy.wait_until_idle()
        return process.returncode, err

    def call(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Runs the command line to its end, which must come with this exit code."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=SECONDS_MAX)
        assert process.returncode == code, f"exit code {process.returncode}\n{out}\n{err}"
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def run_json(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        result: dict[str, Any] = json.loads(
            self.call("run", "--json", *self.sources, *arguments, code=code).stdout
        )
        return result

    def check(self) -> CheckResult:
        """All originals, against the manifest."""
        store = connect(
            Connection(
                None,
                self.server.region,
                self.server.endpoint_url,
                self.server.access_key,
                self.server.secret_key,
            )
        )
        return check_originals(
            store, SerialWorkers(), self.targets, self.entries, self.day, self.day
        )

    def open_uploads(self) -> list[str]:
        buckets: Sequence[str] = [self.destination] if self.destination else self.spec.buckets
        answers = [self.client.list_multipart_uploads(Bucket=bucket) for bucket in buckets]
        return [upload["Key"] for answer in answers for upload in answer.get("Uploads", [])]


def make_site(server: EmbeddedS3, spec: OrganisationSpec, *, in_place: bool = False) -> Site:
    """Puts the organisation into buckets of its own."""
    own = spec.with_bucket_prefix(f"t{next(_NUMBERS)}-{_OWN}-")
    create_buckets(own, server)
    destination = None
    if not in_place:
        destination = f"t{next(_NUMBERS)}-{_OWN}-packs"
        create_bucket(destination, server, is_versioned=True)
    return Site(server, own, destination, list(upload(generate(own), server).entries))


@pytest.fixture
def site(embedded_s3: EmbeddedS3) -> Site:
    """The small organisation, with everything odd in it."""
    return make_site(embedded_s3, small(seed=7))
