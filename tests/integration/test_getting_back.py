"""Getting originals back: the command line in a separate process, against the embedded server."""

from __future__ import annotations

import gzip
import hashlib
import json
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from tests.integration.conftest import Site, Sites
from tests.support.proxy import Action, Decide, Exchange, Proxy, pass_through
from tests.support.proxy_faults import on
from tests.support.waiting import SECONDS_MAX, wait_until

from log_aggregator_lab.check import PACKED
from log_aggregator_lab.organisation.generate import flat
from log_aggregator_lab.organisation.synthetic import ManifestEntry, Step
from log_aggregator_lab.upload import create_bucket


def packed_entries(site: Site) -> list[ManifestEntry]:
    return [entry for entry in site.entries if entry.step is Step.PUT and entry.purpose in PACKED]


def where(site: Site) -> list[str]:
    return ["--date", str(site.day), "--destination-bucket", str(site.destination)]


def test_a_whole_day_is_extracted_into_a_folder(packed: Site, tmp_path: Path) -> None:
    """Every original of the manifest becomes a file, byte for byte, with versions and metadata, in
    few requests.
    """
    summary = json.loads(
        packed.call(
            "extract", *where(packed), "--directory", str(tmp_path / "out"), "--metadata", "--json"
        ).stdout
    )
    entries = packed_entries(packed)
    files = [
        path
        for path in (tmp_path / "out").rglob("*")
        if path.is_file() and not path.name.endswith(".metadata.json")
    ]
    assert (summary["originals"], summary["failures"]) == (len(entries), [])
    assert Counter(hashlib.sha256(path.read_bytes()).hexdigest() for path in files) == Counter(
        entry.sha256 for entry in entries
    )
    assert summary["requests"]["GetObject"] <= 2 * summary["packs"]
    digest = next(entry for entry in entries if entry.source == "digest")
    beside = tmp_path / "out" / digest.bucket / f"{digest.key}.metadata.json"
    assert json.loads(beside.read_bytes())["metadata"] == dict(digest.metadata)


def test_lines_of_a_log_type_are_extracted_as_one_stream(packed: Site) -> None:
    """All CloudTrail files of the day form one stream, with a JSON document per line. The damaged
    one is named.
    """
    done = packed.call("extract", *where(packed), "--log-type", "CloudTrail", "--lines", code=1)
    documents = [json.loads(line) for line in done.stdout.splitlines()]
    entries = [entry for entry in packed_entries(packed) if entry.source == "cloudtrail"]
    assert len(documents) == len(entries) - 1
    assert all(document["Records"] for document in documents)
    assert "damaged gzip" in done.stderr


def test_put_back_restores_the_exact_originals(packed: Site) -> None:
    """In another bucket every newest original has its bytes, metadata, content type and encoding; a
    repeat writes nothing.
    """
    target = f"{packed.destination}-audit"
    create_bucket(target, packed.server, is_versioned=True)
    arguments = (
        "put-back",
        *where(packed),
        "--to-bucket",
        target,
        "--log-type",
        "CloudTrail,CloudTrail-Digest,Config",
        "--json",
    )
    first = json.loads(packed.call(*arguments).stdout)
    assert (first["failures"], first["there"]) == ([], 0)
    newest = {entry.key: entry for entry in packed_entries(packed)}
    for listed in packed.client.list_objects_v2(Bucket=target)["Contents"]:
        entry, got = (
            newest[listed["Key"]],
            packed.client.get_object(Bucket=target, Key=listed["Key"]),
        )
        assert hashlib.sha256(got["Body"].read()).hexdigest() == entry.sha256
        assert (got["Metadata"], got["ContentType"], got.get("ContentEncoding")) == (
            dict(entry.metadata),
            entry.content_type,
            entry.content_encoding,
        )
        assert (got["ETag"].strip('"'), listed["Size"]) == (entry.etag, entry.size_bytes)
    second = json.loads(packed.call(*arguments).stdout)
    assert (second["written"], second["there"], second["failures"]) == (0, first["written"], [])


