"""Signed custody records as seen by users: a run signs, `custody verify` says up to when and by
whom the chain is proven, and a shortened chain is not accepted.
"""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.integration.conftest import Site, Sites
from tests.support.signing import (
    ARN,
    Authority,
    FakeKms,
    make_signer,
    private_key,
    private_pem,
    public_pem,
    serving_time,
)

from log_aggregator_lab.organisation.generate import flat

pytestmark = pytest.mark.server


@dataclass(frozen=True)
class Keys:
    private: str
    public: str
    stranger: str


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    files = {
        "custody.pem": private_pem(private_key()),
        "custody.pub": public_pem(private_key()),
        "stranger.pub": public_pem(private_key(1)),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    return Keys(*(str(tmp_path / name) for name in files))


@pytest.fixture
def packed(sites: Sites) -> Site:
    return sites.make(flat(20, 300))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """(URL, file with its root)."""
    found = Authority(tmp_path_factory.mktemp("authority"))
    with serving_time(found) as url:
        yield url, str(found.roots)


def place_of(site: Site) -> list[str]:
    return ["--destination-bucket", site.destination or ""]


def read_object(site: Site, key: str) -> bytes:
    data: bytes = site.client.get_object(Bucket=site.destination, Key=key)["Body"].read()
    return data


def verify_json(site: Site, *options: str, code: int = 0) -> dict[str, Any]:
    done = site.call("custody", "verify", "--json", *place_of(site), *options, code=code)
    described: dict[str, Any] = json.loads(done.stdout)
    return described


def test_a_run_signs_and_its_chain_is_proven(
    packed: Site, keys: Keys, authority: tuple[str, str]
) -> None:
    """Records are signed with a key in a file and a time stamp; openssl alone verifies them too, as
    the page shows.
    """
    url, roots = authority
    signing = ["--sign-with", keys.private, "--time-stamp-url", url]
    first = packed.run_json(*signing)
    name = make_signer().name
    assert first["signatures"] == [
        {
            "bucket": packed.destination,
            "key": "signatures/0000000/0000000001.json",
            "sequence": 1,
            "signed_by": name,
            "is_stamped": True,
            "is_new": True,
        }
    ]
    printed = packed.call("run", *packed.sources, *signing).stdout
    assert f"signed     record 2 by {name}, time-stamped" in printed
    packed.run_json()  # without a key
    trusted = ["--public-key", keys.public, "--time-stamp-authority", roots]
    told = packed.call("custody", "verify", *place_of(packed), *trusted).stdout
    assert "proven    up to record 2 of " in told
    assert f"by key {keys.public} ({name}), signed at " in told
    assert "time-stamped " in told
    assert " by CN=Test" in told
    assert "1 record after it is only chained" in told
    (chain,) = verify_json(packed, *trusted)["chains"]
    assert chain["signatures"]["proven_up_to"] == 2
    assert chain["findings"] == []


def test_openssl_alone_can_verify_a_signature(
    packed: Site, keys: Keys, authority: tuple[str, str], tmp_path: Path
) -> None:
    """The commands are those of docs/internals/custody.md."""
    url, roots = authority
    packed.run_json("--sign-with", keys.private, "--time-stamp-url", url)
    stored = json.loads(read_object(packed, "signatures/0000000/0000000001.json"))
    statement = json.dumps(stored["statement"], sort_keys=True, separators=(",", ":"))
    (tmp_path / "statement").write_text(statement, encoding="utf-8")
    for name in ("signature", "time_stamp"):
        (tmp_path / name).write_bytes(base64.b64decode(stored[name]))
    for command in (
        f"openssl dgst -sha256 -verify {keys.public} -signature signature statement",
        f"openssl ts -verify -in time_stamp -data signature -CAfile {roots}",
    ):
        done = subprocess.run(
            command.split(), cwd=tmp_path, check=True, capture_output=True, text=True
        )
        assert "OK" in done.stdout


def test_removing_the_newest_records_is_noticed(packed: Site, keys: Keys) -> None:
    """The newest record is deleted with all versions: the rest is a whole chain, but the signature
    shows that there was more.
    """
    packed.run_json("--sign-with", keys.private)
    verify_json(packed, "--public-key", keys.public)
    key = "custody/0000000/0000000001.jsonl.gz"
    versions = packed.client.list_object_versions(Bucket=packed.destination, Prefix=key)
    for version in versions["Versions"]:
        packed.client.delete_object(
            Bucket=packed.destination, Key=key, VersionId=version["VersionId"]
        )
    for options in ([], ["--public-key", keys.public]):
        told = packed.call("custody", "verify", *place_of(packed), *options, code=1).stdout
        assert "it signs record 1, which is missing" in told


def test_unnamed_keys_prove_nothing(packed: Site, keys: Keys) -> None:
    """A stranger's signature is a break; without a named key it proves nothing; a wrong file is a
    usage error.
    """
    packed.run_json("--sign-with", keys.private)
    place = place_of(packed)
    told = packed.call("custody", "verify", *place, "--public-key", keys.stranger, code=1).stdout
    assert f"it is by a key that was not named: {make_signer().name}" in told
    unnamed = packed.call("custody", "verify", *place).stdout
    assert "which was not named, so it proves nothing yet" in unnamed
    for wrong in ("no-such-file", keys.private):
        done = packed.call("custody", "verify", *place, "--public-key", wrong, code=2)
        assert "--public-key" in done.stderr
        assert "PRIVATE" not in done.stderr


def test_an_existing_record_can_be_signed_later(packed: Site, keys: Keys) -> None:
    """`custody sign` signs the newest record once, and nothing of a broken chain."""
    place = place_of(packed)
    signing = ["custody", "sign", *place, "--sign-with", keys.private]
    assert "no custody records" in packed.call(*signing, code=1).stderr
    assert "--sign-with: expected" in packed.call("custody", "sign", *place, code=2).stderr
    packed.run_json()
    assert "record 1 signed by sha256:" in packed.call(*signing).stdout
    before = read_object(packed, "signatures/0000000/0000000001.json")
    again = json.loads(packed.call(*signing, "--json").stdout)
    assert [each["is_new"] for each in again["signatures"]] == [False]
    assert read_object(packed, "signatures/0000000/0000000001.json") == before
    verify_json(packed, "--public-key", keys.public)
    packed.run_json()
    key = "custody/0000000/0000000002.jsonl.gz"
    packed.client.put_object(Bucket=packed.destination, Key=key, Body=b"damaged")
    broken = packed.call(*signing, code=1).stdout
    assert "BROKEN" in broken
    assert "Nothing was signed. Look at what is WRONG first" in broken
    found = packed.client.list_objects_v2(Bucket=packed.destination, Prefix="signatures/")
    assert found["KeyCount"] == 1


def test_a_run_that_cannot_sign_still_packs(packed: Site) -> None:
    """The run fails and says so, but loses nothing; the originals are deleted as usual."""
    result = packed.run_json("--sign-with", "no-such-key.pem", code=1)
    (failure,) = result["failures"]
    assert failure["error"] == "SettingsError"
    assert "no-such-key.pem" in failure["message"]
    assert "custody sign" in failure["advice"]
    assert (result["signatures"], result["objects"]["packed"]) == ([], 20)
    assert packed.check().problems == []


def test_a_missing_time_stamp_fails_the_run(packed: Site, keys: Keys) -> None:
    """The record is signed without a stamp, and therefore the run fails."""
    signing = ["--sign-with", keys.private, "--time-stamp-url", "http://127.0.0.1:9/"]
    result = packed.run_json(*signing, code=1)
    (failure,) = result["failures"]
    assert (failure["error"], result["signatures"][0]["is_stamped"]) == ("Unreachable", False)
    verify_json(packed, "--public-key", keys.public)


def test_deletions_and_backfills_are_signed(packed: Site, keys: Keys) -> None:
    signing = ["--sign-with", keys.private]
    day = str(packed.day)
    sources = [word for word in packed.sources if word not in ("--delete-originals", "--date", day)]
    packed.call("backfill", "--from", day, "--to", day, *sources, *signing)
    assert verify_json(packed)["chains"][0]["signatures"]["only_chained"] == 0
    agreed = ["--verified", "--older-than", "0d", "--yes", "--json"]
    deleted = json.loads(packed.call("delete", *agreed, *sources, *signing).stdout)
    assert (deleted["objects"]["deleted"], len(deleted["signatures"])) == (20, 1)
    (chain,) = verify_json(packed, "--public-key", keys.public)["chains"]
    assert (chain["signatures"]["read"], chain["signatures"]["only_chained"]) == (2, 0)


def test_kms_can_sign_and_return_its_key(packed: Site, keys: Keys) -> None:
    """The signature names the ARN, and verifies by KMS or by its public key in a file."""
    kms = FakeKms()
    with kms.serve() as url:
        environment = packed.environment | {"AWS_ENDPOINT_URL_KMS": url}

        def call(*arguments: str) -> str:
            done = packed.forks.start(arguments, environment).wait()
            assert done.code == 0, done.err
            return done.out

        result = json.loads(call("run", "--json", *packed.sources, "--sign-with", f"kms:{ARN}"))
        assert [each["signed_by"] for each in result["signatures"]] == [ARN]
        told = call("custody", "verify", *place_of(packed), "--kms-key", ARN)
        assert f"by key {ARN}, signed at" in told
        assert kms.asked == ["GetPublicKey", "Sign", "GetPublicKey"]
        kms.refuses = "AccessDeniedException"
        arguments = ["custody", "verify", *place_of(packed), "--kms-key", ARN]
        assert packed.forks.start(arguments, environment).wait().code == 3
    (chain,) = verify_json(packed, "--public-key", keys.public)["chains"]
    assert chain["signatures"]["proven_up_to"] == 1
