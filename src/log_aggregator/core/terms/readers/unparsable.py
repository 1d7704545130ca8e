"""What a reader says where it cannot read."""

from __future__ import annotations


class Unparsable(Exception):
    """Parts of a member, or all of it, cannot be read as its log type. What could was counted."""
