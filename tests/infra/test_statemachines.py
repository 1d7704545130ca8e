"""The real state machines: whatever happens, deletion only follows verification.

The properties are functions of a definition, so they can also be applied to definitions broken on
purpose.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from tests.support.cloud import MODULES
from tests.support.statemachine import DEFINITIONS, load_definition

from log_aggregator import errors

Definition = dict[str, Any]

TRANSIENT = {"StoreError", "Unreachable", "OutOfTime", "OutOfMemory"}
"""Our own errors that may go away by themselves."""

DEATHS = {
    "Runtime.ExitError",
    "Runtime.OutOfMemory",
    "Sandbox.Timedout",
    "Lambda.Unknown",
    "States.Timeout",
}
"""What a process that died, of whatever, has been reported as
(https://docs.aws.amazon.com/step-functions/latest/dg/bp-lambda-serviceexception.html).
"""


def machines(definition: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The machine itself, its branches and its maps' inner machines."""
    yield definition
    for state in definition["States"].values():
        for branch in state.get("Branches", ()):
            yield from machines(branch)
        if "ItemProcessor" in state:
            yield from machines(state["ItemProcessor"])


def states(definition: Definition) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for machine in machines(definition):
        yield from machine["States"].items()


def function_of(state: Mapping[str, Any]) -> str:
    return str(state.get("Parameters", {}).get("FunctionName", ""))


def ways_into(machine: Mapping[str, Any], name: str) -> list[tuple[str, str]]:
    """(the previous state, the transition) by which a state is reached inside its machine."""
    ways = [("", "StartAt")] if machine["StartAt"] == name else []
    for other, state in machine["States"].items():
        if state.get("Next") == name:
            ways.append((other, "Next"))
        ways += [(other, "Catch") for catcher in state.get("Catch", ()) if catcher["Next"] == name]
        ways += [(other, "Choice") for rule in state.get("Choices", ()) if rule["Next"] == name]
        if state.get("Default") == name:
            ways.append((other, "Choice"))
    return ways


def find_unsafe_deletions(definition: Definition) -> list[str]:
    """Ways into a deleting state other than a successful verification of the same work item after
    its combination.
    """
    unsafe = []
    for machine in machines(definition):
        for name, state in machine["States"].items():
            if function_of(state) != "DeleteFunction":
                continue
            ways = ways_into(machine, name)
            if [(function_of(machine["States"].get(other, {})), by) for other, by in ways] != [
                ("VerifyFunction", "Next")
            ]:
                unsafe.append(f"{name}: reached by {ways}")
                continue
            before = ways_into(machine, ways[0][0])
            if [(function_of(machine["States"].get(other, {})), by) for other, by in before] != [
                ("CombineFunction", "Next")
            ]:
                unsafe.append(f"{ways[0][0]}: reached by {before}")
            if not all(
                passes_on(machine["States"][other], {"Payload.$": "$"})
                for other in (name, ways[0][0], before[0][0])
            ):
                unsafe.append(f"{name}: the work item is changed on the way")
    return unsafe


def passes_on(state: Mapping[str, Any], payload: Mapping[str, Any]) -> bool:
    """The function gets the whole input, and its answer is the output."""
    parameters = {
        name: value for name, value in state["Parameters"].items() if name != "FunctionName"
    }
    return parameters == payload and state["OutputPath"] in ("$.Payload", None)


@pytest.fixture(params=["combine_log_files", "process_historical_main_logs"])
def definition(request: pytest.FixtureRequest) -> Definition:
    return load_definition(request.param)


@pytest.fixture
def combine() -> Definition:
    return load_definition("combine_log_files")


def test_deletion_only_follows_successful_verification(combine: Definition) -> None:
    """The only way into a deleting state is the same item's successful verification. Both kinds of
    logs have one.
    """
    assert find_unsafe_deletions(combine) == []
    assert sum(function_of(state) == "DeleteFunction" for _, state in states(combine)) == 2


def find_state(definition: Definition, name: str) -> Any:
    return next(state for other, state in states(definition) if other == name)


def skip_verify(broken: Definition) -> None:
    find_state(broken, "CombineMain")["Next"] = "DeleteMain"


def start_with_delete(broken: Definition) -> None:
    next(machine for machine in machines(broken) if "DeleteMain" in machine["States"])[
        "StartAt"
    ] = "DeleteMain"  # type: ignore[index]


def delete_after_failure(broken: Definition) -> None:
    find_state(broken, "VerifyAuxiliary")["Catch"] = [
        {"ErrorEquals": ["States.ALL"], "Next": "DeleteAuxiliary"}
    ]


def verify_after_failure(broken: Definition) -> None:
    find_state(broken, "CombineMain")["Catch"] = [
        {"ErrorEquals": ["States.ALL"], "Next": "VerifyMain"}
    ]


def delete_something_else(broken: Definition) -> None:
    find_state(broken, "DeleteMain")["Parameters"]["Payload.$"] = "$.other"


@pytest.mark.parametrize(
    "mutate",
    [
        skip_verify,
        start_with_delete,
        delete_after_failure,
        verify_after_failure,
        delete_something_else,
    ],
)
def test_a_broken_order_is_found(combine: Definition, mutate: Callable[[Definition], None]) -> None:
    """The check above detects what it is for."""
    broken = copy.deepcopy(combine)
    mutate(broken)
    assert find_unsafe_deletions(broken) != []


def test_nothing_is_packed_before_everything_is_listed(combine: Definition) -> None:
    """The machine's order is list, plan (limits), pack, finish."""
    order, name = [], combine["StartAt"]
    while name is not None:
        order.append(name)
        name = combine["States"][name].get("Next") or combine["States"][name].get("Default")
    assert order == [
        "Prepare",
        "Nightly?",
        "ListLogs",
        "Plan",
        "DryRun?",
        "PackLogs",
        "Finish",
        "MergeTerms",
        "Merged?",
        "Done",
    ]


def test_main_and_auxiliary_logs_run_in_parallel(combine: Definition) -> None:
    """Listing and packing each have a branch for either kind."""
    for name in ("ListLogs", "PackLogs"):
        maps = [
            state
            for branch in combine["States"][name]["Branches"]
            for state in branch["States"].values()
            if state["Type"] == "Map"
        ]
        assert [state["ItemReader"]["Parameters"]["Bucket.$"] for state in maps] == [
            "$.main.bucket",
            "$.auxiliary.bucket",
        ]


def test_every_map_is_distributed_and_reads_a_manifest(definition: Definition) -> None:
    """Every map is distributed, reads its items from S3, has a bound, and needs no batches or
    result writers.

    Each continues when items fail, except the one over an inventory, half of which is useless.
    """
    maps = [state for _, state in states(definition) if state["Type"] == "Map"]
    assert maps
    for state in maps:
        assert state["ItemProcessor"]["ProcessorConfig"] == {
            "Mode": "DISTRIBUTED",
            "ExecutionType": "STANDARD",
        }
        assert set(state["ItemReader"]["Parameters"]) == {"Bucket.$", "Key.$"}
        assert re.fullmatch(r"\$\.at_once\.[a-z]+", state["MaxConcurrencyPath"])
        assert state.get("ToleratedFailurePercentage", 0) == (
            0 if state["Label"] == "SortInventory" else 100
        )
        assert not {"ItemBatcher", "ResultWriter", "ItemSelector"} & set(state)


def test_outputs_of_map_items_stay_small(combine: Definition) -> None:
    """Each item's result is dropped: 256 KiB hold 80,000 times `{}`."""
    for machine in machines(combine):
        if machine.get("ProcessorConfig"):
            last = [state for state in machine["States"].values() if state.get("End")]
            assert [state["OutputPath"] for state in last] == [None]


def test_an_empty_list_starts_no_map(combine: Definition) -> None:
    """Each map follows a choice that checks the count."""
    for machine in machines(combine):
        for name, state in machine["States"].items():
            if state["Type"] == "Map":
                assert [by for _, by in ways_into(machine, name)] == ["Choice"]


def test_only_temporary_errors_are_retried(definition: Definition) -> None:
    """Retries have jitter, a bound and names: throttling, Lambda's own errors, a dead or late
    process, temporary S3 failures.
    """
    ours = {
        name
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.LogAggregatorError)
    }
    tasks = [state for _, state in states(definition) if state["Type"] == "Task"]
    assert tasks
    for state in tasks:
        names = {name for rule in state["Retry"] for name in rule["ErrorEquals"]}
        assert names & ours == (TRANSIENT if function_of(state) else set())
        assert not {"States.ALL", "States.TaskFailed"} & names
        for rule in state["Retry"]:
            assert rule["JitterStrategy"] == "FULL"
            throttled = rule["ErrorEquals"] == ["Lambda.TooManyRequestsException"]
            # A refused call never ran, so waiting for room costs nothing but time.
            assert 0 < rule["MaxAttempts"] <= (500 if throttled else 8)
            assert not throttled or rule["MaxAttempts"] >= 300
            assert rule["MaxDelaySeconds"] <= 300


