"""Runs the whole program on a server: a day of a synthetic organisation is packed, verified,
deleted, found, extracted and put back, by the commands that users call.

Everything is in one bucket, packs too. Whatever the program reports, an original that is neither in
place nor comes out of a pack counts as lost.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from tests.support.waiting import SECONDS_MAX

from log_aggregator.adapters.s3 import ClientSettings
from log_aggregator_lab.organisation.generate import generate
from log_aggregator_lab.organisation.specification import OrganisationSpec

LOGS = 12
SAID_CHARACTERS_MAX = 300


@dataclass(slots=True)
class Day:
    """For each command, on how many of the day's logs it succeeded, and anything else it
    reported.
    """

    logs: int = 0
    packed: int = 0
    deleted: int = 0
    found: int = 0
    extracted: int = 0
    put_back: int = 0
    lost: int = 0
    said: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Everything was done, and nothing was reported."""
        counts = {self.packed, self.deleted, self.found, self.extracted, self.put_back}
        return counts == {self.logs} and not self.said and not self.lost

    def describe(self) -> dict[str, Any]:
        return asdict(self)


def spend_day(settings: ClientSettings, client: Any, bucket: str) -> Day:
    """Runs in an empty bucket and leaves it as the last command left it."""
    spec = OrganisationSpec(
        accounts=2, regions=("eu-west-1",), objects=LOGS, size_bytes_median=2_000
    ).with_one_bucket(bucket)
    originals = {item.key: item.make() for item in generate(spec)}
    for item in generate(spec):
        client.put_object(
            Bucket=bucket, Key=item.key, Body=originals[item.key], Metadata=dict(item.metadata)
        )
    with tempfile.TemporaryDirectory() as folder:
        return _Tour(settings, client, bucket, str(spec.first_day), originals, Path(folder)).take()


@dataclass(slots=True)
class _Tour:
    settings: ClientSettings
    client: Any
    bucket: str
    date: str
    originals: dict[str, bytes]
    folder: Path
    day: Day = field(default_factory=Day)

    def take(self) -> Day:
        """If nothing was packed, there is nothing to find either."""
        self.day.logs = len(self.originals)
        buckets = ["--control-tower-bucket", self.bucket, "--date", self.date]
        told = self._call(
            "run", "--delete-originals", "--json", "--aggregation-regions", "eu-west-1", *buckets
        )
        left = self._read_all(self._get)
        self.day.packed = int(told.get("objects", {}).get("packed", 0))
        self.day.deleted = len(self.originals) - len(left)
        if self.day.packed or self.day.deleted:
            self._get_back(buckets, left)
        return self.day

    def _get_back(self, buckets: Sequence[str], left: set[str]) -> None:
        self.day.found = int(self._call("find", "--count", "--json", *buckets).get("members", 0))
        self._call("extract", "--directory", str(self.folder / "back"), *buckets)
        extracted = self._read_all(self._read_file)
        self.day.extracted = len(extracted)
        self.day.lost = len(self.originals.keys() - left - extracted)
        self._call("put-back", *buckets)
        self.day.put_back = len(self._read_all(self._get) - left)

    def _call(self, *arguments: str) -> dict[str, Any]:
        """Runs one command. Its messages are added to the day if it did not end well, each once."""
        done = subprocess.run(
            [sys.executable, "-m", "log_aggregator", *arguments],
            env=self._make_environment(),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
        told: dict[str, Any] = {}
        with suppress(ValueError):
            told = json.loads(done.stdout)
        if done.returncode:
            self._note(arguments[0], done.returncode, told, done.stderr)
        return told

    def _note(self, command: str, code: int, told: dict[str, Any], err: str) -> None:
        failures = [failure["message"] for failure in told.get("failures", [])]
        lines = failures or [line for line in err.splitlines() if line.strip()] or ["nothing"]
        said = self._generalise(lines[0].removeprefix("log-aggregator: "))[:SAID_CHARACTERS_MAX]
        self.day.said.append(f"`{command}` ends with {code}: {said}")

    def _generalise(self, text: str) -> str:
        """Without what differs each time: names, version numbers, hashes."""
        text = text.replace(str(self.folder), "…").replace(self.bucket, "bucket")
        return re.sub(r"\b(?=\w*\d)[0-9a-f]{12,}\b", "…", text)

    def _make_environment(self) -> dict[str, str]:
        kept = ("PATH", "PYTHONPATH", "TMPDIR")
        settings = self.settings
        return {name: os.environ[name] for name in kept if name in os.environ} | {
            "HOME": str(self.folder),
            "AWS_ACCESS_KEY_ID": settings.access_key or "",
            "AWS_SECRET_ACCESS_KEY": settings.secret_key or "",
            "AWS_ENDPOINT_URL_S3": settings.endpoint_url or "",
            "AWS_REGION": settings.region or "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def _read_all(self, read: Callable[[str], bytes | None]) -> set[str]:
        """The keys of the originals that come back unchanged."""
        return {key for key, data in self.originals.items() if read(key) == data}

    def _get(self, key: str) -> bytes | None:
        try:
            return bytes(self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read())
        except (BotoCoreError, ClientError):
            return None

    def _read_file(self, key: str) -> bytes | None:
        path = self.folder / "back" / self.bucket / key
        return path.read_bytes() if path.exists() else None
