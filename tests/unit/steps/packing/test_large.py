"""Large log objects: what is the trouble of the pack's upload is not taken for a change of the
source.
"""

from __future__ import annotations

import random

import pytest
from tests.support.world import World, find_losses, flow_key, left_in_place, make_world

from log_aggregator.adapters.forwarding import Call
from log_aggregator.core.planning import PackLimits
from log_aggregator.limits import MIB
from log_aggregator_lab.stores.faults import Fault


def large_world() -> World:
    """A member that S3 copies into a pack of several parts."""
    world = make_world(limits=PackLimits(copy_size_bytes_min=5 * MIB + 1, part_size_bytes=5 * MIB))
    world.put("logs", flow_key("a.log.gz"), b"\x1f\x8b\x08" + random.Random(1).randbytes(6 * MIB))
    return world


@pytest.mark.parametrize("operation", ["UploadPartCopy", "UploadPart", "CompleteMultipartUpload"])
def test_an_upload_that_somebody_aborted_is_a_failure(operation: str) -> None:
    """A run whose clock is a day ahead takes it for a dead run's: the group fails and keeps its
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
