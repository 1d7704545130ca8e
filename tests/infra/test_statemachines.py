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
    """The machine itself, its branches, and what its maps run."""
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
    """(from which state, by what) a state is reached inside of its machine."""
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
    """Ways into a deleting state that are not the success of a verification of the same work item,
    after its combination.
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


def test_deletion_follows_verification_only(combine: Definition) -> None:
    """A deleting state has one way in: the verification of the same item succeeded. It is there for
    both kinds of logs.
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
    """The check above sees what it is for."""
    broken = copy.deepcopy(combine)
    mutate(broken)
    assert find_unsafe_deletions(broken) != []


def test_nothing_is_packed_before_all_is_listed_and_planned(combine: Definition) -> None:
    """The machine's own order: list, plan (limits), pack, finish."""
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


def test_main_and_auxiliary_logs_go_side_by_side(combine: Definition) -> None:
    """Both the listing and the packing have a branch for either kind."""
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


def test_fan_out_is_by_manifests(definition: Definition) -> None:
    """Every map is distributed, reads its items from S3, has a bound, and needs no batches or
    result writers.

    Each goes on when items fail, but for that over an inventory: half of it is none.
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
    """What the items of a map give is dropped item by item: 256 KiB hold 80,000 times `{}`."""
    for machine in machines(combine):
        if machine.get("ProcessorConfig"):
            last = [state for state in machine["States"].values() if state.get("End")]
            assert [state["OutputPath"] for state in last] == [None]


def test_an_empty_list_starts_no_map(combine: Definition) -> None:
    """Each map is behind a choice that looks at the count."""
    for machine in machines(combine):
        for name, state in machine["States"].items():
            if state["Type"] == "Map":
                assert [by for _, by in ways_into(machine, name)] == ["Choice"]


def test_what_may_go_away_is_tried_again_and_nothing_else(definition: Definition) -> None:
    """Retries have jitter, a bound and names: throttling, Lambda's own errors, a dead or late
    process, S3 that fails for the moment.
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


def test_what_the_examination_meets_stops_no_run(combine: Definition) -> None:
    """It has no say in what a run does: neither its result nor its error goes further."""
    state = combine["States"]["Examine"]
    assert (state["ResultPath"], state["Next"]) == (None, "ListLogs")
    assert state["Catch"] == [
        {"ErrorEquals": ["States.ALL"], "ResultPath": None, "Next": "ListLogs"}
    ]


def test_a_process_that_died_is_replaced_by_a_new_one(definition: Definition) -> None:
    """By one and the same retrier, whatever Lambda calls it, with our own words for it: a kill for
    memory has had two names. Three times: what another item left in the process is gone then, and
    what this one needs is not.
    """
    for name, state in states(definition):
        if not function_of(state):
            continue
        rules = [rule for rule in state["Retry"] if DEATHS & set(rule["ErrorEquals"])]
        assert len(rules) == 1, name
        assert set(rules[0]["ErrorEquals"]) == DEATHS | TRANSIENT, name
        assert rules[0]["MaxAttempts"] == 3, name


def test_a_failing_state_still_comes_to_the_end(combine: Definition) -> None:
    """After Prepare, whatever fails goes to the finishing function, which writes the metrics and
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


def test_a_run_ends_as_it_finished_whatever_becomes_of_its_terms(combine: Definition) -> None:
    """A run that failed fails with its own error after its terms are merged; one that succeeded
    succeeds, even if they cannot be. What cannot be merged is not tried for ever.
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


def test_a_history_ends_as_its_windows_did_whatever_becomes_of_its_terms() -> None:
    """They are merged once for all windows, before the end that says which windows failed."""
    states_ = load_definition("process_historical_main_logs")["States"]
    assert states_["RunWindows"]["Next"] == "MergeTermsOfHistory"
    assert states_["MergeTermsOfHistory"]["Catch"] == [
        {"ErrorEquals": ["States.ALL"], "ResultPath": None, "Next": "FinishHistory"}
    ]
    assert states_["HistoryMerged?"]["Default"] == "FinishHistory"


def test_every_function_is_used_and_known() -> None:
    """The definitions call functions that have handlers, and all of these are called by one of the
    two.
    """
    called = {
        function_of(state)
        for name in ("combine_log_files", "process_historical_main_logs")
        for _, state in states(load_definition(name))
    }
    assert called - {""} == set(MODULES)


def test_names_of_states_are_unique_and_everything_is_reached(definition: Definition) -> None:
    """Step Functions wants unique names in a whole definition; a state that nothing leads to would
    be dead.
    """
    names = [name for name, _ in states(definition)]
    assert len(names) == len(set(names))
    for machine in machines(definition):
        for name in machine["States"]:
            assert ways_into(machine, name), name


def test_substitutions_are_those_of_the_template() -> None:
    """What the definitions leave open is the partition, the concurrencies, and ARNs."""
    for path in DEFINITIONS.glob("*.asl.json"):
        open_names = set(re.findall(r"\$\{(\w+)\}", path.read_text(encoding="utf-8")))
        assert {name for name in open_names if not name.endswith("Arn")} <= {
            "Partition",
            "ListConcurrency",
            "PackConcurrency",
            "HistoryConcurrency",
            "RoleArns",
        }
