"""The last call takes effect, but its answer is lost; no later call has any effect."""

from __future__ import annotations

import pytest

from log_aggregator.adapters.mortal import MortalStore
from log_aggregator.core.checksums import crc64nvme
from log_aggregator.ports.store import WriteOptions
from log_aggregator_lab.stores.memory import MemoryStore


class Dead(BaseException):
    """It is."""


def test_death_comes_after_the_last_call() -> None:
    memory = MemoryStore()
    memory.create_bucket("b")
    mortal = MortalStore(memory, lambda call: call.key == "last", Dead)

    def put(key: str) -> None:
        mortal.put_object("b", key, b"", crc64nvme=crc64nvme(b""), options=WriteOptions())

    put("first")
    with pytest.raises(Dead):
        put("last")
    with pytest.raises(Dead):
        put("later")
    with pytest.raises(Dead):
        mortal.list_objects("b")
    assert [each.key for each in memory.list_objects("b").objects] == ["first", "last"]


def test_a_last_call_that_is_refused_is_the_last_one_too() -> None:
    memory = MemoryStore()
    memory.create_bucket("b")
    mortal = MortalStore(memory, lambda call: call.operation == "GetObject", Dead)
    with pytest.raises(Dead):
        mortal.get_object("b", "nothing")
