"""A backfill on a real S3 server: killed, stopped, taken over and watched."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable

import pytest
from tests.integration.conftest import Site
from tests.support.proxy import Action, Decide, Proxy
from tests.support.proxy_faults import on

pytestmark = pytest.mark.server


def deleting(skip: int) -> Callable[[Action], Decide]:
    """Choose a request that deletes originals, after skipping this many."""
    return lambda action: on(
        lambda request: request.operation == "DeleteObjects", action, times=1, skip=skip
    )


def test_a_backfill_survives_killed_workers(site: Site) -> None:
    """One worker is killed, the next takes its window over and is stopped by ctrl-C, and the third
    continues without --take-over: every original is where it must be, and `status` reports that all
    is done.
    """
    at = site.sources.index("--date")
    where = [*site.sources[:at], *site.sources[at + 2 :]]
    words = ("backfill", *where, "--from", f"{site.day}", "--to", f"{site.day}", "--json")
    with Proxy(site.server.endpoint_url) as proxy:
        killed = site.strike(proxy, deleting(1), signal.SIGKILL, *words)
        assert killed.code == -signal.SIGKILL
        stopped = site.strike(proxy, deleting(1), signal.SIGINT, *words, "--take-over")
    assert stopped.code == 130
    assert json.loads(stopped.out)["stopped"] is True
    done = json.loads(site.call(*words).stdout)
    assert done["windows"] == {"total": 1, "done": 1, "failed": 0, "under_way": 0, "to_do": 0}
    check = site.check()
    assert check.problems == []
    assert check.found_in_packs >= 70
    told = site.call("status", "--destination-bucket", f"{site.destination}", "--json").stdout
    (seen,) = json.loads(told)["backfills"]
    same = ("name", "windows", "objects", "deleted", "dollars")
    assert {name: seen[name] for name in same} == {name: done[name] for name in same}
