"""The steps after `init`, in the order in which trust grows: look, rehearse, survey, plan, pack,
and finally delete.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

HISTORY_DAYS = 365
"""Days of the backfill that is proposed; a user with more history changes the dates."""
PAGE = "survey.html"


@dataclass(frozen=True, slots=True)
class Way:
    """What the commands need. `config` and `connection` are options, where there are any;
    `source_keys` are KMS keys of source buckets.
    """

    config: Sequence[str]
    connection: Sequence[str]
    source_keys: Sequence[str]
    yesterday: date
    keep_days: int


def list_steps(way: Way) -> Iterator[dict[str, str]]:
    """Each step is a command to paste, and what it is for."""
    connected = [*way.config, *way.connection]
    keys = [word for key in way.source_keys for word in ("--source-kms-key-arn", key)]
    first = way.yesterday - timedelta(days=HISTORY_DAYS - 1)
    days = ["--from", str(first), "--to", str(way.yesterday)]
    yield _step(
        "Print the policy for looking: doctor, survey and plan.",
        ["iam-policy", "--stage", "survey", *way.config],
    )
    yield _step("Check that a run would work. Changes nothing.", ["doctor", *connected])
    yield _step(
        "Test the guarantees that safety depends on, with a few synthetic logs. It asks first, and "
        "needs permission to make and remove two buckets.",
        ["rehearse", *way.connection],
    )
    yield _step(
        "Estimate what the logs cost, and what packing would save. Changes nothing.",
        ["survey", "--html", PAGE, *connected],
    )
    yield _step("Show what a run would do. Changes nothing.", ["plan", *connected])
    yield _step(
        "Print the policy for packing, which does not allow deleting originals.",
        ["iam-policy", "--stage", "pack", *keys, *way.config],
    )
    yield _step(
        "Pack and verify yesterday's logs, and late logs of the two days before. The originals "
        "stay.",
        ["run", *connected],
    )
    yield _step(
        "Do the same for the last year, window by window. The originals stay.",
        ["backfill", *days, *connected],
    )
    yield _step("Watch its progress, in another terminal.", ["status", "--watch", *connected])
    yield _step(
        "Print the policy for deleting originals that are in verified packs, but no packs.",
        ["iam-policy", "--stage", "delete", *keys, *way.config],
    )
    yield _step(
        "Once you trust the packs, delete originals. It shows how many, and asks.",
        ["delete", "--verified", "--older-than", f"{way.keep_days}d", *connected],
    )


def _step(what: str, words: Sequence[str]) -> dict[str, str]:
    return {"what": what, "command": shlex.join(["log-aggregator", *words])}
