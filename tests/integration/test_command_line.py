"""The whole job, as run by a user, on a real S3 server."""

from __future__ import annotations

import gzip
import json
import shutil
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.integration.conftest import Site, Sites
from tests.support.forking import ForkServer, Tuning
from tests.support.proxy import Action, Decide, Proxy
from tests.support.proxy_faults import on, vanish

from log_aggregator.limits import MIB
from log_aggregator_lab.organisation.generate import flat, generate, late, small
from log_aggregator_lab.servers import s3 as server_module
from log_aggregator_lab.servers.s3 import EmbeddedS3
from log_aggregator_lab.upload import create_bucket, upload

pytestmark = pytest.mark.server


def first(operation: str, skip: int = 0) -> Callable[[Action], Decide]:
    """Choose the first request of this operation after skipping this many."""
    return lambda action: on(
        lambda request: request.operation == operation, action, times=1, skip=skip
    )


def test_run_packs_everything_once_and_a_second_run_finds_nothing(site: Site) -> None:
    """Every original of the day comes back from a pack; objects that must stay do; the second run
    writes and deletes nothing.
    """
    first = site.run_json()
    check = site.check()
    assert check.problems == []
    assert check.found_in_packs >= 70
    assert check.still_there > 10
    assert first["objects"]["packed"] == first["objects"]["deleted"] == check.found_in_packs
    assert first["objects"]["unknown"] > 0
    assert first["failures"] == []
    assert first["dollars"]["estimated"] < first["dollars"]["one_upload_per_object"]
    second = site.run_json()
    assert second["packs"] == []
    assert second["objects"]["deleted"] == 0
    assert (second["requests"].pop("GetObject"), second["requests"].pop("PutObject")) == (
        4,
        1,
    )  # its custody record, and those before
    assert set(second["requests"]) <= {
        "ListObjectsV2",
        "ListObjectVersions",
        "ListMultipartUploads",
        "GetBucketVersioning",
    }


def test_one_get_for_each_small_object(sites: Sites) -> None:
    """Small objects cost one GET each; beyond that a group costs a few requests, whatever
    its size.
    """
    site = sites.make(flat(300, 3_000))
    requests = site.run_json()["requests"]
    assert requests["GetObject"] == 300 + 2 + 3  # index and terms of the pack, and custody records
    assert requests["HeadObject"] == 2  # verified, and once more before deleting
    assert requests["PutObject"] == 6  # pack, index, terms, their table, two custody records
    assert requests["DeleteObjects"] == 1


def test_late_logs_make_an_additional_pack(site: Site) -> None:
    """Logs that arrive after a run go into another pack; the first one is never touched."""
    before = {pack["key"] for pack in site.run_json()["packs"]}
    site.entries += upload(late(site.spec), site.server).entries
    after = {pack["key"] for pack in site.run_json()["packs"]}
    assert after
    assert not before & after
    assert site.check().problems == []


def test_in_place_packs_are_never_eaten(sites: Sites) -> None:
    """Without a destination bucket each bucket keeps its packs, and later runs leave them alone."""
    site = sites.make(small(seed=9), in_place=True)
    first = site.run_json()
    assert site.check().problems == []
    assert all(pack["key"].startswith("aggregated/packs/") for pack in first["packs"])
    second = site.run_json()
    assert second["packs"] == []
    assert second["objects"]["deleted"] == 0
    assert site.check().problems == []


def test_plan_shows_what_run_does_and_changes_nothing(site: Site) -> None:
    """`plan` names exactly the packs that `run` then writes, and changes nothing."""
    planned = json.loads(site.call("plan", "--json", *site.sources).stdout)
    assert site.client.list_objects_v2(Bucket=site.destination).get("KeyCount") == 0
    assert [entry for entry in site.check().problems if "is in no pack" not in entry] == []
    done = site.run_json()
    assert {pack["key"] for group in planned["groups"] for pack in group["packs"]} == {
        pack["key"] for pack in done["packs"]
    }
    assert site.call("run", "--dry-run", *site.sources).stdout.startswith("Plan for logs of")


