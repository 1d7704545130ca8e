"""Large log objects: a problem with the pack's upload is not mistaken for a change of the
source.
"""

from __future__ import annotations

import random

import pytest
from tests.support.world import (
    SteppingClock,
    World,
    find_losses,
    flow_key,
    left_in_place,
    make_world,
)

from log_aggregator.adapters.forwarding import Call
from log_aggregator.core.planning import PackLimits
from log_aggregator.limits import MIB
from log_aggregator_lab.stores.faults import Fault
from log_aggregator_lab.stores.memory import MemoryStore


def large_world() -> World:
    """A member that S3 copies into a pack of several parts."""
    world = make_world(limits=PackLimits(copy_size_bytes_min=5 * MIB + 1, part_size_bytes=5 * MIB))
    world.put("logs", flow_key("a.log.gz"), b"\x1f\x8b\x08" + random.Random(1).randbytes(6 * MIB))
    return world


@pytest.mark.parametrize("with_checksum", [False, True])
@pytest.mark.parametrize("has_kms", [False, True])
@pytest.mark.parametrize("text", [b"a line\n" * 2000, bytes(range(1, 256)) * 40])
def test_a_large_text_is_packed_whatever_its_etag_is(
    text: bytes, *, has_kms: bool, with_checksum: bool
) -> None:
    """An ETag that is not an MD5 is no objection, with or without a stored checksum: the original
    is packed and deleted.
    """
    clock = SteppingClock()
    store = MemoryStore(part_size_bytes_min=10, clock=clock)
    limits = PackLimits(copy_size_bytes_min=1000, part_size_bytes=4000)
    world = make_world(store=store, clock=clock, limits=limits, has_kms=has_kms)
    world.put("logs", flow_key("a.log"), text, with_checksum=with_checksum)
    assert (world.run().failures, left_in_place(world), find_losses(world)) == ([], [], [])


@pytest.mark.parametrize("operation", ["UploadPartCopy", "UploadPart", "CompleteMultipartUpload"])
def test_an_aborted_upload_is_a_failure(operation: str) -> None:
    """A run whose clock is a day ahead aborts it as a dead run's: the group fails, keeps its
    originals, and says why.
    """
    world = large_world()

    def decide(number: int, call: Call) -> Fault | None:
        if call.operation == operation:
            for upload in world.store.open_uploads():
                world.store.abort_multipart_upload(upload)
        return None

    result, _ = world.run_faulty(decide)
    assert [failure.error for failure in result.failures] == ["NotFound"]
    assert [group.changed for group in result.groups] == [0]
    assert len(left_in_place(world)) == 1
    assert (world.run().failures, left_in_place(world), find_losses(world)) == ([], [], [])
