"""Asks one server about all promises."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from tests.servers.starting import KINDS, Running, run_server
from tests.servers.tour import Day, spend_day

from log_aggregator.adapters.s3 import ClientSettings, S3Store
from log_aggregator.adapters.s3.scratch import BotoHands
from log_aggregator.steps.promises import PROMISES, Answer, Ground, Rests, Seen, ask

ATTEMPTS_MAX = 2
"""Servers that answer 500 to requests they do not know do so every time."""
PLAIN, VERSIONED = "without versions", "with versions"


@dataclass(slots=True)
class Asked:
    """A server's answers, by the name of the promise."""

    title: str
    version: str = ""
    note: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    days: dict[str, Day] = field(default_factory=dict)

    @property
    def is_safe(self) -> bool:
        """No promise that safety rests on is broken, and nothing was lost."""
        broken = [
            promise
            for promise in PROMISES
            if promise.rests is Rests.SAFETY
            and promise.name in self.answers
            and self.answers[promise.name].seen is Seen.BROKEN
        ]
        return not broken and not any(day.lost for day in self.days.values())

    def describe(self) -> dict[str, Any]:
        """For a file and for `--json`."""
        return {
            "title": self.title,
            "version": self.version,
            "note": self.note,
            "promises": {
                name: {"seen": str(answer.seen), "what": answer.what}
                for name, answer in self.answers.items()
            },
            "days": {name: day.describe() for name, day in self.days.items()},
        }


def ask_known(name: str, *, with_days: bool = True) -> Asked:
    """Starts a server of KINDS and asks it. Raises Missing, NotStarted."""
    kind = KINDS[name]
    with run_server(name) as running:
        client = make_client(running.settings)
        bucket = make_bucket(running, client, "scratch", is_versioned=False)
        versioned = make_bucket(running, client, "scratch-versions", is_versioned=True)
        asked = Asked(kind.title, kind.find_version(), kind.note)
        locked = make_locked_bucket(running, client, "scratch-locked")
        asked.answers = ask_promises(running.settings, client, bucket or "", versioned, locked)
        if with_days:
            for state in (PLAIN, VERSIONED):
                day_bucket = make_bucket(
                    running,
                    client,
                    f"day-{state.partition(' ')[0]}",
                    is_versioned=state == VERSIONED,
                )
                if day_bucket is not None:
                    asked.days[state] = spend_day(running.settings, client, day_bucket)
    return asked


def make_bucket(running: Running, client: Any, name: str, *, is_versioned: bool) -> str | None:
    """None if the server has no versions."""
    client.create_bucket(Bucket=name)
    running.make_room(name)
    if is_versioned:
        try:
            client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
            state = client.get_bucket_versioning(Bucket=name).get("Status")
        except ClientError:
            return None
        return name if state == "Enabled" else None
    return name


def make_locked_bucket(running: Running, client: Any, name: str) -> str | None:
    """None if the server has no Object Lock."""
    hands = BotoHands(client)
    try:
        client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    except ClientError:
        return None
    running.make_room(name)
    return name if hands.find_lock(name) else None


def ask_promises(
    settings: ClientSettings,
    client: Any,
    bucket: str,
    versioned_bucket: str | None,
    locked_bucket: str | None = None,
) -> dict[str, Answer]:
    """Answers by promise name."""
    store = S3Store.connect(replace(settings, attempts_max=ATTEMPTS_MAX))
    ground = Ground(store, BotoHands(client), bucket, versioned_bucket, locked_bucket)
    return {promise.name: ask(promise, ground) for promise in PROMISES}


def make_client(settings: ClientSettings) -> Any:
    """For what the program itself never does."""
    return boto3.client(
        "s3",
        region_name=settings.region,
        endpoint_url=settings.endpoint_url,
        aws_access_key_id=settings.access_key,
        aws_secret_access_key=settings.secret_key,
        config=Config(
            s3={"addressing_style": "path" if settings.endpoint_url else "auto"},
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS_MAX},
        ),
    )
