"""What a reader says where it cannot read."""

from __future__ import annotations

from typing import ClassVar

from log_aggregator.core.terms.model import Unsearched


class Unparsable(Exception):
    """Parts of a member, or all of it, cannot be read as its log type. What could was counted."""

    reason: ClassVar[Unsearched] = Unsearched.UNPARSABLE


class TooLarge(Unparsable):
    """Parts of it are larger than what AWS writes, and would take much memory. The others were
    counted.
    """

    reason = Unsearched.TOO_LARGE
