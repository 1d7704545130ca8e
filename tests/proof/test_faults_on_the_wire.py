"""Faults between a real process and a real server: every kind, at every operation where it makes
sense.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.proof.ground import Ground, assert_mended, make_day
from tests.support.forking import Tuning
from tests.support.proxy import Action, Request
from tests.support.proxy_faults import (
    Refusal,
    by_chance,
    close_after,
    dawdle,
    drop_checksums,
    fail,
    fail_after,
    falsify_checksums,
    flip,
    flip_byte,
    list_twice,
    on,
    reset_after,
    reset_before,
    stall,
    stall_after,
    truncate,
)

ALL = (
    "GetBucketVersioning",
    "ListObjectVersions",
    "ListObjectsV2",
    "ListMultipartUploads",
    "GetObject",
    "HeadObject",
    "PutObject",
    "DeleteObjects",
)
FAULTS: dict[str, Action] = {
    "reset before": reset_before,
    "reset after": reset_after,
    "closed after": close_after,
    "500": fail(500, "InternalError"),
    "500 after": fail_after(500, "InternalError"),
    "503": fail(503, "SlowDown"),
    "503 after": fail_after(503, "SlowDown"),
    "error in a 200": fail(200, "InternalError"),
    "truncated": truncate,
    "slow": dawdle,
}
MULTIPART = ("CreateMultipartUpload", "UploadPart", "UploadPartCopy", "CompleteMultipartUpload")
SHORT = Tuning(timeout_seconds=1.0)
"""For requests without an answer. Elsewhere a short limit would be a fault of its own on a slow
machine.
"""


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("operation", [*ALL, *MULTIPART])
def test_a_temporary_fault_loses_nothing(ground: Ground, operation: str, fault: str) -> None:
    """The fault occurs once: the clients repeat the request, or the group fails and keeps its
    originals; nothing is lost, and the next run finishes.
    """
    day = make_day(ground, "large" if operation in MULTIPART else "small")
    ground.proxy.restart(on(lambda request: request.operation == operation, FAULTS[fault], times=1))
    done = day.run()
    assert done.code in (0, 1, 3), done
    assert "Traceback" not in done.err
    assert ground.proxy.faulty
    assert_mended(day, f"{fault} at {operation}")


@pytest.mark.parametrize("fault", ["reset before", "503", "truncated"])
@pytest.mark.parametrize(
    "operation", ["ListObjectsV2", "GetObject", "HeadObject", "PutObject", "DeleteObjects"]
)
def test_a_permanent_fault_fails_the_run_and_deletes_nothing_unverified(
    ground: Ground, operation: str, fault: str
) -> None:
    """The fault stays: the run fails or cannot begin, and deletes nothing that it could not verify;
    the next run finishes.
    """
    day = make_day(ground, "small")
    ground.proxy.restart(on(lambda request: request.operation == operation, FAULTS[fault]))
    done = day.run()
    # An answer without a body is cut in its head: what is left lacks headers, such as a checksum.
    is_readable = fault == "truncated" and operation in ("HeadObject", "PutObject")
    assert done.code in ((0, 1, 3) if is_readable else (1, 3)), done
    assert "Traceback" not in done.err
    assert_mended(day, f"{fault} at every {operation}")


@pytest.mark.parametrize("stalling", [stall, stall_after], ids=["before", "after"])
@pytest.mark.parametrize(
    "operation",
    ["ListObjectVersions", "GetObject", "PutObject", "CompleteMultipartUpload", "DeleteObjects"],
)
def test_a_silent_server_is_given_up_in_time(
    ground: Ground, operation: str, stalling: Action
) -> None:
    """The server does not answer: the client gives up in time and continues."""
    day = make_day(ground, "large" if operation in MULTIPART else "small")
    ground.proxy.restart(on(lambda request: request.operation == operation, stalling, times=1))
    done = day.run(SHORT)
    assert done.code in (0, 1, 3), done
    assert_mended(day, f"stalled {operation}")


@pytest.mark.parametrize("times", [1, 1_000_000], ids=["once", "always"])
@pytest.mark.parametrize(
    "damage",
    [flip(0.0), flip(0.5), flip(1.0), flip_byte(4), flip_byte(9)],
    ids=["first byte", "middle", "last byte", "gzip's time", "gzip's system"],
)
def test_a_damaged_body_is_never_packed(ground: Ground, damage: Action, times: int) -> None:
    """Bodies of log objects with one flipped bit: either the original bytes are packed, or nothing
    is.
    """
    day = make_day(ground, "small")
    sources = {ground.names["trail"], ground.names["logs"]}
    ground.proxy.restart(
        on(
            lambda request: request.operation == "GetObject" and request.bucket in sources,
            damage,
            times=times,
        )
    )
    done = day.run()
    assert done.code == (0 if times == 1 else 1), done
    assert_mended(day)


@pytest.mark.parametrize("damage", [drop_checksums, falsify_checksums], ids=["none", "wrong"])
def test_a_missing_or_wrong_checksum_is_noticed(ground: Ground, damage: Action) -> None:
    """Without a checksum the pack is read back; with a wrong one nothing is deleted."""
    day = make_day(ground, "small")
    ground.proxy.restart(on(lambda request: request.operation == "HeadObject", damage))
    done = day.run()
    if damage is falsify_checksums:
        assert done.code == 1, done
        assert len(day.in_place()) >= len(day.originals)
    else:
        assert done.code == 0, done
    assert_mended(day)


@pytest.mark.parametrize(
    ("operation", "status", "code"),
    [
        ("PutObject", 412, "PreconditionFailed"),
        ("PutObject", 409, "ConditionalRequestConflict"),
        ("CompleteMultipartUpload", 412, "PreconditionFailed"),
        ("CompleteMultipartUpload", 409, "ConditionalRequestConflict"),
    ],
)
def test_a_refused_conditional_write_is_not_trusted(
    ground: Ground, operation: str, status: int, code: str
) -> None:
    """The server claims that the key exists although it does not: nothing counts as written that is
    not there.
    """
    day = make_day(ground, "large" if operation == "CompleteMultipartUpload" else "small")
    ground.proxy.restart(
        on(lambda request: request.operation == operation, fail(status, code), times=1)
    )
    done = day.run()
    assert done.code in (0, 1), done
    assert_mended(day)


@pytest.mark.parametrize("code", ["AccessDenied", "SlowDown", "InternalError"])
def test_refused_deletions_keep_their_objects(ground: Ground, code: str) -> None:
    """Every second key of each request is refused and stays, as a failure or until it is
    retried.
    """
    day = make_day(ground, "small")
    refusal = Refusal(code, ground.server.access_key, ground.server.secret_key)
    ground.proxy.restart(on(lambda request: request.operation == "DeleteObjects", refusal, times=3))
    done = day.run()
    assert done.code in (0, 1), done
    if code == "AccessDenied":
        assert done.code == 1
        assert done.result["objects"]["retained"] > 0
    assert_mended(day, code)


@pytest.mark.parametrize("operation", ["ListObjectVersions", "ListObjectsV2"])
def test_an_object_listed_twice_is_packed_once(ground: Ground, operation: str) -> None:
    """It is packed once and deleted once; or the listing is refused and nothing is touched."""
    day = make_day(ground, "small")
    ground.proxy.restart(on(lambda request: request.operation == operation, list_twice))
    done = day.run()
    if done.code == 0:
        assert done.result["objects"]["deleted"] == len(day.originals), done
    else:
        assert done.code == 3, done
        assert "Nothing was touched" in done.err
    assert_mended(day, operation)


@pytest.mark.parametrize("scenario", ["small", "large"])
@pytest.mark.parametrize("hours", [-24, 24])
def test_a_clock_that_is_off_by_a_day(ground: Ground, scenario: str, hours: float) -> None:
    """Log dates come from keys, so the result is the same as on any other day."""
    day = make_day(ground, scenario)
    done = day.run(Tuning(clock_hours=hours))
    assert done.code == 0, done
    assert_mended(day)


def choices(request: Request) -> Sequence[Action]:
    """What can happen to a request."""
    common = list(FAULTS.values())
    return [*common, flip(0.3), flip_byte(5)] if request.operation == "GetObject" else common


@pytest.mark.parametrize("seed", range(24))
def test_random_faults_lose_nothing(ground: Ground, seed: int) -> None:
    """All faults together, at one request in ten: nothing is lost, and the next run finishes."""
    day = make_day(ground, "large" if seed % 4 == 0 else "small")
    ground.proxy.restart(by_chance(seed, 0.1, choices))
    done = day.run()
    assert done.code in (0, 1, 3), done
    assert "Traceback" not in done.err
    assert_mended(day, f"seed {seed}")
