"""Packs at rest, hashed by a server that speaks S3 Control: from the plan to the custody record."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.support.at_rest import ROLE, TARGET, Vault, open_vault

from log_aggregator.core.custody import RecordKind, decode_record, hash_record
from log_aggregator.core.evidence.at_rest import Algorithm, PackAtRest, Verdict
from log_aggregator.core.evidence.at_rest_plan import decode_plan, encode_plan
from log_aggregator.errors import BadPack, NotFound, StoreError
from log_aggregator.ports.hash_jobs import JobPhase
from log_aggregator.steps.custody.walk import WalkRules, walk_chain
from log_aggregator.steps.evidence.at_rest import find_open, finish, go_on, is_over, start
from log_aggregator.steps.evidence.at_rest_plan import plan_check
from log_aggregator.steps.evidence.known_hashes import find_claims
from log_aggregator.steps.packs.index import PACK_SHA256
from log_aggregator.steps.upkeep.check import PackPlace
from log_aggregator_lab.servers.batch_operations import Refused


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> Iterator[Vault]:
    with open_vault(monkeypatch) as found:
        yield found


def test_frozen_packs_are_hashed_without_a_thaw(vault: Vault) -> None:
    """Frozen packs are hashed by the SHA-256 known since they were written; the record says what
    was found.
    """
    done = vault.check()
    assert done.check.is_good
    assert {pack.algorithm for pack in done.check.packs} == {Algorithm.SHA256}
    assert len(done.check.packs) == 2
    data = vault.world.store.get_object("dest", done.record.key).data
    record = decode_record(data)
    assert (record.kind, record.at_rest) == (RecordKind.AT_REST, done.check)
    assert hash_record(data) == done.record.sha256
    assert all(vault.world.store.head_object("dest", key).restore is None for key in vault.keys)


def test_a_chain_with_checks_is_unbroken(vault: Vault) -> None:
    for _ in range(2):
        vault.check()
    walked = walk_chain(vault.job, TARGET, WalkRules())
    assert (walked.records, walked.findings) == (2, [])


def test_a_bucket_without_versions_can_be_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_vault(monkeypatch, None) as vault:
        assert vault.check().check.is_good
        (job,) = vault.server.jobs.values()
        assert job.request["Manifest"]["Spec"]["Fields"] == ["Bucket", "Key"]


def test_a_bucket_with_kms_encryption_can_be_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packs are still hashed; S3 takes no manifest with this encryption."""
    with open_vault(monkeypatch, has_kms=True) as vault:
        assert vault.check().check.is_good
        plan = plan_check(vault.job, TARGET, vault.places, ROLE)
        data = b"dest,packs/x,v1\n"
        vault.world.store.put("dest", "at-rest/m.csv", data)
        found = vault.storage.find("dest", "at-rest/m.csv", None)
        assert found is not None
        assert found.is_kms
        start(vault.job, vault.jobs, plan)
        found = vault.storage.find("dest", plan.manifest_key(Algorithm.SHA256), None)
        assert found is not None
        assert not found.is_kms


def test_one_flipped_bit_is_found(vault: Vault) -> None:
    """One changed bit is found by SHA-256, and by CRC64NVME if only that is known."""
    vault.rot(vault.keys[0])
    done = vault.check()
    found = vault.first(done)
    assert (found.verdict, found.algorithm) == (Verdict.DAMAGED, Algorithm.SHA256)
    assert done.check.count(Verdict.GOOD) == 1
    vault.forget_sha256(vault.keys[0])
    found = vault.first(vault.check())
    assert (found.verdict, found.algorithm) == (Verdict.DAMAGED, Algorithm.CRC64NVME)


def test_without_a_sha256_the_crc64nvme_is_used(vault: Vault) -> None:
    vault.forget_sha256(vault.keys[0])
    done = vault.check()
    assert done.check.is_good
    assert vault.first(done).algorithm is Algorithm.CRC64NVME
    assert len(done.check.jobs) == 2


def test_custody_provides_a_hash_missing_from_the_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run that wrote a pack recorded its hash; a rebuilt index has none."""
    with open_vault(monkeypatch, keeps_records=True) as vault:
        key = vault.keys[0]
        told = hashlib.sha256(vault.read(key)).hexdigest()
        assert find_claims(vault.job, TARGET, {key}) == {key: [("custody record 1", told)]}
        vault.forget_sha256(key)
        done = vault.check()
        assert done.check.is_good
        assert vault.first(done).algorithm is Algorithm.SHA256


def test_conflicting_hashes_in_index_and_custody_are_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Someone who changes a pack could change its index's metadata too, but not custody."""
    with open_vault(monkeypatch, keeps_records=True) as vault:
        key, index_key = vault.keys[0], TARGET.index_key(vault.keys[0])
        vault.rot(key)
        told = {PACK_SHA256: hashlib.sha256(vault.read(key)).hexdigest()}
        vault.world.store.put("dest", index_key, vault.read(index_key), metadata=told)
        found = vault.first(vault.check())
        assert found.verdict is Verdict.DAMAGED
        assert "custody record 1" in found.reason


