"""Notices originals that are gone while others of their day still exist.

A run deletes all originals of a pack together. If only some are gone, a run was interrupted, some
were put back, or someone deleted them. Packs still hold them, but the user should know.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from log_aggregator.core.digests import DIGEST_LOG_TYPE
from log_aggregator.model import Group
from log_aggregator.steps.cloudtrail.copies import Copy
from log_aggregator.steps.cloudtrail.files import group_of_key
from log_aggregator.steps.cloudtrail.findings import Finding, Kind, State
from log_aggregator.steps.cloudtrail.notes import AccountNotes


@dataclass(slots=True)
class _Left:
    there: int = 0
    gone: int = 0
    first: Copy | None = None


@dataclass(slots=True)
class Originals:
    """The counts of one account, by group."""

    _left: dict[Group, _Left] = field(default_factory=dict)

    def take(self, copies: Iterable[Copy]) -> None:
        """Counts files, each once: as an original, or only in a pack."""
        for copy in copies:
            group = group_of_key(copy.bucket, copy.key)
            if group is None:
                continue
            left = self._left.setdefault(group, _Left())
            if copy.packed is None:
                left.there += 1
                continue
            left.gone += 1
            if left.first is None or copy.key < left.first.key:
                left.first = copy

    def tell(self, notes: AccountNotes) -> None:
        """Reports each day of which some originals exist and some are gone."""
        for group, left in sorted(self._left.items()):
            if left.first is None or not left.there:
                continue
            kind = Kind.DIGEST if group.log_type == DIGEST_LOG_TYPE else Kind.LOG
            text = (
                f"is no longer in its bucket: of {group.date}, {left.gone:,} originals are gone "
                f"and {left.there:,} still exist. Packs hold those that are gone; if neither an "
                "interrupted run nor put-back explains this, someone deleted them"
            )
            first = left.first
            notes.add(Finding(kind, State.NOTE, first.bucket, first.key, text, first.pack), [])
