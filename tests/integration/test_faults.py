"""Commands that make their own clients, when S3 cannot be used; and what `generate` leaves."""

from __future__ import annotations

import json

import pytest
from tests.integration.conftest import Sites

pytestmark = pytest.mark.server

CALLS = {
    "doctor": ("doctor", "--other-buckets", "no-such-logs", "--destination-bucket", "no-such-dest"),
    "generate": ("generate", "--objects", "1", "--accounts", "1", "--bucket", "never-made"),
}
FAULTS = {
    "a wrong secret": ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "secret access key"),
    "a closed port": ({"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"}, "network and the endpoint"),
    "no scheme": ({"AWS_ENDPOINT_URL_S3": "127.0.0.1:8333"}, "Correct what the message names"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", CALLS)
def test_a_failing_command_exits_with_3_and_advice(sites: Sites, name: str, fault: str) -> None:
    """There is no traceback, and JSON says the same."""
    site = sites.without_buckets()
    wrong, remedy = FAULTS[fault]
    done = site.forks.start([*CALLS[name], "--json"], site.environment | wrong).wait()
    assert "Traceback" not in done.err
    told = json.loads(done.out)
    assert (done.code, told["exit_code"], remedy in told["advice"]) == (3, 3, True), done.err
    assert "Grant" not in told["advice"]


def test_generated_logs_can_be_validated(sites: Sites) -> None:
    """The public keys of the digests exist, so the how-to can be followed: packed and deleted logs
    still validate. Without the keys nothing is called invalid.
    """
    site = sites.without_buckets()
    day, prefix = ("--date", "2026-03-14"), "generated-"
    packs = ("--destination-bucket", f"{prefix}packs")
    logs = ("--control-tower-bucket", f"{prefix}{site.spec.control_tower_bucket}")
    site.call(
        "generate", "--objects", "5", "--accounts", "1", *day, *packs, "--bucket-prefix", prefix
    )
    site.call("run", *day, *logs, *packs)
    valid = json.loads(site.call("validate-cloudtrail", *day, *packs, "--json").stdout)
    assert valid["valid"]
    assert valid["digests"]["valid"] > 20
    assert valid["public_keys"]["found"] == {"archive": len(site.spec.regions)}
    for found in site.client.list_objects_v2(Bucket=packs[1], Prefix="keys/")["Contents"]:
        site.client.delete_object(Bucket=packs[1], Key=found["Key"])
    lost = json.loads(site.call("validate-cloudtrail", *day, *packs, "--json", code=1).stdout)
    assert (lost["digests"]["invalid"], lost["digests"]["unchecked"] > 20) == (0, True)
