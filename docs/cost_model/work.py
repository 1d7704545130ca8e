"""What packing log objects of one size costs, step by step: requests, KMS, Lambda, Step
Functions.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from cost_model.stack import STACK_PRICES, StackPrices
from log_aggregator.core.costs.prices import PRICES, Prices
from log_aggregator.core.costs.storage import INDEX_BYTES_PER_MEMBER, Packed, Sizes
from log_aggregator.core.planning import PackLimits
from log_aggregator.limits import COPY_RANGE_BYTES_MAX, DELETE_COUNT_MAX, LIST_PAGE_COUNT_MAX

STEPS = ("listing", "reading", "writing", "verifying", "deleting")

KMS_BUCKET_KEY_SHARE = 0.01
"""Of the requests to KMS at most so many are left with S3 Bucket Keys: they save up to 99 percent
of them.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html
"""


@dataclass(frozen=True, slots=True)
class Load:
    """Log objects of one size, in groups that are all alike, in a versioned bucket."""

    objects: int
    size_bytes: int
    groups: int = 1


@dataclass(frozen=True, slots=True)
class _PackShape:
    packs: int
    members: int
    """Of each of these packs."""


def estimate_steps(load: Load, limits: PackLimits) -> dict[str, Counter[str]]:
    """Requests by step and S3 operation, where packs are as full as they may be. The same as
    `estimate_requests` of such a plan.
    """
    steps: dict[str, Counter[str]] = {step: Counter() for step in STEPS}
    if not load.objects:
        return steps
    steps["listing"]["ListObjectVersions"] = -(-load.objects // LIST_PAGE_COUNT_MAX)
    steps["listing"]["ListObjectsV2"] = 2 * load.groups
    for shape in _shapes(load, limits):
        steps["reading"]["GetObject"] += shape.packs * shape.members
        for operation, count in _writing(shape.members, load.size_bytes, limits).items():
            steps["writing"][operation] += shape.packs * count
        steps["verifying"].update({"HeadObject": 2 * shape.packs, "GetObject": shape.packs})
        steps["deleting"]["DeleteObjects"] += shape.packs * -(-shape.members // DELETE_COUNT_MAX)
    return steps


def estimate_search_requests(load: Load, limits: PackLimits, tables: int = 1) -> Counter[str]:
    """What search adds: the terms of each pack are written, and read once more when they are merged
    into so many tables, one for each log type and month.
    """
    packs = sum(shape.packs for shape in _shapes(load, limits))
    return Counter({"PutObject": packs + tables, "GetObject": packs, "ListObjectsV2": tables})


def estimate_load_packed(
    load: Load, limits: PackLimits, index_bytes_per_member: int = INDEX_BYTES_PER_MEMBER
) -> Packed:
    """The load's packs, as storage prices want them."""
    requests = sum(estimate_steps(load, limits).values(), Counter[str]())
    packs = Sizes()
    for shape in _shapes(load, limits):
        packs.add(shape.members * (load.size_bytes + index_bytes_per_member), shape.packs)
    return Packed(requests, packs, load.objects * index_bytes_per_member)


def estimate_kms_dollars(
    steps: dict[str, Counter[str]], prices: Prices = PRICES, *, with_bucket_keys: bool
) -> float:
    """At most this for source objects that are encrypted with KMS: a request for each that is read
    or copied.
    """
    requests = steps["reading"]["GetObject"] + steps["writing"]["UploadPartCopy"]
    return (
        requests
        * prices.kms_request_10000
        / 10_000
        * (KMS_BUCKET_KEY_SHARE if with_bucket_keys else 1)
    )


