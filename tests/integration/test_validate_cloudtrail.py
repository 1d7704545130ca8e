"""`validate-cloudtrail` next to the real `aws cloudtrail validate-logs`: both must report the same
about what both can see.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tests.integration.conftest import Site, Sites
from tests.support.forking import AWS, Done, ForkServer
from tests.support.trails import sign_again

from log_aggregator_lab.organisation.digests import list_digests
from log_aggregator_lab.organisation.generate import OrganisationSpec, public_key_fingerprint
from log_aggregator_lab.servers.trail_api import TrailApi, trail_arn
from log_aggregator_lab.upload import upload

SPEC = OrganisationSpec(
    seed=7,
    accounts=1,
    objects=20,
    size_bytes_median=1_000,
    digest_chains=-1,
    backfilled_logs=1,
    days=1,
)
DIGESTS_PER_CHAIN = 25

AWSCLI = find_spec("awscli")
pytestmark = pytest.mark.skipif(
    AWSCLI is None, reason="the AWS CLI is not installed in this environment"
)


@dataclass
class Verdict:
    """The result of a validation: exit code, valid files by kind, invalid ones by key."""

    code: int
    valid: dict[str, int]
    invalid: dict[str, str]
    output: str


@dataclass
class Court:
    """A site and both judges."""

    site: Site
    api: TrailApi
    aws: ForkServer

    @property
    def environment(self) -> dict[str, str]:
        return self.site.environment | self.api.environment

    @property
    def account(self) -> str:
        return self.site.spec.account_ids[0]

    @property
    def digests(self) -> list[str]:
        """The digests of the first chain, oldest first."""
        wanted = f"/{self.account}/CloudTrail-Digest/{SPEC.home_region}/"
        return sorted(
            entry.key
            for entry in self.site.entries
            if wanted in entry.key and "_backfill" not in entry.key
        )

    @property
    def log(self) -> str:
        """A log that a digest of the first chain names."""
        named = [
            entry["s3Object"]
            for key in self.digests
            for entry in json.loads(gzip.decompress(self.read(key)[0]))["logFiles"]
        ]
        return str(named[2])

    def read(self, key: str) -> tuple[bytes, dict[str, str]]:
        found = self.site.client.get_object(Bucket=self.site.spec.control_tower_bucket, Key=key)
        return found["Body"].read(), found["Metadata"]

    def write(self, key: str, body: bytes, metadata: dict[str, str]) -> None:
        self.site.client.put_object(
            Bucket=self.site.spec.control_tower_bucket, Key=key, Body=body, Metadata=metadata
        )

    def run(self) -> None:
        """Run both days, because the last digest of a day is in the next one."""
        options = [
            "--control-tower-bucket",
            self.site.spec.control_tower_bucket,
            "--destination-bucket",
            str(self.site.destination),
        ]
        self.call(
            "run", "--delete-originals", "--from", "2026-03-14", "--to", "2026-03-15", *options
        )

    def put_back(self) -> None:
        options = [
            "--destination-bucket",
            str(self.site.destination),
            "--from",
            "2026-03-14",
            "--to",
            "2026-03-15",
        ]
        self.call("put-back", *options, "--bucket", self.site.spec.control_tower_bucket)

    def call(self, *arguments: str, code: int = 0) -> Done:
        done = self.site.forks.call(arguments, self.environment)
        assert done.code == code, f"exit code {done.code}\n{done.out}\n{done.err}"
        return done

    def ask_aws(self, region: str = SPEC.home_region) -> Verdict:
        arguments = [
            "cloudtrail",
            "validate-logs",
            "--trail-arn",
            trail_arn(self.site.spec),
            "--account-id",
            self.account,
        ]
        arguments += [
            "--region",
            region,
            "--start-time",
            "2026-03-14T00:00:00Z",
            "--end-time",
            "2026-03-14T23:59:59Z",
            "--verbose",
        ]
        assert AWSCLI is not None
        # the AWS CLI sets the second when it is imported, which it has been
        more = {"AWS_PAGER": "", "AWS_DATA_PATH": str(Path(str(AWSCLI.origin)).with_name("data"))}
        done = self.aws.call(arguments, self.environment | more, program=AWS)
        assert done.code in (0, 1), done.out + done.err
        return read_verdict(done)

    def ask_us(self, *more: str, region: str = SPEC.home_region) -> Verdict:
        """Ask our command the same."""
        options = [
            "--destination-bucket",
            str(self.site.destination),
            "--control-tower-bucket",
            self.site.spec.control_tower_bucket,
        ]
        arguments = ["validate-cloudtrail", "--account", self.account, "--log-region", region]
        arguments += ["--date", "2026-03-14", "--verbose", *options, *more]
        return read_verdict(self.site.forks.call(arguments, self.environment))


def read_verdict(done: Done) -> Verdict:
    """Both print the same format."""
    text = done.out + done.err
    valid = {
        kind: int(count) for count, kind in re.findall(r"(\d+)/\d+ ([a-z ]+?) files valid", text)
    }
    invalid = {
        found[1]: found[2] for found in re.finditer(r"file\ts3://[^/]+/(\S+)\tINVALID: (.*)", text)
    }
    return Verdict(done.code, valid, invalid, text)


def valid_lines(verdict: Verdict) -> set[str]:
    return {line for line in verdict.output.splitlines() if line.endswith("\tvalid")}


@pytest.fixture(scope="module")
def aws() -> Iterator[ForkServer]:
    """A separate environment, because it needs another botocore."""
    with ForkServer(AWS, "awscli.handlers", "awscli.customizations.cloudtrail") as server:
        yield server


@pytest.fixture
def court(sites: Sites, aws: ForkServer) -> Iterator[Court]:
    site = sites.make(SPEC)
    with TrailApi(site.spec) as api:
        yield Court(site, api, aws)


def test_the_aws_cli_agrees_before_and_after_packing(court: Court) -> None:
    """Originals are valid for both, file by file; once packed and deleted, for us alone; once put
    back, for both again.
    """
    first = court.ask_aws()
    assert (first.code, first.invalid) == (0, {})
    assert (first.valid["digest"], first.valid["backfill digest"]) == (DIGESTS_PER_CHAIN, 1)
    assert first.valid["log"] > 5
    assert valid_lines(court.ask_us()) == valid_lines(first)
    assert court.ask_aws("us-east-1").valid == court.ask_us(region="us-east-1").valid

    court.run()
    assert court.ask_aws().valid == {}
    packed = court.ask_us()
    assert (packed.code, packed.valid) == (0, first.valid)
    assert valid_lines(packed) == valid_lines(first)

    court.put_back()
    again = court.ask_aws()
    assert (again.code, again.valid, again.invalid) == (0, first.valid, {})
    for read_from in ("both", "originals", "packs"):
        ours = court.ask_us("--read-from", read_from)
        assert (ours.code, ours.valid, ours.invalid) == (0, first.valid, {})


def change_digit(text: str) -> str:
    return ("1" if text[0] == "0" else "0") + text[1:]


def tamper(court: Court, what: str) -> str:
    """Change one byte of one thing. Returns the key that must be invalid."""
    key = court.log if what == "log" else court.digests[11]
    body, metadata = court.read(key)
    document = gzip.decompress(body).decode()
    if what == "signature":
        metadata["signature"] = change_digit(metadata["signature"])
    elif what == "link":
        hashed = json.loads(document)["previousDigestHashValue"]
        document = document.replace(hashed, change_digit(hashed))
    else:
        place = re.search(r"\d", document)
        assert place is not None
        document = document[: place.start()] + change_digit(document[place.start() :])
    court.write(key, gzip.compress(document.encode()), metadata)
    return key


@pytest.mark.parametrize("what", ["log", "digest", "signature", "link"])
def test_a_changed_byte_is_found(court: Court, what: str) -> None:
    """Both find a changed byte of a log, a digest, a signature or a link, in the same words, and we
    find it in the pack too.
    """
    key = tamper(court, what)
    theirs, ours = court.ask_aws(), court.ask_us()
    assert theirs.code == ours.code == 1
    assert list(theirs.invalid) == [key]
    assert ours.invalid == theirs.invalid
    assert ours.valid == theirs.valid
    court.run()
    packed = court.ask_us("--read-from", "packs")
    assert (packed.code, packed.invalid, packed.valid) == (1, theirs.invalid, theirs.valid)


def test_missing_logs_and_digests_are_found(court: Court) -> None:
    """A missing log and a missing digest are invalid for both."""
    keys = {court.log, court.digests[11]}
    for key in keys:
        court.site.client.delete_object(Bucket=court.site.spec.control_tower_bucket, Key=key)
    theirs, ours = court.ask_aws(), court.ask_us()
    assert set(theirs.invalid) <= keys  # a log that only the missing digest names is seen by nobody
    assert court.digests[11] in theirs.invalid
    assert (ours.code, ours.invalid, ours.valid) == (theirs.code, theirs.invalid, theirs.valid)


def test_data_after_a_log_is_found(court: Court) -> None:
    """A second gzip member after a log is invalid for both."""
    key = court.log
    body, metadata = court.read(key)
    court.write(key, body + gzip.compress(b"more"), metadata)
    theirs, ours = court.ask_aws(), court.ask_us()
    assert theirs.invalid == ours.invalid == {key: "unexpected data after end of compressed stream"}


def test_a_flipped_byte_in_a_pack_is_found(court: Court) -> None:
    """After a byte in a pack changed, its member is invalid and cannot be put back; all others can,
    and then both miss only that one.
    """
    court.run()
    pack = next(
        found["Key"]
        for found in court.site.client.list_objects_v2(
            Bucket=court.site.destination, Prefix="packs/"
        )["Contents"]
        if f"/CloudTrail/{court.account}/" in found["Key"]
    )
    data = bytearray(
        court.site.client.get_object(Bucket=court.site.destination, Key=pack)["Body"].read()
    )
    data[60] ^= 1
    court.site.client.put_object(Bucket=court.site.destination, Key=pack, Body=bytes(data))
    ours = court.ask_us()
    assert ours.code == 1
    ((key, text),) = ours.invalid.items()
    assert text == f"damaged in its pack s3://{court.site.destination}/{pack}"
    options = [
        "--destination-bucket",
        str(court.site.destination),
        "--from",
        "2026-03-14",
        "--to",
        "2026-03-15",
    ]
    court.call("put-back", *options, "--bucket", court.site.spec.control_tower_bucket, code=1)
    assert court.ask_aws().invalid == {key: "not found"}


def test_trails_with_similar_names_are_told_apart(court: Court) -> None:
    """Both distinguish another trail under the same prefix whose name begins alike."""
    other = replace(court.site.spec, trail_name=f"{SPEC.trail_name}_eu-west-1_other")
    upload(list_digests(other), court.site.server)
    theirs = court.ask_aws()
    ours = court.ask_us("--trail-name", SPEC.trail_name)
    assert (ours.code, ours.valid) == (theirs.code, theirs.valid) == (0, theirs.valid)
    assert court.ask_us().valid["digest"] == 2 * DIGESTS_PER_CHAIN


def test_a_trail_that_moved_to_another_bucket_is_followed(court: Court) -> None:
    """Its older digests are where it then delivered them: both follow the chain there and count
    every file once, packed or not.
    """
    site, older = court.site, f"a-{court.site.spec.control_tower_bucket.partition('-aws-')[0]}"
    site.client.create_bucket(Bucket=older)
    places = [
        older if number < 10 else site.spec.control_tower_bucket
        for number in range(len(court.digests))
    ]
    chain = [court.read(key) for key in court.digests]
    for key, place, (body, metadata) in zip(
        court.digests, places, sign_again(site.spec, chain, places), strict=True
    ):
        site.client.delete_object(Bucket=site.spec.control_tower_bucket, Key=key)
        site.client.put_object(Bucket=place, Key=key, Body=body, Metadata=metadata)
    theirs, ours = court.ask_aws(), court.ask_us()
    assert (theirs.code, theirs.valid["digest"], theirs.invalid) == (0, DIGESTS_PER_CHAIN, {})
    assert (ours.code, ours.valid, valid_lines(ours)) == (0, theirs.valid, valid_lines(theirs))
    court.run()
    named = court.ask_us("--bucket", older, "--bucket", site.spec.control_tower_bucket)
    assert (named.code, named.valid) == (0, theirs.valid)


def test_the_archived_key_is_sufficient(court: Court) -> None:
    """The run keeps CloudTrail's key next to the packs; that key validates everything without
    CloudTrail.
    """
    court.run()
    keys = court.site.client.list_objects_v2(Bucket=court.site.destination, Prefix="keys/")[
        "Contents"
    ]
    name = f"{public_key_fingerprint(SPEC)}.json"
    assert [found["Key"] for found in keys] == [
        f"keys/cloudtrail/{region}/{name}" for region in sorted(SPEC.regions)
    ]
    court.api.keys.keys = []
    assert court.ask_us().code == 0
    assert court.ask_us("--public-keys", "cloudtrail").code == 1
    options = [
        "--destination-bucket",
        str(court.site.destination),
        "--date",
        "2026-03-14",
        "--json",
        "--public-keys",
        "archive",
    ]
    result = json.loads(court.call("validate-cloudtrail", *options).out)
    assert result["public_keys"] == {"found": {"archive": 2}, "failures": {}}
    assert result["valid"] is True


def test_json_lists_every_chain_and_everything_invalid(court: Court) -> None:
    """`--json` writes one document with every chain and every invalid file; the exit code
    agrees.
    """
    key = tamper(court, "log")
    court.run()
    options = [
        "--destination-bucket",
        str(court.site.destination),
        "--date",
        "2026-03-14",
        "--json",
    ]
    result: dict[str, Any] = json.loads(court.call("validate-cloudtrail", *options, code=1).out)
    assert result["valid"] is False
    assert result["requested"] == {"first": "2026-03-14T00:00:00Z", "last": "2026-03-14T23:59:59Z"}
    assert len(result["trails"]) == 3
    assert [
        (finding["key"], finding["state"], finding["kind"]) for finding in result["findings"]
    ] == [(key, "invalid", "log")]
    assert result["findings"][0]["place"].startswith(f"s3://{court.site.destination}/packs/")
    assert result["digests"] == {"valid": 2 * DIGESTS_PER_CHAIN, "invalid": 0, "unchecked": 0}


def test_bad_input_gives_a_clear_error(court: Court) -> None:
    """No range, a range without digests and an unknown account each give a clear message and an
    exit code.
    """
    options = [
        "--destination-bucket",
        str(court.site.destination),
        "--control-tower-bucket",
        court.site.spec.control_tower_bucket,
    ]
    assert "--from" in court.call("validate-cloudtrail", *options, code=2).err
    assert (
        "No digests found"
        in court.call("validate-cloudtrail", *options, "--date", "2020-01-01", code=1).out
    )
    wrong = court.call(
        "validate-cloudtrail", *options, "--date", "2026-03-14", "--account", "12", code=2
    )
    assert "--account" in wrong.err
    alone = [
        "validate-cloudtrail",
        *options,
        "--date",
        "2026-03-14",
        "--public-keys",
        "cloudtrail",
    ]
    done = court.site.forks.call(alone, court.site.environment)
    assert (done.code, "has no CloudTrail" in done.err) == (3, True)
    nobody = court.call(
        "validate-cloudtrail", *options, "--date", "2026-03-14", "--account", "000000000000", code=1
    )
    assert "No digests found" in nobody.out
