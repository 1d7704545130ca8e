"""Public keys fetched by someone else are stored like those fetched by a run."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.support.trails import BUCKET, SPEC, TARGET
from tests.unit.steps.cloudtrail.test_public_keys import make_store

from log_aggregator import wiring
from log_aggregator.adapters.counting import CountingStore
from log_aggregator.cli import commands
from log_aggregator.errors import SettingsError, StoreError
from log_aggregator.steps.cloudtrail.public_keys import read_archived_key
from log_aggregator.steps.packs.pages import list_all
from log_aggregator_lab.servers.trail_api import LabTrailKeys
from log_aggregator_lab.stores.memory import MemoryStore

KEY = LabTrailKeys(SPEC).keys[0]
ENTRY = {
    "Value": base64.b64encode(KEY.der).decode(),
    "Fingerprint": KEY.fingerprint,
    "ValidityStartTime": KEY.valid_from.isoformat(),
    "ValidityEndTime": KEY.valid_until.timestamp(),
}
"""One time as each version of the AWS CLI prints it."""


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    found = make_store()
    found.create_bucket(BUCKET, versioning="Enabled")
    monkeypatch.setattr(wiring, "connect", lambda *_: CountingStore(found))
    return found


def keep(tmp_path: Path, answer: Any, region: str = "sa-east-1", *options: str) -> str:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(answer))
    words = ["keep-public-keys", str(path), "--log-region", region]
    settings = options or ("--destination-bucket", "dest", "--control-tower-bucket", BUCKET)
    result = CliRunner().invoke(commands, [*words, *settings], standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.stdout


def test_public_keys_fetched_elsewhere_are_kept(tmp_path: Path, store: MemoryStore) -> None:
    """A key in CloudTrail's answer is stored unchanged, once; where packs lie in the log bucket,
    only there.
    """
    answer = {"PublicKeyList": [ENTRY]}
    assert "1 public key, 1 of them new, in s3://dest/" in keep(tmp_path, answer)
    assert read_archived_key(store, TARGET, "sa-east-1", KEY.fingerprint) == KEY
    before = store.snapshot()
    assert "1 public key, 0 of them new" in keep(tmp_path, answer)
    assert store.snapshot() == before
    store.create_bucket("flow", versioning="Enabled")
    buckets = ("--control-tower-bucket", BUCKET, "--other-buckets", "flow")
    keep(tmp_path, answer, "sa-east-1", *buckets, "--final-aggregation-prefix", "aggregated")
    assert list(list_all(store, "flow", "")) == []
    assert [each.key for each in list_all(store, BUCKET, "")] == [
        f"aggregated/keys/cloudtrail/sa-east-1/{KEY.fingerprint}.json"
    ]


@pytest.mark.parametrize(
    ("answer", "region"),
    [
        ({"PublicKeyList": []}, "sa-east-1"),
        ({"PublicKeyList": [ENTRY | {"Value": "no base64!"}]}, "sa-east-1"),
        ({"PublicKeyList": [ENTRY | {"ValidityEndTime": "2026-03-14T00:00:00"}]}, "sa-east-1"),
        ({"PublicKeyList": [ENTRY | {"ValidityEndTime": None}]}, "sa-east-1"),
        ({"PublicKeyList": [{}]}, "sa-east-1"),
        ([ENTRY], "sa-east-1"),
        ({"PublicKeyList": [ENTRY]}, "../packs"),
    ],
)
def test_an_invalid_answer_is_refused(
    answer: Any, region: str, tmp_path: Path, store: MemoryStore
) -> None:
    """The message says what is expected, and nothing is written."""
    with pytest.raises(SettingsError, match="expected"):
        keep(tmp_path, answer, region)
    assert list(list_all(store, "dest", "")) == []


@pytest.mark.parametrize("change", [{"Fingerprint": "../x"}, {"Value": "MAA="}])
def test_an_invalid_key_is_refused(
    change: dict[str, str], tmp_path: Path, store: MemoryStore
) -> None:
    """The checks are those of CloudTrail's own answers."""
    with pytest.raises(StoreError):
        keep(tmp_path, {"PublicKeyList": [ENTRY | change]})
    assert list(list_all(store, "dest", "")) == []
