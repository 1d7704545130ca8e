"""Trails are valid wherever their files are; nothing changed, removed or unreadable is called
valid.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.support.trails import (
    BUCKET,
    SPEC,
    TARGET,
    Denying,
    RegionDeny,
    Trails,
    holes,
    problems,
    trails,
)

from log_aggregator.adapters.counting import CountingStore
from log_aggregator.core.digests import PERIOD
from log_aggregator.errors import (
    AccessDenied,
    CannotStart,
    NotAuthenticated,
    StoreError,
    Unreachable,
)
from log_aggregator.ports.trail_keys import TrailKey
from log_aggregator.steps.cloudtrail.accounts import ReadFrom
from log_aggregator.steps.cloudtrail.findings import Kind, State, Validation
from log_aggregator.steps.cloudtrail.public_keys import KeySource, archive_keys
from log_aggregator.steps.packs.pages import list_all
from log_aggregator.steps.workers import ThreadWorkers
from log_aggregator_lab.servers.trail_api import LabTrailKeys

DIGESTS = 4 * 25
LOGS = 24 + 1


def counts(result: Validation) -> tuple[int, int, int]:
    """Return (valid digests of the hourly chains, valid backfill digests, valid logs)."""
    hourly = sum(
        tally.digests[State.VALID]
        for chain, tally in result.tallies.items()
        if not chain.is_backfill
    )
    backfill = sum(
        tally.digests[State.VALID] for chain, tally in result.tallies.items() if chain.is_backfill
    )
    return hourly, backfill, sum(tally.logs[State.VALID] for tally in result.tallies.values())


def packs_of(site: Trails, log_type: str) -> list[str]:
    return [
        found.key
        for found in list_all(site.store, "dest", "packs/")
        if f"/{log_type}/" in found.key
    ]


def delete_all(site: Trails, keys: list[str]) -> None:
    for key in keys:
        site.store.delete(BUCKET, key)


@pytest.mark.parametrize("put_back", ["nothing", "digests", "logs", "some", "all"])
@pytest.mark.parametrize("read_from", list(ReadFrom))
def test_files_are_valid_in_place_and_in_packs(put_back: str, read_from: ReadFrom) -> None:
    """Originals, packs and any mix of the two give the same result, as long as everything can be
    read.
    """
    site = trails()
    before = site.validate()
    assert before.is_sound
    assert counts(before) == (DIGESTS, 1, LOGS)
    site.pack()
    digests = [key for key, item in site.objects.items() if item.source == "digest"]
    site.put_back(
        {
            "nothing": [],
            "digests": digests,
            "logs": site.log_keys,
            "some": [*digests, *site.log_keys][::3],
        }.get(put_back, [*digests, *site.log_keys])
    )
    after = site.validate(read_from=read_from)
    if read_from is not ReadFrom.ORIGINALS or put_back == "all":
        # of some days there are only some originals, which is told
        assert {state for state, _ in problems(after)} <= {"note"}
        assert bool(problems(after)) is (put_back == "some" and read_from is ReadFrom.BOTH)
        assert after.is_sound
        assert counts(after) == (DIGESTS, 1, LOGS)
        assert after.tallies == before.tallies
    else:
        assert not after.is_sound


def test_threads_give_the_same_result() -> None:
    """With threads the result is the same."""
    site = trails()
    site.pack()
    with ThreadWorkers(readers=4, groups=2) as workers:
        assert site.validate(workers=workers).tallies == site.validate().tallies


def change_byte(body: bytes) -> bytes:
    """Change a byte of the inflated document, so that only hashes can detect it."""
    document = bytearray(gzip.decompress(body))
    position = next(place for place, byte in enumerate(document) if byte in b"0123456789")
    document[position] ^= 1
    return gzip.compress(bytes(document))


def damage_log(site: Trails) -> str:
    key = site.log_keys[3]
    site.put(key, change_byte(site.objects[key].body))
    return key


def damage_digest(site: Trails) -> str:
    key = site.digest_keys[7]
    site.put(key, change_byte(site.objects[key].body), site.objects[key].metadata)
    return key


def damage_signature(site: Trails) -> str:
    key = site.digest_keys[7]
    metadata = dict(site.objects[key].metadata)
    metadata["signature"] = ("1" if metadata["signature"][0] == "0" else "0") + metadata[
        "signature"
    ][1:]
    site.put(key, site.objects[key].body, metadata)
    return key


def damage_link(site: Trails) -> str:
    key = site.digest_keys[7]
    hashed = json.loads(gzip.decompress(site.objects[key].body))["previousDigestHashValue"]
    site.rewrite(
        key,
        lambda fields: fields.update(
            previousDigestHashValue=("1" if hashed[0] == "0" else "0") + hashed[1:]
        ),
    )
    return key


DAMAGES: dict[Callable[[Trails], str], str] = {
    damage_log: "hash value doesn't match",
    damage_digest: "signature verification failed",
    damage_signature: "signature verification failed",
    damage_link: "signature verification failed",
}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("is_packed", [False, True])
def test_a_changed_byte_invalidates_its_file(
    damage: Callable[[Trails], str], is_packed: bool
) -> None:
    """One changed byte in a log, digest, signature or link makes exactly that file invalid. Beyond
    it, only logs that no trusted digest names any more are left out.
    """
    site = trails()
    key = damage(site)
    if is_packed:
        site.pack()
    result = site.validate(read_from=ReadFrom.PACKS if is_packed else ReadFrom.ORIGINALS)
    # Packed, the first version is in the pack as well; the newest counts.
    assert problems(result) == {("invalid", key): DAMAGES[damage]}
    assert not result.is_sound
    named = (
        []
        if damage is damage_log
        else json.loads(gzip.decompress(site.objects[key].body))["logFiles"]
    )
    assert counts(result) == (
        (DIGESTS, 1, LOGS - 1) if damage is damage_log else (DIGESTS - 1, 1, LOGS - len(named))
    )


def test_a_flipped_byte_in_a_pack_invalidates_its_member() -> None:
    """Changing a byte of a member in its pack makes that member invalid, and no other."""
    site = trails()
    site.pack()
    for log_type in ("CloudTrail", "CloudTrail-Digest"):
        pack_key = packs_of(site, log_type)[0 if log_type == "CloudTrail" else -1]
        data = bytearray(site.store.get_object("dest", pack_key).data)
        data[40] ^= 1
        site.store.put("dest", pack_key, bytes(data))
    found = problems(site.validate())
    assert len(found) == 2
    assert all(
        state == "invalid" and "damaged in its pack s3://dest/packs/" in text
        for (state, _), text in found.items()
    )


def test_a_link_to_another_digest_is_invalid() -> None:
    """A correctly signed digest that is not the one the next digest links to is invalid; the AWS
    CLI does not check this.
    """
    site = trails()
    key = site.digest_keys[5]
    site.rewrite(key, lambda fields: fields.update(extra="signed"), sign=True)
    found = problems(site.validate())
    assert found == {
        (
            "invalid",
            key,
        ): f"hash value doesn't match: s3://{BUCKET}/{site.digest_keys[6]} links to another"
    }


def test_a_link_with_another_hash_is_invalid() -> None:
    """A signed digest with the previous one's signature but another hash does not belong to it."""
    site = trails()
    before, newest = site.digest_keys[-2:]
    site.rewrite(newest, lambda fields: fields.update(previousDigestHashValue="0" * 64), sign=True)
    assert problems(site.validate()) == {
        ("invalid", before): f"hash value doesn't match: s3://{BUCKET}/{newest} links to another"
    }


