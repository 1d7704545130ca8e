"""The `custody` command: a run's output is what `verify` finds, and a log object's history can be
shown.
"""

from __future__ import annotations

import hashlib
import json

import pytest
from tests.integration.conftest import Site, Sites

from log_aggregator_lab.organisation.generate import flat

pytestmark = pytest.mark.server


@pytest.fixture
def packed(sites: Sites) -> Site:
    return sites.make(flat(20, 300))


def test_a_changed_record_fails_verification(packed: Site) -> None:
    """The hash that a run prints is that of the stored object; a changed record gives exit
    code 1.
    """
    place = ["--destination-bucket", packed.destination or ""]
    for empty in (["custody", "verify"], ["custody", "show"]):
        assert "no custody records" in packed.call(*empty, *place, code=1).stderr
    (first,) = packed.run_json()["custody"]
    printed = packed.call("run", *packed.sources).stdout
    stored = packed.client.get_object(Bucket=first["bucket"], Key=first["key"])["Body"].read()
    assert hashlib.sha256(stored).hexdigest() == first["sha256"]
    chain = json.loads(packed.call("custody", "verify", "--json", "--indexes", *place).stdout)[
        "chains"
    ][0]
    assert (
        chain["records"],
        chain["packs"],
        chain["indexes_read"],
        chain["findings"],
        chain["notes"],
    ) == (3, 1, 1, [], [])
    assert f"record 2 in s3://{packed.destination}/" in printed
    assert f"sha256 {chain['newest']['sha256']}" in printed
    expected = ["--expect", f"1:{first['sha256']}"]
    assert "unbroken; 3 records read" in packed.call("custody", "verify", *expected, *place).stdout
    shown = json.loads(packed.call("custody", "show", "--json", *place).stdout)["records"]
    assert [record["sequence"] for record in shown] == [2, 1, 0]
    assert shown[0]["previous"] == first["sha256"]
    in_full = packed.call("custody", "show", shown[1]["run"], *place).stdout
    assert "new packs/" in in_full
    assert "verified, index" in in_full
    packed.client.put_object(Bucket=packed.destination, Key=first["key"], Body=stored[:-1])
    broken = packed.call("custody", "verify", *place, code=1).stdout
    assert "BROKEN" in broken
    assert first["key"] in broken
    packed.call("custody", "verify", "--expect", "0:xyz", *place, code=2)
    packed.call("custody", "show", "no-such-run", *place, code=1)


def test_history_of_a_log_object_is_shown(packed: Site) -> None:
    """It shows the pack, the index and the runs that packed, verified and deleted it, and nothing
    for an object never packed.
    """
    place = ["--destination-bucket", packed.destination or ""]
    packed.run_json()
    entry = packed.entries[0]
    told = packed.call("custody", "trace", f"s3://{entry.bucket}/{entry.key}", *place).stdout
    assert "wrote the pack, verified it, deleted 20 originals of its 20" in told
    assert "as the records say" in told
    (life,) = json.loads(
        packed.call("custody", "trace", f"s3://{entry.bucket}/{entry.key}", "--json", *place).stdout
    )["lives"]
    assert (life["key"], life["bytes"], life["records"][0]["pack"]["deleted"]) == (
        entry.key,
        entry.size_bytes,
        20,
    )
    packed.call("custody", "trace", f"s3://{entry.bucket}/{entry.key}x", *place, code=1)
    packed.call("custody", "trace", entry.key, *place, code=2)
