"""A real process is stopped at random moments, again and again, by every signal; the next run
repairs it, and the custody records are true for all of them.

Unlike in `test_kill_at_every_request`, it also dies between requests and while sending or reading
one.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter

from tests.proof.ground import SCENARIOS, Day, Ground, assert_mended, make_day

from log_aggregator.core.custody import Record
from log_aggregator.steps.custody.walk import list_records, read_records
from log_aggregator.steps.workers import SerialWorkers

ROUNDS = int(os.environ.get("KILL_ROUNDS", "4"))
"""`make kills` runs 40."""
SEED = int(os.environ.get("KILL_SEED", "1"))
STOPS_MAX = 3
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


def test_a_run_stopped_at_random_moments_loses_nothing(ground: Ground) -> None:
    """With both buckets: the one with versions and the one without."""
    chance = random.Random(SEED)
    usual_seconds = {name: time_a_run(make_day(ground, name)) for name in SCENARIOS}
    killed = 0
    for number in range(ROUNDS):
        name = chance.choice(sorted(SCENARIOS))
        day = make_day(ground, name)
        stops = [stop_at_random(day, chance, usual_seconds[name]) for _ in range(STOPS_MAX)]
        where = f"round {number} of seed {SEED}, {name}, {day.date}, stopped by {stops}"
        killed += stops.count(signal.SIGKILL)
        assert_mended(day, where, openings_max=STOPS_MAX)
        assert_told(day, where)
    assert killed or ROUNDS < 4, "no run was killed: the moments are badly chosen"


def time_a_run(day: Day) -> float:
    began = time.monotonic()
    assert day.run().code == 0
    return time.monotonic() - began


def stop_at_random(day: Day, chance: random.Random, usual_seconds: float) -> int:
    """The signal that ended a run; 0 if it was over before."""
    process, number = day.start(), chance.choice(SIGNALS)
    time.sleep(chance.random() * usual_seconds)
    process.send_signal(number)
    done = process.wait()
    has_begun = bool(done.err or done.out)
    assert number == signal.SIGKILL or done.code in (0, 130) or not has_begun, (number, done)
    day.ground.proxy.wait_until_idle()
    losses = day.find_losses()
    assert losses == [], losses
    return number if done.code else 0


def assert_told(day: Day, where: str) -> None:
    """Exactly one record says who wrote each pack, and each deletion is in at least one."""
    groups = [
        each
        for record in read_all_records(day)
        for each in record.groups
        if each.group.date == day.date
    ]
    written = Counter(pack.key for each in groups for pack in each.packs if pack.is_new)
    assert set(written.values()) == {1}, (where, written)
    told = sum(
        each.counts.unknown + sum((pack.deleted or 0) + pack.changed for pack in each.packs)
        for each in groups
    )
    assert told >= len(day.originals), (where, told)


def read_all_records(day: Day) -> list[Record]:
    listed = list_records(day.store, day.target)
    found = list(read_records(day.store, SerialWorkers(), day.target, listed))
    assert all(each.record is not None for each in found)
    return [each.record for each in found if each.record is not None]
