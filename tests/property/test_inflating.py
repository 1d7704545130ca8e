"""The fast inflater never decides alone: whatever it accepts as one complete gzip member is one for
zlib too, byte for byte, and zlib alone judges everything else.

    INFLATING_COUNT=400000 python -m pytest tests/property/test_inflating.py
"""

from __future__ import annotations

import os
import zlib
from random import Random

import pytest
from tests.fuzz.laws import check_inflating
from tests.support.gzip_mutations import make_member, mutate

from log_aggregator.core.packformat import contents

COUNT = int(os.environ.get("INFLATING_COUNT", "4000"))
SEED = int(os.environ.get("INFLATING_SEED", "1"))
POOL = 200


def test_mutated_members_are_inflated_as_by_zlib() -> None:
    """Every mutated member obeys the law."""
    random = Random(SEED)
    pool = [make_member(random) for _ in range(POOL)]
    accepted = 0
    for number in range(COUNT):
        data = mutate(random.choice(pool), random)
        try:
            check_inflating(data)
        except AssertionError as error:
            raise AssertionError(f"mutation {number} of seed {SEED}: {data[:200].hex()}") from error
        accepted += contents._inflate_at_once(data) is not None
    assert COUNT / 20 < accepted < COUNT / 2  # else the mutations are badly chosen


@pytest.mark.parametrize("seed", range(20))
def test_whole_members_are_inflated_in_one_step(seed: int) -> None:
    """The fast first attempt succeeds for whole members."""
    member = make_member(Random(seed))
    assert contents._inflate_at_once(member) == zlib.decompress(member, 31)