def test_a_truncated_or_lost_pack_is_found_without_a_job(vault: Vault) -> None:
    """HEAD shows a pack's size and existence."""
    first, second = vault.keys
    vault.world.store.rot("dest", first, vault.read(first)[:-1])
    vault.lose(second)
    done = vault.check()
    assert [pack.verdict for pack in done.check.packs] == [Verdict.DAMAGED] * 2
    assert vault.server.jobs == {}
    assert "were written" in done.check.packs[0].reason


def test_a_pack_without_an_index_is_unproven(vault: Vault) -> None:
    vault.lose(TARGET.index_key(vault.keys[0]))
    found = vault.first(vault.check())
    assert found.verdict is Verdict.UNPROVEN
    assert "index rebuild" in found.reason


def test_packs_that_s3_cannot_hash_are_unproven(vault: Vault) -> None:
    """S3's user guide names SSE-C."""
    vault.storage.sse_c.add(vault.keys[0])
    done = vault.check()
    found = vault.first(done)
    assert found.verdict is Verdict.UNPROVEN
    assert "customer-provided key" in found.reason
    assert not done.check.is_good


def test_the_listed_version_is_hashed(vault: Vault) -> None:
    """Writing over it during the check neither hides nor causes damage."""
    plan = plan_check(vault.job, TARGET, vault.places, ROLE)
    states = start(vault.job, vault.jobs, plan)
    vault.world.store.put("dest", vault.keys[0], b"over it")
    while not is_over(states):
        states = go_on(vault.job, vault.jobs, plan)
    assert finish(vault.job, plan, states).check.is_good


def test_missing_and_duplicate_rows_are_never_good(vault: Vault) -> None:
    vault.server.change_rows = lambda rows: rows[1:]
    assert vault.first(vault.check()).verdict is Verdict.UNPROVEN
    vault.server.change_rows = lambda rows: [*rows, *rows[:1]]
    assert vault.first(vault.check()).verdict is Verdict.UNPROVEN


def test_rows_about_other_objects_fail_the_check(vault: Vault) -> None:
    vault.server.change_rows = lambda rows: (
        rows + [[row[0], "packs/foreign", *row[2:]] for row in rows[:1]]
    )
    done = vault.check()
    assert (done.check.foreign_rows, done.check.count(Verdict.GOOD)) == (1, 2)
    assert not done.check.is_good


def test_rows_about_another_version_prove_nothing(vault: Vault) -> None:
    vault.server.change_rows = lambda rows: [[*row[:2], "v99", *row[3:]] for row in rows]
    done = vault.check()
    assert (done.check.count(Verdict.UNPROVEN), done.check.foreign_rows) == (2, 2)


def test_a_failed_job_proves_nothing(vault: Vault) -> None:
    """The manifest was replaced before S3 read it."""
    plan = plan_check(vault.job, TARGET, vault.places, ROLE)
    states = start(vault.job, vault.jobs, plan)
    vault.world.store.put("dest", plan.manifest_key(Algorithm.SHA256), b"dest,x,y\n")
    while not is_over(states):
        states = go_on(vault.job, vault.jobs, plan)
    done = finish(vault.job, plan, states)
    assert done.check.count(Verdict.UNPROVEN) == 2
    assert "ManifestNotFound" in vault.first(done).reason


def test_a_cancelled_job_proves_nothing(vault: Vault) -> None:
    plan = plan_check(vault.job, TARGET, vault.places, ROLE)
    start(vault.job, vault.jobs, plan)
    for job in vault.server.jobs.values():
        job.status = "Cancelled"
    states = go_on(vault.job, vault.jobs, plan)
    assert {state.phase for state in states.values()} == {JobPhase.FAILED}
    assert finish(vault.job, plan, states).check.count(Verdict.UNPROVEN) == 2


def test_a_job_forgotten_by_s3_proves_nothing(vault: Vault) -> None:
    """S3 keeps jobs for 90 days, and shows a new one only after a while."""
    plan = plan_check(vault.job, TARGET, vault.places, ROLE)
    start(vault.job, vault.jobs, plan)
    vault.server.jobs.clear()
    with pytest.raises(NotFound):
        vault.jobs.describe(ROLE, "00000000-0000-0000-0000-000000000000")
    assert not is_over(go_on(vault.job, vault.jobs, plan))
    vault.world.clock.advance(hours=2)
    states = go_on(vault.job, vault.jobs, plan)
    done = finish(vault.job, plan, states)
    assert "S3 does not know the job" in vault.first(done).reason
    assert done.check.count(Verdict.UNPROVEN) == 2


