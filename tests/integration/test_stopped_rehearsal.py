"""`rehearse` as a separate process on the embedded server, stopped halfway."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.waiting import SECONDS_MAX, wait_until

from log_aggregator.adapters.s3 import S3Store
from log_aggregator_lab.servers.s3 import EmbeddedS3

pytestmark = pytest.mark.server


def test_a_stopped_rehearsal_leaves_earlier_objects_alone(
    embedded_s3: EmbeddedS3, embedded_store: S3Store, tmp_path: Path
) -> None:
    """The stop comes after something was written; the results until then are printed."""
    bucket = "rehearse-named"
    embedded_store._s3.create_bucket(Bucket=bucket)
    embedded_s3.make_room(bucket)
    embedded_store._s3.put_object(Bucket=bucket, Key="mine", Body=b"mine")
    with start(embedded_s3, tmp_path, "--bucket", bucket, "--yes", "--json") as process:
        wait_until(lambda: has_written(embedded_store, bucket))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == 130, err
    told = json.loads(out)
    assert (told["stopped"], told["left"]) == (True, [])
    assert f"It writes and deletes under s3://{bucket}/{told['prefix']}" in err
    keys = [each.key for each in embedded_store.list_object_versions(bucket).objects]
    assert keys == ["mine"]


def start(server: EmbeddedS3, home: Path, *arguments: str) -> subprocess.Popen[str]:
    kept = ("PATH", "PYTHONPATH", "TMPDIR")
    environment = {name: os.environ[name] for name in kept if name in os.environ} | {
        "HOME": str(home),
        "AWS_ACCESS_KEY_ID": server.access_key,
        "AWS_SECRET_ACCESS_KEY": server.secret_key,
        "AWS_ENDPOINT_URL_S3": server.endpoint_url,
        "AWS_REGION": server.region,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "log_aggregator", "rehearse", *arguments],
        env=environment,
        cwd=home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def has_written(store: S3Store, bucket: str) -> bool:
    prefixes = store.list_prefixes(bucket, prefix="").prefixes
    return any(each.startswith("log-aggregator-rehearsal-") for each in prefixes)
