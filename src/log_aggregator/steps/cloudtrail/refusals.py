"""Remembers the Regions in which CloudTrail refuses to list its public keys.

A Region deny control, or a Region that the account has not opted into, would refuse every night. So
the first refusal is noted, in `keys/regions/<region>/<day>-refused.json`, and the Region is not
asked for 30 days. If it answers then, it gets `<day>-answers.json`. Notes are never changed: the
newest by name counts.
"""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from log_aggregator.core.checksums import crc64nvme
from log_aggregator.errors import (
    AccessDenied,
    LogAggregatorError,
    PreconditionFailed,
    RequestFailed,
)
from log_aggregator.model import Target
from log_aggregator.ports.store import ObjectStore, WriteOptions
from log_aggregator.steps.packs.pages import list_all

FORMAT = "log-aggregator-cloudtrail-region"
VERSION = 1
ASKED_AGAIN_DAYS = 30

REFUSAL_CODES = frozenset(
    {"AuthFailure", "InvalidClientTokenId", "OptInRequired", "UnrecognizedClientException"}
)
"""What AWS answers in a Region that is not opted into, apart from AccessDenied: the credentials are
unknown there, although they are valid everywhere else
(https://repost.aws/knowledge-center/iam-validate-access-credentials).
"""

_NOTE = re.compile(r"(?P<region>[a-z0-9-]{1,64})/(?P<day>\d{4}-\d{2}-\d{2})-(?P<answer>\w+)\.json")


class RegionAnswer(StrEnum):
    """How a Region answered. If a day has two notes, the later name counts."""

    ANSWERS = "answers"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A Region that refuses: the first day, and the day it was last asked."""

    since: date
    asked: date

    def is_due(self, today: date) -> bool:
        return today - self.asked >= timedelta(days=ASKED_AGAIN_DAYS)


def is_refusal(error: LogAggregatorError) -> bool:
    """Whether the Region refuses. Throttling and network errors are not refusals: the next night
    may succeed. The error does not tell whether other Regions refuse too.
    """
    return isinstance(error, AccessDenied) or (
        isinstance(error, RequestFailed) and error.code in REFUSAL_CODES
    )


def is_beyond_our_permissions(error: LogAggregatorError) -> bool:
    """Whether a refusal says that no permission of the role could change it: it comes from the
    organisation, or the Region is not opted into
    (https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html).
    """
    is_not_opted_in = isinstance(error, RequestFailed) and error.code == "OptInRequired"
    return is_not_opted_in or "service control policy" in str(error)


def notes_prefix(target: Target) -> str:
    return f"{target.root}keys/regions/"


def read_refusals(store: ObjectStore, target: Target, today: date) -> dict[str, Refusal]:
    """By Region, those that refused when they were last asked. Raises StoreError.

    A note with a future day is ignored: it would keep a Region from ever being asked.
    """
    prefix = notes_prefix(target)
    found: dict[str, Refusal] = {}
    for key in sorted(entry.key for entry in list_all(store, target.bucket, prefix)):
        note = _NOTE.fullmatch(key.removeprefix(prefix))
        day = _parse_day(note["day"]) if note else None
        if note is None or day is None or day > today:
            continue
        region = note["region"]
        if note["answer"] == RegionAnswer.ANSWERS:
            found.pop(region, None)
        elif note["answer"] == RegionAnswer.REFUSED:
            known = found.get(region)
            found[region] = Refusal(day if known is None else known.since, day)
    return found


def encode_note(region: str, answer: RegionAnswer, day: date, why: str = "") -> bytes:
    """A note's contents, for people only: the program reads just its name."""
    fields = {
        "format": FORMAT,
        "version": VERSION,
        "region": region,
        "day": day.isoformat(),
        "answer": answer.value,
        "why": why,
    }
    return json.dumps(fields, indent=2).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class Notepad:
    """Writes notes of a day into a target."""

    store: ObjectStore
    target: Target
    day: date
    options: WriteOptions

    def write(self, region: str, answer: RegionAnswer, why: str = "") -> None:
        """Writes a note, unless it exists. Raises StoreError."""
        key = f"{notes_prefix(self.target)}{region}/{self.day}-{answer.value}.json"
        data = encode_note(region, answer, self.day, why)
        with contextlib.suppress(PreconditionFailed):
            self.store.put_object(
                self.target.bucket, key, data, crc64nvme=crc64nvme(data), options=self.options
            )


def _parse_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
