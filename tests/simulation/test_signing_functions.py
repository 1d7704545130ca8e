"""The last function of a run in the stack signs the custody record, once, however often it is
called; if it cannot, the execution fails and everything packed stays.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.simulation.test_statemachine import run_all
from tests.support.cloud import Cloud, make_cloud
from tests.support.signing import key_file, make_signer
from tests.support.world import World, flow_key, make_world, pack_gzip

from log_aggregator.adapters.forwarding import Call
from log_aggregator.model import Target
from log_aggregator.steps.custody.prove import Trust, prove_chain
from log_aggregator.steps.custody.walk import Walked, WalkRules
from log_aggregator_lab.stores.faults import Fault, Killed

DEST = Target("dest")


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    world = make_world()
    for number in range(3):
        world.put("logs", flow_key(f"{number}.log.gz"), pack_gzip(b"a\n"))
    monkeypatch.setenv("LOG_AGGREGATOR_SIGN_WITH", key_file())
    with make_cloud(world, monkeypatch) as found:
        yield found


def prove(world: World) -> Walked:
    trust = Trust({make_signer().public_key: "ours"})
    return prove_chain(world.job(), DEST, WalkRules(), trust)


def test_a_run_signs_its_record(cloud: Cloud) -> None:
    assert run_all(cloud) == ""
    walked = prove(cloud.world)
    assert (walked.findings, walked.proven.after, walked.proven.signatures) == ([], 0, 1)
    signing = {function for function, call in cloud.calls if "signatures/" in call.key}
    assert signing == {"FinishFunction"}


def test_a_repeated_finish_signs_once(cloud: Cloud) -> None:
    """The function dies right after signing."""
    died: list[Call] = []

    def kill(_number: int, call: Call) -> Fault | None:
        if call.operation != "PutObject" or "signatures/" not in call.key or died:
            return None
        died.append(call)
        return Fault(after=Killed())

    cloud.decide = kill
    assert run_all(cloud) == ""
    assert len(died) == 1
    walked = prove(cloud.world)
    assert (walked.findings, walked.proven.after, walked.proven.signatures) == ([], 0, 1)


def test_a_finish_that_cannot_sign_fails(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is packed, the originals are deleted, and the next run signs for both."""
    monkeypatch.setenv("LOG_AGGREGATOR_SIGN_WITH", "no-such-key.pem")
    assert run_all(cloud) == "RunFailed"
    assert "no-such-key.pem" in str(cloud.raised[-1])
    assert not cloud.world.store.list_objects("logs").objects
    monkeypatch.setenv("LOG_AGGREGATOR_SIGN_WITH", key_file())
    assert run_all(cloud) == ""
    walked = prove(cloud.world)
    assert (walked.findings, walked.proven.after) == ([], 0)
