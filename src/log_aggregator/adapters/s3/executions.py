"""The executions of a stack, read from Step Functions. Nothing is changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC
from typing import Any

from log_aggregator.adapters.s3.clients import ClientSettings, make_clients, make_service_client
from log_aggregator.adapters.s3.inspection import refuse_changes, service_errors, to_method
from log_aggregator.errors import NotFound, StoreError
from log_aggregator.ports.executions import Execution, MapCounts, PieceCounts

MACHINES = ("CombineLogFilesSM", "ProcessHistoricalMainLogsSM")
"""Their names in template.yaml, which follow the stack's name and a hyphen."""
EXECUTIONS_MAX = 10
"""For each state machine: the newest 10, and the newest 10 that are running."""
PAGES_MAX = 100


class StackExecutions:
    """Implements `log_aggregator.ports.executions.ExecutionViewer`."""

    def __init__(self, client: Any) -> None:
        client.meta.events.register("before-call", refuse_changes)
        self._client = client

    @classmethod
    def connect(cls, settings: ClientSettings) -> StackExecutions:
        """Raises BadConfiguration if there are no credentials, or if the configuration cannot be
        used.
        """
        clients = make_clients(settings)
        endpoint_url = str(clients.s3.meta.endpoint_url)
        own = replace(settings, region=clients.region)
        return cls(make_service_client(clients.session, "stepfunctions", own, endpoint_url))

    def list_executions(self, stack: str) -> list[Execution]:
        """The running executions and the newest of the others, newest first."""
        wanted = {f"{stack}-{name}": name for name in MACHINES}
        arns = {
            machine["stateMachineArn"]: wanted[machine["name"]]
            for machine in self._pages("ListStateMachines", "stateMachines", {})
            if machine["name"] in wanted
        }
        if not arns:
            raise NotFound(
                f"stack {stack!r}: there is no state machine {stack}-{MACHINES[0]} in this account "
                "and Region; name another stack, --profile or --region",
                code="StateMachineDoesNotExist",
                operation="ListStateMachines",
            )
        found = {
            listed["executionArn"]: (machine, listed)
            for arn, machine in arns.items()
            for listed in (*self._list(arn, statusFilter="RUNNING"), *self._list(arn))
        }
        executions = [self._describe(machine, listed) for machine, listed in found.values()]
        return sorted(executions, key=lambda each: each.began, reverse=True)

    def _list(self, arn: str, **filters: str) -> list[Mapping[str, Any]]:
        request = {"stateMachineArn": arn, "maxResults": EXECUTIONS_MAX, **filters}
        with service_errors("ListExecutions", arn):
            return list(self._client.list_executions(**request)["executions"])

    def _describe(self, machine: str, listed: Mapping[str, Any]) -> Execution:
        with service_errors("ListExecutions", machine):
            ended = listed.get("stopDate")
            execution = Execution(
                machine,
                listed["name"],
                listed["status"],
                listed["startDate"].astimezone(UTC),
                ended.astimezone(UTC) if ended else None,
            )
        return self._look_into(execution, listed["executionArn"]) if not ended else execution

    def _look_into(self, execution: Execution, arn: str) -> Execution:
        """The dates that a running execution works on, and the progress of its maps."""
        with service_errors("DescribeExecution", arn):
            given = parse_input(self._client.describe_execution(executionArn=arn).get("input"))
        return replace(
            execution,
            first_date=given.get("start_date") or given.get("date"),
            last_date=given.get("end_date") or given.get("date"),
            maps=tuple(self._count_maps(arn)),
        )

    def _count_maps(self, arn: str) -> Iterator[MapCounts]:
        for run in self._pages("ListMapRuns", "mapRuns", {"executionArn": arn}):
            with service_errors("DescribeMapRun", arn):
                counts = self._client.describe_map_run(mapRunArn=run["mapRunArn"])["itemCounts"]
                yield MapCounts(name_map(run["mapRunArn"]), parse_counts(counts))

    def _pages(self, operation: str, name: str, request: Mapping[str, Any]) -> Iterator[Any]:
        ask, more = getattr(self._client, to_method(operation)), dict[str, Any]()
        for _ in range(PAGES_MAX):
            with service_errors(operation, "states"):
                page = ask(**request, **more)
                entries = list(page[name])
            yield from entries
            if not page.get("nextToken"):
                return
            more = {"nextToken": page["nextToken"]}
        raise StoreError(f"{operation}: more than {PAGES_MAX} pages", code="BadAnswer")


def parse_input(text: str | None) -> dict[str, str]:
    """The text fields of an execution's input; none if it is not a JSON object."""
    try:
        given = json.loads(text or "{}")
    except ValueError:
        return {}
    if not isinstance(given, dict):
        return {}
    return {name: value for name, value in given.items() if isinstance(value, str)}


def name_map(arn: str) -> str:
    """The label in `arn:...:mapRun:<state machine>/<label>:<id>`, which is made of the state's name
    (https://docs.aws.amazon.com/step-functions/latest/dg/concepts-examine-map-run.html).
    """
    return arn.rpartition(":")[0].rpartition("/")[2]


def parse_counts(counts: Mapping[str, int]) -> PieceCounts:
    """https://docs.aws.amazon.com/step-functions/latest/apireference/API_MapRunItemCounts.html."""
    return PieceCounts(
        counts["total"],
        counts["pending"],
        counts["running"],
        counts["succeeded"],
        counts["failed"] + counts["timedOut"] + counts["aborted"],
    )