def test_verify_finds_a_flipped_bit(site: Site) -> None:
    """`verify` reads every pack back; one wrong byte is found and named, with exit code 1."""
    packs = site.run_json()["packs"]
    arguments = ("verify", "--date", str(site.day), "--destination-bucket", str(site.destination))
    assert f"{len(packs)} packs verified" in site.call(*arguments).stdout
    victim = packs[0]["key"]
    data = bytearray(site.client.get_object(Bucket=site.destination, Key=victim)["Body"].read())
    data[len(data) // 3] ^= 1
    site.client.put_object(Bucket=site.destination, Key=victim, Body=bytes(data))
    failed = site.call(*arguments, code=1)
    assert victim in failed.stdout


def test_extract_returns_the_exact_bytes(packed: Site, tmp_path: Path) -> None:
    """An original is extracted by its key alone, byte for byte; an existing file is not
    overwritten; an unknown key is a clear error.
    """
    entry = next(
        entry for entry in packed.entries if entry.source == "digest" and entry.purpose == "log"
    )
    output = tmp_path / "out.json.gz"
    where = ("--destination-bucket", str(packed.destination))
    packed.call("extract", entry.key, "--output", str(output), *where)
    assert len(output.read_bytes()) == entry.size_bytes
    assert json.loads(gzip.decompress(output.read_bytes()))["awsAccountId"]
    assert (
        "--force"
        in packed.call("extract", entry.key, "--output", str(output), *where, code=2).stderr
    )
    packed.call(
        "extract", f"s3://{entry.bucket}/{entry.key}", "--output", str(output), "--force", *where
    )
    assert "no pack holds it" in packed.call("extract", entry.key + "x", *where, code=1).stderr
    assert [path.name for path in tmp_path.iterdir()] == ["out.json.gz"]


def test_real_programs_read_the_packs(site: Site, tmp_path: Path) -> None:
    """zcat and a JSON reader read a CloudTrail pack, tar reads a tar pack, each with all documents
    of its members.
    """
    packs = {pack["key"]: pack for pack in site.run_json()["packs"]}
    trail = next(key for key in packs if "/CloudTrail/" in key)
    archive = next(key for key in packs if key.endswith(".tar"))
    for key, name in ((trail, "pack.gz"), (archive, "pack.tar")):
        site.client.download_file(site.destination, key, str(tmp_path / name))
    text = subprocess.run(
        ["zcat", str(tmp_path / "pack.gz")], check=True, capture_output=True
    ).stdout
    documents = [json.loads(line) for line in text.splitlines() if line.startswith(b"{")]
    assert documents
    assert all(document["Records"] for document in documents)
    if shutil.which("jq"):
        subprocess.run(
            ["jq", "-e", ".Records | length > 0"],
            input=b"\n".join(json.dumps(d).encode() for d in documents),
            check=True,
            stdout=-3,
        )
    names = subprocess.run(
        ["tar", "tf", str(tmp_path / "pack.tar")], check=True, capture_output=True, text=True
    ).stdout.split()
    assert len(names) == packs[archive]["members"] + 1
    assert names[-1] == ".log-aggregator/index.jsonl.gz"


def test_an_interrupt_leaves_no_upload_and_loses_nothing(sites: Sites) -> None:
    """Stopped during an upload, it exits with 130 and no open multipart upload; the same command
    then finishes.
    """
    site = sites.make(flat(1, 8_000))
    moments = {
        "CreateMultipartUpload": signal.SIGINT,
        "UploadPart": signal.SIGTERM,
        "CompleteMultipartUpload": signal.SIGINT,
    }
    with Proxy(site.server.endpoint_url) as proxy:
        for seed, (operation, number) in enumerate(moments.items(), start=2):
            another = replace(site.spec, seed=seed, objects=40, large_sizes_bytes=(12 * MIB,))
            site.entries += upload(generate(another), site.server).entries
            done = site.strike(
                proxy, first(operation), number, "run", *site.sources, "--part-size", "5 MiB"
            )
            assert done.code == 130, done
            assert "Start the same command again" in done.err
            assert "Traceback" not in done.err
            assert site.open_uploads() == []
    site.run_json()
    assert site.check().problems == []


def test_kill_loses_nothing(sites: Sites) -> None:
    """After SIGKILL at several moments and one clean run, every original comes back."""
    site = sites.make(small(seed=11))
    moments = (("GetObject", 2), ("PutObject", 0), ("PutObject", 3), ("DeleteObjects", 0))
    with Proxy(site.server.endpoint_url) as proxy:
        for operation, skip in moments:
            decide = first(operation, skip)
            done = site.strike(proxy, decide, signal.SIGKILL, "run", *site.sources)
            assert done.code == -signal.SIGKILL
    site.run_json()
    check = site.check()
    assert check.problems == []
    assert check.found_in_packs >= 70


def test_two_simultaneous_runs_lose_nothing(site: Site) -> None:
    """Two processes work on the same day: both end, and every original is in a pack."""
    command = ["run", "--json", *site.sources]
    processes = [site.forks.start(command, site.environment) for _ in range(2)]
    for process in processes:
        done = process.wait()
        assert done.code in (0, 1), done
        assert "Traceback" not in done.err
    site.run_json()
    assert site.check().problems == []


def test_a_vanished_server_ends_the_run_with_a_clear_message(sites: Sites) -> None:
    """The server goes away at the first read of a log object: there is a message without a
    traceback, exit code 1, and nothing hangs.
    """
    site = sites.make(flat(100, 1_000))
    with Proxy(site.server.endpoint_url) as proxy:
        proxy.decide = lambda request: vanish if request.operation == "GetObject" else None
        arguments = ("run", *site.sources)
        done = site.call(*arguments, code=1, endpoint_url=proxy.endpoint_url, tuning=Tuning())
        assert len(proxy.faulty) >= 1
    assert "Nothing failed" not in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["run", "--other-buckets", "there-is-no-such-bucket"],
            3,
            "bucket 'there-is-no-such-bucket' does not exist",
        ),
        (["run", "--other-buckets", "no-such-*"], 3, "no bucket's name begins with 'no-such-'"),
        (["run"], 2, "no bucket is named"),
        (["run", "--other-buckets", "UPPER"], 2, "other_buckets = 'UPPER': expected"),
        (["run", "--other-buckets", "abc", "--verify", "never"], 2, "verify = 'never': expected"),
        (
            ["run", "--other-buckets", "abc", "--date", "tomorrow"],
            2,
            "--date 'tomorrow': expected a date",
        ),
        (
            ["run", "--other-buckets", "abc", "--from", "2025-01-02", "--to", "2025-01-01"],
            2,
            "ends before it begins",
        ),
        (["run", "--config", "no-such.toml"], 2, "there is no such file"),
        (["run", "--no-such-option"], 2, "No such option"),
    ],
)
def test_bad_input_is_one_clear_line(
    sites: Sites, arguments: list[str], code: int, message: str
) -> None:
    """The line names what is wrong, nothing is touched, and the exit code tells whose fault
    it is.
    """
    result = sites.without_buckets().call(*arguments, code=code)
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_an_empty_bucket_or_day_is_not_an_error(sites: Sites) -> None:
    """Having nothing to do is success."""
    site = sites.without_buckets()
    site.client.create_bucket(Bucket="empty-bucket")
    result = site.call("run", "--other-buckets", "empty-bucket", "--date", "2025-01-01")
    assert "Nothing failed." in result.stdout


