"""Checking packs, rebuilding lost indexes, and adopting other tools' aggregates, on a real S3
server.
"""

from __future__ import annotations

import gzip
import json
import subprocess
from pathlib import Path

import pytest
from tests.integration.conftest import Site

pytestmark = pytest.mark.server


def index_of(pack_key: str) -> str:
    return f"indexes/{pack_key.removeprefix('packs/')}.index.jsonl.gz"


def test_lost_indexes_come_back_byte_for_byte(site: Site) -> None:
    """Without any index, verify reports it and find is incomplete; rebuild restores the exact
    bytes.
    """
    packs = [pack["key"] for pack in site.run_json()["packs"]]
    where = ("--destination-bucket", str(site.destination))
    before = {
        key: site.client.get_object(Bucket=site.destination, Key=index_of(key))["Body"].read()
        for key in packs
    }
    for key in packs:
        site.client.delete_object(Bucket=site.destination, Key=index_of(key))
    assert (
        f"{len(packs)} packs failed"
        in site.call("verify", "--all", "--level", "checksum", *where, code=1).stdout
    )
    described = json.loads(site.call("index", "rebuild", "--all", "--json", *where).stdout)
    assert len(described["rebuilt"]) == len(packs)
    after = {
        key: site.client.get_object(Bucket=site.destination, Key=index_of(key))["Body"].read()
        for key in packs
    }
    assert [key for key in packs if before[key] != after[key] and not is_copy(before[key])] == []
    for level in ("checksum", "tail", "read-back"):
        assert (
            f"{len(packs)} packs verified ({level})"
            in site.call("verify", "--all", "--level", level, *where).stdout
        )
    assert site.check().problems == []


def is_copy(index: bytes) -> bool:
    return bool(json.loads(gzip.decompress(index).splitlines()[0])["pack_format"] == "copy")


def test_an_aggregate_made_with_cat_is_adopted(site: Site, tmp_path: Path) -> None:
    """An aggregate of `cat a.gz b.gz` in a separate bucket is adopted, found, extracted and
    verified; truncated, it is refused; damaged, it is noticed.
    """
    files = []
    for number in range(5):
        files.append(tmp_path / f"{number}.log")
        files[-1].write_bytes(b"some line\n" * 100 * number)
        subprocess.run(["gzip", str(files[-1])], check=True)
    parts = [path.with_suffix(".log.gz") for path in files]
    whole = subprocess.run(["cat", *map(str, parts)], check=True, capture_output=True).stdout
    bucket = f"{site.destination}-old"
    site.client.create_bucket(Bucket=bucket)
    key = "flow-logs/2024/02/29/111111111111_vpcflowlogs_all.gz"
    site.client.put_object(Bucket=bucket, Key=key, Body=whole)
    site.client.put_object(
        Bucket=bucket, Key="flow-logs/2024/02/28/111111111111_vpcflowlogs_all.gz", Body=whole[:-4]
    )
    where = ("--destination-bucket", str(site.destination))
    described = json.loads(
        site.call("index", "adopt", f"s3://{bucket}/flow-logs/", "--json", *where, code=1).stdout
    )
    assert [
        (row["key"], row["members"], row["log_type"], row["date"]) for row in described["adopted"]
    ] == [(key, 5, "vpcflowlogs", "2024-02-29")]
    assert "cut short" in described["failures"][0]["message"]
    found = site.call("find", "--date", "2024-02-29", *where).stdout
    assert all(f"{key}#{number:06}.gz" in found for number in range(1, 6))
    site.call("extract", "--date", "2024-02-29", "--directory", str(tmp_path / "out"), *where)
    assert sorted(path.read_bytes() for path in (tmp_path / "out").rglob("*.gz")) == sorted(
        path.read_bytes() for path in parts
    )
    for level in ("checksum", "tail", "read-back"):
        arguments = ("verify", "--date", "2024-02-29", "--level", level, *where)
        assert "1 adopted aggregate verified" in site.call(*arguments).stdout
    site.client.put_object(Bucket=bucket, Key=key, Body=whole[:30] + b"x" + whole[31:])
    assert "VerificationError" in site.call("verify", "--date", "2024-02-29", *where, code=1).stdout


def test_a_date_without_packs(site: Site) -> None:
    """Having nothing to rebuild is success; an empty check is not verified, and an empty prefix is
    not adopted.
    """
    where = ("--destination-bucket", str(site.destination))
    assert (
        "nothing was verified; 2019-01-01"
        in site.call("verify", "--date", "2019-01-01", *where, code=1).stderr
    )
    assert (
        "0 indexes made again"
        in site.call("index", "rebuild", "--date", "2019-01-01", *where).stdout
    )
    assert (
        "nothing lies under it"
        in site.call("index", "adopt", f"s3://{site.destination}/none/", *where, code=1).stderr
    )
