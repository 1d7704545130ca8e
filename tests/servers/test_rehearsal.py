"""A rehearsal passes if all promises that safety rests on are kept, and names exactly what another
server lacks. Its results match the page of servers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.servers import __main__ as command
from tests.servers.asking import ATTEMPTS_MAX, make_client
from tests.servers.starting import KINDS, Missing, run_server

from log_aggregator.adapters.s3 import S3Store
from log_aggregator.adapters.s3.scratch import BotoHands
from log_aggregator.rehearsing import RehearsalRooms, make_rehearsal_settings
from log_aggregator.steps.promises import PROMISES
from log_aggregator.steps.rehearsal import rehearse as rehearse_module
from log_aggregator.steps.rehearsal.life import STEPS
from log_aggregator.steps.rehearsal.places import Venue
from log_aggregator.steps.rehearsal.rehearse import Rehearsed, is_unsafe, rehearse

SEEN: dict[str, Any] = json.loads(command.SEEN.read_text(encoding="utf-8"))
PLAIN, VERSIONS = "without versions", "with versions"

LACKS = {
    "seaweedfs": set(),
    "ministack": set(),
    "moto": {"copy-if-match", "delete-if-etag", "delete-null-if-etag", "errors-by-key"},
    "s3rver": {
        "complete-if-none-match",
        "copy-if-match",
        "delete-if-etag",
        "delete-null-if-etag",
        "delete-one-if-match",
        "errors-by-key",
        "get-if-match",
        "put-if-none-match",
    },
}
"""Promises that safety rests on and that the server does not keep."""

NOT_DONE: dict[str, dict[str, set[str]]] = {
    "seaweedfs": {PLAIN: set(), VERSIONS: set()},
    "ministack": {PLAIN: set(), VERSIONS: set()},
    # Its deletions have no condition, so originals without versions are kept.
    "moto": {PLAIN: {"kill-while-deleting", "resume", "late"}, VERSIONS: set()},
    # It lists no folders, so nothing is found or touched.
    "s3rver": {PLAIN: {step.name for step in STEPS} - {"deliver", "lost", "versions"}},
}
"""Steps that do not succeed."""


@dataclass(frozen=True)
class Rehearsal:
    """The rehearsal of one server. `buckets` are those that exist afterwards."""

    name: str
    version: str
    result: Rehearsed
    buckets: list[str]


@pytest.fixture(scope="module")
def no_large_log() -> Iterator[None]:
    """For servers written in Python."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rehearse_module, "can_copy", lambda *_: False)
        yield


@pytest.fixture(scope="module", params=list(LACKS))
def rehearsal(request: pytest.FixtureRequest) -> Iterator[Rehearsal]:
    name: str = request.param
    try:
        version = KINDS[name].find_version()
    except Missing as error:
        pytest.skip(f"{name} {error}")
    with run_server(name) as running:
        client = make_client(running.settings)
        store = S3Store.connect(replace(running.settings, attempts_max=ATTEMPTS_MAX))
        result = Rehearsed(Venue.plan())
        rooms = RehearsalRooms(store, make_rehearsal_settings())
        if name != "seaweedfs":  # 10 MiB, read a dozen times, take these servers half a minute
            request.getfixturevalue("no_large_log")
        day = datetime.now(UTC).date() - timedelta(days=1)
        rehearse(store, BotoHands(client), rooms, day, result, lambda _: None)
        left = [each["Name"] for each in client.list_buckets().get("Buckets", [])]
        yield Rehearsal(name, version, result, left)


@pytest.mark.server
def test_a_rehearsal_passes_or_names_what_is_missing(rehearsal: Rehearsal) -> None:
    result = rehearsal.result
    lacking = {each.name for each in PROMISES if is_unsafe(each, result.answers[each.name])}
    assert lacking == LACKS[rehearsal.name]
    failed = {
        kind: {row.name for row in rows if not row.is_kept} for kind, rows in result.lives.items()
    }
    assert failed == NOT_DONE[rehearsal.name]
    assert result.is_kept == (not lacking and not any(failed.values()))


@pytest.mark.server
def test_nothing_is_left_behind(rehearsal: Rehearsal) -> None:
    assert rehearsal.result.places.left == []
    assert rehearsal.buckets == []


@pytest.mark.server
def test_the_page_matches_what_is_seen(rehearsal: Rehearsal) -> None:
    """Each gives the same answers again. If one differs, `make servers` writes the page anew."""
    title = KINDS[rehearsal.name].title
    (written,) = [each for each in SEEN["servers"] if each["title"] == title]
    seen = {
        name: {"seen": str(answer.seen), "what": answer.what}
        for name, answer in rehearsal.result.answers.items()
    }
    assert seen == written["promises"]
    assert rehearsal.version == written["version"]
