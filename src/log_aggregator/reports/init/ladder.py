"""What comes after `init`, in the order in which trust grows: look, rehearse, survey, plan, pack,
and delete by name in the end.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

HISTORY_DAYS = 365
"""Of the backfill that is proposed; whoever has more history says so."""
PAGE = "survey.html"


@dataclass(frozen=True, slots=True)
class Way:
    """What the commands need to know. `config` and `connection` are options, where there are any;
    `source_keys` are KMS keys of sources.
    """

    config: Sequence[str]
    connection: Sequence[str]
    source_keys: Sequence[str]
    yesterday: date
    keep_days: int


def list_steps(way: Way) -> Iterator[dict[str, str]]:
    """Each is a command that can be pasted, and what it is for."""
    connected = [*way.config, *way.connection]
    keys = [word for key in way.source_keys for word in ("--source-kms-key-arn", key)]
    first = way.yesterday - timedelta(days=HISTORY_DAYS - 1)
    days = ["--from", str(first), "--to", str(way.yesterday)]
    yield _step(
        "A policy for whoever looks: doctor, survey and plan.",
        ["iam-policy", "--stage", "survey", *way.config],
    )
    yield _step("Is everything as it should be? Changes nothing.", ["doctor", *connected])
    yield _step(
        "Does this S3 keep what the safety rests on? Tried with a few synthetic logs, in two "
        "buckets that it makes and removes, which you must be allowed to; it asks before.",
        ["rehearse", *way.connection],
    )
    yield _step(
        "What do the logs cost, and what would packing save? Changes nothing.",
        ["survey", "--html", PAGE, *connected],
    )
    yield _step("What would a run do? Changes nothing.", ["plan", *connected])
    yield _step(
        "A policy for whoever packs; it cannot delete.",
        ["iam-policy", "--stage", "pack", *keys, *way.config],
    )
    yield _step(
        "Pack and verify yesterday's logs, and late ones of the two days before. The originals "
        "stay.",
        ["run", *connected],
    )
    yield _step(
        "The same for the past, window by window; here the last year. The originals stay.",
        ["backfill", *days, *connected],
    )
    yield _step("How far is it? In another terminal.", ["status", "--watch", *connected])
    yield _step(
        "A policy for whoever deletes originals that are in verified packs, and no pack.",
        ["iam-policy", "--stage", "delete", *keys, *way.config],
    )
    yield _step(
        "Once you have compared: shows how many originals would go, and asks.",
        ["delete", "--verified", "--older-than", f"{way.keep_days}d", *connected],
    )


def _step(what: str, words: Sequence[str]) -> dict[str, str]:
    return {"what": what, "command": shlex.join(["log-aggregator", *words])}
