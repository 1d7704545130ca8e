"""A stack's executions are read as Step Functions returns them, and its refusals become our
errors.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.unit.adapters.conftest import Answer, CannedS3

from log_aggregator.adapters.s3 import ClientSettings
from log_aggregator.adapters.s3.executions import StackExecutions, name_map, parse_input
from log_aggregator.errors import AccessDenied, NotFound, StoreError
from log_aggregator.ports.executions import Execution, MapCounts, PieceCounts

BEGAN = datetime(2025, 4, 5, 1, tzinfo=UTC)
ENDED = datetime(2025, 4, 5, 2, tzinfo=UTC)
ARN = "arn:aws:states:eu-west-1:111122223333"
HISTORY, NIGHT = (
    f"{ARN}:stateMachine:agg-{name}"
    for name in ("ProcessHistoricalMainLogsSM", "CombineLogFilesSM")
)
COUNTS = {
    "total": 157,
    "pending": 70,
    "running": 3,
    "succeeded": 81,
    "failed": 1,
    "timedOut": 1,
    "aborted": 1,
    "resultsWritten": 0,
}


def answer(body: dict[str, Any]) -> Answer:
    return Answer(body=json.dumps(body).encode())


def machines(*arns: str, token: str | None = None) -> Answer:
    found = [
        {
            "stateMachineArn": arn,
            "name": arn.rpartition(":")[2],
            "type": "STANDARD",
            "creationDate": BEGAN.timestamp(),
        }
        for arn in arns
    ]
    return answer({"stateMachines": found} | ({"nextToken": token} if token else {}))


def listed(name: str, status: str) -> dict[str, Any]:
    times = {"startDate": BEGAN.timestamp()}
    if status != "RUNNING":
        times["stopDate"] = ENDED.timestamp()
    arn = f"{ARN}:execution:agg:{name}"
    return {"executionArn": arn, "stateMachineArn": NIGHT, "name": name, "status": status, **times}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[CannedS3]:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STEPFUNCTIONS", "AWS_ENDPOINT_URL_SFN"):
        monkeypatch.delenv(name, raising=False)
    canned = CannedS3()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SFN", str(canned.settings.endpoint_url))
    try:
        yield canned
    finally:
        canned.stop()


def connect() -> StackExecutions:
    return StackExecutions.connect(
        ClientSettings(region="eu-west-1", access_key="k", secret_key="s", attempts_max=2)
    )


def test_running_executions_are_described(server: CannedS3) -> None:
    """All pages of the stack's own state machines are read; a running execution is listed twice but
    reported once, with its days and the windows it has begun.
    """
    map_arn = f"{ARN}:mapRun:agg-ProcessHistoricalMainLogsSM/ProcessWindows:0f7b"
    server.answers = [
        machines(f"{ARN}:stateMachine:other-CombineLogFilesSM", token="more"),
        machines(HISTORY),
        answer({"executions": [listed("history", "RUNNING")]}),
        answer({"executions": [listed("history", "RUNNING"), listed("older", "FAILED")]}),
        answer(
            {
                **listed("history", "RUNNING"),
                "input": '{"start_date": "2022-01-01", "end_date": "2024-12-31", "x": 1}',
            }
        ),
        answer(
            {
                "mapRuns": [
                    {
                        "executionArn": f"{ARN}:execution:agg:history",
                        "mapRunArn": map_arn,
                        "stateMachineArn": HISTORY,
                        "startDate": BEGAN.timestamp(),
                    }
                ]
            }
        ),
        answer({"mapRunArn": map_arn, "itemCounts": COUNTS, "executionCounts": COUNTS}),
    ]
    machine = "ProcessHistoricalMainLogsSM"
    maps = (MapCounts("ProcessWindows", PieceCounts(157, 70, 3, 81, 3)),)
    assert connect().list_executions("agg") == [
        Execution(machine, "history", "RUNNING", BEGAN, None, "2022-01-01", "2024-12-31", maps),
        Execution(machine, "older", "FAILED", BEGAN, ENDED),
    ]
    asked = [request.headers["x-amz-target"].rpartition(".")[2] for request in server.requests]
    assert asked == [
        *("ListStateMachines", "ListStateMachines", "ListExecutions", "ListExecutions"),
        *("DescribeExecution", "ListMapRuns", "DescribeMapRun"),
    ]


def test_a_missing_stack_is_not_found(server: CannedS3) -> None:
    """A stack whose name begins the same does not match."""
    server.answers = [machines(f"{ARN}:stateMachine:agg-2-CombineLogFilesSM")]
    with pytest.raises(NotFound, match="agg-CombineLogFilesSM"):
        connect().list_executions("agg")


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (Answer(400, b'{"__type": "AccessDeniedException", "message": "no"}'), AccessDenied),
        (Answer(200, b"<html>not Step Functions</html>"), StoreError),
        (Answer(200, b'{"machines": []}'), StoreError),
    ],
)
def test_refusals_become_our_errors(
    server: CannedS3, given: Answer, kind: type[StoreError]
) -> None:
    """A refusal and a malformed answer are both store errors."""
    server.answers = [given]
    with pytest.raises(kind, match="ListStateMachines"):
        connect().list_executions("agg")


def test_endless_pages_are_an_error(server: CannedS3, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that always has more is an error, not a loop."""
    monkeypatch.setattr("log_aggregator.adapters.s3.executions.PAGES_MAX", 3)
    server.answers = [machines(token="more")]
    with pytest.raises(StoreError, match="more than 3 pages"):
        connect().list_executions("agg")


def test_it_only_reads(server: CannedS3) -> None:
    """A changing request is refused before it is sent."""
    viewer = connect()
    with pytest.raises(ValueError, match="StopExecution"):
        viewer._client.stop_execution(executionArn=f"{ARN}:execution:agg:history")
    assert server.requests == []


@pytest.mark.parametrize("text", [None, "", "[1]", "{", '{"start_date": 7}'])
def test_any_execution_input_is_accepted(text: str | None) -> None:
    """Executions can be started by hand."""
    assert parse_input(text) == {}


def test_a_map_gets_the_name_of_its_state() -> None:
    """Step Functions derives a map's label from its state's name."""
    assert name_map(f"{ARN}:mapRun:agg-CombineLogFilesSM/PackItems:1-2-3") == "PackItems"
