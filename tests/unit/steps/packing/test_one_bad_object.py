"""A fault of one object affects only that object: it is left and named, and the rest of its group
is packed.
"""

from __future__ import annotations

import gzip
import random

import pytest
from tests.support.world import (
    World,
    document,
    fail_on,
    find_losses,
    flow_key,
    left_in_place,
    make_world,
    pack_gzip,
    trail_key,
)

from log_aggregator.adapters.counting import CountingStore
from log_aggregator.adapters.forwarding import Call
from log_aggregator.adapters.s3.errors import BAD_HEADER, make_error
from log_aggregator.core.packformat.builder import Original
from log_aggregator.core.planning import PackLimits
from log_aggregator.errors import AccessDenied, RequestFailed
from log_aggregator.limits import MIB
from log_aggregator.model import LogObject
from log_aggregator.steps.packing.read import Reader, Unreadable
from log_aggregator.steps.workers import SerialWorkers
from log_aggregator_lab.stores.faults import Decide, Fault, FaultyStore
from log_aggregator_lab.stores.memory import MemoryStore

GZIP = gzip.compress(b"lines\n", mtime=0)
DAMAGED = GZIP[:9] + bytes([GZIP[9] ^ 1]) + GZIP[10:]
"""A bit of the header, which the CRC-32 of gzip does not cover."""

REFUSALS = {
    "SSE-C": ("InvalidRequest", 400),
    "KMS key pending deletion": ("KMS.KMSInvalidStateException", 400),
    "KMS key disabled": ("KMS.DisabledException", 400),
    "archived": ("InvalidObjectState", 403),
    "denied": ("AccessDenied", 403),
    "a key that a proxy writes in another way": ("SignatureDoesNotMatch", 403),
    "a code that nobody knows": ("NoCodeOfToday", 422),
    "no code at all": ("", 400),
    "a range that is none": ("InvalidRange", 416),
    "an odd header": (BAD_HEADER, 0),
    "a body that breaks off": ("ResponseStreamingError", 0),
    "another body than its checksum says": ("FlexibleChecksumError", 0),
}
"""S3's code and status, as the adapter sees them."""


def refusal(name: str, operation: str = "GetObject") -> RequestFailed:
    code, status = REFUSALS[name]
    return make_error(operation, "logs", "k", code, status, "S3's answer")


def mixed_store() -> tuple[MemoryStore, LogObject, LogObject]:
    """An object whose ETag is not an MD5, and one whose ETag is."""
    store = MemoryStore()
    store.create_bucket("kms", versioning="Enabled", has_kms=True)
    store.create_bucket("logs", versioning="Enabled")
    return store, store.put("kms", "a.gz", GZIP), store.put("logs", "b.gz", GZIP)


def damage(bucket: str) -> Decide:
    """Damage every body from this bucket."""
    return lambda _, call: Fault(alter=lambda _: DAMAGED) if call.bucket == bucket else None


def test_each_body_is_compared_with_its_own_etag() -> None:
    """A damaged body whose MD5 is not its ETag is refused, even after any number of objects whose
    ETags are not MD5s.
    """
    store, opaque, plain = mixed_store()
    reader = Reader(FaultyStore(store, damage("logs")), SerialWorkers())
    found = list(reader.read_all([opaque, plain] * 3))
    assert [type(each) for each in found] == [Original, Unreadable] * 3


def test_objects_with_and_without_md5_can_share_a_pack() -> None:
    """In any order, at most twice each: a wrong guess about the next one costs no extra request."""
    store, opaque, plain = mixed_store()
    order = [random.Random(1).choice([opaque, plain]) for _ in range(40)]
    counting = CountingStore(store)
    reader = Reader(counting, SerialWorkers())
    assert all(isinstance(found, Original) for found in reader.read_all(order))
    assert counting.requests["GetObject"] <= len(order) + order.count(opaque)


@pytest.mark.parametrize("name", REFUSALS)
def test_an_object_refused_by_s3_is_left_and_the_rest_is_packed(name: str) -> None:
    """An object that S3 refuses, for whatever reason, stays and is named; the others are packed and
    deleted.
    """
    world = make_world()
    for number in range(5):
        world.put("logs", trail_key(number), document(number))
    bad = trail_key(2)
    result, _ = world.run_faulty(fail_on(lambda call: is_read(call, bad), refusal(name)))
    assert [failure.error for failure in result.failures] == ["UnreadableSources"]
    assert "S3's answer" in result.failures[0].message
    assert [source.key for source in left_in_place(world)] == [bad]
    assert sum(group.deleted for group in result.groups) == 4
    assert (world.run().failures, left_in_place(world), find_losses(world)) == ([], [], [])


