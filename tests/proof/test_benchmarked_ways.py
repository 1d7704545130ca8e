"""Every program in the comparison does the whole work; otherwise the comparison would mean
nothing.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from benchmarks.chain import SCRATCH
from benchmarks.meter import AREAS
from benchmarks.peers import ask, steps_of
from benchmarks.relay import relay
from benchmarks.report import BenchmarkBroken
from benchmarks.testbed import (
    DESTINATION,
    make_client,
    make_connection,
    prepare_bucket,
    put_logs,
    put_organisation,
)
from benchmarks.whole import join_with_s5cmd, pack, packs_of, read_bare, spend

from log_aggregator.wiring import connect
from log_aggregator_lab.servers.s3 import EmbeddedS3

COUNT, ACCOUNTS = 12, 3

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def server(embedded_s3: EmbeddedS3) -> EmbeddedS3:
    prepare_bucket(embedded_s3, DESTINATION, is_versioned=True)
    prepare_bucket(embedded_s3, SCRATCH)
    return embedded_s3


@pytest.mark.parametrize("way", ["chain", "boto3", "this"])
def test_each_benchmarked_program_packs_and_deletes_everything(
    server: EmbeddedS3, way: str
) -> None:
    """Afterwards no version is left in the source bucket, and the packs have at least as many bytes
    as the log objects.
    """
    logs = put_organisation(server, way, COUNT, ACCOUNTS)
    took = ask(server, way, logs, metered=True, threads=4)
    assert connect(make_connection(server)).list_object_versions(logs.bucket).objects == ()
    written = make_client(server).list_objects_v2(Bucket=DESTINATION)["Contents"]
    assert sum(entry["Size"] for entry in written if logs.bucket in entry["Key"]) >= logs.size_bytes
    assert sum(steps_of(took).values()) == pytest.approx(took["cpu_seconds"], rel=0.25)
    assert sum(took["requests"].values()) >= COUNT
    assert took["server_seconds"] > 0


def test_the_meter_measures_every_area(server: EmbeddedS3) -> None:
    """Each function is wrapped under the name by which the program calls it; otherwise its time
    would be counted elsewhere.
    """
    logs = put_organisation(server, "areas", COUNT, ACCOUNTS)
    seen = {what for _, what, _ in ask(server, "this", logs, metered=True)["areas"]}
    only_in_large_packs = {"boto3: UploadPart"}
    assert {area.what for area in AREAS} - only_in_large_packs <= seen


@pytest.mark.parametrize("way", ["read-boto3", "read-this", "bare", "read-sockets"])
def test_readers_read_everything_and_change_nothing(server: EmbeddedS3, way: str) -> None:
    """A reader that skipped something would seem fast."""
    logs = put_organisation(server, way, COUNT, ACCOUNTS)
    assert ask(server, way, logs, threads=4, count_max=COUNT)["cpu_seconds"] > 0
    assert len(connect(make_connection(server)).list_object_versions(logs.bucket).objects) == COUNT


def test_an_incomplete_result_is_refused(server: EmbeddedS3) -> None:
    """Objects that are not logs of the day are not packed, so the counts differ."""
    logs = put_organisation(server, "other-day", COUNT, ACCOUNTS)
    make_client(server).put_object(
        Bucket=logs.bucket, Key="o-exampleorg1/AWSLogs/no-log", Body=b"x"
    )
    with pytest.raises(BenchmarkBroken):
        ask(server, "bare", logs, threads=4, count_max=2 * COUNT)


def test_whole_processes_check_their_work(server: EmbeddedS3) -> None:
    """Each process checks that it read or wrote every byte, and no original is deleted."""
    logs = put_logs(server, "processes", COUNT)
    prepare_bucket(server, packs_of(0), is_versioned=True)
    read_bare(server, logs)
    join_with_s5cmd(server, logs, 0)
    assert spend(lambda: pack(server, logs, 0)).cpu_seconds > 0
    assert len(connect(make_connection(server)).list_object_versions(logs.bucket).objects) == COUNT
    with pytest.raises(BenchmarkBroken):
        read_bare(server, replace(logs, size_bytes=logs.size_bytes + 1))


def test_a_relay_replays_the_servers_bytes(server: EmbeddedS3) -> None:
    """It answers with the server's bytes, even when the server no longer has them."""
    logs = put_logs(server, "relayed", COUNT)
    near = connect(make_connection(server))
    listed = near.list_object_versions(logs.bucket).objects
    given = list(near.get_objects(listed))
    with relay(server.endpoint_url, late_ms=1, remembers=True) as url:
        far = connect(replace(make_connection(server), endpoint_url=url))
        assert list(far.get_objects(listed)) == given
        make_client(server).delete_object(
            Bucket=logs.bucket, Key=listed[0].key, VersionId=listed[0].version_id
        )
        assert list(far.get_objects(listed)) == given