def test_wrong_credentials_are_named(sites: Sites) -> None:
    """The message names the operation, the bucket and the missing permission or key; the exit code
    is 3.
    """
    site = sites.without_buckets()
    environment = site.environment | {"AWS_SECRET_ACCESS_KEY": "wrong"}
    done = sites.forks.call(["run", "--other-buckets", "any-bucket"], environment)
    assert done.code == 3
    assert "any-bucket" in done.err
    assert "Traceback" not in done.err


def test_a_full_server_keeps_every_original(
    monkeypatch: pytest.MonkeyPatch, forks: ForkServer
) -> None:
    """On a server without room the exit code is 3 with a clear message, every original stays, and
    no upload is left open.
    """
    monkeypatch.setitem(server_module.FLAGS, "volume.max", "1")  # the source bucket takes them all
    with EmbeddedS3() as server:
        spec = replace(flat(40, 4_000), control_tower_bucket="full-source").with_one_bucket(
            "full-source"
        )
        create_bucket("full-source", server, is_versioned=True)
        entries = list(upload(generate(spec), server).entries)
        create_bucket("full-target", server, is_versioned=True)
        site = Site(server, forks, spec, "full-target", entries)
        result = site.call("run", *site.sources, code=3, tuning=Tuning(attempts_max=2))
        assert "Nothing was touched" in result.stderr
        assert "Traceback" not in result.stderr
        assert len(site.client.list_objects_v2(Bucket="full-source")["Contents"]) == 40
        assert site.open_uploads() == []