@pytest.mark.parametrize(
    ("count", "end"), [(1, "S3's answer"), (10, ".json.gz"), (12, " and 2 more")]
)
def test_unreadable_objects_are_named(count: int, end: str) -> None:
    """Each of up to ten objects is named, and the first with its reason."""
    world = make_world()
    for number in range(14):
        world.put("logs", trail_key(number), document(number))
    bad = {trail_key(number) for number in range(count)}
    decide = fail_on(lambda call: call.key in bad, refusal("SSE-C"))
    message = world.run_faulty(decide)[0].failures[0].message
    assert message.startswith(
        f"{count} log objects could not be read and were left alone; the first: "
    )
    assert sum(key in message for key in bad) == max(0, min(count, 10) - 1)
    assert message.endswith(end)


def test_odd_objects_in_many_groups_do_not_end_the_run() -> None:
    """Odd headers are not mistaken for a server that does not answer: every group is packed except
    for its odd object.
    """
    world = make_world()
    for account in range(6):
        for number in range(3):
            world.put("logs", trail_key(number, account=f"{account:012}"), document(number))
    odd = "T0100Z"
    bad = [stored.source.key for stored in world.originals if odd in stored.source.key]
    decide = fail_on(
        lambda call: call.operation == "GetObject" and odd in call.key and call.bucket == "logs",
        refusal("an odd header"),
    )
    result, _ = world.run_faulty(decide)
    assert len(bad) == 6
    assert [failure.error for failure in result.failures] == ["UnreadableSources"] * 6
    assert sorted(source.key for source in left_in_place(world)) == sorted(bad)
    assert find_losses(world) == []


@pytest.mark.parametrize(
    ("code", "status"), [("SlowDown", 503), ("ThrottlingException", 400), ("InternalError", 500)]
)
def test_an_outage_is_not_blamed_on_an_object(code: str, status: int) -> None:
    """The next run tries the group again, and nothing is called unreadable."""
    world = make_world()
    for number in range(3):
        world.put("logs", trail_key(number), document(number))
    error = make_error("GetObject", "logs", trail_key(1), code, status, "")
    result, _ = world.run_faulty(fail_on(lambda call: is_read(call, trail_key(1)), error))
    assert [failure.error for failure in result.failures] == ["StoreError"]
    assert len(left_in_place(world)) == 3


def is_read(call: Call, key: str) -> bool:
    return (call.operation, call.key) == ("GetObject", key)


LARGE = {
    "streamed": bytes(range(1, 256)) * 20,
    "behind a bridge": pack_gzip(bytes(6 * MIB)) + random.Random(1).randbytes(6 * MIB),
}
BAD = flow_key("b.log")


def large_world(shape: str) -> World:
    """A large log object between small ones. The HEAD that verifies a bridge counts too."""
    limits = PackLimits(copy_size_bytes_min=1000, part_size_bytes=10_000_000)
    world = make_world(store=MemoryStore(part_size_bytes_min=10), limits=limits)
    for name in ("a.log", "c.log"):
        world.put("logs", flow_key(name), f"in {name}\n".encode())
    world.put("logs", BAD, LARGE[shape], with_checksum=True)
    return world


@pytest.mark.parametrize("shape", LARGE)
@pytest.mark.parametrize("name", REFUSALS)
@pytest.mark.parametrize("first", [0, 1], ids=["from the first read", "in the middle"])
def test_a_large_object_refused_by_s3_is_left(name: str, shape: str, first: int) -> None:
    """The object is refused at its first bytes, or after these were read."""
    world = large_world(shape)
    seen = [0]

    def decide(_: int, call: Call) -> Fault | None:
        if call.key != BAD or call.operation not in ("GetObject", "HeadObject"):
            return None
        seen[0] += 1
        return Fault(before=refusal(name, call.operation)) if seen[0] > first else None

    result, _ = world.run_faulty(decide)
    if seen[0] <= first:
        pytest.fail("expected more reads")
    assert [failure.error for failure in result.failures] == ["UnreadableSources"]
    assert [source.key for source in left_in_place(world)] == [BAD]
    assert (world.run().failures, left_in_place(world), find_losses(world)) == ([], [], [])


@pytest.mark.parametrize("operation", ["UploadPart", "UploadPartCopy", "CompleteMultipartUpload"])
def test_a_refused_write_is_not_blamed_on_an_object(operation: str) -> None:
    """The group fails with the reason that S3 gave, and all its objects stay."""
    world = large_world("behind a bridge")
    error = AccessDenied("no", code="AccessDenied", operation=operation)
    result, _ = world.run_faulty(fail_on(lambda call: call.operation == operation, error))
    assert [failure.error for failure in result.failures] == ["AccessDenied"]
    assert len(left_in_place(world)) == 3