@pytest.mark.parametrize("is_packed", [False, True])
def test_missing_files_are_invalid(is_packed: bool) -> None:
    """A linked digest or a named log is invalid if it is neither in place nor in a pack."""
    site = trails()
    named = [
        entry["s3Object"]
        for entry in json.loads(gzip.decompress(site.objects[site.digest_keys[9]].body))["logFiles"]
    ]
    log = next(key for key in site.log_keys if key not in named)
    delete_all(site, [site.digest_keys[9], log])
    if is_packed:
        site.pack()
    result = site.validate()
    assert problems(result) == {
        ("invalid", site.digest_keys[9]): "not found",
        ("invalid", log): "not found",
    }
    assert counts(result) == (DIGESTS - 1, 1, LOGS - 1 - len(named))


def test_the_oldest_digest_may_link_outside_the_range() -> None:
    """Digests that ended before the range are neither looked for nor missing; one that ended in it
    is.
    """
    site = trails()
    delete_all(site, site.digest_keys[:6])
    first = datetime.combine(SPEC.first_day, datetime.min.time(), UTC)
    assert site.validate(first + timedelta(hours=6)).is_sound
    assert problems(site.validate(first + timedelta(hours=4))) == {
        ("invalid", site.digest_keys[5]): "not found"
    }