def test_a_second_call_resumes_the_check(vault: Vault) -> None:
    """The objects next to the packs prevent a second job, and any job after the end."""
    plan = plan_check(vault.job, TARGET, vault.places, ROLE)
    start(vault.job, vault.jobs, plan)
    ((found,), _) = find_open(vault.job, TARGET)
    assert found == plan
    states = go_on(vault.job, vault.jobs, found)
    while not is_over(states):
        states = go_on(vault.job, vault.jobs, found)
    assert len(vault.server.jobs) == 1
    assert finish(vault.job, found, states).check.is_good
    assert find_open(vault.job, TARGET) == ([], [])


def test_a_lost_answer_starts_no_second_job(vault: Vault) -> None:
    """The id was not written down, but the token finds the job again."""
    plan = plan_check(vault.job, TARGET, vault.places, ROLE)
    start(vault.job, vault.jobs, plan)
    vault.lose(plan.job_key(Algorithm.SHA256))
    go_on(vault.job, vault.jobs, plan)
    assert len(vault.server.jobs) == 1


def test_finishing_twice_writes_one_record(vault: Vault) -> None:
    plan = plan_check(vault.job, TARGET, vault.places, ROLE)
    states = start(vault.job, vault.jobs, plan)
    while not is_over(states):
        states = go_on(vault.job, vault.jobs, plan)
    first, second = (finish(vault.job, plan, states) for _ in range(2))
    assert first.record == second.record


def test_a_refused_job_can_be_started_again(vault: Vault) -> None:
    """The next call then begins anew, for example with another role."""
    vault.server.refuse = Refused("AccessDenied", "the role cannot be passed", 403)
    plan = plan_check(vault.job, TARGET, vault.places, ROLE)
    with pytest.raises(StoreError, match="cannot be passed"):
        start(vault.job, vault.jobs, plan)
    assert find_open(vault.job, TARGET) == ([], [])


def test_adopted_aggregates_are_skipped_and_counted(vault: Vault) -> None:
    places = [*vault.places, PackPlace(TARGET, "adopted/x", is_adopted=True)]
    plan = plan_check(vault.job, TARGET, places, ROLE)
    assert (plan.skipped, len(plan.tasks)) == (1, 2)


def test_a_stored_plan_proves_nothing(vault: Vault) -> None:
    """The plan only says what is hashed; the index and the report decide whether a pack is good."""
    plan = plan_check(vault.job, TARGET, vault.places, ROLE)
    states = start(vault.job, vault.jobs, plan)
    while not is_over(states):
        states = go_on(vault.job, vault.jobs, plan)
    vault.forget_sha256(vault.keys[0])
    assert vault.first(finish(vault.job, plan, states)).verdict is Verdict.UNPROVEN


def test_invalid_plans_are_ignored_and_reported(vault: Vault) -> None:
    """A foreign object in its place, or another check's plan, stops nothing."""
    plan = plan_check(vault.job, TARGET, vault.places, ROLE)
    other = f"at-rest/20200101T000000.000000Z-{'0' * 12}/plan.jsonl.gz"
    for data in (b"x", encode_plan(plan)):
        vault.world.store.put("dest", other, data)
        assert find_open(vault.job, TARGET) == ([], [f"s3://dest/{other}"])
    vault.world.store.put("dest", "at-rest/other/plan.jsonl.gz", encode_plan(plan))
    assert len(find_open(vault.job, TARGET)[1]) == 1


def test_a_plan_names_only_packs_of_its_own_place(vault: Vault) -> None:
    plan = plan_check(vault.job, TARGET, vault.places, ROLE)
    for key in ("custody/x", "other/packs/x"):
        forged = replace(plan, tasks=(replace(plan.tasks[0], key=key),))
        with pytest.raises(BadPack, match="not a pack"):
            decode_plan(TARGET, plan.check, encode_plan(forged))
    assert decode_plan(TARGET, plan.check, encode_plan(plan)) == plan


def test_a_plan_cannot_call_a_pack_good(vault: Vault) -> None:
    """Only a report from S3 calls a pack good."""
    plan = plan_check(vault.job, TARGET, vault.places, ROLE)
    task = plan.tasks[0]
    for verdict in Verdict:
        said = PackAtRest(task.key, task.size_bytes, task.algorithm, verdict, "why")
        told = encode_plan(replace(plan, judged=(said,)))
        if verdict is Verdict.GOOD:
            with pytest.raises(BadPack, match="calls a pack good"):
                decode_plan(TARGET, plan.check, told)
        else:
            assert decode_plan(TARGET, plan.check, told).judged == (said,)
