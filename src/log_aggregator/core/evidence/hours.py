"""The hours that digests cover, and those that they do not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

Span = tuple[datetime, datetime]
"""(begin, end), without the end."""

_LOOSE_MAX = 64


def join_spans(spans: Iterable[Span]) -> list[Span]:
    """The same time in as few spans as possible, in order, without empty ones."""
    joined: list[Span] = []
    for begin, end in sorted(spans):
        if end <= begin:
            continue
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((begin, end))
    return joined


def subtract_spans(spans: Iterable[Span], others: Iterable[Span]) -> list[Span]:
    """What is in `spans` and in none of the others."""
    left: list[Span] = []
    taken = join_spans(others)
    for begin, end in join_spans(spans):
        at = begin
        for other_begin, other_end in taken:
            if other_end <= at:
                continue
            if other_begin >= end:
                break
            if other_begin > at:
                left.append((at, other_begin))
            at = other_end
        if at < end:
            left.append((at, end))
    return left


def clip_spans(spans: Iterable[Span], to: Span) -> list[Span]:
    """The parts that are inside another span."""
    return join_spans((max(begin, to[0]), min(end, to[1])) for begin, end in spans)


class Spans:
    """A set of moments that grows span by span. It takes 200 bytes for each hole in it."""

    def __init__(self) -> None:
        self._spans: list[Span] = []
        self._joined = 0

    def add(self, begin: datetime, end: datetime) -> None:
        self._spans.append((begin, end))
        if len(self._spans) - self._joined >= _LOOSE_MAX:
            self._spans = join_spans(self._spans)
            self._joined = len(self._spans)

    @property
    def joined(self) -> list[Span]:
        return join_spans(self._spans)


@dataclass(slots=True)
class TrailHours:
    """The hours of one trail's hourly digests in an account and Region."""

    valid: Spans = field(default_factory=Spans)
    invalid: Spans = field(default_factory=Spans)
    unchecked: Spans = field(default_factory=Spans)
    """Hours of digests that exist but could not be read."""
    begun: list[datetime] = field(default_factory=list)
    """When digests began, for the first time or again: valid digests that name no previous one."""

    def find_holes(self, due: Span, others: Iterable[TrailHours] = ()) -> list[Span]:
        """The hours in `due` that no digest covers, not counting invalid ones.

        Before its first digest and after its last one the trail might not have existed. Those hours
        are not holes if `others`, of the same account and Region, cover them.
        """
        known = [*self.valid.joined, *self.unchecked.joined]
        holes = subtract_spans([due], [*known, *self._not_due(due)])
        seen = join_spans([*known, *self.invalid.joined])
        inside = [(seen[0][0], seen[-1][1])] if seen else []
        covered = [
            span for other in others for span in (*other.valid.joined, *other.unchecked.joined)
        ]
        outer = subtract_spans(subtract_spans(holes, inside), covered)
        return join_spans([*clip_each(holes, inside), *outer])

    def find_unproven(self, due: Span) -> list[Span]:
        """The hours in `due` between the first and the last digest that no valid digest covers, for
        whatever reason.
        """
        seen = join_spans([*self.valid.joined, *self.invalid.joined, *self.unchecked.joined])
        uncovered = subtract_spans([due], self.valid.joined)
        inside = [(seen[0][0], seen[-1][1])] if seen else []
        return clip_each(uncovered, inside)

    def _not_due(self, due: Span) -> list[Span]:
        """For each new beginning, the hours back to the last digest before it."""
        seen = [*self.valid.joined, *self.invalid.joined, *self.unchecked.joined]
        return [
            (max((end for _, end in seen if end <= begun), default=due[0]), begun)
            for begun in self.begun
        ]


def clip_each(spans: Iterable[Span], to: Sequence[Span]) -> list[Span]:
    """The parts of them that are inside any of the others."""
    spans = list(spans)
    return join_spans(part for other in to for part in clip_spans(spans, other))
