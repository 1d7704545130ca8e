"""What S3 promises and this program rests on, one by one, so that any server can be asked whether
it keeps them.

    ground = Ground(store, hands, "scratch", "scratch-with-versions")
    for promise in PROMISES:
        answer = ask(promise, ground)
        ... promise.name, answer.seen, answer.what

A probe writes under a prefix of its own in a bucket that is there for this, and removes what it
wrote.
"""

from __future__ import annotations

from log_aggregator.steps.promises.asking import Answer, Ground, Needs, Promise, Rests, Seen, ask
from log_aggregator.steps.promises.table import PROMISES

__all__ = [
    "PROMISES",
    "Answer",
    "Ground",
    "Needs",
    "Promise",
    "Rests",
    "Seen",
    "ask",
]