def test_a_failed_examination_does_not_stop_a_run(combine: Definition) -> None:
    """Neither its result nor its error affects a run."""
    state = combine["States"]["Examine"]
    assert (state["ResultPath"], state["Next"]) == (None, "ListLogs")
    assert state["Catch"] == [
        {"ErrorEquals": ["States.ALL"], "ResultPath": None, "Next": "ListLogs"}
    ]


def test_a_dead_process_is_replaced(definition: Definition) -> None:
    """One retrier handles every name Lambda has for it, along with our own: a kill for memory has
    had two names. It tries three times: that clears another item's remains, but does not help an
    item that needs too much.
    """
    for name, state in states(definition):
        if not function_of(state):
            continue
        rules = [rule for rule in state["Retry"] if DEATHS & set(rule["ErrorEquals"])]
        assert len(rules) == 1, name
        assert set(rules[0]["ErrorEquals"]) == DEATHS | TRANSIENT, name
        assert rules[0]["MaxAttempts"] == 3, name


def test_a_failing_state_still_leads_to_the_finish(combine: Definition) -> None:
    """After Prepare, every failure leads to the finishing function, which writes the metrics and
    fails the execution.
    """
    for name in ("ListLogs", "Plan", "PackLogs"):
        assert combine["States"][name]["Catch"] == [
            {"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "FinishAfterError"}
        ]
    for name in ("Finish", "FinishAfterError"):
        assert function_of(combine["States"][name]) == "FinishFunction"
        assert combine["States"][name]["Catch"] == [
            {"ErrorEquals": ["States.ALL"], "ResultPath": "$.failed", "Next": "MergeTerms"}
        ]


def test_a_run_keeps_its_outcome_when_merging_terms_fails(combine: Definition) -> None:
    """A failed run fails with its own error after its terms are merged; a successful one succeeds
    even if they cannot be. A merge is not retried forever.
    """
    merge, merged = combine["States"]["MergeTerms"], combine["States"]["Merged?"]
    assert merge["Catch"] == [
        {"ErrorEquals": ["States.ALL"], "ResultPath": merge["ResultPath"], "Next": "Merged?"}
    ], "an error takes the place of an earlier answer, which may be that there is more to do"
    assert [rule["Next"] for rule in merged["Choices"]] == ["MergeTerms", "Failed"]
    assert merged["Choices"][1] == {"Variable": "$.failed", "IsPresent": True, "Next": "Failed"}
    assert combine["States"]["Failed"]["ErrorPath"] == "$.failed.Error"
    assert combine["States"]["Failed"]["CausePath"] == "$.failed.Cause"
    assert combine["States"]["Done"] == {"Type": "Succeed"}


def test_a_history_keeps_its_outcome_when_merging_terms_fails() -> None:
    """Terms are merged once for all windows, before the end that says which windows failed."""
    states_ = load_definition("process_historical_main_logs")["States"]
    assert states_["RunWindows"]["Next"] == "MergeTermsOfHistory"
    assert states_["MergeTermsOfHistory"]["Catch"] == [
        {"ErrorEquals": ["States.ALL"], "ResultPath": None, "Next": "FinishHistory"}
    ]
    assert states_["HistoryMerged?"]["Default"] == "FinishHistory"


def test_every_function_is_called_and_has_a_handler() -> None:
    """Every function called by the definitions has a handler, and every handler is called by one of
    the two.
    """
    called = {
        function_of(state)
        for name in ("combine_log_files", "process_historical_main_logs")
        for _, state in states(load_definition(name))
    }
    assert called - {""} == set(MODULES)


def test_state_names_are_unique_and_every_state_is_reachable(definition: Definition) -> None:
    """Step Functions requires unique names in a whole definition; a state that nothing leads to
    would be dead.
    """
    names = [name for name, _ in states(definition)]
    assert len(names) == len(set(names))
    for machine in machines(definition):
        for name in machine["States"]:
            assert ways_into(machine, name), name


def test_substitutions_match_the_template() -> None:
    """The definitions leave only the partition, the concurrencies and ARNs open."""
    for path in DEFINITIONS.glob("*.asl.json"):
        open_names = set(re.findall(r"\$\{(\w+)\}", path.read_text(encoding="utf-8")))
        assert {name for name in open_names if not name.endswith("Arn")} <= {
            "Partition",
            "ListConcurrency",
            "PackConcurrency",
            "HistoryConcurrency",
            "RoleArns",
        }