def test_originals_put_back_are_packed_again(site: Site) -> None:
    """In its own bucket an original stays until the next run packs it again; nothing is lost
    meanwhile, and a hold keeps it.
    """
    site.run_json()
    digest = next(entry for entry in packed_entries(site) if entry.source == "digest")
    done = site.call(
        "put-back",
        f"s3://{digest.bucket}/{digest.key}",
        "--destination-bucket",
        str(site.destination),
    )
    assert "[holds]" in done.stderr
    assert site.client.head_object(Bucket=digest.bucket, Key=digest.key)["Metadata"] == dict(
        digest.metadata
    )
    assert site.run_json()["objects"]["deleted"] == 1
    assert site.check().problems == []


def test_thaw_finds_nothing_frozen(packed: Site) -> None:
    """Packs in a readable class need no thawing, and none is requested."""
    described = json.loads(packed.call("thaw", *where(packed), "--json").stdout)
    assert (described["started"], described["totals"]["frozen"]["packs"]) == (0, 0)
    assert described["totals"]["readable"]["packs"] == len(described["packs"])


def test_closing_the_pipe_ends_extract_quietly(packed: Site) -> None:
    """`extract --lines | head -1` ends immediately and without a traceback."""
    extracting = packed.start("extract", *where(packed), "--log-type", "CloudTrail", "--lines")
    assert extracting.stdout is not None
    assert extracting.stdout.readline().startswith("{")
    extracting.stdout.close()
    assert extracting.stderr is not None
    err = extracting.stderr.read()
    extracting.stderr.close()
    assert extracting.wait(SECONDS_MAX) in (0, 1)
    assert "Traceback" not in err
    assert "Exception ignored" not in err


@pytest.fixture(scope="module")
def large_pack(sites: Sites) -> Site:
    """A pack that `extract` reads in three pieces."""
    site = sites.make(flat(200, 60_000))
    site.run_json()
    return site


@pytest.mark.parametrize("file_count", [1, 40])
def test_ctrl_c_leaves_only_whole_files(large_pack: Site, tmp_path: Path, file_count: int) -> None:
    """Interrupted once this many files exist, it exits with 130; every file is whole, and none has
    another name.
    """
    folder = tmp_path / "out"
    where = ("--destination-bucket", str(large_pack.destination), "--directory", str(folder))

    def when_files_are_there(send: Action) -> Decide:
        def wait_and_send(exchange: Exchange) -> None:
            if exchange.message.headers["range"].startswith("bytes=0-"):
                pass_through(exchange)
                return
            wait_until(lambda: len(list(folder.rglob("*.gz"))) >= file_count)
            send(exchange)

        return on(lambda request: request.key.startswith("packs/"), wait_and_send)

    with Proxy(large_pack.server.endpoint_url) as proxy:
        done = large_pack.strike(
            proxy, when_files_are_there, signal.SIGINT, "extract", "--key", "*", *where
        )
    assert done.code == 130, done
    assert "Traceback" not in done.err
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert file_count <= len(files) < 200
    known = {entry.sha256 for entry in large_pack.entries}
    assert all(hashlib.sha256(path.read_bytes()).hexdigest() in known for path in files)
    assert all(gzip.decompress(path.read_bytes()) for path in files)


def test_a_full_file_system_leaves_no_partial_file(packed: Site, tmp_path: Path) -> None:
    """On a full file system the exit code is 1 with a clear message, and no partial file has a
    final name.
    """
    limit = ["bash", "-c", 'ulimit -f 1; exec "$@"', "limited"]
    command = [
        *limit,
        *packed.start_command(
            "extract", *where(packed), "--lines", "--output", str(tmp_path / "lines")
        ),
    ]
    done = subprocess.run(
        command,
        env=packed.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MAX,
    )
    assert done.returncode == 1, done.stderr
    assert "File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
