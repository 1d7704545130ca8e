"""The promises of S3 that this program relies on, one by one, so that any server can be tested for
them.

    ground = Ground(store, hands, "scratch", "scratch-with-versions")
    for promise in PROMISES:
        answer = ask(promise, ground)
        ... promise.name, answer.seen, answer.what

A probe writes under its own prefix in a bucket for this purpose, and removes what it wrote.
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
