"""The last call takes effect, but its answer is lost; no later call has any effect."""

from __future__ import annotations

import pytest

from log_aggregator.adapters.mortal import MortalStore
from log_aggregator.core.checksums import crc64nvme
from log_aggregator.ports.store import WriteOptions
from log_aggregator_lab.stores.memory import MemoryStore


class Dead(BaseException):
    """The simulated process is dead."""


def test_the_last_call_before_death_takes_effect() -> None:
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


def test_a_refused_last_call_is_also_the_last() -> None:
    memory = MemoryStore()
    memory.create_bucket("b")
    mortal = MortalStore(memory, lambda call: call.operation == "GetObject", Dead)
    with pytest.raises(Dead):
        mortal.get_object("b", "nothing")