@dataclass(frozen=True, slots=True)
class Rates:
    """What a function does in a second, including waiting: docs/internals/lambda-sizes.md."""

    combine_objects: float = 926
    """Measured with 128 readers at 1,769 MB, every answer 100 ms late."""
    combine_bytes: float = 75e6
    """600 Mbit/s; 104 MB/s were measured without such a limit."""
    list_objects: float = 1_000_000 / 131
    """A flat bucket, 100 ms a page."""
    delete_objects: float = 3_500
    """What S3 promises of one partition."""
    verify_item_seconds: float = 1.0
    """For a work item with one pack: 0.3 s of CPU and three requests."""

    def shared(self, functions: int) -> Rates:
        """Where so many functions share what S3 promises of one partition: 5,500 GETs and 3,500
        DELETEs a second.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html
        """
        gets, deletes = (
            min(self.combine_objects, 5_500 / functions),
            min(self.delete_objects, 3_500 / functions),
        )
        return Rates(gets, self.combine_bytes, self.list_objects, deletes, self.verify_item_seconds)


@dataclass(frozen=True, slots=True)
class Stack:
    """How the stack cuts work, what memory its functions have, and how many state transitions a
    work item is.
    """

    item_objects_max: int
    item_bytes_max: int
    item_groups_max: int
    combine_mb: int
    list_mb: int
    verify_mb: int
    delete_mb: int
    item_transitions: int

    def items(self, load: Load) -> int:
        """How many work items a load is cut into."""
        return max(
            -(-load.objects // self.item_objects_max),
            -(-load.objects * load.size_bytes // self.item_bytes_max),
            -(-load.groups // self.item_groups_max) if load.objects else 0,
        )


def estimate_lambda_dollars(
    load: Load, stack: Stack, rates: Rates, prices: StackPrices = STACK_PRICES
) -> float:
    """On arm64: one call that lists, and three of each work item."""
    items = stack.items(load)
    combine = max(
        load.objects / rates.combine_objects, load.objects * load.size_bytes / rates.combine_bytes
    )
    gb_seconds = (
        combine * stack.combine_mb
        + load.objects / rates.list_objects * stack.list_mb
        + items * rates.verify_item_seconds * stack.verify_mb
        + load.objects / rates.delete_objects * stack.delete_mb
    ) / 1024
    calls = 3 * items + (1 if load.objects else 0)
    return (
        gb_seconds * prices.lambda_arm64_gb_second
        + calls * prices.lambda_request_million / 1_000_000
    )


def estimate_item_transitions_dollars(
    load: Load, stack: Stack, prices: StackPrices = STACK_PRICES
) -> float:
    """State transitions of the load's work items. Those of the run itself come on top, and do not
    depend on its size.
    """
    return stack.items(load) * stack.item_transitions * prices.transition_1000 / 1000


def _shapes(load: Load, limits: PackLimits) -> list[_PackShape]:
    """Of each group as many full packs as there are, and one with the rest."""
    fewer, more = divmod(load.objects, load.groups)
    shapes = []
    for groups, objects in ((load.groups - more, fewer), (more, fewer + 1)):
        full, rest = divmod(objects, _members_max(load.size_bytes, limits))
        if groups and full:
            shapes.append(_PackShape(groups * full, _members_max(load.size_bytes, limits)))
        if groups and rest:
            shapes.append(_PackShape(groups, rest))
    return shapes


def _members_max(size_bytes: int, limits: PackLimits) -> int:
    if size_bytes >= limits.copy_alone_bytes_min:
        return 1
    return max(
        1,
        min(
            limits.members_max,
            limits.pack_size_bytes_max // size_bytes if size_bytes else limits.members_max,
        ),
    )


def _writing(members: int, size_bytes: int, limits: PackLimits) -> Counter[str]:
    """Of one pack, with its index."""
    is_large = size_bytes >= min(limits.copy_size_bytes_min, limits.copy_alone_bytes_min)
    parts = -(-members * size_bytes // limits.part_size_bytes)
    if not is_large and parts <= 1:
        return Counter(PutObject=2)
    requests = Counter(PutObject=1, CreateMultipartUpload=1, CompleteMultipartUpload=1)
    requests["UploadPart"] = 1 + members if is_large else parts
    if is_large:
        requests["UploadPartCopy"] = members * -(-size_bytes // COPY_RANGE_BYTES_MAX)
    return requests