def test_the_range_equals_the_aws_clis() -> None:
    """The range takes digests whose hours end from its first moment to an hour after its last."""
    site = trails()
    first = datetime.combine(SPEC.first_day, datetime.min.time(), UTC) + timedelta(hours=5)
    last = first + timedelta(hours=2)
    site.validate(first, last)
    ends = [
        datetime.strptime(found.key[-24:-8], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        for found in site.valid
        if found.kind is Kind.DIGEST
    ]
    assert len(ends) == 4 * 3
    assert min(ends) >= first
    assert max(ends) <= last + PERIOD


def test_a_long_range_is_listed_in_parts() -> None:
    """Links from one part into the next older one are followed, and everything is counted once."""
    site = trails()
    site.pack()
    first = SPEC.first_day - timedelta(
        days=30
    )  # the 31 days of a part end with the first day, and its last digest is of the next
    result = site.validate(first, SPEC.first_day + timedelta(days=1))
    assert counts(result) == (DIGESTS, 1, LOGS)
    assert problems(result) == {}
    assert {begin[:6] for (begin,) in holes(result).values()} == {
        "15T00:"
    }  # the trails end a day before the range does


def test_a_gap_is_reported_but_not_invalid() -> None:
    """Nothing was delivered between the end of a chain and a starting digest; this is reported, as
    the AWS CLI does.
    """
    later = replace(SPEC, first_day=SPEC.first_day + timedelta(days=3))
    site = Trails(others=(later,))
    site.pack()
    result = site.validate(SPEC.first_day, later.first_day)
    assert result.is_sound
    assert {state for state, _ in problems(result)} == {"gap"}
    assert len(result.findings) == 4
    assert all(
        finding.text.startswith("No log files were delivered by CloudTrail between 2026-03-15T00:")
        for finding in result.findings
    )


def test_several_trails_under_one_prefix_are_told_apart() -> None:
    """Digests of different trails form separate chains, told apart by the trail's name alone,
    underscores included.
    """
    other = replace(SPEC, trail_name="aws-controltower-BaselineCloudTrail_eu-west-1_second")
    site = Trails(others=(other,))
    site.pack()
    both = site.validate()
    assert both.is_sound
    assert counts(both) == (2 * DIGESTS, 2, 2 * LOGS)
    assert counts(site.validate(trails=frozenset({other.trail_name}))) == (DIGESTS, 1, LOGS)
    assert {chain.trail for chain in both.tallies} == {SPEC.trail_name, other.trail_name}


@pytest.mark.parametrize("is_named", [False, True])
@pytest.mark.parametrize("bucket", ["an-older-bucket", "the-older-bucket"])
def test_a_chain_continues_in_another_bucket(bucket: str, is_named: bool) -> None:
    """The chain continues in the older bucket, whichever name comes first: every file counts once,
    with no gap and no end.
    """
    site = trails()
    site.move_older(10, bucket)
    result = site.validate(buckets=frozenset({BUCKET, bucket}) if is_named else frozenset())
    assert problems(result) == {}
    assert counts(result) == (DIGESTS, 1, LOGS)
    assert len({(found.bucket, found.key) for found in site.valid}) == len(site.valid)
    assert (
        sum(
            tally.digests[State.VALID]
            for chain, tally in result.tallies.items()
            if chain.bucket == bucket
        )
        == 10
    )


def test_only_wanted_regions_are_checked() -> None:
    """Only digests of the chosen Regions, and their logs, are read."""
    site = trails()
    result = site.validate(regions=frozenset({"us-east-1"}))
    assert {chain.region for chain in result.tallies} == {"us-east-1"}
    assert counts(result)[0] == DIGESTS // 2


def test_both_key_layouts_are_found() -> None:
    """Keys from before landing zone 3.0, with the organisation's id once, are also found, in the
    bucket and in packs.
    """
    site = trails(accounts_before_landing_zone_3=1)
    assert counts(site.validate()) == (DIGESTS, 1, LOGS)
    site.pack()
    assert counts(site.validate()) == (DIGESTS, 1, LOGS)


def test_a_moved_digest_is_invalid() -> None:
    """A digest that was copied to another key counts as moved."""
    site = trails()
    original = site.objects[site.digest_keys[4]]
    digit = original.key[-10]
    key = f"{original.key[:-10]}{'8' if digit == '9' else '9'}{original.key[-9:]}"  # another second
    site.put(key, original.body, original.metadata)
    assert problems(site.validate())["invalid", key] == "has been moved from its original location"


def test_an_unlinked_digest_is_reported() -> None:
    """A valid digest outside the chain is reported."""
    site = trails()
    skipped, newest = site.digest_keys[-2:]
    before = json.loads(gzip.decompress(site.objects[skipped].body))
    links = {name: value for name, value in before.items() if name.startswith("previousDigest")}
    site.rewrite(newest, lambda fields: fields.update(links), sign=True)
    result = site.validate()
    assert problems(result) == {
        ("note", skipped): "is not part of a chain: no newer digest links to it"
    }
    assert result.is_sound


def test_backfill_digests_need_their_creation_time() -> None:
    """The creation time of a backfill digest shows when its key was valid; without it the digest's
    format is invalid.
    """
    site = trails()
    key = next(key for key in site.objects if key.endswith("_backfill.json.gz"))
    metadata = dict(site.objects[key].metadata)
    del metadata["backfill-generation-timestamp"]
    site.put(key, site.objects[key].body, metadata)
    assert problems(site.validate()) == {("invalid", key): "invalid format"}


def test_the_key_of_a_late_backfill_digest_is_found() -> None:
    """A key that was not valid in the range is requested for the time when the backfill digest was
    made.
    """
    site = trails()
    keys = LabTrailKeys(SPEC)
    made = datetime.combine(SPEC.first_day + timedelta(days=2), datetime.min.time(), UTC)
    keys.keys = [replace(keys.keys[0], valid_from=made)]
    site.keys = keys
    assert counts(site.validate()) == (0, 1, 1)


@pytest.mark.parametrize("metadata", [{}, {"signature-algorithm": "SHA256withRSA"}])
def test_a_lost_signature_is_taken_from_the_next_digest(metadata: dict[str, str]) -> None:
    """A digest without its metadata, such as a copy by another tool, is checked by the signature in
    its valid successor.
    """
    site = trails()
    key, newest = site.digest_keys[5], site.digest_keys[-1]
    site.put(key, site.objects[key].body, metadata)
    result = site.validate()
    assert result.is_sound
    assert [found.key for found in site.valid if "in the next digest" in found.text] == [key]
    site.put(newest, site.objects[newest].body, metadata)
    assert problems(site.validate()) == {("invalid", newest): "signature verification failed"}
    site.put(key, change_byte(site.objects[key].body), metadata)
    assert problems(site.validate())["invalid", key] == "signature verification failed"


def test_digests_without_a_public_key_are_invalid() -> None:
    """Digests whose public key cannot be found are invalid, and their logs are not vouched for."""
    site = trails()
    site.keys = Forgetful(site.spec)
    result = site.validate()
    assert counts(result) == (0, 0, 0)
    assert all(
        text.startswith("public key not found in region") for text in problems(result).values()
    )


class Forgetful(LabTrailKeys):
    """A CloudTrail that no longer has the key."""

    def list_public_keys(self, *_: object) -> list[TrailKey]:
        return []


def test_without_cloudtrail_digests_are_unchecked() -> None:
    """With another S3 server, or --public-keys archive, CloudTrail was not asked, so nothing is
    called false, and the advice is to ask it.
    """
    site = trails()
    site.keys = None
    result = site.validate()
    assert counts(result) == (0, 0, 0)
    assert not result.is_sound
    assert {state for state, _ in problems(result)} <= {"unchecked"}
    assert result.failures
    assert all("was not asked" in failure.message for failure in result.failures)
    assert all("Ask CloudTrail" in failure.advice for failure in result.failures)


def test_a_missing_bucket_is_an_error() -> None:
    """Nothing was packed from it, so its name is wrong: nothing in it is valid or invalid."""
    with pytest.raises(CannotStart, match="no-such-bucket"):
        trails().validate(buckets=frozenset(["no-such-bucket"]))


@pytest.mark.parametrize("error", [AccessDenied("AccessDeniedException"), Unreachable("no answer")])
def test_an_unreachable_cloudtrail_leaves_digests_unchecked(error: StoreError) -> None:
    """A digest whose key could not be requested is not called false: it is not checked, and the
    cause is reported once per Region.
    """
    site = trails()
    site.keys = Denying(error)
    result = site.validate()
    assert not result.is_sound
    assert {state for state, _ in problems(result)} == {"unchecked"}
    assert [failure.where for failure in result.failures] == [
        f"public keys of CloudTrail in {region}" for region in sorted(SPEC.regions)
    ]
    assert {failure.error for failure in result.failures} == {
        type(error).__name__ if type(error) is AccessDenied else "StoreError"
    }


def test_archived_keys_are_used_when_cloudtrail_has_none() -> None:
    """Keys kept with the packs validate digests whose keys CloudTrail no longer has; otherwise
    CloudTrail's keys count.
    """
    site = trails()
    site.pack()
    for region in SPEC.regions:
        assert site.keys is not None
        archive_keys(
            site.store,
            TARGET,
            site.keys,
            region,
            datetime(2026, 3, 14, tzinfo=UTC),
            datetime(2026, 3, 15, tzinfo=UTC),
        )
    assert site.validate().is_sound
    assert set(site.ring.sources.values()) == {KeySource.CLOUDTRAIL}
    site.keys = None
    assert site.validate().is_sound
    assert set(site.ring.sources.values()) == {KeySource.ARCHIVE}


@pytest.mark.parametrize("code", ["AccessDeniedException", "UnrecognizedClientException"])
def test_a_refusing_region_leaves_digests_unchecked(code: str) -> None:
    """Whether CloudTrail refuses or only the archive is read, the digests are unknown. The report
    says which key is missing, since when, and what helps.
    """
    site = trails()
    closed = min(SPEC.regions)
    for day in ("2026-03-16", "2026-04-16"):
        site.store.put("dest", f"keys/regions/{closed}/{day}-refused.json", b"{}")
    fingerprint = LabTrailKeys(SPEC).keys[0].fingerprint
    refusing = NotAuthenticated(code, code=code) if "Client" in code else None
    for keys in (RegionDeny(SPEC, closed, error=refusing), None):
        site.keys = keys
        result = site.validate(regions=frozenset({closed}))
        assert {state for state, _ in problems(result)} == {"unchecked"}
        (failure,) = result.failures
        assert failure.where == f"public keys of CloudTrail in {closed}"
        assert fingerprint in failure.message
        assert "CloudTrail refused runs since 2026-03-16" in failure.message
        assert "management account" in failure.advice
    site.keys = RegionDeny(SPEC)
    assert site.validate(regions=frozenset({closed})).is_sound
    site.keys.keys = []  # it answers, and has no such key: that is a verdict
    assert {state for state, _ in problems(site.validate(regions=frozenset({closed})))} == {
        "invalid"
    }


def test_an_invalid_archived_key_is_named() -> None:
    """An archived file that is not a key leaves its digests unchecked, and is named."""
    site = trails()
    site.keys = None
    fingerprint = LabTrailKeys(SPEC).keys[0].fingerprint
    site.store.put("dest", f"keys/cloudtrail/eu-west-1/{fingerprint}.json", b"{}")
    result = site.validate(regions=frozenset({"eu-west-1"}))
    assert {state for state, _ in problems(result)} == {"unchecked"}
    assert any("keys/cloudtrail/eu-west-1" in failure.message for failure in result.failures)


def test_a_frozen_pack_is_unchecked_and_not_missing() -> None:
    """Members of a pack in an archive class are neither valid nor invalid; the pack is named once,
    and once thawed it is valid.
    """
    site = Trails(storage_class="GLACIER")
    site.pack()
    result = site.validate()
    assert not result.is_sound
    assert {state for state, _ in problems(result)} == {"unchecked"}
    assert {failure.error for failure in result.failures} == {"ObjectFrozen"}
    assert len(result.failures) == len(packs_of(site, "CloudTrail-Digest"))
    for key in [found.key for found in list_all(site.store, "dest", "packs/")]:
        site.store.thaw("dest", key)
    assert site.validate().is_sound


def test_a_days_last_digest_is_in_the_next_days_pack() -> None:
    """With only the day's own packs thawed, the digest of its last hour, which lies in the next
    day, cannot be read; with the next day's packs the day is proven.
    """
    site = Trails(storage_class="GLACIER")
    site.pack()
    packs = [found.key for found in list_all(site.store, "dest", "packs/")]
    for day, is_proven in ((SPEC.first_day, False), (SPEC.first_day + timedelta(days=1), True)):
        for key in packs:
            if f"/{day:%Y/%m/%d}/" in key:
                site.store.thaw("dest", key)
        result = site.validate()
        assert result.is_sound is is_proven
        assert {state for state, _ in problems(result)} == (set() if is_proven else {"unchecked"})


def test_members_of_a_missing_pack_are_invalid() -> None:
    """If an index has lost its pack, everything in it is invalid: not found."""
    site = trails()
    site.pack()
    for key in packs_of(site, "CloudTrail"):
        site.store.delete("dest", key)
    result = site.validate()
    assert counts(result)[2] == 0
    assert all(
        state == "invalid" and text.startswith("not found: its pack ")
        for (state, _), text in problems(result).items()
    )


def test_a_pack_without_its_index_is_read() -> None:
    """A pack whose index is lost is read by its own tail."""
    site = trails()
    site.pack()
    for found in list(list_all(site.store, "dest", "indexes/")):
        site.store.delete("dest", found.key)
    assert site.validate().is_sound


def test_a_damaged_index_leaves_files_unchecked() -> None:
    """If an index cannot be read, nothing is called missing: it is not checked, and the index is
    named.
    """
    site = trails()
    site.pack()
    for found in [
        found.key
        for found in list_all(site.store, "dest", "indexes/")
        if "/CloudTrail/" in found.key
    ]:
        site.store.put("dest", found, site.store.get_object("dest", found).data[:-9])
    result = site.validate()
    assert {state for state, _ in problems(result)} == {"unchecked"}
    assert {failure.error for failure in result.failures} == {"BadPack"}
    assert not result.is_sound


def test_the_index_of_another_pack_is_refused() -> None:
    """An index that names another pack is rejected."""
    site = trails()
    site.pack()
    first, second = (
        found.key
        for found in list_all(site.store, "dest", "indexes/")
        if "/CloudTrail/" in found.key
    )
    site.store.put("dest", first, site.store.get_object("dest", second).data)
    result = site.validate()
    assert [failure.error for failure in result.failures] == ["BadPack"]
    assert "is the index of another pack" in result.failures[0].message


def test_members_after_the_end_of_a_truncated_pack_are_invalid() -> None:
    """Members after the cut are damaged; those before it are valid."""
    site = trails()
    site.pack()
    key = packs_of(site, "CloudTrail")[0]
    data = site.store.get_object("dest", key).data
    site.store.put("dest", key, data[: len(data) // 3])
    result = site.validate()
    assert 0 < counts(result)[2] < LOGS
    assert {text.partition(" s3")[0] for text in problems(result).values()} == {
        "damaged in its pack"
    }


def test_the_newer_of_two_packs_counts() -> None:
    """If two packs hold a key, the newest version counts."""
    site = trails()
    key = site.log_keys[0]
    site.put(key, change_byte(site.objects[key].body))
    site.pack()
    assert problems(site.validate()) == {("invalid", key): "hash value doesn't match"}
    site.put(key, site.objects[key].body)
    site.pack()
    assert site.validate().is_sound


def test_findings_of_an_account_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of findings kept per account is limited; the others are counted and reported as
    progress.
    """
    monkeypatch.setattr("log_aggregator.steps.cloudtrail.notes.LINES_MAX", 3)
    site = trails(accounts=1)
    delete_all(site, site.log_keys)
    result = site.validate()
    assert len(result.findings) == 3
    assert result.unlisted == LOGS - 3
    assert result.count(State.INVALID) == LOGS


def test_findings_of_all_accounts_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of accounts with nothing left do not fill the memory: findings beyond the limit are
    counted.
    """
    monkeypatch.setattr("log_aggregator.steps.cloudtrail.findings.FINDINGS_MAX", 5)
    site = trails()
    delete_all(site, site.log_keys)
    result = site.validate()
    assert (len(result.findings), result.unlisted, result.count(State.INVALID)) == (
        5,
        LOGS - 5,
        LOGS,
    )


def test_logs_of_the_previous_evening_are_found() -> None:
    """The first digest of a range names logs of the day before, which are found in that day's
    packs.
    """
    site = trails(objects=1_000, size_bytes_median=700)
    site.pack()
    result = site.validate(SPEC.first_day + timedelta(days=1), SPEC.first_day + timedelta(days=1))
    assert counts(result)[0] == 4
    assert counts(result)[2] > 0
    assert problems(result) == {}


def test_a_range_without_digests_is_not_sound() -> None:
    """A range without any digest is not sound, because nothing was shown."""
    site = trails()
    result = site.validate(SPEC.first_day - timedelta(days=9), SPEC.first_day - timedelta(days=8))
    assert result.tallies == {}
    assert not result.is_sound


def test_packs_are_validated_without_their_source_bucket() -> None:
    """Packs are validated without their source bucket."""
    site = trails()
    site.pack()
    store = site.store
    store._buckets.pop(BUCKET)
    result = site.validate()
    assert counts(result) == (DIGESTS, 1, LOGS)
    assert result.is_sound


def test_validation_needs_few_requests() -> None:
    """A packed account-day costs an index and a range of each pack, whatever it holds, and no
    request for any single file. The range as a whole costs the indexes of the digests of the days
    before and after it.
    """
    site = trails()
    site.pack()
    store = CountingStore(site.store)
    assert site.validate(
        store=store, read_from=ReadFrom.PACKS, last=datetime(2026, 3, 14, 22, tzinfo=UTC)
    ).is_sound
    packs = [
        key
        for log_type in ("CloudTrail", "CloudTrail-Digest")
        for key in packs_of(site, log_type)
        if "/2026/03/14/" in key
    ]
    accounts = 2
    assert store.requests["GetObject"] == 2 * len(packs) + accounts
    assert store.requests["ListObjectsV2"] <= 8 + 12 * accounts
    assert set(store.requests) == {"GetObject", "ListObjectsV2"}


def test_folders_that_are_empty_are_not_listed_again() -> None:
    """If all of an account's logs of the range are gone, that is seen once, not for each Region and
    day.
    """
    site = trails(days=5, objects=100)
    site.pack()
    for folder in {key.partition("/2026/")[0] for key in site.log_keys}:
        site.put(f"{folder}/2026/05/01/later.json.gz", b"of another day")
    store = CountingStore(site.store)
    assert site.validate(SPEC.first_day, SPEC.first_day + timedelta(days=4), store=store).is_sound
    # 64 if every folder were listed.
    assert store.requests["ListObjectsV2"] <= 46
