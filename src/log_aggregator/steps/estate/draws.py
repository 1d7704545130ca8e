"""Random draws of a bucket. Each draw walks from the root down to a few pages that it counts,
choosing every step at random, and weights its counts by one over the probability of that path.

So each draw is an unbiased estimate of the whole bucket, whatever the probabilities were. They only
affect the variance: places that seem to hold much are drawn more often, judged by earlier draws
there or at places of the same name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from random import Random
from typing import Any

from log_aggregator.core.costs.estate import Load
from log_aggregator.steps.estate.tally import Cell, Due, Tally
from log_aggregator.steps.estate.tree import Groups, Looker, Place
from log_aggregator.steps.packing.selection import LeftKeys, LeftWhy

EVEN_SHARE = 0.3
"""The share of probability that is spread evenly over all parts, so that a part that was thought
empty does not get an excessive weight.
"""
OBJECT_BYTES = 16 * 1024
"""An object counts as much as this many bytes: reading it costs about what storing them in
Standard costs for a month.
"""
GROUP_OBJECTS = 20
"""A group counts as much as this many objects: it needs its own listings and pack."""


@dataclass(slots=True)
class Draw:
    """One draw's estimate of the whole bucket."""

    cells: dict[Cell, list[float]] = field(default_factory=dict)
    groups: dict[tuple[str, str], float] = field(default_factory=dict)
    """By bucket and log type."""
    left: dict[LeftWhy, LeftKeys] = field(default_factory=dict)
    """Objects and bytes are estimates for the whole bucket, rounded; samples were really seen."""
    due: dict[Due, list[float]] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)

    def take(self, counted: Tally, groups: Groups, weight: float) -> None:
        """Adds what was counted at a place, multiplied by its weight."""
        for cell, (objects, size_bytes) in counted.cells.items():
            _add(self.cells, cell, objects * weight, size_bytes * weight)
        for due, (objects, size_bytes) in counted.due.items():
            _add(self.due, due, objects * weight, size_bytes * weight)
        for why, keys in counted.left.items():
            scaled = LeftKeys(
                round(keys.objects * weight),
                round(keys.size_bytes * weight),
                list(keys.samples),
                keys.is_dateless,
            )
            self.left.setdefault(why, LeftKeys()).add(scaled)
        for place, count in groups.items():
            self.groups[place] = self.groups.get(place, 0.0) + count * weight

    @property
    def load(self) -> Load:
        return Load(
            sum(objects for objects, _ in self.cells.values()),
            sum(size_bytes for _, size_bytes in self.cells.values()),
            sum(self.groups.values()),
        )


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a draw's path, with the draw's estimate for that place."""

    place: Place
    load: Load


@dataclass(slots=True)
class Means:
    """What draws found so far at a place, or at all places of the same name."""

    draws: int = 0
    objects: float = 0.0
    size_bytes: float = 0.0
    mass_sum: float = 0.0

    def add(self, load: Load) -> None:
        self.draws += 1
        self.objects += load.objects
        self.size_bytes += load.size_bytes
        self.mass_sum += mass_of(load)

    @property
    def mass(self) -> float:
        """The mean of the masses."""
        return self.mass_sum / self.draws if self.draws else 0.0


class Chances:
    """The probability of drawing each part of a place, from what earlier draws found. Changes only
    between batches of concurrent draws.
    """

    def __init__(self) -> None:
        self.places: dict[Place, Means] = defaultdict(Means)
        self._names: dict[str, Means] = defaultdict(Means)

    def learn(self, draw: Draw) -> None:
        """Takes a finished draw into account."""
        for step in draw.steps:
            self.places[step.place].add(step.load)
            if step.place.name:
                self._names[step.place.name].add(step.load)

    def choose(self, parts: Sequence[Place], chance: Random) -> tuple[Place, float]:
        """One of the parts, and its probability."""
        masses = self._masses(parts)
        total, even = sum(masses), EVEN_SHARE / len(parts)
        if total <= 0:
            return parts[chance.randrange(len(parts))], 1 / len(parts)
        chances = [even + (1 - EVEN_SHARE) * mass / total for mass in masses]
        [number] = chance.choices(range(len(parts)), cum_weights=list(accumulate(chances)))
        return parts[number], chances[number] / sum(chances)

    def _masses(self, parts: Sequence[Place]) -> list[float]:
        """The expected mass of each part. For a part drawn before: its mean, pulled a little
        towards the mean of its name. Otherwise the mean of its name, or of its siblings.
        """
        known = [self.places[part].mass for part in parts if self._is_drawn(part)]
        middle = sum(known) / len(known) if known else 0.0
        masses = []
        for part in parts:
            named = self._names.get(part.name)
            expected = named.mass if part.name and named is not None else middle
            if self._is_drawn(part):
                means = self.places[part]
                expected = (means.mass * means.draws + expected) / (means.draws + 1)
            masses.append(expected)
        return masses

    def _is_drawn(self, part: Place) -> bool:
        return part in self.places and self.places[part].draws > 0


def make_draw(looker: Looker, root: Place, chances: Chances, chance: Random) -> Draw:
    """Draws one path from the root to its end. Raises OutOfRequests, StoreError."""
    draw, place, weight = Draw(), root, 1.0
    way: list[tuple[Place, Load, float]] = []
    while True:
        seen = looker.look(place)
        groups = looker.count_groups(place, seen.counted, chance)
        draw.take(seen.counted, groups, weight)
        load = replace(seen.counted.load, groups=sum(groups.values()))
        way.append((place, load, weight))
        if not seen.parts:
            break
        if seen.are_alike:
            place, likely = seen.parts[chance.randrange(len(seen.parts))], 1 / len(seen.parts)
        else:
            place, likely = chances.choose(seen.parts, chance)
        weight /= likely
    draw.steps = _steps_of(way)
    return draw


def mass_of(load: Load) -> float:
    """How much weight draws should give to a load."""
    return load.objects + load.size_bytes / OBJECT_BYTES + load.groups * GROUP_OBJECTS


def _steps_of(way: Sequence[tuple[Place, Load, float]]) -> list[Step]:
    """The estimate for each place from the path below it."""
    steps, objects, size_bytes, groups = [], 0.0, 0.0, 0.0
    for place, load, weight in reversed(way):
        objects += load.objects * weight
        size_bytes += load.size_bytes * weight
        groups += load.groups * weight
        steps.append(Step(place, Load(objects / weight, size_bytes / weight, groups / weight)))
    return steps


def _add(counts: dict[Any, list[float]], key: Any, objects: float, size_bytes: float) -> None:
    found = counts.setdefault(key, [0.0, 0.0])
    found[0] += objects
    found[1] += size_bytes
