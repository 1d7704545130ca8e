"""What `survey` found, in plain types: counts, dollars, and how certain each of them is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from log_aggregator.core.costs import estimate_dollars
from log_aggregator.core.costs.estate import (
    Load,
    PackingCosts,
    find_payback_months,
    month_rates,
)
from log_aggregator.core.estimates import Estimate, estimate_total
from log_aggregator.reports.ways import ARCHIVE, SIZE_BOUNDS, YEARS_DEFAULT
from log_aggregator.steps.estate.draws import Draw
from log_aggregator.steps.estate.survey import BucketFigures, Estate
from log_aggregator.steps.estate.tally import Cell, Due, Tally
from log_aggregator.steps.packing.selection import LeftWhy

ACCOUNTS_MAX = 15
AGE_BOUNDS_DAYS = (30, 90, 365, 3 * 365)
MACHINES = 10
"""Functions or machines that work at the same time, for the time that packing takes."""

Kind = tuple[str, str]
"""A bucket and a log type."""


@dataclass(frozen=True, slots=True)
class Question:
    """The storage class of packs, the years that logs are kept, and the prices."""

    costs: PackingCosts
    storage_class: str = "STANDARD"
    years: int = YEARS_DEFAULT


@dataclass(slots=True)
class _Part:
    """The figures of one bucket and log type, from one draw or from everything counted."""

    load: Load
    now_month: float = 0.0


@dataclass(slots=True)
class _Stratum:
    """A bucket: what was counted in it, and its draws."""

    counted: dict[Kind, _Part]
    draws: list[dict[Kind, _Part]] = field(default_factory=list)


def describe_estate(estate: Estate, question: Question) -> dict[str, Any]:
    """The names are documented in docs/reference/json.md."""
    rates = _Rates(question)
    strata = [_make_stratum(bucket, rates) for bucket in estate.buckets]
    kinds = sorted({kind for each in strata for kind in _kinds_of(each)})
    figures = _Figures(strata, question)
    prices = question.costs.prices
    total = figures.describe(set(kinds))
    types = [{"bucket": kind[0], "log_type": kind[1], **figures.describe({kind})} for kind in kinds]
    types.sort(key=lambda row: (-row["dollars"]["now_month"]["value"], row["bucket"]))
    return {
        "date": estate.today.isoformat(),
        "is_sampled": any(each.draws for each in estate.buckets),
        "requests": estate.requests,
        "dollars_spent": round(estimate_dollars({"ListObjectsV2": estate.requests}, prices), 8),
        "prices": {"region": prices.region, "date": prices.date},
        "years": question.years,
        "storage_class": question.storage_class,
        "buckets": [_describe_bucket(each) for each in estate.buckets],
        "total": total,
        "types": types,
        "sizes": list(_describe_sizes(_mean_cells(estate))),
        "classes": list(_describe_classes(_mean_cells(estate), rates)),
        "ages": list(_describe_ages(estate)),
        "months": list(_describe_months(_mean_cells(estate))),
        "accounts": list(_describe_accounts(estate)),
        "lifecycle": list(_describe_lifecycle(estate)),
        "left": list(_describe_left(estate)),
    }


class _Rates:
    """Dollars a month for what a cell holds."""

    def __init__(self, question: Question) -> None:
        self._prices = question.costs.prices
        self._known: dict[tuple[str, int], tuple[float, float]] = {}

    def month(self, cell: Cell, counts: list[float]) -> float:
        place = (cell.storage_class, cell.size_class)
        if place not in self._known:
            self._known[place] = month_rates(*place, self._prices)
        of_object, of_byte = self._known[place]
        return counts[0] * of_object + counts[1] * of_byte


class _Figures:
    """Estimates over the strata."""

    def __init__(self, strata: list[_Stratum], question: Question) -> None:
        self._strata = strata
        self._question = question

    def describe(self, kinds: set[Kind]) -> dict[str, Any]:
        """Figures of some kinds together."""
        costs, chosen = self._question.costs, self._question.storage_class

        def estimate(value: Callable[[_Part], float]) -> dict[str, Any]:
            return _describe_estimate(self._estimate(kinds, value))

        now = estimate(lambda part: part.now_month)
        dollars = {
            "now_month": now,
            "packed_month": estimate(lambda part: costs.month(part.load, chosen)),
            "archived_month": estimate(lambda part: costs.month(part.load, ARCHIVE)),
            "packing": estimate(lambda part: costs.once(part.load, chosen)),
            "packing_archived": estimate(lambda part: costs.once(part.load, ARCHIVE)),
            "kms_without_bucket_keys": estimate(lambda part: costs.kms(part.load)),
        }
        objects = estimate(lambda part: part.load.objects)
        size_bytes = estimate(lambda part: part.load.size_bytes)
        groups = estimate(lambda part: part.load.groups)
        return {
            "objects": objects,
            "bytes": size_bytes,
            "groups": groups,
            "bytes_per_group": round(size_bytes["value"] / max(1.0, groups["value"])),
            "seconds": estimate(lambda part: part.load.seconds),
            "dollars": dollars,
            **self._judge({name: each["value"] for name, each in dollars.items()}),
        }

    def _judge(self, dollars: Mapping[str, float]) -> dict[str, Any]:
        """Whether packing pays, and when."""
        months = self._question.years * 12
        packed = find_payback_months(
            dollars["packing"], dollars["now_month"], dollars["packed_month"]
        )
        archived = find_payback_months(
            dollars["packing_archived"], dollars["now_month"], dollars["archived_month"]
        )
        saved = max(
            (dollars["now_month"] - dollars["packed_month"]) * months - dollars["packing"],
            (dollars["now_month"] - dollars["archived_month"]) * months
            - dollars["packing_archived"],
        )
        return {
            "payback_months": {"packed": _round(packed), "archived": _round(archived)},
            "saved": round(saved, 8),
            "pays": saved > 0,
        }

    def _estimate(self, kinds: set[Kind], value: Callable[[_Part], float]) -> Estimate:
        def of(parts: Mapping[Kind, _Part]) -> float:
            return sum(value(part) for kind, part in parts.items() if kind in kinds)

        counted = sum(of(each.counted) for each in self._strata)
        return estimate_total(
            [[of(draw) for draw in each.draws] for each in self._strata if each.draws], counted
        )


def _make_stratum(bucket: BucketFigures, rates: _Rates) -> _Stratum:
    counted = _parts_of(bucket.counted.cells, _groups_of(bucket.counted), rates)
    draws = [_parts_of(draw.cells, draw.groups, rates) for draw in bucket.draws]
    return _Stratum(counted, draws)


def _parts_of(
    cells: Mapping[Cell, list[float]], groups: Mapping[Kind, float], rates: _Rates
) -> dict[Kind, _Part]:
    sums: dict[Kind, list[float]] = {}
    for cell, counts in cells.items():
        found = sums.setdefault((cell.bucket, cell.log_type), [0.0, 0.0, 0.0])
        found[0] += counts[0]
        found[1] += counts[1]
        found[2] += rates.month(cell, counts)
    return {
        kind: _Part(Load(objects, size_bytes, groups.get(kind, 0.0)), now)
        for kind, (objects, size_bytes, now) in sums.items()
    }


def _groups_of(counted: Tally) -> dict[Kind, float]:
    groups: dict[Kind, float] = {}
    for (bucket, log_type, _), bits in counted.days.items():
        groups[bucket, log_type] = groups.get((bucket, log_type), 0.0) + bits.bit_count()
    return groups


def _kinds_of(stratum: _Stratum) -> Iterator[Kind]:
    yield from stratum.counted
    for draw in stratum.draws:
        yield from draw


def _mean_cells(estate: Estate) -> Iterator[tuple[Cell, float, float]]:
    """What was counted, and the means over the draws."""
    for bucket in estate.buckets:
        for cell, (objects, size_bytes) in bucket.counted.cells.items():
            yield cell, objects, size_bytes
        for draw in bucket.draws:
            for cell, (objects, size_bytes) in draw.cells.items():
                yield cell, objects / len(bucket.draws), size_bytes / len(bucket.draws)


def _describe_sizes(cells: Iterable[tuple[Cell, float, float]]) -> Iterator[dict[str, Any]]:
    """Those of `SIZE_BOUNDS`, from the first to the last that is not empty."""
    bounds = [bound.bit_length() for bound in SIZE_BOUNDS]
    sums = [[0.0, 0.0] for _ in range(len(SIZE_BOUNDS) + 1)]
    for cell, objects, size_bytes in cells:
        number = sum(cell.size_class >= bound for bound in bounds)
        sums[number][0] += objects
        sums[number][1] += size_bytes
    for number, (objects, size_bytes) in enumerate(sums):
        if objects:
            yield {
                "bytes_from": SIZE_BOUNDS[number - 1] if number else 0,
                "bytes_below": SIZE_BOUNDS[number] if number < len(SIZE_BOUNDS) else None,
                "objects": round(objects),
                "bytes": round(size_bytes),
            }


def _describe_classes(
    cells: Iterable[tuple[Cell, float, float]], rates: _Rates
) -> Iterator[dict[str, Any]]:
    sums: dict[str, list[float]] = {}
    for cell, objects, size_bytes in cells:
        found = sums.setdefault(cell.storage_class, [0.0, 0.0, 0.0])
        found[0] += objects
        found[1] += size_bytes
        found[2] += rates.month(cell, [objects, size_bytes])
    for name, (objects, size_bytes, dollars) in sorted(sums.items(), key=lambda row: -row[1][2]):
        yield {
            "storage_class": name,
            "objects": round(objects),
            "bytes": round(size_bytes),
            "dollars_month": round(dollars, 8),
        }


def _describe_ages(estate: Estate) -> Iterator[dict[str, Any]]:
    sums = [[0.0, 0.0] for _ in range(len(AGE_BOUNDS_DAYS) + 1)]
    for cell, objects, size_bytes in _mean_cells(estate):
        age = (estate.today - cell.day).days
        number = sum(age >= bound for bound in AGE_BOUNDS_DAYS)
        sums[number][0] += objects
        sums[number][1] += size_bytes
    for number, (objects, size_bytes) in enumerate(sums):
        yield {
            "days_from": AGE_BOUNDS_DAYS[number - 1] if number else 0,
            "days_below": AGE_BOUNDS_DAYS[number] if number < len(AGE_BOUNDS_DAYS) else None,
            "objects": round(objects),
            "bytes": round(size_bytes),
        }


def _describe_months(cells: Iterable[tuple[Cell, float, float]]) -> Iterator[dict[str, Any]]:
    sums: dict[str, list[float]] = {}
    for cell, objects, size_bytes in cells:
        found = sums.setdefault(f"{cell.day:%Y-%m}", [0.0, 0.0])
        found[0] += objects
        found[1] += size_bytes
    for month, (objects, size_bytes) in sorted(sums.items()):
        yield {"month": month, "objects": round(objects), "bytes": round(size_bytes)}


def _describe_accounts(estate: Estate) -> Iterator[dict[str, Any]]:
    """The largest accounts. In a sampled bucket only the drawn ones are known."""
    sums: dict[str, list[float]] = {}
    for bucket in estate.buckets:
        rows = [(name, counts) for name, counts in bucket.counted.accounts.items()]
        rows += [
            (name, [means.objects / means.draws, means.size_bytes / means.draws])
            for name, means in bucket.accounts.items()
            if means.draws
        ]
        for name, (objects, size_bytes) in rows:
            found = sums.setdefault(name, [0.0, 0.0])
            found[0] += objects
            found[1] += size_bytes
    ordered = sorted(sums.items(), key=lambda row: (-row[1][1], row[0]))
    for name, (objects, size_bytes) in ordered[:ACCOUNTS_MAX]:
        yield {"account": name, "objects": round(objects), "bytes": round(size_bytes)}


def _describe_lifecycle(estate: Estate) -> Iterator[dict[str, Any]]:
    dues: dict[Due, list[list[float]]] = {}
    for bucket in estate.buckets:
        for due, counts in _means(bucket, lambda of: of.due):
            dues.setdefault(due, []).append(counts)
    for due, rows in sorted(dues.items()):
        yield {
            "bucket": due.bucket,
            "fate": due.fate.value,
            "within_days": due.within_days,
            "objects": round(sum(objects for objects, _ in rows)),
            "bytes": round(sum(size_bytes for _, size_bytes in rows)),
        }


def _means(
    bucket: BucketFigures, of: Callable[[Tally | Draw], Mapping[Any, list[float]]]
) -> Iterator[tuple[Any, list[float]]]:
    yield from of(bucket.counted).items()
    for draw in bucket.draws:
        for key, counts in of(draw).items():
            yield key, [count / len(bucket.draws) for count in counts]


def _describe_left(estate: Estate) -> Iterator[dict[str, Any]]:
    """A row for each bucket and reason, the largest first."""
    sums: dict[LeftWhy, list[float]] = {}
    samples: dict[LeftWhy, list[str]] = {}
    for bucket in estate.buckets:
        share = 1 / max(1, len(bucket.draws))
        found = [(bucket.counted.left, 1.0), *((draw.left, share) for draw in bucket.draws)]
        for left, weight in found:
            for why, keys in left.items():
                sum_ = sums.setdefault(why, [0.0, 0.0])
                sum_[0] += keys.objects * weight
                sum_[1] += keys.size_bytes * weight
                known = samples.setdefault(why, [])
                known += [key for key in keys.samples if key not in known][: 2 - len(known)]
    for why, (objects, size_bytes) in sorted(sums.items(), key=lambda row: -row[1][0]):
        yield {
            "bucket": why.bucket,
            "left": why.left.value,
            "reason": why.why,
            "objects": round(objects),
            "bytes": round(size_bytes),
            "samples": samples[why],
        }


def _describe_bucket(bucket: BucketFigures) -> dict[str, Any]:
    return {
        "bucket": bucket.bucket,
        "way": bucket.way.value,
        "inventory": bucket.inventory or None,
        "draws": len(bucket.draws),
        "accounts_seen": bucket.accounts_seen,
        "accounts_drawn": len(bucket.accounts),
        "lifecycle": bucket.lifecycle.value,
    }


def _describe_estimate(estimate: Estimate) -> dict[str, Any]:
    return {
        "value": round(estimate.value, 8),
        "low": round(estimate.low, 8),
        "high": round(estimate.high, 8),
    }


def _round(months: float | None) -> float | None:
    return None if months is None else round(months, 2)
