"""The results that the pieces of a run pass on to the next ones, as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from log_aggregator.core.custody import PackEntry
from log_aggregator.core.listed import decode_group, encode_group
from log_aggregator.errors import Failure
from log_aggregator.model import Target, WrittenPack
from log_aggregator.steps.fanout.tasks import ItemSummary, Listed
from log_aggregator.steps.packing.results import GroupResult, Settling
from log_aggregator.steps.packing.selection import Left, LeftKeys, LeftWhy, Selection

_OTHERS = ("group", "packs", "settled", "discard_lists", "seconds", "failures")
_COUNTS = tuple(item.name for item in fields(GroupResult) if item.name not in _OTHERS)


@dataclass(slots=True)
class GroupState:
    """A group of a work item, by its position there: what was done so far, and the packs that must
    still be settled.
    """

    position: int
    result: GroupResult
    settling: list[Settling] = field(default_factory=list)


@dataclass(slots=True)
class ItemResult:
    """A work item after one of its steps."""

    states: list[GroupState]
    requests: Counter[str] = field(default_factory=Counter)
    """S3 requests by operation, of this step and of those before it."""
    peak_memory_bytes: int = 0


def encode_item_result(result: ItemResult) -> dict[str, Any]:
    states = [
        {
            "position": state.position,
            "group": encode_group(state.result.group),
            "counts": {name: getattr(state.result, name) for name in _COUNTS},
            "packs": [asdict(pack) for pack in state.result.packs],
            "settled": [asdict(pack) for pack in state.result.settled.values()],
            "discard_lists": state.result.discard_lists,
            "seconds": state.result.seconds,
            "failures": [asdict(failure) for failure in state.result.failures],
            "settling": [asdict(settling) for settling in state.settling],
        }
        for state in result.states
    ]
    return {
        "groups": states,
        "requests": dict(result.requests),
        "peak_memory_bytes": result.peak_memory_bytes,
    }


def decode_item_result(value: Mapping[str, Any]) -> ItemResult:
    states = [
        GroupState(
            state["position"],
            GroupResult(
                decode_group(state["group"]),
                packs=[
                    WrittenPack(**{**pack, "target": Target(**pack["target"])})
                    for pack in state["packs"]
                ],
                settled={pack["key"]: PackEntry(**pack) for pack in state["settled"]},
                discard_lists=list(state["discard_lists"]),
                seconds=dict(state["seconds"]),
                failures=[Failure(**failure) for failure in state["failures"]],
                **state["counts"],
            ),
            [Settling(**settling) for settling in state["settling"]],
        )
        for state in value["groups"]
    ]
    return ItemResult(states, Counter(value["requests"]), value["peak_memory_bytes"])


def encode_listed(listed: Listed, requests: Mapping[str, int]) -> dict[str, Any]:
    return {
        "items": [asdict(item) for item in listed.items],
        "selection": encode_selection(listed.selection),
        "seconds": listed.seconds,
        "requests": dict(requests),
    }


def decode_listed(value: Mapping[str, Any]) -> tuple[Listed, Counter[str]]:
    # The stack may be updated during a run, and an earlier version wrote one number for all days.
    items = [
        ItemSummary(**{**item, "late": item["late"] if isinstance(item["late"], dict) else {}})
        for item in value["items"]
    ]
    return Listed(items, decode_selection(value["selection"]), value["seconds"]), Counter(
        value["requests"]
    )


def encode_selection(selection: Selection) -> dict[str, Any]:
    """Encodes its counts and samples; the log objects themselves are in the work items."""
    return {
        "left": {reason.value: count for reason, count in selection.left.items()},
        "listed": selection.listed,
        "listed_bytes": selection.listed_bytes,
        "samples": selection.samples,
        "left_why": [
            [why.bucket, why.left.value, why.why, asdict(keys)]
            for why, keys in selection.left_why.items()
        ],
    }


def decode_selection(value: Mapping[str, Any]) -> Selection:
    left = Counter({Left(reason): count for reason, count in value["left"].items()})
    return Selection(
        left=left,
        listed=value["listed"],
        listed_bytes=value["listed_bytes"],
        samples=dict(value["samples"]),
        left_why={
            LeftWhy(bucket, Left(left), why): LeftKeys(**keys)
            for bucket, left, why, keys in value["left_why"]
        },
    )
