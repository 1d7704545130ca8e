"""The errors of readers."""

from __future__ import annotations

from typing import ClassVar

from log_aggregator.core.terms.model import Unsearched


class Unparsable(Exception):
    """A member, or parts of it, cannot be parsed as its log type. The rest was counted."""

    reason: ClassVar[Unsearched] = Unsearched.UNPARSABLE


class TooLarge(Unparsable):
    """Parts of a member are larger than anything that AWS writes, and would take much memory. The
    rest was counted.
    """

    reason = Unsearched.TOO_LARGE
