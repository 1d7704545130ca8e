"""The other objects of the random world are what they are supposed to be: otherwise their staying
would prove nothing.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.simulation.freekeys import (
    DECLARATIONS,
    FREE_KINDS,
    decoy_keys,
    firehose_key,
    free_key,
    no_log_keys,
    vended_key,
)
from tests.simulation.randomworld import KINDS, build_world
from tests.simulation.truth import Fate
from tests.support.world import DAY

from log_aggregator.core.layouts.declarations import read_declarations
from log_aggregator.core.layouts.declared import BUILT_IN
from log_aggregator.core.layouts.hints import hint_of
from log_aggregator.core.layouts.parse import Dated, NoLog, Unknown
from log_aggregator.core.layouts.pattern import parse_pattern

DECLARED = read_declarations(DECLARATIONS).of("logs")
WORLDS = 300


@pytest.mark.parametrize("name", ["nginx", "orders", "edge", "wide"])
def test_free_logs_are_of_their_day_once_they_are_declared(name: str) -> None:
    """And of no other day."""
    for day in (DAY, DAY - timedelta(days=300)):
        key = free_key(name, 7, day)
        found = DECLARED.read(key)
        assert isinstance(found, Dated)
        assert (found.facts.date, found.facts.log_type) == (day, name)
        assert isinstance(BUILT_IN.read(key), Unknown)


def test_objects_that_are_not_logs_look_like_logs() -> None:
    """It is not a log, in its own folder and in a declared one where its key matches the pattern;
    most of its kinds name a day.
    """
    keys = no_log_keys(7)
    assert {type(DECLARED.read(key)) for key in keys} == {NoLog}
    wide = parse_pattern(str(DECLARATIONS[3]["pattern"]))
    declared = [key for key in keys if key.startswith("wide/")]
    assert len(declared) == len(keys) / 2
    assert all(wide.match(key) for key in declared)
    dated = [key for key in keys if hint_of(key).date == DAY]
    assert len(dated) > len(keys) / 2


def test_decoys_look_like_logs() -> None:
    """No layout matches them, and most of them name the day somewhere."""
    keys = decoy_keys(7)
    assert {type(DECLARED.read(key)) for key in keys} == {Unknown}
    texts = (f"{DAY:%Y/%m/%d}", f"{DAY:%Y-%m-%d}", f"{DAY:%Y%m%d}")
    assert sum(any(text in key for text in texts) for key in keys) > len(keys) / 2


@pytest.mark.parametrize("key", [vended_key(7), firehose_key(7)])
def test_some_free_keys_need_no_declaration(key: str) -> None:
    found = BUILT_IN.read(key)
    assert isinstance(found, Dated)
    assert found.facts.date == DAY


def test_the_random_worlds_contain_every_kind_of_key() -> None:
    """Every kind is delivered in some seed, with and without declarations, and both outcomes occur
    for kinds that depend on them.
    """
    fates: set[tuple[str, Fate]] = set()
    for seed in range(WORLDS):
        for original in build_world(seed).truth.originals.values():
            fates.add((original.source.key.split("/")[0].split("-")[0], original.fate))
    for folder in ("nginx", "orders", "edge", "wide", "exported"):
        assert {(folder, Fate.GO), (folder, Fate.STAY)} <= fates
    assert ("team", Fate.STAY) in fates
    assert ("team", Fate.GO) not in fates
    assert FREE_KINDS.items() <= KINDS.items()
