"""The hourly emptying as a function: its guard, its metrics, and ending in time."""

from __future__ import annotations

import json

import pytest
from tests.support.cloud import Context
from tests.support.world import access_key, flow_key

from log_aggregator.errors import SettingsError
from log_aggregator.handlers import entry
from log_aggregator.handlers.empty_access_logs import handler
from log_aggregator_lab.stores.memory import MemoryStore


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    store = MemoryStore()
    store.create_bucket("access", versioning="Enabled")
    for number in range(3):
        store.put("access", access_key(number), b"line\n")
    store.put("access", flow_key("a.log"), b"not an access log\n")
    monkeypatch.setattr(entry, "_connect", lambda *_: store)
    monkeypatch.setenv("LOG_AGGREGATOR_CONTROL_TOWER_BUCKET", "trail")
    monkeypatch.setenv("LOG_AGGREGATOR_OTHER_BUCKETS", "flow,waf-*")
    monkeypatch.setenv("LOG_AGGREGATOR_DESTINATION_BUCKET", "packs")
    monkeypatch.setenv(entry.WORK_BUCKET, "work")
    monkeypatch.setenv(entry.ACCESS_LOG_BUCKET, "access")
    return store


def test_access_logs_are_deleted_and_counted(
    store: MemoryStore, capsys: pytest.CaptureFixture[str]
) -> None:
    """Access logs are deleted, anything else stays, and both are metrics."""
    report = handler({}, Context("r"))
    assert (report["deleted"], report["left"], report["is_finished"]) == (3, 1, True)
    assert [found.key for found in store.list_objects("access").objects] == [flow_key("a.log")]
    metrics = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert [(line["AccessLogsDeleted"], line["AccessLogsLeft"]) for line in metrics] == [(3, 1)]


@pytest.mark.parametrize("bucket", ["trail", "flow", "waf-eu", "packs", "work"])
def test_every_other_bucket_is_refused(
    bucket: str, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source, a destination or the work bucket is never emptied."""
    store.create_bucket(bucket)
    store.put(bucket, access_key(1), b"line\n")
    monkeypatch.setenv(entry.ACCESS_LOG_BUCKET, bucket)
    with pytest.raises(SettingsError, match="access_log_bucket"):
        handler({}, Context("r"))
    assert len(store.list_objects(bucket).objects) == 1


def test_it_stops_before_its_time_is_over(store: MemoryStore) -> None:
    """When its time is over it stops between two pages, without an error: the next hour
    continues.
    """
    report = handler({}, Context("r", remaining_millis=0))
    assert report["is_finished"] is False
