"""The `verify --at-rest` command."""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.at_rest import ROLE, TARGET, Vault, open_vault
from tests.support.world import DAY
from tests.unit.cli.conftest import Command, Outcome

from log_aggregator import wiring
from log_aggregator.core.evidence.at_rest_plan import encode_plan
from log_aggregator.steps.evidence.at_rest_plan import plan_check
from log_aggregator_lab.servers.batch_operations import Refused

JSON_FIELDS: Any = importlib.import_module("reference_pages.json_fields")
ON_THE_DAY = ("verify", "--at-rest", "--date", str(DAY))


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> Iterator[Vault]:
    """Waiting advances the world's clock and takes no time."""
    with open_vault(monkeypatch) as found:
        monkeypatch.setattr(wiring, "SystemClock", lambda: found.world.clock)
        monkeypatch.setattr(wiring, "connect_hash_jobs", lambda _: found.jobs)
        monkeypatch.setattr(
            time, "sleep", lambda seconds: found.world.clock.advance(seconds=seconds)
        )
        yield found


@pytest.fixture
def at_rest(command: Command, vault: Vault) -> Any:
    def call(*arguments: str) -> Outcome:
        return command(vault.world, *ON_THE_DAY, *arguments)

    return call


def test_a_check_waits_and_reports_success(at_rest: Any, vault: Vault) -> None:
    done = at_rest("--role-arn", ROLE, "--wait")
    text = done.out.decode()
    assert done.code == 0
    assert "2 packs at rest: 2 good, 0 damaged, 0 unproven" in text
    assert "custody record s3://dest/custody/0000000/0000000000.jsonl.gz" in text
    assert "SSE-C" in text
    assert "ctrl-C ends only the waiting" in done.err


def test_repeating_the_command_resumes_the_check(at_rest: Any, vault: Vault) -> None:
    """Without --wait it looks once and gives 4 while S3 is still working, whichever dates are
    given.
    """
    first = at_rest("--role-arn", ROLE)
    assert (first.code, "again to continue" in first.out.decode()) == (4, True)
    second = at_rest("--json")
    last = at_rest("--json")
    assert (second.code, last.code) == (4, 0)
    assert json.loads(second.out)["checks"][0]["state"] == "under way"
    (check,) = json.loads(last.out)["checks"]
    assert (check["state"], check["good"], check["is_good"]) == ("done", 2, True)
    assert len(vault.server.jobs) == 1


def test_damage_exits_with_1(at_rest: Any, vault: Vault) -> None:
    vault.rot(vault.keys[0])
    done = at_rest("--role-arn", ROLE, "--wait", "--json")
    (check,) = json.loads(done.out)["checks"]
    assert (done.code, check["damaged"], check["good"]) == (1, 1, 1)
    assert [pack["key"] for pack in check["not_good"]] == [vault.keys[0]]
    text = at_rest("--role-arn", ROLE, "--wait").out.decode()
    assert f"DAMAGED   {vault.keys[0]}" in text
    assert "check-packs.md" in text


def test_packs_that_were_not_hashed_exit_with_1(at_rest: Any, vault: Vault) -> None:
    vault.storage.sse_c.add(vault.keys[0])
    done = at_rest("--role-arn", ROLE, "--wait")
    assert (done.code, "UNPROVEN" in done.out.decode()) == (1, True)


def test_a_dry_run_starts_nothing(at_rest: Any, vault: Vault) -> None:
    """It reports the work and its cost without needing a role."""
    before = vault.world.store.snapshot()
    done = at_rest("--dry-run")
    assert done.code == 0
    assert "2 with SHA-256, and 0 whose" in done.out.decode()
    assert "about $0.25" in done.out.decode()
    assert json.loads(at_rest("--dry-run", "--json").out)["checks"][0]["state"] == "planned"
    assert (vault.world.store.snapshot(), vault.server.jobs) == (before, {})


def test_nothing_above_the_price_limit_is_started(at_rest: Any, vault: Vault) -> None:
    before = vault.world.store.snapshot()
    done = at_rest("--role-arn", ROLE, "--max-dollars", "0.1")
    assert done.code == 3
    assert "--max-dollars is $0.1" in done.err
    assert (vault.world.store.snapshot(), vault.server.jobs) == (before, {})
    assert at_rest("--role-arn", ROLE, "--max-dollars", "0.1", "--yes", "--wait").code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((*ON_THE_DAY,), "--role-arn: expected the role"),
        ((*ON_THE_DAY, "--role-arn", "hash-packs"), "expected the ARN of a role"),
        ((*ON_THE_DAY, "--level", "checksum"), "--level: expected either"),
        (("verify", "--role-arn", ROLE), "--role-arn: allowed only with --at-rest"),
        (("verify", "--wait"), "--wait: allowed only with --at-rest"),
    ],
    ids=["no-role", "no-arn", "level", "role-alone", "wait-alone"],
)
def test_wrong_options_are_refused(
    command: Command, vault: Vault, arguments: tuple[str, ...], message: str
) -> None:
    done = command(vault.world, *arguments)
    assert (done.code, message in done.err) == (2, True), done.err


def test_a_refused_job_is_reported_and_can_be_retried(at_rest: Any, vault: Vault) -> None:
    vault.server.refuse = Refused("AccessDenied", "the role cannot be passed", 403)
    done = at_rest("--role-arn", ROLE)
    assert (done.code, "cannot be passed" in done.err) == (1, True)
    vault.server.refuse = None
    assert at_rest("--role-arn", ROLE, "--wait").code == 0


def test_every_json_field_is_documented(at_rest: Any, vault: Vault) -> None:
    """`--json` has exactly the fields of docs/reference/json.md."""
    vault.rot(vault.keys[0])
    described = json.loads(at_rest("--role-arn", ROLE, "--wait", "--json").out)
    assert set(JSON_FIELDS.flatten(described)) == set(JSON_FIELDS.json_fields("verify --at-rest"))


def test_a_forged_plan_costs_nothing(at_rest: Any, vault: Vault) -> None:
    """A plan's unbegun jobs need this call's own role and dollar limit."""
    plan = plan_check(vault.job, TARGET, vault.places, "arn:aws:iam::111122223333:role/other")
    vault.world.store.put("dest", f"{plan.folder}plan.jsonl.gz", encode_plan(plan))
    assert at_rest().code == 2
    assert at_rest("--role-arn", ROLE, "--max-dollars", "0.1").code == 3
    assert vault.server.jobs == {}
    done = at_rest("--role-arn", ROLE, "--wait")
    assert (done.code, "continuing check" in done.err) == (0, True)
    assert [job.request["RoleArn"] for job in vault.server.jobs.values()] == [ROLE]


def test_custody_show_prints_the_check(command: Command, at_rest: Any, vault: Vault) -> None:
    vault.rot(vault.keys[0])
    at_rest("--role-arn", ROLE, "--wait")
    shown = command(vault.world, "custody", "show", "--last", "1").out.decode()
    assert "S3 hashed the packs: 1 good, 1 damaged, 0 unproven" in shown
    assert f"DAMAGED   {vault.keys[0]}" in shown
    (record,) = json.loads(command(vault.world, "custody", "show", "--json").out)["records"]
    assert (record["kind"], record["at_rest"]["is_good"]) == ("at-rest", False)
    assert command(vault.world, "custody", "verify").code == 0
